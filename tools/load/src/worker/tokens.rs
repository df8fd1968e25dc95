//! A fresh token for a client, asked of the server as a page asks.

use std::sync::Arc;

use netra_ws::session::{Token, TokenError};

use super::Shared;
use crate::stage::TokenAnswer;

/// One request for each client that needs a token, as many at once as there are.
pub(super) async fn fetch(shared: Arc<Shared>, number: usize) -> Result<Token, TokenError> {
    let account = &shared.job.accounts[shared.job.clients[number].account];
    let _turn = shared.fetching.acquire().await;
    let url = format!("http://{}/api/auth/ws-token", shared.job.host);
    let request = shared.http.post(url).header(&account.proof.0, &account.proof.1).json(&serde_json::json!({}));
    let answer = request.send().await.map_err(unreachable)?;
    if answer.status() == 401 {
        return Err(TokenError::SignedOut);
    }
    let answer: TokenAnswer = answer.error_for_status().map_err(unreachable)?.json().await.map_err(unreachable)?;
    Ok(Token { lives_ms: answer.lives_ms(), token: answer.token })
}

fn unreachable(error: reqwest::Error) -> TokenError {
    TokenError::Unreachable(error.to_string())
}
