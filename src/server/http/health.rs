//! `/healthz`: the process lives. `/readyz`: it takes new work, and its store answers.

use axum::{extract::State, http::StatusCode};

use crate::server::state::AppState;

/// The process lives.
pub async fn live() -> &'static str {
    "ok\n"
}

/// New work is welcome.
pub async fn ready(State(state): State<AppState>) -> (StatusCode, &'static str) {
    if !state.is_ready() {
        return (StatusCode::SERVICE_UNAVAILABLE, "draining\n");
    }
    match state.store.ping().await {
        Ok(()) => (StatusCode::OK, "ready\n"),
        Err(error) => {
            tracing::error!(%error, "the store does not answer");
            (StatusCode::SERVICE_UNAVAILABLE, "the store does not answer\n")
        }
    }
}
