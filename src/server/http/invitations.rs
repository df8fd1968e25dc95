//! `/api/invitations` and `/api/blocks`: nobody is put into a conversation without accepting.

use axum::{Json, extract::State, http::StatusCode};
use netra_ws::{
    ThreadId, Timestamp, UserId,
    model::{Author, MemberRole, Thread},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{ApiJson, ApiPath, ApiQuery};
use crate::server::{
    auth::{Identity, Visitor},
    error::ApiError,
    state::AppState,
    store::{Deed, taking_part::ThreadInvitation},
};

/// An invitation.
#[derive(JsonSchema, Serialize)]
pub struct InvitationInfo {
    /// To which thread; its invitation is named by it, too.
    thread_id: ThreadId,
    /// The thread's title.
    title: String,
    /// Who invites.
    invited_by: Author,
    /// What the invited may do there.
    role: MemberRole,
    /// When it was made.
    created_at: Timestamp,
}

impl From<ThreadInvitation> for InvitationInfo {
    fn from(invitation: ThreadInvitation) -> Self {
        let ThreadInvitation { thread_id, title, invited_by, role, created_at } = invitation;
        Self { thread_id, title, invited_by, role, created_at }
    }
}

/// `GET /api/invitations`
#[derive(JsonSchema, Serialize)]
pub struct Invitations {
    /// The newest first.
    invitations: Vec<InvitationInfo>,
}

/// `DELETE /api/invitations/{id}`
#[derive(Deserialize, JsonSchema)]
pub struct Declined {
    /// Whether to take no more invitations from who sent it.
    #[serde(default)]
    block: bool,
}

/// `GET /api/blocks`
#[derive(JsonSchema, Serialize)]
pub struct Blocks {
    /// By name.
    blocks: Vec<Author>,
}

/// `POST /api/blocks`
#[derive(Deserialize, JsonSchema)]
pub struct Block {
    /// Whom.
    user_id: UserId,
}

/// Lists the invitations that wait for an answer.
pub async fn list(State(state): State<AppState>, identity: Identity) -> Result<Json<Invitations>, ApiError> {
    let invitations = state.threads.invitations(identity.user.id).await?;
    Ok(Json(Invitations { invitations: invitations.into_iter().map(Into::into).collect() }))
}

/// Takes one.
pub async fn accept(
    State(state): State<AppState>,
    identity: Identity,
    ApiPath(id): ApiPath<ThreadId>,
) -> Result<Json<Thread>, ApiError> {
    Ok(Json(state.threads.accept(identity.user.id, id).await?))
}

/// Declines one.
pub async fn decline(
    State(state): State<AppState>,
    identity: Identity,
    ApiPath(id): ApiPath<ThreadId>,
    ApiQuery(declined): ApiQuery<Declined>,
) -> Result<StatusCode, ApiError> {
    state.threads.decline(identity.user.id, id, declined.block).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Lists who is blocked.
pub async fn blocked(State(state): State<AppState>, identity: Identity) -> Result<Json<Blocks>, ApiError> {
    Ok(Json(Blocks { blocks: state.threads.blocked(identity.user.id).await? }))
}

/// Blocks somebody.
pub async fn block(
    State(state): State<AppState>,
    identity: Identity,
    visitor: Visitor,
    ApiJson(block): ApiJson<Block>,
) -> Result<StatusCode, ApiError> {
    state.threads.block(identity.user.id, block.user_id).await?;
    let (actor, subject) = (Some(identity.user.id), Some(block.user_id.to_string()));
    let address = Some(visitor.address.to_string());
    state.security.note_deed(Deed { actor, action: "person.blocked", subject, address }).await;
    Ok(StatusCode::NO_CONTENT)
}

/// Takes that back.
pub async fn unblock(
    State(state): State<AppState>,
    identity: Identity,
    ApiPath(id): ApiPath<UserId>,
) -> Result<StatusCode, ApiError> {
    state.threads.unblock(identity.user.id, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
