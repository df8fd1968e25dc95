//! `/api/auth/*` and `/api/me`.

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::IntoResponse,
};
use axum_extra::extract::{CookieJar, cookie::Cookie};
use netra_ws::{UserId, bus::Delivery, close::CloseCode, model::User};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{ApiJson, guard::CLEAR_SITE_DATA, session_cookie, session_secret, signed_out_cookie};
use crate::server::{
    auth::{DirectVisit, Identity, NewAccount, SessionSecret, Shown, Visitor, WsToken},
    error::ApiError,
    state::AppState,
    store::Scope,
};

/// `POST /api/auth/register`
#[derive(Deserialize, JsonSchema)]
pub struct Registration {
    email: String,
    password: String,
    name: Option<String>,
    /// The secret of an invitation, where one is needed.
    invitation: Option<String>,
}

/// `POST /api/auth/login`
#[derive(Deserialize, JsonSchema)]
pub struct Credentials {
    email: String,
    password: String,
    /// The code of an authenticator app or a recovery code, where the account has a second factor.
    code: Option<String>,
}

/// Who is signed in.
#[derive(JsonSchema, Serialize)]
pub struct SignedIn {
    user: User,
}

/// The answer to someone who signed in: the cookies, and who it is. The sign-in that the browser held before ends.
async fn signed_in(
    state: &AppState,
    headers: &HeaderMap,
    (user, secret): (User, SessionSecret),
) -> Result<impl IntoResponse + use<>, ApiError> {
    replace_session(state, headers, user.id, &secret).await?;
    Ok((jar(session_cookie(&secret, state.config.secure_cookies())), Json(SignedIn { user })))
}

/// Ends the sign-in that a browser held when the same user signs in again: nobody would end it later. Another user's stays.
pub(crate) async fn replace_session(
    state: &AppState,
    headers: &HeaderMap,
    user: UserId,
    fresh: &SessionSecret,
) -> Result<(), ApiError> {
    let Some(old) = session_secret(headers, state.config.secure_cookies()).filter(|old| old != fresh) else {
        return Ok(());
    };
    match state.security.identify(&old).await? {
        Some(identity) if identity.user.id == user => state.security.forget(&old).await,
        Some(_) | None => Ok(()),
    }
}

fn jar(cookies: [Cookie<'static>; 2]) -> CookieJar {
    cookies.into_iter().fold(CookieJar::new(), CookieJar::add)
}

/// Signs the developer in.
pub async fn dev(
    State(state): State<AppState>,
    headers: HeaderMap,
    visitor: Visitor,
) -> Result<impl IntoResponse, ApiError> {
    let made = state.security.dev_login(&visitor, DirectVisit::of(&headers, &state.origins)).await?;
    signed_in(&state, &headers, made).await
}

/// Makes an account.
pub async fn register(
    State(state): State<AppState>,
    headers: HeaderMap,
    visitor: Visitor,
    ApiJson(form): ApiJson<Registration>,
) -> Result<impl IntoResponse, ApiError> {
    let account = NewAccount {
        email: &form.email,
        password: &form.password,
        name: form.name.as_deref(),
        invitation: form.invitation.as_deref(),
    };
    let made = state.security.register(&visitor, account).await?;
    Ok((StatusCode::CREATED, signed_in(&state, &headers, made).await?))
}

/// Signs an account in.
pub async fn login(
    State(state): State<AppState>,
    headers: HeaderMap,
    visitor: Visitor,
    ApiJson(form): ApiJson<Credentials>,
) -> Result<impl IntoResponse, ApiError> {
    let made = state.security.login(&visitor, &form.email, &form.password, form.code.as_deref()).await?;
    signed_in(&state, &headers, made).await
}

/// `POST /api/auth/confirm`
#[derive(Deserialize, JsonSchema)]
pub struct Confirmation {
    /// The password of the account.
    password: Option<String>,
    /// A code of the second factor, or a recovery code, in its place.
    code: Option<String>,
}

/// Shows that it is still the person who signed in, before what matters.
pub async fn confirm(
    State(state): State<AppState>,
    identity: Identity,
    visitor: Visitor,
    ApiJson(form): ApiJson<Confirmation>,
) -> Result<StatusCode, ApiError> {
    let shown = Shown { password: form.password.as_deref(), code: form.code.as_deref() };
    state.security.confirm(&identity, &visitor, shown).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Signs out here, and closes the user's sockets everywhere.
pub async fn logout(State(state): State<AppState>, identity: Option<Identity>) -> Result<impl IntoResponse, ApiError> {
    if let Some(identity) = identity {
        end_session(&state, &identity).await?;
    }
    Ok((StatusCode::NO_CONTENT, [CLEAR_SITE_DATA], jar(signed_out_cookie(state.config.secure_cookies()))))
}

/// Ends a sign-in. All of the user's sockets close; those of other sign-ins come back with a new token.
pub(crate) async fn end_session(state: &AppState, identity: &Identity) -> Result<(), ApiError> {
    if identity.require_person().is_err() {
        // A token never ends its person's sign-ins; revoking it is for the person.
        return Ok(());
    }
    state.security.logout(identity).await?;
    state.bus.publish(Delivery::Close { user_id: identity.user.id, code: CloseCode::Unauthenticated });
    tracing::info!(user_id = %identity.user.id, "user signed out");
    Ok(())
}

/// A token for the socket.
pub async fn ws_token(State(state): State<AppState>, identity: Identity) -> Result<Json<WsToken>, ApiError> {
    identity.require_scope(Scope::Chat)?;
    Ok(Json(state.security.issue_ws_token(&identity)?))
}

/// Who is signed in.
pub async fn me(identity: Identity) -> Json<SignedIn> {
    Json(SignedIn { user: identity.user })
}
