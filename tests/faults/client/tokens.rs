//! Tokens for the socket, from the server's own address.

use std::sync::Arc;

use futures::{FutureExt, future::BoxFuture};
use netra_ws::{
    Timestamp,
    session::{Token, TokenError},
};
use serde::Deserialize;

/// Where a client gets a token from.
pub(crate) type Tokens = Arc<dyn Fn() -> BoxFuture<'static, Result<Token, TokenError>> + Send + Sync>;

/// The answer of `POST /api/auth/ws-token`.
#[derive(Deserialize)]
struct Answer {
    token: String,
    expires_at: Timestamp,
}

/// Tokens of the user whose cookies these are. Client and server are taken to have one clock.
pub(crate) fn from_server(http: reqwest::Client, base: &str, cookies: String) -> Tokens {
    let url = format!("{base}/api/auth/ws-token");
    Arc::new(move || {
        let request = http.post(&url).header("cookie", &cookies).header("content-type", "application/json").body("{}");
        async move {
            let response = request.send().await.map_err(unreachable)?;
            if response.status() == 401 {
                return Err(TokenError::SignedOut);
            }
            let text = response.error_for_status().map_err(unreachable)?.text().await.map_err(unreachable)?;
            let answer: Answer =
                serde_json::from_str(&text).map_err(|error| TokenError::Unreachable(error.to_string()))?;
            Ok(Token { lives_ms: answer.expires_at.millis_since(Timestamp::now()), token: answer.token })
        }
        .boxed()
    })
}

fn unreachable(error: reqwest::Error) -> TokenError {
    TokenError::Unreachable(error.to_string())
}
