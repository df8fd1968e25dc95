//! `/api/tokens`: tokens for programs.

use axum::{Json, extract::State, http::StatusCode};
use netra_ws::{bus::Delivery, close::CloseCode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{ApiJson, ApiPath};
use crate::server::{
    auth::{Identity, NewApiToken},
    error::ApiError,
    state::AppState,
    store::ApiToken,
};

/// `POST /api/tokens`
#[derive(Deserialize, JsonSchema)]
pub struct Wanted {
    /// What the token is for; 1 to 100 characters.
    name: String,
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
    ApiJson(wanted): ApiJson<Wanted>,
) -> Result<(StatusCode, Json<NewApiToken>), ApiError> {
    Ok((StatusCode::CREATED, Json(state.security.make_api_token(&identity, &wanted.name).await?)))
}

/// Lists the user's tokens.
pub async fn list(State(state): State<AppState>, identity: Identity) -> Result<Json<Tokens>, ApiError> {
    Ok(Json(Tokens { tokens: state.security.api_tokens(&identity).await? }))
}

/// Revokes a token. All of the user's sockets close; those of other sign-ins and tokens come back.
pub async fn revoke(
    State(state): State<AppState>,
    identity: Identity,
    ApiPath(id): ApiPath<Uuid>,
) -> Result<StatusCode, ApiError> {
    state.security.revoke_api_token(&identity, id).await?;
    state.bus.publish(Delivery::Close { user_id: identity.user.id, code: CloseCode::Unauthenticated });
    Ok(StatusCode::NO_CONTENT)
}
