//! `/api/threads/{id}/members`: who takes part.

use axum::{Json, extract::State, http::StatusCode};
use netra_ws::{
    ThreadId,
    model::{Member, MemberRole},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{ApiJson, ApiPath, ApiQuery};
use crate::server::{auth::Identity, error::ApiError, state::AppState};

/// `POST /api/threads/{id}/members`
#[derive(Deserialize, JsonSchema)]
pub struct Invited {
    /// The sign-in address of someone who has an account here.
    email: String,
    /// What they may do there; `writer` when absent.
    #[serde(default = "writer")]
    role: MemberRole,
}

fn writer() -> MemberRole {
    MemberRole::Writer
}

/// `PATCH /api/threads/{id}/members`
#[derive(Deserialize, JsonSchema)]
pub struct Changed {
    /// Whose role changes.
    email: String,
    /// What they may do from now on.
    role: MemberRole,
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

/// Invites somebody.
pub async fn add(
    State(state): State<AppState>,
    identity: Identity,
    ApiPath(id): ApiPath<ThreadId>,
    ApiJson(invited): ApiJson<Invited>,
) -> Result<(StatusCode, Json<Member>), ApiError> {
    let member = state.threads.add_member(identity.user.id, id, &invited.email, invited.role).await?;
    Ok((StatusCode::CREATED, Json(member)))
}

/// Changes what a member may do.
pub async fn change(
    State(state): State<AppState>,
    identity: Identity,
    ApiPath(id): ApiPath<ThreadId>,
    ApiJson(changed): ApiJson<Changed>,
) -> Result<Json<Member>, ApiError> {
    Ok(Json(state.threads.change_member(identity.user.id, id, &changed.email, changed.role).await?))
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
