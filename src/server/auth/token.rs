//! Tokens for the socket: JWT (RFC 7519), HS256.

use std::time::Duration;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode, errors::ErrorKind};
use netra_ws::{ErrorCode, Timestamp, UserId};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::server::error::ApiError;

/// The audience of a token for the socket.
const AUDIENCE: &str = "netra:ws";

/// The audience of a word from whoever runs the server and holds its secret.
const OPERATOR: &str = "netra:operator";

/// How long such a word is good for.
const OPERATOR_LIFE: Duration = Duration::from_mins(1);

/// The longest life of a token for the socket, which is what the settings allow at most, and a second of rounding.
const MAX_LIFE: Duration = Duration::from_secs(301);

/// How far the clocks of two nodes may be apart.
const CLOCKS_APART: Duration = Duration::from_mins(1);

/// What an operator's token says.
#[derive(Serialize, Deserialize)]
struct OperatorClaims {
    aud: String,
    exp: u64,
}

/// What a token says.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TokenClaims {
    /// Whose token.
    pub sub: UserId,
    /// What it is for. A token without it is told apart from one that cannot be read.
    #[serde(default)]
    pub aud: String,
    /// When its life ends, in seconds since the Unix epoch.
    pub exp: u64,
    /// When it was made.
    pub iat: u64,
    /// The sign-in it came from, so that signing out ends it.
    pub sid: String,
    /// This token.
    pub jti: Uuid,
}

impl TokenClaims {
    pub(super) fn expires_at(&self) -> Timestamp {
        Timestamp::from_millis(self.exp.saturating_mul(1000))
    }

    pub(super) fn session(&self) -> Vec<u8> {
        BASE64_URL_SAFE_NO_PAD.decode(&self.sid).unwrap_or_default()
    }
}

pub(super) struct TokenKeys {
    pub(super) signing: EncodingKey,
    pub(super) verifying: DecodingKey,
    validation: Validation,
    operator: Validation,
    pub(super) round: Validation,
}

impl TokenKeys {
    pub(super) fn new(secret: &[u8]) -> Self {
        let mut validation = Validation::new(Algorithm::HS256);
        validation.set_audience(&[AUDIENCE]);
        validation.set_required_spec_claims(&["exp", "aud", "sub"]);
        validation.leeway = 0;
        validation.validate_nbf = true;
        let mut operator = Validation::new(Algorithm::HS256);
        operator.set_audience(&[OPERATOR]);
        operator.set_required_spec_claims(&["exp", "aud"]);
        operator.leeway = 0;
        let mut round = Validation::new(Algorithm::HS256);
        round.set_audience(&[super::oidc::AUDIENCE]);
        round.set_required_spec_claims(&["exp", "aud"]);
        round.leeway = 0;
        let (signing, verifying) = (EncodingKey::from_secret(secret), DecodingKey::from_secret(secret));
        Self { signing, verifying, validation, operator, round }
    }

    pub(super) fn sign_operator(&self) -> Result<String, jsonwebtoken::errors::Error> {
        let exp = Timestamp::now().plus(OPERATOR_LIFE).as_millis() / 1000;
        let claims = OperatorClaims { aud: OPERATOR.to_owned(), exp };
        encode(&Header::new(Algorithm::HS256), &claims, &self.signing)
    }

    pub(super) fn verify_operator(&self, token: &str) -> bool {
        decode::<OperatorClaims>(token, &self.verifying, &self.operator).is_ok()
    }

    pub(super) fn sign(
        &self,
        user: UserId,
        session: &[u8],
        expires_at: Timestamp,
    ) -> Result<String, jsonwebtoken::errors::Error> {
        let claims = TokenClaims {
            sub: user,
            aud: AUDIENCE.to_owned(),
            exp: expires_at.as_millis() / 1000,
            iat: Timestamp::now().as_millis() / 1000,
            sid: BASE64_URL_SAFE_NO_PAD.encode(session),
            jti: Uuid::now_v7(),
        };
        encode(&Header::new(Algorithm::HS256), &claims, &self.signing)
    }

    pub(super) fn verify(&self, token: &str) -> Result<TokenClaims, ApiError> {
        let decoded = decode::<TokenClaims>(token, &self.verifying, &self.validation);
        let claims = decoded.map(|token| token.claims).map_err(|error| {
            let (code, message) = match error.kind() {
                ErrorKind::ExpiredSignature => (ErrorCode::TokenExpired, "the token has expired"),
                ErrorKind::MissingRequiredClaim(claim) if claim == "aud" => {
                    (ErrorCode::WrongAudience, "the token does not say what it was made for")
                }
                ErrorKind::InvalidAudience => (ErrorCode::WrongAudience, "the token was made for something else"),
                _ => (ErrorCode::Unauthenticated, "the token is not valid"),
            };
            ApiError::new(code, message)
        })?;
        // The library counts in whole seconds and lets a token live through the one in which it ends.
        let now = Timestamp::now();
        if claims.expires_at() <= now {
            return Err(ApiError::new(ErrorCode::TokenExpired, "the token has expired"));
        }
        // Whoever has the key can sign anything; nothing is taken that this server would not have made.
        let life = claims.exp.saturating_sub(claims.iat);
        if Timestamp::from_millis(claims.iat.saturating_mul(1000)) > now.plus(CLOCKS_APART) || life > MAX_LIFE.as_secs()
        {
            return Err(ApiError::new(ErrorCode::Unauthenticated, "the token is not valid"));
        }
        Ok(claims)
    }
}
