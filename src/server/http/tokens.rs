//! `/api/tokens`: tokens for programs.

use axum::{Json, extract::State, http::StatusCode};
use netra_ws::{bus::Delivery, close::CloseCode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{ApiJson, ApiPath};
use crate::server::{
    auth::{Identity, NewApiToken, Visitor, WantedToken},
    error::ApiError,
    state::AppState,
    store::{ApiToken, Scope},
};

/// `POST /api/tokens`
#[derive(Deserialize, JsonSchema)]
pub struct Wanted {
    /// What the token is for; 1 to 100 characters.
    name: String,
    /// What it may do; `chat` when absent.
    #[serde(default)]
    scope: Scope,
    /// How many days it lives, 365 at most; for good when absent.
    days: Option<u16>,
}

/// The user's tokens.
#[derive(JsonSchema, Serialize)]
pub struct Tokens {
    /// Oldest first, without their secrets.
    tokens: Vec<ApiToken>,
}

/// Makes a token; its secret is shown this once.
pub async fn create(
    State(state): State<AppState>,
    identity: Identity,
    visitor: Visitor,
    ApiJson(wanted): ApiJson<Wanted>,
) -> Result<(StatusCode, Json<NewApiToken>), ApiError> {
    let Wanted { name, scope, days } = &wanted;
    let wanted = WantedToken { name, scope: *scope, days: *days };
    Ok((StatusCode::CREATED, Json(state.security.make_api_token(&identity, &visitor, wanted).await?)))
}

/// Lists the user's tokens.
pub async fn list(State(state): State<AppState>, identity: Identity) -> Result<Json<Tokens>, ApiError> {
    Ok(Json(Tokens { tokens: state.security.api_tokens(&identity).await? }))
}

/// Revokes a token. All of the user's sockets close; those of other sign-ins and tokens come back.
pub async fn revoke(
    State(state): State<AppState>,
    identity: Identity,
    visitor: Visitor,
    ApiPath(id): ApiPath<Uuid>,
) -> Result<StatusCode, ApiError> {
    state.security.revoke_api_token(&identity, &visitor, id).await?;
    state.bus.publish(Delivery::Close { user_id: identity.user.id, code: CloseCode::Unauthenticated });
    Ok(StatusCode::NO_CONTENT)
}
