//! What every request passes: the origin check of writes, security headers, and a log line for refusals.

use std::{net::IpAddr, sync::Arc};

use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use netra_ws::ErrorCode;
use tracing::Instrument as _;

use super::extract::{Asker, identify};
use crate::server::{auth::Visitor, error::ApiError, serve::HttpConnection, state::AppState, store::Scope, whence};

/// When a user with too many requests may ask again, in milliseconds.
const RETRY_AFTER: u64 = 1_000;

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

/// A browser comes back over TLS alone, for a year (RFC 6797).
const OVER_TLS: HeaderValue = HeaderValue::from_static("max-age=31536000");

/// What a browser keeps for the site beside cookies: drafts and messages that were not sent, and files that were looked at.
pub(crate) const CLEAR_SITE_DATA: (HeaderName, HeaderValue) =
    (HeaderName::from_static("clear-site-data"), HeaderValue::from_static("\"cache\", \"storage\""));

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Adds the headers.
pub async fn security_headers(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    if state.config.secure_cookies() {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, OVER_TLS);
    }
    for (name, value) in &HEADERS {
        headers.entry(name.clone()).or_insert_with(|| value.clone());
    }
    headers
        .entry(header::CONTENT_SECURITY_POLICY)
        .or_insert(HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"));
    response
}

/// Finds out once who asks, and counts that user's requests: so many at a time, until their answers were taken.
pub async fn know(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let identity = identify(&parts, &state).await;
    let address = Visitor::of(&parts, &state.config.trusted_proxies).address;
    let mut request = Request::from_parts(parts, body);
    let identity = match identity {
        Ok(identity) => identity,
        Err(error) => return error.into_response(),
    };
    let reads = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    if !reads && let Some(Err(error)) = identity.as_ref().map(|identity| identity.require_scope(Scope::Chat)) {
        return error.into_response();
    }
    let user = identity.as_ref().map(|identity| identity.user.id);
    request.extensions_mut().insert(Asker(identity));
    let Some(user) = user else { return answered(next, request, reads, address).await };
    if let Some(connection) = request.extensions().get::<Arc<HttpConnection>>() {
        connection.signed_in(user);
    }
    // Signing in and out, and tokens for sockets, have limits of their own.
    let counted = !reads && !request.uri().path().starts_with("/api/auth/");
    if counted && let Some(wait) = state.writes.spend(&user) {
        tracing::warn!(user_id = %user, "too many writes");
        let error = ApiError::new(ErrorCode::RateLimited, "too many changes; wait a little");
        return error.retry_after_ms(wait).into_response();
    }
    let Ok(turn) = state.requests.take(user).await else {
        tracing::warn!(user_id = %user, "too many requests at once");
        let error = ApiError::new(ErrorCode::RateLimited, "too many requests at once; wait for the answers to some");
        return error.retry_after_ms(RETRY_AFTER).into_response();
    };
    let mut response = answered(next, request, reads, address).await;
    response.extensions_mut().insert(turn);
    response
}

/// The answer to a request. Whoever goes away before it came stops a read, and no change between the store and those who are to
/// hear of it.
async fn answered(next: Next, request: Request, reads: bool, address: IpAddr) -> Response {
    let work = whence::from(address, next.run(request));
    if reads {
        return work.await;
    }
    let written = tokio::spawn(work.in_current_span()).await;
    written.unwrap_or_else(|error| ApiError::internal(&error).into_response())
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

/// An `Origin` that is there must be on the list, to the letter; `null` never is, nor are two. A browser that sends none still
/// says when another site asks (`Sec-Fetch-Site`).
pub(crate) fn allowed_origin(headers: &HeaderMap, allowed: &[String]) -> Result<(), ApiError> {
    let mut origins = headers.get_all(header::ORIGIN).iter();
    let is_allowed = |origin: &HeaderValue| allowed.iter().any(|allowed| allowed.as_bytes() == origin.as_bytes());
    let foreign = headers.get(SEC_FETCH_SITE).is_some_and(|site| site == "cross-site" || site == "same-site");
    match (origins.next(), origins.next()) {
        (None, _) if !foreign => Ok(()),
        (Some(origin), None) if is_allowed(origin) => Ok(()),
        _ => Err(ApiError::new(
            ErrorCode::OriginNotAllowed,
            "this page's origin may not do that; NETRA_PUBLIC_URL and NETRA_ALLOWED_ORIGINS say which may",
        )),
    }
}
