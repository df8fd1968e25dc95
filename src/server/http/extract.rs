//! What handlers take from a request, with failures in the API's own shape; and the cookies.

use std::convert::Infallible;

use axum::{
    Json,
    extract::{
        FromRequest, FromRequestParts, OptionalFromRequest, OptionalFromRequestParts, Path, Query, Request,
        rejection::{JsonRejection, PathRejection, QueryRejection},
    },
    http::{HeaderMap, Uri, request::Parts},
};
use axum_extra::extract::{
    CookieJar,
    cookie::{Cookie, SameSite},
};
use netra_ws::{ErrorCode, error::clipped};
use serde::de::DeserializeOwned;

use crate::server::{
    auth::{Identity, SESSION_LIFE, SessionSecret, Visitor},
    error::ApiError,
    state::AppState,
};

/// The sign-in cookie.
const SESSION: &str = "netra_session";

/// The same over TLS: the prefix keeps other hosts of the domain, and plain HTTP, from planting one (RFC 6265bis, 4.1.3.2).
const SECURE_SESSION: &str = "__Host-netra_session";

const fn session_name(secure: bool) -> &'static str {
    if secure { SECURE_SESSION } else { SESSION }
}

/// Remembers that the user signed out on purpose, so that dev login waits to be asked.
const SIGNED_OUT: &str = "netra_signed_out";

/// A JSON body.
#[derive(FromRequest)]
#[from_request(via(axum::Json), rejection(ApiError))]
pub struct ApiJson<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> OptionalFromRequest<S> for ApiJson<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Option<Self>, ApiError> {
        let body = <Json<T> as OptionalFromRequest<S>>::from_request(request, state).await?;
        Ok(body.map(|Json(body)| Self(body)))
    }
}

/// The path's parameters. What does not parse does not exist.
#[derive(FromRequestParts)]
#[from_request(via(Path), rejection(ApiError))]
pub struct ApiPath<T>(pub T);

/// The query's parameters. An empty one counts as absent.
pub struct ApiQuery<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for ApiQuery<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let given = parts.uri.query().unwrap_or_default();
        let given = url::form_urlencoded::parse(given.as_bytes()).filter(|(_, value)| !value.is_empty());
        let query = url::form_urlencoded::Serializer::for_suffix("/?".to_owned(), 2).extend_pairs(given).finish();
        let uri: Uri = query
            .parse()
            .map_err(|error| ApiError::new(ErrorCode::InvalidPayload, format!("the query cannot be read: {error}")))?;
        let Query(query) = Query::try_from_uri(&uri)?;
        Ok(Self(query))
    }
}

impl From<JsonRejection> for ApiError {
    fn from(rejection: JsonRejection) -> Self {
        let code = match &rejection {
            JsonRejection::JsonSyntaxError(_) => ErrorCode::MalformedJson,
            JsonRejection::BytesRejection(_) => ErrorCode::FrameTooLarge,
            _ => ErrorCode::InvalidPayload,
        };
        Self::new(code, clipped(rejection.body_text()))
    }
}

impl From<PathRejection> for ApiError {
    fn from(_: PathRejection) -> Self {
        Self::not_found()
    }
}

impl From<QueryRejection> for ApiError {
    fn from(rejection: QueryRejection) -> Self {
        Self::new(ErrorCode::InvalidPayload, clipped(rejection.body_text()))
    }
}

impl FromRequestParts<AppState> for Identity {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, ApiError> {
        asker(parts, state).await?.ok_or_else(ApiError::unauthenticated)
    }
}

impl OptionalFromRequestParts<AppState> for Identity {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Option<Self>, ApiError> {
        asker(parts, state).await
    }
}

impl FromRequestParts<AppState> for Visitor {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Infallible> {
        Ok(Self::of(parts, &state.config.trusted_proxies))
    }
}

/// Who asks, as it was found out for this request already.
#[derive(Clone)]
pub(super) struct Asker(pub(super) Option<Identity>);

/// Whose request it is: looked up once.
pub(crate) async fn asker(parts: &Parts, state: &AppState) -> Result<Option<Identity>, ApiError> {
    match parts.extensions.get::<Asker>() {
        Some(Asker(identity)) => Ok(identity.clone()),
        None => identify(parts, state).await,
    }
}

/// Whose request it is.
pub(super) async fn identify(parts: &Parts, state: &AppState) -> Result<Option<Identity>, ApiError> {
    let headers = &parts.headers;
    match (session_secret(headers, state.config.secure_cookies()), bearer(headers)) {
        (_, Some(token)) => {
            let from = Visitor::of(parts, &state.config.trusted_proxies).address.to_string();
            state.security.identify_program(token, Some(&from)).await
        }
        (Some(secret), None) => state.security.identify(&secret).await,
        (None, None) => Ok(None),
    }
}

/// The secret of the sign-in cookie.
pub(crate) fn session_secret(headers: &HeaderMap, secure: bool) -> Option<SessionSecret> {
    CookieJar::from_headers(headers).get(session_name(secure)).map(|cookie| SessionSecret::from_cookie(cookie.value()))
}

/// Whether the user signed out on purpose.
pub(crate) fn has_signed_out(headers: &HeaderMap) -> bool {
    CookieJar::from_headers(headers).get(SIGNED_OUT).is_some()
}

fn cookie(name: &'static str, value: String, life: time::Duration, secure: bool) -> Cookie<'static> {
    Cookie::build((name, value)).path("/").http_only(true).same_site(SameSite::Lax).secure(secure).max_age(life).build()
}

fn life() -> time::Duration {
    time::Duration::try_from(SESSION_LIFE).unwrap_or(time::Duration::DAY)
}

/// The cookies of someone who signed in.
pub fn session_cookie(secret: &SessionSecret, secure: bool) -> [Cookie<'static>; 2] {
    [
        cookie(session_name(secure), secret.as_str().to_owned(), life(), secure),
        cookie(SIGNED_OUT, String::new(), time::Duration::ZERO, secure),
    ]
}

/// The cookies of someone who signed out.
pub fn signed_out_cookie(secure: bool) -> [Cookie<'static>; 2] {
    [
        cookie(session_name(secure), String::new(), time::Duration::ZERO, secure),
        cookie(SIGNED_OUT, "1".to_owned(), life(), secure),
    ]
}

/// The token of an `Authorization: Bearer` header.
pub(crate) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(axum::http::header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}
