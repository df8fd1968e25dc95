//! `/metrics`, for those who may know: on an address of its own, with a token, or on a developer's machine.

use axum::{
    extract::State,
    http::{HeaderMap, header},
    response::{IntoResponse, Response},
};
use netra_ws::ErrorCode;

use super::bearer;
use crate::server::{
    auth::DirectVisit,
    error::ApiError,
    metrics::{CONTENT_TYPE, render},
    state::AppState,
};

/// The metrics, beside the chat.
pub async fn guarded(State(state): State<AppState>, headers: HeaderMap) -> Result<Response, ApiError> {
    match &state.config.metrics_token {
        Some(token) if bearer(&headers).is_some_and(|given| same(given, token)) => Ok(open().await),
        None if state.config.metrics_addr.is_some() => {
            Err(ApiError::new(ErrorCode::Forbidden, "the metrics have an address of their own"))
        }
        Some(_) => Err(ApiError::new(ErrorCode::Unauthenticated, "send the metrics token as a bearer token")),
        // Nobody else reaches a loopback address that is not published, but for a page under a name that was made to lead here.
        None if state.config.addr.ip().is_loopback()
            && state.config.public_url.is_none()
            && DirectVisit::of(&headers, &state.origins).is_some() =>
        {
            Ok(open().await)
        }
        None => Err(ApiError::new(
            ErrorCode::Forbidden,
            "set NETRA_METRICS_TOKEN, or NETRA_METRICS_ADDR to an address that only Prometheus reaches",
        )),
    }
}

/// The metrics, on an address of their own.
pub async fn open() -> Response {
    ([(header::CONTENT_TYPE, CONTENT_TYPE)], render()).into_response()
}

/// Compares without telling by the time it takes how much was right.
fn same(given: &str, wanted: &str) -> bool {
    use sha2::{Digest, Sha256};
    Sha256::digest(given) == Sha256::digest(wanted)
}
