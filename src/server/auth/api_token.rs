//! Tokens for programs: named, shown once, kept as a digest, revocable.

use std::time::Duration;

use netra_ws::{ErrorCode, UserId};
use uuid::Uuid;

use super::{Identity, Proof, SecurityService, SessionSecret, secret};
use crate::server::{
    error::ApiError,
    store::{ApiToken, MAX_API_TOKENS},
};

/// What every token begins with, so that scanners for leaked secrets know it.
pub(super) const PREFIX: &str = "netra_";

/// How long a socket that a token opened may live; revoking the token ends it sooner.
pub(super) const LIFE: Duration = Duration::from_hours(365 * 24);

/// The longest name, in characters.
const MAX_NAME: usize = 100;

/// A token that was just made: the one time that it is shown.
#[derive(schemars::JsonSchema, serde::Serialize)]
pub struct NewApiToken {
    /// The secret.
    pub token: String,
    /// What is kept of it.
    #[serde(flatten)]
    pub kept: ApiToken,
}

impl SecurityService {
    /// Makes a token for a person who is signed in. A token makes no tokens: whoever steals one must not outlive it.
    pub async fn make_api_token(&self, identity: &Identity, name: &str) -> Result<NewApiToken, ApiError> {
        require_person(identity)?;
        self.make_api_token_for(identity.user.id, name).await
    }

    /// Makes a token for a user, on the word of whoever runs the server.
    pub async fn make_api_token_for(&self, user: UserId, name: &str) -> Result<NewApiToken, ApiError> {
        let name = name.trim();
        if name.is_empty() || name.chars().count() > MAX_NAME {
            let problem = format!("a token has a name of 1 to {MAX_NAME} characters");
            return Err(ApiError::new(ErrorCode::InvalidPayload, problem));
        }
        let token = format!("{PREFIX}{}", secret::random_text().map_err(|error| ApiError::internal(&error))?);
        let digest = SessionSecret(token.clone()).digest();
        let kept = self.store.add_api_token(user, name, &digest.0).await?.ok_or_else(|| {
            ApiError::new(ErrorCode::Conflict, format!("there are {MAX_API_TOKENS} tokens already; revoke one first"))
        })?;
        tracing::info!(user_id = %user, token_id = %kept.id, "API token made");
        Ok(NewApiToken { token, kept })
    }

    /// The user's tokens.
    pub async fn api_tokens(&self, identity: &Identity) -> Result<Vec<ApiToken>, ApiError> {
        require_person(identity)?;
        Ok(self.store.api_tokens(identity.user.id).await?)
    }

    /// Revokes a token.
    pub async fn revoke_api_token(&self, identity: &Identity, id: Uuid) -> Result<(), ApiError> {
        require_person(identity)?;
        if !self.store.remove_api_token(identity.user.id, id).await? {
            return Err(ApiError::not_found());
        }
        tracing::info!(user_id = %identity.user.id, token_id = %id, "API token revoked");
        Ok(())
    }
}

fn require_person(identity: &Identity) -> Result<(), ApiError> {
    match identity.proof {
        Proof::SignIn => Ok(()),
        Proof::ApiToken => {
            Err(ApiError::new(ErrorCode::Forbidden, "tokens are managed by a person who is signed in, not by a token"))
        }
    }
}
