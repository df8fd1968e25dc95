//! What is done by mail, where mail is sent: an address is confirmed, a forgotten password is set anew, changes are told.

use std::time::Duration;

use netra_ws::{ErrorCode, Timestamp, UserId, model::User};

use super::{Identity, SecurityService, Visitor, accounts::digest, secret, too_many};
use crate::server::{error::ApiError, mail::Letter, store::Purpose};

/// Letters with links that one account causes in an hour.
pub(super) const LETTERS_PER_HOUR: u32 = 20;

/// How long the links in letters are good.
const CONFIRM_LIFE: Duration = Duration::from_hours(24);
const FORGOT_LIFE: Duration = Duration::from_hours(1);

impl SecurityService {
    /// Whether this server sends mail.
    pub fn sends_mail(&self) -> bool {
        self.mailer.is_some()
    }

    /// Tells the owner of an account, where mail is sent.
    pub(super) fn tell(&self, user: &User, letter: Letter) {
        if let (Some(mailer), Some(address)) = (&self.mailer, &user.email) {
            mailer.send(address.clone(), letter);
        }
    }

    /// Asks the owner of a new account to show that the address is theirs.
    pub(super) async fn ask_for_address(&self, user: &User) -> Result<(), ApiError> {
        if self.mailer.is_none() {
            return Ok(());
        }
        let secret = secret::random_text().map_err(|error| ApiError::internal(&error))?;
        self.store.await_address(user.id, &digest(&secret), Timestamp::now().plus(CONFIRM_LIFE)).await?;
        let url = format!("{}/login?mode=confirm&link={secret}", self.base);
        self.tell(user, Letter::ConfirmAddress { url });
        Ok(())
    }

    /// Whether the user has yet to show that the address is theirs.
    pub async fn address_is_due(&self, user: UserId) -> Result<bool, ApiError> {
        Ok(self.store.address_is_due(user).await?)
    }

    /// Sends that letter again.
    pub async fn ask_for_address_again(&self, identity: &Identity) -> Result<(), ApiError> {
        identity.require_person()?;
        if self.mailer.is_none() || !self.address_is_due(identity.user.id).await? {
            return Err(ApiError::new(ErrorCode::Conflict, "no address of yours waits to be confirmed"));
        }
        if let Some(wait) = self.letters.spend(&identity.user.id) {
            return Err(too_many(wait));
        }
        self.ask_for_address(&identity.user).await
    }

    /// Takes the link of such a letter.
    pub async fn confirm_address(&self, visitor: &Visitor, link: &str) -> Result<(), ApiError> {
        if let Some(wait) = self.attempts.spend(&visitor.network()) {
            return Err(too_many(wait));
        }
        let user = self.store.confirm_address(&digest(link)).await?.ok_or_else(super::accounts::bad_link)?;
        self.note(Some(user.id), "address.confirmed", None, Some(visitor)).await;
        Ok(())
    }

    /// Sends a link for a new password to who has this address here. Nobody learns whether somebody has.
    pub async fn forgot(&self, visitor: &Visitor, email: &str) -> Result<(), ApiError> {
        self.require(super::AuthMode::Password)?;
        if self.mailer.is_none() {
            let problem = "this server sends no mail; ask whoever runs it for a link";
            return Err(ApiError::new(ErrorCode::Forbidden, problem));
        }
        if let Some(wait) = self.attempts.spend(&visitor.network()) {
            return Err(too_many(wait));
        }
        let Some(user) = self.store.user_by_address(&email.trim().to_lowercase()).await? else { return Ok(()) };
        if self.letters.spend(&user.id).is_some() {
            tracing::warn!(user_id = %user.id, "too many letters for an account; this one is not sent");
            return Ok(());
        }
        let purpose = Purpose::Password { user: user.id };
        let link = self.link(purpose, Some(user.id), FORGOT_LIFE, "mode=reset&link").await?;
        self.note(None, "password.link_sent", Some(user.id.to_string()), Some(visitor)).await;
        self.tell(&user, Letter::NewPassword { url: link.url });
        Ok(())
    }
}
