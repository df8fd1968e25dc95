//! Accounts after they are made: passwords changed and reset, sign-ins listed and ended, links that are good once, and the log
//! of all that.

use std::time::Duration;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use netra_ws::{
    ErrorCode, Timestamp, UserId,
    model::{Role, User},
};
use schemars::JsonSchema;
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::{
    Identity, SecurityService, SessionSecret, Visitor, names, password, secret, too_many,
    with_password::{GuessPlace, guess_line},
};
use crate::server::{
    error::ApiError,
    mail::Letter,
    store::{AuditLine, Deed, Purpose},
    whence,
};

/// How long an invitation and a password link are good.
const INVITATION_LIFE: Duration = Duration::from_hours(7 * 24);
const PASSWORD_LIFE: Duration = Duration::from_hours(24);

/// Bytes of a digest that name a sign-in: enough to tell a user's own apart, and no way back to the secret.
const HANDLE: usize = 12;

/// A sign-in.
#[derive(JsonSchema, Serialize)]
pub struct SignInInfo {
    /// Names it when it is to be ended.
    pub id: String,
    /// Whether it is the one that asks.
    pub current: bool,
    /// When it began.
    pub created_at: Timestamp,
    /// When it was used last, to the minute.
    pub last_used_at: Timestamp,
    /// The network address that it was made from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// What the browser called itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
}

/// A link that was just made: the one time that it is shown.
#[derive(JsonSchema, Serialize)]
pub struct OneTimeLink {
    /// The address to open.
    pub url: String,
    /// When its time is over.
    pub expires_at: Timestamp,
}

fn handle(digest: &[u8]) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(&digest[..digest.len().min(HANDLE)])
}

pub(crate) fn digest(secret: &str) -> Vec<u8> {
    Sha256::digest(secret.as_bytes()).to_vec()
}

pub(super) fn bad_link() -> ApiError {
    ApiError::new(ErrorCode::NotFound, "this link was used already, or its time is over; ask for a new one")
}

impl SecurityService {
    /// Adds to the audit log. What was done is done: a log that cannot be written is told to whoever runs the server. Where no
    /// visitor is named, the address is that of the request being served.
    pub(super) async fn note(
        &self,
        actor: Option<UserId>,
        action: &'static str,
        subject: Option<String>,
        visitor: Option<&Visitor>,
    ) {
        let address = visitor.map(|visitor| visitor.address.to_string()).or_else(whence::address);
        self.note_deed(Deed { actor, action, subject, address }).await;
    }

    /// The same for what was done elsewhere.
    pub async fn note_deed(&self, deed: Deed) {
        let action = deed.action;
        if let Err(error) = self.store.note(deed).await {
            tracing::error!(%error, action, "the audit log could not be written");
        }
    }

    /// Adds a failure of an account to the audit log, beside the answer, which takes no longer for an account that exists: so many
    /// an hour.
    pub(super) fn note_failure(&self, action: &'static str, account: UserId, visitor: &Visitor) {
        if self.noted_failures.spend(&account).is_some() {
            return;
        }
        let Ok(place) = self.waiting_notes.clone().try_acquire_owned() else {
            tracing::warn!(action, user_id = %account, "too many failures to note them all in the audit log");
            return;
        };
        let (subject, address) = (Some(account.to_string()), Some(visitor.address.to_string()));
        let store = self.store.clone();
        tokio::spawn(async move {
            if let Err(error) = store.note(Deed { actor: None, action, subject, address }).await {
                tracing::error!(%error, action, "the audit log could not be written");
            }
            drop(place);
        });
    }

    /// A part of the audit log, oldest first.
    pub async fn audit(&self, after: i64, limit: usize, text: Option<&str>) -> Result<Vec<AuditLine>, ApiError> {
        Ok(self.store.audit(after, limit, text).await?)
    }

    /// The user's sign-ins, the newest first.
    pub async fn sign_ins(&self, identity: &Identity) -> Result<Vec<SignInInfo>, ApiError> {
        identity.require_person()?;
        let sign_ins = self.store.sign_ins(identity.user.id).await?;
        let info = |sign_in: crate::server::store::SignIn| SignInInfo {
            id: handle(&sign_in.digest),
            current: sign_in.digest == identity.session.0,
            created_at: sign_in.created_at,
            last_used_at: sign_in.seen_at,
            address: sign_in.address,
            device: sign_in.device,
        };
        Ok(sign_ins.into_iter().map(info).collect())
    }

    /// Ends one of the user's sign-ins.
    pub async fn end_sign_in(&self, identity: &Identity, visitor: &Visitor, id: &str) -> Result<(), ApiError> {
        identity.require_person()?;
        let sign_ins = self.store.sign_ins(identity.user.id).await?;
        let wanted = sign_ins.iter().find(|sign_in| handle(&sign_in.digest) == id).ok_or_else(ApiError::not_found)?;
        self.store.end_session(&wanted.digest).await?;
        self.note(Some(identity.user.id), "sign_in.ended", Some(id.to_owned()), Some(visitor)).await;
        Ok(())
    }

    /// Ends all of the user's sign-ins but the one that asks; how many.
    pub async fn end_other_sign_ins(&self, identity: &Identity, visitor: &Visitor) -> Result<u64, ApiError> {
        identity.require_person()?;
        let ended = self.store.end_sign_ins(identity.user.id, Some(&identity.session.0)).await?;
        self.note(Some(identity.user.id), "sign_in.others_ended", None, Some(visitor)).await;
        Ok(ended)
    }

    /// Asks whoever is signed in for the password once more, before what matters.
    pub(super) async fn confirm_password(
        &self,
        identity: &Identity,
        visitor: &Visitor,
        password: &str,
    ) -> Result<(), ApiError> {
        identity.require_person()?;
        let user = &identity.user;
        let hash =
            self.store.password_hash(user.id).await?.ok_or_else(|| {
                ApiError::new(ErrorCode::Conflict, "this account has no password; sign in again instead")
            })?;
        // A line that strangers are not in: whoever asks is signed in.
        let line = guess_line(visitor, user.email.as_deref().unwrap_or_default(), GuessPlace::Known);
        let attempt = self.guesses.begin(&line).await.map_err(|_| too_many(self.guesses.retry_after_ms(&line)))?;
        if !self.verify(visitor, password, Some(hash)).await? {
            self.guesses.failed(line);
            self.note_failure("password.confirmation_failed", user.id, visitor);
            return Err(if attempt.slowed {
                too_many(self.guesses.retry_after_ms(&line))
            } else {
                ApiError::new(ErrorCode::Forbidden, "the current password is wrong")
            });
        }
        self.guesses.succeeded(&line);
        Ok(())
    }

    /// Gives whoever asks another name.
    pub async fn rename(&self, identity: &Identity, name: &str) -> Result<String, ApiError> {
        let name = names::name(name, &self.reserved_names)
            .map_err(|error| ApiError::new(ErrorCode::InvalidPayload, error.sentence()))?;
        self.store.rename_user(identity.user.id, &name).await?;
        tracing::info!(user_id = %identity.user.id, "name changed");
        Ok(name)
    }

    /// Changes the password of someone who knows it, and ends the other sign-ins.
    pub async fn change_password(
        &self,
        identity: &Identity,
        visitor: &Visitor,
        current: &str,
        new: &str,
    ) -> Result<(), ApiError> {
        self.confirm_password(identity, visitor, current).await?;
        let user = &identity.user;
        let email = user.email.clone().unwrap_or_default();
        password::check(new, &[&email, &user.name])?;
        let hash = self.hash(visitor, new).await?;
        self.store.set_password(user.id, &hash, Some(&identity.session.0)).await?;
        self.note(Some(user.id), "password.changed", None, Some(visitor)).await;
        self.tell(user, Letter::PasswordChanged);
        Ok(())
    }

    /// Sets the password of whoever was given the link.
    pub async fn reset_password(&self, visitor: &Visitor, link: &str, new: &str) -> Result<User, ApiError> {
        self.require(super::AuthMode::Password)?;
        if let Some(wait) = self.attempts.spend(&visitor.network()) {
            return Err(too_many(wait));
        }
        password::check(new, &[])?;
        // A link that is good for nothing costs no hash.
        let link = digest(link);
        let Some(Purpose::Password { user }) = self.store.link_purpose(&link).await? else { return Err(bad_link()) };
        let account = self.account(user).await?;
        password::check(new, &[account.email.as_deref().unwrap_or_default(), &account.name])?;
        let hash = self.hash(visitor, new).await?;
        let user = self.store.reset_password(&link, &hash).await?.ok_or_else(bad_link)?;
        self.note(Some(user.id), "password.reset", None, Some(visitor)).await;
        self.tell(&user, Letter::PasswordChanged);
        Ok(user)
    }

    /// A link with which somebody makes an account.
    pub async fn invite(&self, by: Option<UserId>, role: Role) -> Result<OneTimeLink, ApiError> {
        let link = self.link(Purpose::Invitation { role }, by, INVITATION_LIFE, "mode=register&invitation").await?;
        let action = match role {
            Role::Admin => "invitation.made_for_administrator",
            Role::Guest => "invitation.made_for_guest",
            Role::User | Role::Unknown(_) => "invitation.made",
        };
        self.note(by, action, None, None).await;
        Ok(link)
    }

    /// A link with which a user sets a new password.
    pub async fn password_link(&self, by: Option<UserId>, user: UserId) -> Result<OneTimeLink, ApiError> {
        let link = self.link(Purpose::Password { user }, by, PASSWORD_LIFE, "mode=reset&link").await?;
        self.note(by, "password.link_made", Some(user.to_string()), None).await;
        Ok(link)
    }

    /// An invitation for the first administrator, when there is none and nobody may simply register.
    pub async fn first_administrator(&self) -> Result<Option<OneTimeLink>, ApiError> {
        if !self.allows(super::AuthMode::Password) || self.first_administers || self.store.has_administrator().await? {
            return Ok(None);
        }
        self.invite(None, Role::Admin).await.map(Some)
    }

    pub(super) async fn link(
        &self,
        purpose: Purpose,
        by: Option<UserId>,
        life: Duration,
        query: &str,
    ) -> Result<OneTimeLink, ApiError> {
        let secret = secret::random_text().map_err(|error| ApiError::internal(&error))?;
        let expires_at = Timestamp::now().plus(life);
        self.store.add_link(&digest(&secret), purpose, by, expires_at).await?;
        Ok(OneTimeLink { url: format!("{}/login?{query}={secret}", self.base), expires_at })
    }

    /// The digest of an invitation's secret.
    pub(super) fn invitation(secret: &str) -> Vec<u8> {
        digest(secret)
    }

    /// Keeps where a sign-in was made.
    pub(super) async fn describe(&self, secret: &SessionSecret, visitor: &Visitor) -> Result<(), ApiError> {
        let address = visitor.address.to_string();
        Ok(self.store.describe_sign_in(&secret.digest().0, &address, visitor.device.as_deref()).await?)
    }
}
