//! Who somebody is, and what proves it.

use netra_ws::{ErrorCode, model::User};
use sha2::{Digest, Sha256};

use crate::server::{error::ApiError, store::Scope};

/// The secret value of a sign-in cookie. It is known to the browser; the store knows its digest.
#[derive(Clone, PartialEq, Eq)]
pub struct SessionSecret(pub(super) String);

impl SessionSecret {
    /// The secret that a cookie carries.
    pub fn from_cookie(value: &str) -> Self {
        Self(value.to_owned())
    }

    /// The cookie's value.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name of the sign-in that it opens.
    pub fn id(&self) -> SessionId {
        self.digest()
    }

    pub(super) fn digest(&self) -> SessionId {
        SessionId(Sha256::digest(self.0.as_bytes()).to_vec())
    }
}

/// Names a sign-in without opening it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SessionId(pub(super) Vec<u8>);

/// A user, and what proves it.
#[derive(Clone, Debug)]
pub struct Identity {
    /// Who.
    pub user: User,
    /// The sign-in or the token.
    pub session: SessionId,
    /// Which of both.
    pub proof: Proof,
}

/// What proves who is asking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    /// A person's sign-in.
    SignIn,
    /// A program's token, and what it may do.
    ApiToken(Scope),
}

impl Identity {
    /// Refuses programs: whoever steals a token must not outlive it.
    pub fn require_person(&self) -> Result<(), ApiError> {
        match self.proof {
            Proof::SignIn => Ok(()),
            Proof::ApiToken(_) => {
                Err(ApiError::new(ErrorCode::Forbidden, "this is for a person who is signed in, not for a token"))
            }
        }
    }

    /// Refuses programs whose token allows less.
    pub fn require_scope(&self, scope: Scope) -> Result<(), ApiError> {
        match self.proof {
            Proof::ApiToken(granted) => require(granted, scope),
            Proof::SignIn => Ok(()),
        }
    }
}

/// Refuses a token that allows less.
pub(super) fn require(granted: Scope, wanted: Scope) -> Result<(), ApiError> {
    if granted >= wanted {
        return Ok(());
    }
    let problem = format!("this token allows `{}`; that needs `{}`", granted.as_str(), wanted.as_str());
    Err(ApiError::new(ErrorCode::Forbidden, problem))
}
