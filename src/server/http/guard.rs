//! What every request passes: the origin check of writes, security headers, and a log line for refusals.

use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use netra_ws::ErrorCode;

use crate::server::{error::ApiError, state::AppState};

/// Sent with everything. The content security policy of pages comes with their nonce; this one is for everything else.
static HEADERS: [(HeaderName, HeaderValue); 6] = [
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::REFERRER_POLICY, HeaderValue::from_static("same-origin")),
    (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    (
        HeaderName::from_static("permissions-policy"),
        HeaderValue::from_static("camera=(), microphone=(), geolocation=(), interest-cohort=()"),
    ),
    (HeaderName::from_static("cross-origin-opener-policy"), HeaderValue::from_static("same-origin")),
    (HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("same-origin")),
];

/// Adds the headers.
pub async fn security_headers(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in &HEADERS {
        headers.entry(name.clone()).or_insert_with(|| value.clone());
    }
    headers
        .entry(header::CONTENT_SECURITY_POLICY)
        .or_insert(HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"));
    response
}

/// Refuses writes that a page of another origin sends.
pub async fn check_origin(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let reads = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    if !reads && let Err(error) = allowed_origin(request.headers(), &state.origins) {
        tracing::warn!(
            code = %error.code,
            path = request.uri().path(),
            origin = ?request.headers().get(header::ORIGIN),
            "write refused"
        );
        return error.into_response();
    }
    next.run(request).await
}

/// An `Origin` that is there must be on the list, to the letter; `null` never is.
pub(crate) fn allowed_origin(headers: &HeaderMap, allowed: &[String]) -> Result<(), ApiError> {
    match headers.get(header::ORIGIN) {
        None => Ok(()),
        Some(origin) if allowed.iter().any(|allowed| allowed.as_bytes() == origin.as_bytes()) => Ok(()),
        Some(_) => Err(ApiError::new(
            ErrorCode::OriginNotAllowed,
            "this page's origin may not do that; NETRA_PUBLIC_URL and NETRA_ALLOWED_ORIGINS say which may",
        )),
    }
}
