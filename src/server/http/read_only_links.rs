//! `/api/threads/{id}/links`: links by which anybody reads a conversation.

use std::time::Duration;

use axum::{Json, extract::State, http::StatusCode};
use netra_ws::{ErrorCode, ThreadId, Timestamp, UserId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{ApiJson, ApiPath};
use crate::server::{
    auth::{Identity, link_digest, link_secret},
    error::ApiError,
    shared_page,
    state::AppState,
    store::{
        Deed,
        read_only_links::{MAX_READ_ONLY_LINKS, ReadOnlyLink},
    },
    whence,
};

/// How long a link is good: unless asked otherwise, at least and at most.
const LIFE: u64 = 30 * 86_400;
const SHORTEST: u64 = 60;
const LONGEST: u64 = 365 * 86_400;

/// `POST /api/threads/{id}/links`
#[derive(Deserialize, JsonSchema)]
pub struct WantedLink {
    /// How long it is good, in seconds: 60 to 31,536,000, 2,592,000 when absent.
    #[serde(default = "life")]
    expires_in_s: u64,
}

fn life() -> u64 {
    LIFE
}

/// A link that was made.
#[derive(JsonSchema, Serialize)]
pub struct MadeLink {
    /// Where it leads; shown this once.
    url: String,
    /// The link.
    link: ReadOnlyLink,
}

/// `GET /api/threads/{id}/links`
#[derive(JsonSchema, Serialize)]
pub struct ReadOnlyLinkList {
    /// The newest first; without what they lead with.
    links: Vec<ReadOnlyLink>,
}

/// Lists a conversation's links, for its owner.
pub async fn list(
    State(state): State<AppState>,
    identity: Identity,
    ApiPath(id): ApiPath<ThreadId>,
) -> Result<Json<ReadOnlyLinkList>, ApiError> {
    state.threads.owned(identity.user.id, id).await?;
    Ok(Json(ReadOnlyLinkList { links: state.store.read_only_links(identity.user.id, id).await? }))
}

/// Makes one to what stands in the conversation now.
pub async fn make(
    State(state): State<AppState>,
    identity: Identity,
    ApiPath(id): ApiPath<ThreadId>,
    ApiJson(wanted): ApiJson<WantedLink>,
) -> Result<(StatusCode, Json<MadeLink>), ApiError> {
    let user = identity.user.id;
    state.threads.owned(user, id).await?;
    if !(SHORTEST..=LONGEST).contains(&wanted.expires_in_s) {
        let message = format!("`expires_in_s` is a number from {SHORTEST} to {LONGEST}");
        return Err(ApiError::new(ErrorCode::InvalidPayload, message));
    }
    let secret = link_secret().map_err(|error| ApiError::internal(&error))?;
    let until = Timestamp::now().plus(Duration::from_secs(wanted.expires_in_s));
    let made = state.store.make_read_only_link(user, id, &link_digest(&secret), until).await?;
    let link = made.ok_or_else(ApiError::not_found)?.ok_or_else(|| {
        let message = format!("a conversation has at most {MAX_READ_ONLY_LINKS} read-only links; take one back first");
        ApiError::new(ErrorCode::Conflict, message)
    })?;
    tracing::info!(user_id = %user, thread_id = %id, "a read-only link was made");
    note(&state, user, "link.made", id, link.id).await;
    let url = format!("{}{}{secret}", state.config.base(), shared_page::PATH);
    Ok((StatusCode::CREATED, Json(MadeLink { url, link })))
}

/// Takes one back.
pub async fn remove(
    State(state): State<AppState>,
    identity: Identity,
    ApiPath((id, link)): ApiPath<(ThreadId, Uuid)>,
) -> Result<StatusCode, ApiError> {
    let user = identity.user.id;
    state.threads.owned(user, id).await?;
    if !state.store.remove_read_only_link(user, id, link).await? {
        return Err(ApiError::not_found());
    }
    tracing::info!(user_id = %user, thread_id = %id, "a read-only link was taken back");
    note(&state, user, "link.removed", id, link).await;
    Ok(StatusCode::NO_CONTENT)
}

async fn note(state: &AppState, user: UserId, action: &'static str, thread: ThreadId, link: Uuid) {
    let (subject, address) = (Some(format!("{thread} {link}")), whence::address());
    state.security.note_deed(Deed { actor: Some(user), action, subject, address }).await;
}
