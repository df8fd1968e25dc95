//! Signing out, from both sides: here and then at the provider (OpenID Connect RP-Initiated Logout 1.0), and by the provider's
//! word (Back-Channel Logout 1.0).

use std::{collections::HashMap, time::Duration};

use jsonwebtoken::{
    Algorithm, DecodingKey, Validation, decode, decode_header,
    errors::ErrorKind,
    jwk::{Jwk, JwkSet},
};
use netra_ws::{ErrorCode, Timestamp, UserId};
use openidconnect::url::Url;
use serde::Deserialize;
use serde_json::Value;

use super::{Provider, ProviderError};
use crate::server::{
    auth::{SecurityService, SessionId},
    error::ApiError,
};

/// What a token says that ends sign-ins.
const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";

/// How old such a token may be, and how far clocks may be apart.
const FRESH: Duration = Duration::from_mins(2);

/// Signatures that are taken: those with a key that the provider alone has.
const ALGORITHMS: [Algorithm; 8] = [
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::ES256,
    Algorithm::ES384,
    Algorithm::EdDSA,
];

/// The claims of a logout token.
#[derive(Deserialize)]
struct LogoutClaims {
    iat: u64,
    events: HashMap<String, Value>,
    sub: Option<String>,
    sid: Option<String>,
    nonce: Option<Value>,
}

impl Provider {
    /// Where a browser signs out at the provider, if it can.
    async fn sign_out_at(&self, id_token: &str, back: &str) -> Result<Option<Url>, ProviderError> {
        let metadata = self.metadata(false).await?;
        let Some(end) = &metadata.additional_metadata().end_session_endpoint else { return Ok(None) };
        let mut url = end.url().clone();
        url.query_pairs_mut()
            .append_pair("id_token_hint", id_token)
            .append_pair("client_id", &self.config().client_id)
            .append_pair("post_logout_redirect_uri", back);
        Ok(Some(url))
    }

    async fn logout_claims(&self, token: &str) -> Result<LogoutClaims, ProviderError> {
        let unbelievable = |what: &str| ProviderError::Unbelievable(what.to_owned());
        let header = decode_header(token).map_err(|error| ProviderError::Unbelievable(error.to_string()))?;
        if !ALGORITHMS.contains(&header.alg) {
            return Err(unbelievable("the token is signed in no way that is taken"));
        }
        let mut validation = Validation::new(header.alg);
        validation.set_issuer(&[&self.config().issuer]);
        validation.set_audience(&[&self.config().client_id]);
        validation.set_required_spec_claims(&["iss", "aud"]);
        validation.leeway = 0;
        for fresh in [false, true] {
            let metadata = self.metadata(fresh).await?;
            let keys = serde_json::to_value(metadata.jwks()).and_then(serde_json::from_value::<JwkSet>);
            let keys = keys.map_err(|error| ProviderError::Unbelievable(error.to_string()))?.keys;
            let named = |key: &&Jwk| header.kid.is_none() || key.common.key_id == header.kid;
            for key in keys.iter().filter(named) {
                let Ok(key) = DecodingKey::from_jwk(key) else { continue };
                match decode::<LogoutClaims>(token, &key, &validation) {
                    Ok(token) => return Ok(token.claims),
                    // Another key, or a newer one, may be the right one.
                    Err(error) if matches!(error.kind(), ErrorKind::InvalidSignature | ErrorKind::InvalidAlgorithm) => {
                    }
                    Err(error) => return Err(ProviderError::Unbelievable(error.to_string())),
                }
            }
        }
        Err(unbelievable("no key of the provider's fits the token"))
    }
}

impl SecurityService {
    /// Where a browser goes to sign out at the provider too, when its sign-in came from there. A provider that does not answer
    /// keeps nobody from signing out here.
    pub async fn provider_sign_out(&self, session: &SessionId) -> Option<Url> {
        let provider = self.provider.as_ref()?;
        let from = self.store.provider_of(&session.0).await.ok().flatten()?;
        let back = format!("{}/login", self.base);
        provider
            .sign_out_at(&from.id_token, &back)
            .await
            .inspect_err(|error| tracing::warn!(%error, "no sign-out there"))
            .ok()?
    }

    /// Ends sign-ins on the provider's word; whose they were.
    pub async fn end_by_provider(&self, token: &str) -> Result<Vec<UserId>, ApiError> {
        let provider = self.provider()?;
        let invalid = |problem: &str| ApiError::new(ErrorCode::InvalidPayload, problem);
        let claims = provider.logout_claims(token).await.map_err(|error| {
            tracing::warn!(%error, "a sign-out by the provider is not believed");
            invalid("this is no logout token of the provider's")
        })?;
        let (now, made) = (Timestamp::now(), Timestamp::from_millis(claims.iat.saturating_mul(1_000)));
        let fresh = made <= now.plus(FRESH) && now <= made.plus(FRESH);
        let is_event = claims.events.get(EVENT).is_some_and(Value::is_object);
        if !fresh || !is_event || claims.nonce.is_some() || claims.sid.is_none() && claims.sub.is_none() {
            return Err(invalid("this token is no, or no fresh, word that somebody signed out"));
        }
        let issuer = &provider.config().issuer;
        let users = self.store.end_provider_sign_ins(issuer, claims.sid.as_deref(), claims.sub.as_deref()).await?;
        for user in &users {
            tracing::info!(user_id = %user, "signed out by the provider");
            self.note(None, "sign_in.ended_by_provider", Some(user.to_string()), None).await;
        }
        Ok(users)
    }
}
