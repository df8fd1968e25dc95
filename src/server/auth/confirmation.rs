//! It is asked again who holds a sign-in before what matters: a browser that was left open, or a cookie that was taken, makes no
//! tokens and administers nothing.

use netra_ws::{ErrorCode, Timestamp};

use super::{Identity, Proof, SecurityService, Visitor, second_factor::SecondStep};
use crate::server::error::ApiError;

/// What a person shows.
#[derive(Clone, Copy, Debug)]
pub struct Shown<'a> {
    /// The password of the account.
    pub password: Option<&'a str>,
    /// A code of the second factor, or a recovery code.
    pub code: Option<&'a str>,
}

impl SecurityService {
    /// Until when the sign-in may do what matters; `None` where it is asked first. Programs have tokens that somebody confirmed,
    /// and who has neither password nor second factor, as the developer, has nothing to show.
    pub async fn confirmed_until(&self, identity: &Identity) -> Result<Option<Timestamp>, ApiError> {
        let now = Timestamp::now();
        let later = now.plus(self.confirmation_life);
        match identity.proof {
            Proof::ApiToken(_) => return Ok(Some(later)),
            Proof::SignIn => {}
        }
        let confirmed = self.store.confirmed_at(&identity.session.0).await?;
        let until = confirmed.map(|at| at.plus(self.confirmation_life)).filter(|until| *until > now);
        if until.is_none() && identity.user.email.is_none() {
            return Ok(Some(later));
        }
        Ok(until)
    }

    /// Refuses a sign-in that was not confirmed for a while.
    pub async fn require_confirmed(&self, identity: &Identity) -> Result<(), ApiError> {
        if self.confirmed_until(identity).await?.is_some() {
            return Ok(());
        }
        let problem =
            "confirm first that it is you: your password or a code, at POST /api/auth/confirm or under /account";
        Err(ApiError::new(ErrorCode::Forbidden, problem))
    }

    /// Takes a password, or a code of the second factor.
    pub async fn confirm(&self, identity: &Identity, visitor: &Visitor, shown: Shown<'_>) -> Result<(), ApiError> {
        identity.require_person()?;
        let code = shown.code.map(str::trim).filter(|code| !code.is_empty());
        match (code, shown.password) {
            (Some(code), _) => self.confirm_by_code(identity, visitor, code).await?,
            (None, Some(password)) => self.confirm_password(identity, visitor, password).await?,
            (None, None) => {
                return Err(ApiError::new(ErrorCode::InvalidPayload, "`password` or `code` is missing"));
            }
        }
        self.store.confirm_sign_in(&identity.session.0).await?;
        self.note(Some(identity.user.id), "sign_in.confirmed", None, Some(visitor)).await;
        Ok(())
    }

    async fn confirm_by_code(&self, identity: &Identity, visitor: &Visitor, code: &str) -> Result<(), ApiError> {
        if self.has_second_factor(identity.user.id).await?.is_none() {
            return Err(ApiError::new(ErrorCode::Conflict, "this account has no second factor; give the password"));
        }
        match self.second_factor(&identity.user, visitor, Some(code)).await? {
            SecondStep::Passed => Ok(()),
            SecondStep::Missing | SecondStep::Wrong => {
                self.note_failure("second_factor.failed", identity.user.id, visitor);
                Err(ApiError::new(ErrorCode::Forbidden, super::second_factor::WRONG_CODE))
            }
        }
    }
}
