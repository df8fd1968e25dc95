//! Tokens for programs: named, shown once, kept as a digest, revocable.

use std::time::Duration;

use netra_ws::{ErrorCode, Timestamp, UserId};
use uuid::Uuid;

use super::{Identity, SecurityService, SessionSecret, Visitor, secret};
use crate::server::{
    error::ApiError,
    store::{ApiToken, MAX_API_TOKENS, Scope},
};

/// What every token begins with, so that scanners for leaked secrets know it.
pub(super) const PREFIX: &str = "netra_";

/// How long a socket that a token opened may live; revoking the token ends it sooner.
pub(super) const LIFE: Duration = Duration::from_hours(365 * 24);

/// The longest name, in characters.
const MAX_NAME: usize = 100;

/// A token to be made.
#[derive(Clone, Copy, Debug)]
pub struct WantedToken<'a> {
    /// What it is for.
    pub name: &'a str,
    /// What it may do.
    pub scope: Scope,
    /// How many days it lives; for good when absent.
    pub days: Option<u16>,
}

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
    pub async fn make_api_token(
        &self,
        identity: &Identity,
        visitor: &Visitor,
        wanted: WantedToken<'_>,
    ) -> Result<NewApiToken, ApiError> {
        identity.require_person()?;
        self.require_confirmed(identity).await?;
        let made = self.make_api_token_for(identity.user.id, wanted).await?;
        self.note(Some(identity.user.id), "token.made", Some(made.kept.id.to_string()), Some(visitor)).await;
        Ok(made)
    }

    /// Makes a token for a user, on the word of whoever runs the server.
    pub async fn make_api_token_for(&self, user: UserId, wanted: WantedToken<'_>) -> Result<NewApiToken, ApiError> {
        let name = wanted.name.trim();
        if name.is_empty() || name.chars().count() > MAX_NAME {
            let problem = format!("a token has a name of 1 to {MAX_NAME} characters");
            return Err(ApiError::new(ErrorCode::InvalidPayload, problem));
        }
        let life = wanted.days.map(|days| Duration::from_hours(24 * u64::from(days)));
        if life.is_some_and(|life| life.is_zero() || life > LIFE) {
            return Err(ApiError::new(ErrorCode::InvalidPayload, "a token lives for 1 to 365 days"));
        }
        let expires_at = life.map(|life| Timestamp::now().plus(life));
        let token = format!("{PREFIX}{}", secret::random_text().map_err(|error| ApiError::internal(&error))?);
        let digest = SessionSecret(token.clone()).digest();
        let kept =
            self.store.add_api_token(user, name, &digest.0, wanted.scope, expires_at).await?.ok_or_else(|| {
                ApiError::new(
                    ErrorCode::Conflict,
                    format!("there are {MAX_API_TOKENS} tokens already; revoke one first"),
                )
            })?;
        tracing::info!(user_id = %user, token_id = %kept.id, "API token made");
        Ok(NewApiToken { token, kept })
    }

    /// The user's tokens.
    pub async fn api_tokens(&self, identity: &Identity) -> Result<Vec<ApiToken>, ApiError> {
        identity.require_person()?;
        Ok(self.store.api_tokens(identity.user.id).await?)
    }

    /// Revokes a token.
    pub async fn revoke_api_token(&self, identity: &Identity, visitor: &Visitor, id: Uuid) -> Result<(), ApiError> {
        identity.require_person()?;
        self.require_confirmed(identity).await?;
        if !self.store.remove_api_token(identity.user.id, id).await? {
            return Err(ApiError::not_found());
        }
        tracing::info!(user_id = %identity.user.id, token_id = %id, "API token revoked");
        self.note(Some(identity.user.id), "token.revoked", Some(id.to_string()), Some(visitor)).await;
        Ok(())
    }
}
