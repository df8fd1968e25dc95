//! One round to the provider and back: what the browser keeps meanwhile, in a cookie that this server signed.

use std::time::Duration;

use jsonwebtoken::{Algorithm, Header, decode, encode};
use netra_ws::Timestamp;
use serde::{Deserialize, Serialize};

use crate::server::auth::token::TokenKeys;

/// The audience of such a cookie.
pub(in crate::server::auth) const AUDIENCE: &str = "netra:oidc";

/// How long a person may take at the provider.
const LIFE: Duration = Duration::from_mins(10);

/// What is remembered.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::server::auth) struct Round {
    aud: String,
    exp: u64,
    /// Ties the answer to this browser.
    pub(super) state: String,
    /// Ties the token to this round.
    pub(super) nonce: String,
    /// Shows the provider who began (PKCE).
    pub(super) verifier: String,
    /// Where the person wanted to.
    pub(super) next: String,
}

impl Round {
    pub(super) fn new(state: String, nonce: String, verifier: String, next: String) -> Self {
        let exp = Timestamp::now().plus(LIFE).as_millis() / 1_000;
        Self { aud: AUDIENCE.to_owned(), exp, state, nonce, verifier, next }
    }
}

impl TokenKeys {
    pub(super) fn sign_round(&self, round: &Round) -> Result<String, jsonwebtoken::errors::Error> {
        encode(&Header::new(Algorithm::HS256), round, &self.signing)
    }

    pub(super) fn verify_round(&self, cookie: &str) -> Option<Round> {
        decode::<Round>(cookie, &self.verifying, &self.round).ok().map(|token| token.claims)
    }
}
