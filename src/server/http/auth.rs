//! `/api/auth/*` and `/api/me`.

use axum::{Json, extract::State, http::StatusCode, response::IntoResponse};
use axum_extra::extract::{CookieJar, cookie::Cookie};
use netra_ws::{bus::Delivery, close::CloseCode, model::User};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{ApiJson, session_cookie, signed_out_cookie};
use crate::server::{
    auth::{Identity, SessionSecret, WsToken},
    error::ApiError,
    state::AppState,
};

/// `POST /api/auth/register`
#[derive(Deserialize, JsonSchema)]
pub struct Registration {
    email: String,
    password: String,
    name: Option<String>,
}

/// `POST /api/auth/login`
#[derive(Deserialize, JsonSchema)]
pub struct Credentials {
    email: String,
    password: String,
}

/// Who is signed in.
#[derive(JsonSchema, Serialize)]
pub struct SignedIn {
    user: User,
}

fn signed_in(state: &AppState, (user, secret): (User, SessionSecret)) -> impl IntoResponse + use<> {
    (jar(session_cookie(&secret, state.config.secure_cookies())), Json(SignedIn { user }))
}

fn jar(cookies: [Cookie<'static>; 2]) -> CookieJar {
    cookies.into_iter().fold(CookieJar::new(), CookieJar::add)
}

/// Signs the developer in.
pub async fn dev(State(state): State<AppState>) -> Result<impl IntoResponse, ApiError> {
    Ok(signed_in(&state, state.security.dev_login().await?))
}

/// Makes an account.
pub async fn register(
    State(state): State<AppState>,
    ApiJson(form): ApiJson<Registration>,
) -> Result<impl IntoResponse, ApiError> {
    let made = state.security.register(&form.email, &form.password, form.name.as_deref()).await?;
    Ok((StatusCode::CREATED, signed_in(&state, made)))
}

/// Signs an account in.
pub async fn login(
    State(state): State<AppState>,
    ApiJson(form): ApiJson<Credentials>,
) -> Result<impl IntoResponse, ApiError> {
    Ok(signed_in(&state, state.security.login(&form.email, &form.password).await?))
}

/// Signs out here, and closes the user's sockets everywhere.
pub async fn logout(State(state): State<AppState>, identity: Option<Identity>) -> Result<impl IntoResponse, ApiError> {
    if let Some(identity) = identity {
        end_session(&state, &identity).await?;
    }
    Ok((StatusCode::NO_CONTENT, jar(signed_out_cookie(state.config.secure_cookies()))))
}

/// Ends a sign-in. All of the user's sockets close; those of other sign-ins come back with a new token.
pub(crate) async fn end_session(state: &AppState, identity: &Identity) -> Result<(), ApiError> {
    state.security.logout(&identity.session).await?;
    state.bus.publish(Delivery::Close { user_id: identity.user.id, code: CloseCode::Unauthenticated });
    tracing::info!(user_id = %identity.user.id, "user signed out");
    Ok(())
}

/// A token for the socket.
pub async fn ws_token(State(state): State<AppState>, identity: Identity) -> Result<Json<WsToken>, ApiError> {
    Ok(Json(state.security.issue_ws_token(&identity)?))
}

/// Who is signed in.
pub async fn me(identity: Identity) -> Json<SignedIn> {
    Json(SignedIn { user: identity.user })
}
