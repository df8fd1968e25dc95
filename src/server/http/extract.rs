//! What handlers take from a request, with failures in the API's own shape; and the cookies.

use axum::{
    Json,
    extract::{
        FromRequest, FromRequestParts, OptionalFromRequest, OptionalFromRequestParts, Path, Query, Request,
        rejection::{JsonRejection, PathRejection, QueryRejection},
    },
    http::{HeaderMap, request::Parts},
};
use axum_extra::extract::{
    CookieJar,
    cookie::{Cookie, SameSite},
};
use netra_ws::ErrorCode;
use serde::de::DeserializeOwned;

use crate::server::{
    auth::{Identity, SESSION_LIFE, SessionSecret},
    error::ApiError,
    state::AppState,
};

/// The sign-in cookie.
const SESSION: &str = "netra_session";

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

/// The query's parameters.
#[derive(FromRequestParts)]
#[from_request(via(Query), rejection(ApiError))]
pub struct ApiQuery<T>(pub T);

impl From<JsonRejection> for ApiError {
    fn from(rejection: JsonRejection) -> Self {
        let code = match &rejection {
            JsonRejection::JsonSyntaxError(_) => ErrorCode::MalformedJson,
            JsonRejection::BytesRejection(_) => ErrorCode::FrameTooLarge,
            _ => ErrorCode::InvalidPayload,
        };
        Self::new(code, rejection.body_text())
    }
}

impl From<PathRejection> for ApiError {
    fn from(_: PathRejection) -> Self {
        Self::not_found()
    }
}

impl From<QueryRejection> for ApiError {
    fn from(rejection: QueryRejection) -> Self {
        Self::new(ErrorCode::InvalidPayload, rejection.body_text())
    }
}

impl FromRequestParts<AppState> for Identity {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, ApiError> {
        identify(&parts.headers, state).await?.ok_or_else(ApiError::unauthenticated)
    }
}

impl OptionalFromRequestParts<AppState> for Identity {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Option<Self>, ApiError> {
        identify(&parts.headers, state).await
    }
}

/// Whose request it is.
pub(crate) async fn identify(headers: &HeaderMap, state: &AppState) -> Result<Option<Identity>, ApiError> {
    match (session_secret(headers), bearer(headers)) {
        (_, Some(token)) => state.security.identify_program(token).await,
        (Some(secret), None) => state.security.identify(&secret).await,
        (None, None) => Ok(None),
    }
}

fn session_secret(headers: &HeaderMap) -> Option<SessionSecret> {
    CookieJar::from_headers(headers).get(SESSION).map(|cookie| SessionSecret::from_cookie(cookie.value()))
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
        cookie(SESSION, secret.as_str().to_owned(), life(), secure),
        cookie(SIGNED_OUT, String::new(), time::Duration::ZERO, secure),
    ]
}

/// The cookies of someone who signed out.
pub fn signed_out_cookie(secure: bool) -> [Cookie<'static>; 2] {
    [cookie(SESSION, String::new(), time::Duration::ZERO, secure), cookie(SIGNED_OUT, "1".to_owned(), life(), secure)]
}

/// The token of an `Authorization: Bearer` header.
pub(crate) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(axum::http::header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}
