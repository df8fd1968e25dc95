//! Tokens for the socket: who gets one, and whom it lets in.

use netra_ws::{ErrorCode, Timestamp, model::User};

use super::{Identity, SecurityService, SessionSecret, api_token, identity::require};
use crate::server::{
    error::ApiError,
    store::{KnownToken, Scope},
};

/// A token for the socket.
#[derive(Clone, Debug, schemars::JsonSchema, serde::Serialize)]
pub struct WsToken {
    /// The JWT.
    pub token: String,
    /// When its life ends.
    pub expires_at: Timestamp,
}

impl SecurityService {
    /// A token for the socket.
    pub fn issue_ws_token(&self, identity: &Identity) -> Result<WsToken, ApiError> {
        // JWT counts in whole seconds; the announced end is the token's own.
        let expires_at = Timestamp::now().plus(self.token_ttl);
        let expires_at = Timestamp::from_millis(expires_at.as_millis() / 1000 * 1000);
        let token = self
            .keys
            .sign(identity.user.id, &identity.session.0, expires_at)
            .map_err(|error| ApiError::internal(&error))?;
        Ok(WsToken { token, expires_at })
    }

    /// Who a token stands for, and until when: it must be ours, alive, made for the socket, and its sign-in must not have ended.
    /// What a program's token allows and how long it lives counts for the tokens that it made, too.
    pub async fn verify_ws_token(&self, token: &str) -> Result<(User, Timestamp), ApiError> {
        if token.starts_with(api_token::PREFIX) {
            let digest = SessionSecret(token.to_owned()).digest();
            let known = self.store.api_token_user(&digest.0, None).await?;
            let known = known.ok_or_else(|| ApiError::new(ErrorCode::Unauthenticated, "no such API token"))?;
            return opened_by(known, Timestamp::now().plus(api_token::LIFE));
        }
        let claims = self.keys.verify(token)?;
        let proof = claims.session();
        let ended = || ApiError::new(ErrorCode::Unauthenticated, "the sign-in behind this token has ended");
        let (user, expires_at) = match self.store.session(&proof).await? {
            Some(user) => (user, claims.expires_at()),
            None => {
                let known = self.store.api_token_user(&proof, None).await?.ok_or_else(ended)?;
                opened_by(known, claims.expires_at())?
            }
        };
        if user.id == claims.sub { Ok((user, expires_at)) } else { Err(ended()) }
    }
}

/// Whose socket a program's token opens, and until when: its own end counts where it comes first.
fn opened_by(token: KnownToken, until: Timestamp) -> Result<(User, Timestamp), ApiError> {
    require(token.scope, Scope::Chat)?;
    Ok((token.user, token.expires_at.map_or(until, |end| end.min(until))))
}
