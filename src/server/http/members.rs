//! `/api/threads/{id}/members`: who takes part.

use axum::{Json, extract::State, http::StatusCode};
use netra_ws::{ThreadId, model::Member};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{ApiJson, ApiPath, ApiQuery};
use crate::server::{auth::Identity, error::ApiError, state::AppState};

/// `POST /api/threads/{id}/members`
#[derive(Deserialize, JsonSchema)]
pub struct Invited {
    /// The sign-in address of someone who has an account here.
    email: String,
}

/// `DELETE /api/threads/{id}/members`
#[derive(Deserialize, JsonSchema)]
pub struct Removed {
    /// Whose membership ends; the caller's own when absent.
    email: Option<String>,
}

/// The members of a thread.
#[derive(JsonSchema, Serialize)]
pub struct Members {
    /// The owner first.
    members: Vec<Member>,
}

/// Lists the members.
pub async fn list(
    State(state): State<AppState>,
    identity: Identity,
    ApiPath(id): ApiPath<ThreadId>,
) -> Result<Json<Members>, ApiError> {
    Ok(Json(Members { members: state.threads.members(identity.user.id, id).await? }))
}

/// Adds a member.
pub async fn add(
    State(state): State<AppState>,
    identity: Identity,
    ApiPath(id): ApiPath<ThreadId>,
    ApiJson(invited): ApiJson<Invited>,
) -> Result<(StatusCode, Json<Member>), ApiError> {
    let member = state.threads.add_member(identity.user.id, id, &invited.email).await?;
    Ok((StatusCode::CREATED, Json(member)))
}

/// Removes a member, named in the query or in the body.
pub async fn remove(
    State(state): State<AppState>,
    identity: Identity,
    ApiPath(id): ApiPath<ThreadId>,
    ApiQuery(query): ApiQuery<Removed>,
    body: Option<ApiJson<Removed>>,
) -> Result<StatusCode, ApiError> {
    let email = query.email.or_else(|| body.and_then(|ApiJson(body)| body.email));
    state.threads.remove_member(identity.user.id, id, email.as_deref()).await?;
    Ok(StatusCode::NO_CONTENT)
}
