//! Accounts with passwords: made, and signed in to. Whoever guesses waits, and makes nobody else wait.

use netra_ws::{ErrorCode, model::User};
use sha2::{Digest, Sha256};

use super::{
    SecurityService, SessionSecret, Visitor, names, password,
    second_factor::{SecondStep, WRONG_CODE},
    too_many, wrong_credentials,
};
use crate::server::{
    config::AuthMode,
    error::ApiError,
    store::{InvitationUse, NewUser, Purpose},
};

/// Said to who knows the password of an account with a second factor.
const CODE_WANTED: &str = "enter the code of your authenticator app, or a recovery code, too";

/// What somebody wants to register with.
#[derive(Clone, Copy, Debug)]
pub struct NewAccount<'a> {
    /// The address to sign in with.
    pub email: &'a str,
    /// The password.
    pub password: &'a str,
    /// The name that others see; the address's first part when absent.
    pub name: Option<&'a str>,
    /// The secret of an invitation.
    pub invitation: Option<&'a str>,
}

impl SecurityService {
    /// Makes an account and signs it in.
    pub async fn register(&self, visitor: &Visitor, form: NewAccount<'_>) -> Result<(User, SessionSecret), ApiError> {
        self.require(AuthMode::Password)?;
        let invitation = form.invitation.filter(|secret| !secret.is_empty());
        if !self.registration.allows(invitation.is_some()) {
            return Err(ApiError::new(ErrorCode::Forbidden, self.registration.refusal()));
        }
        let email = names::address(form.email)
            .ok_or_else(|| ApiError::new(ErrorCode::InvalidPayload, "that is not an e-mail address"))?;
        let name = form.name.filter(|name| !name.trim().is_empty());
        let (name, advice) = match name {
            Some(name) => (name, ""),
            None => (email.split('@').next().unwrap_or_default(), "; give another `name`"),
        };
        let name = names::name(name, &self.reserved_names)
            .map_err(|error| ApiError::new(ErrorCode::InvalidPayload, error.sentence() + advice))?;
        password::check(form.password, &[&email, &name])?;
        if let Some(wait) = self.registrations.spend(&visitor.network()) {
            tracing::warn!(address = %visitor.address, "too many registrations");
            let error =
                ApiError::new(ErrorCode::RateLimited, "too many new accounts from this network; try again later");
            return Err(error.retry_after_ms(wait));
        }
        // A link that is good for nothing costs no hash.
        if let Some(secret) = invitation {
            let purpose = self.store.link_purpose(&Self::invitation(secret)).await?;
            if !matches!(purpose, Some(Purpose::Invitation { .. })) {
                return Err(bad_invitation());
            }
        }
        let password_hash = self.hash(visitor, form.password).await?;
        let user = NewUser { name, email, password_hash, first_administers: self.first_administers };
        let taken = || ApiError::new(ErrorCode::Conflict, "there is an account with this e-mail address already");
        let user = match invitation {
            None => self.store.add_user(user).await?.ok_or_else(taken)?,
            Some(secret) => match self.store.add_invited(user, &Self::invitation(secret)).await? {
                InvitationUse::Added(user) => user,
                InvitationUse::AddressTaken => return Err(taken()),
                InvitationUse::NoInvitation => return Err(bad_invitation()),
            },
        };
        tracing::info!(user_id = %user.id, address = %visitor.address, "user registered");
        self.note(Some(user.id), "account.made", Some(user.id.to_string()), Some(visitor)).await;
        self.ask_for_address(&user).await?;
        let secret = self.begin_session(user.id, visitor).await?;
        Ok((user, secret))
    }

    /// Signs an account in.
    pub async fn login(
        &self,
        visitor: &Visitor,
        email: &str,
        password: &str,
        code: Option<&str>,
    ) -> Result<(User, SessionSecret), ApiError> {
        self.require(AuthMode::Password)?;
        if let Some(wait) = self.attempts.spend(&visitor.network()) {
            return Err(too_many(wait));
        }
        // Nobody has such a password; it is refused before anything depends on the account.
        if password.chars().count() > password::MAX_LENGTH {
            return Err(wrong_credentials());
        }
        let email = email.trim().to_lowercase();
        // A place that the account was signed in to from waits for nobody who guesses elsewhere.
        let place = if self.store.signed_in_from(&email, &visitor.address.to_string()).await? {
            GuessPlace::Known
        } else {
            GuessPlace::New
        };
        let (line, anywhere) = (guess_line(visitor, &email, place), account_line(&email));
        let attempt = self.guesses.begin(&line).await.map_err(|_| too_many(self.guesses.retry_after_ms(&line)))?;
        let slowed = match place {
            GuessPlace::Known => attempt.slowed,
            GuessPlace::New => self.strangers.slow_down(&anywhere).await || attempt.slowed,
        };
        let known = self.store.user_by_email(&email).await?;
        let (user, hash) = known.unzip();
        // An unknown address costs the same time as a wrong password.
        let right = self.verify(visitor, password, hash.clone()).await?;
        let known_id = user.as_ref().map(|user| user.id);
        let account = known_id.map(|id| id.to_string());
        let Some(user) = user.filter(|_| right) else {
            self.guesses.failed(line);
            if place == GuessPlace::New {
                self.strangers.failed(anywhere);
            }
            tracing::warn!(address = %visitor.address, account, "sign-in failed: wrong address or password");
            if let Some(id) = known_id {
                self.note_failure("sign_in.failed", id, visitor);
            }
            let wait = self.guesses.retry_after_ms(&line).max(self.strangers.retry_after_ms(&anywhere));
            return Err(if slowed { too_many(wait) } else { wrong_credentials() });
        };
        match self.second_factor(&user, visitor, code).await? {
            SecondStep::Passed => {}
            SecondStep::Missing => return Err(ApiError::new(ErrorCode::Unauthenticated, CODE_WANTED)),
            SecondStep::Wrong => {
                self.guesses.failed(line);
                tracing::warn!(address = %visitor.address, user_id = %user.id, "sign-in failed: wrong code");
                self.note_failure("second_factor.failed", user.id, visitor);
                return Err(ApiError::new(ErrorCode::Unauthenticated, WRONG_CODE));
            }
        }
        self.guesses.succeeded(&line);
        self.reopen(user.id, visitor).await?;
        // A password that was reset meanwhile signs nobody in.
        let secret = self.begin_session_with(user.id, visitor, hash.as_deref()).await?;
        tracing::info!(user_id = %user.id, address = %visitor.address, "signed in");
        self.note(Some(user.id), "sign_in.made", None, Some(visitor)).await;
        Ok((user, secret))
    }
}

fn bad_invitation() -> ApiError {
    let problem = "this invitation was used already, or its time is over; ask for a new one";
    ApiError::new(ErrorCode::Forbidden, problem)
}

/// Where a password is tried from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum GuessPlace {
    /// From an address that somebody who is still signed in to the account came from.
    Known,
    /// From elsewhere.
    New,
}

/// What a guess is counted under.
pub(super) fn guess_line(visitor: &Visitor, email: &str, place: GuessPlace) -> [u8; 32] {
    let (from, kind) = match place {
        GuessPlace::Known => (visitor.address, 1),
        GuessPlace::New => (visitor.network(), 0),
    };
    let mut digest = Sha256::new();
    digest.update(from.to_string());
    digest.update([kind]);
    digest.update(email);
    digest.finalize().into()
}

/// What guesses of an account are counted under, wherever they come from.
fn account_line(email: &str) -> [u8; 32] {
    Sha256::digest(email).into()
}
