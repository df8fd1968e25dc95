//! Links that were made and not used yet.

use axum::{Json, extract::State, http::StatusCode};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use netra_ws::{Timestamp, model::Role};
use schemars::JsonSchema;
use serde::Serialize;

use super::{Administrator, LISTED};
use crate::server::{error::ApiError, http::ApiPath, state::AppState, store::oversight::OpenLink};

/// A link that can be used. What it opens with is not kept.
#[derive(JsonSchema, Serialize)]
pub struct LinkInfo {
    /// Names it when it is to be taken back.
    id: String,
    /// What it is good for: `invitation`, `password`, or `address`.
    purpose: String,
    /// The role that an invitation gives.
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<Role>,
    /// Whose password or address it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<String>,
    /// Who made it; whoever runs the server when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    made_by: Option<String>,
    /// When.
    created_at: Timestamp,
    /// When its time is over.
    expires_at: Timestamp,
}

impl From<OpenLink> for LinkInfo {
    fn from(link: OpenLink) -> Self {
        let OpenLink { digest, purpose, role, for_email, made_by, created_at, expires_at } = link;
        let role = (purpose == "invitation").then_some(role);
        // The digest of a secret: it leads nobody to the secret.
        let id = BASE64_URL_SAFE_NO_PAD.encode(digest);
        Self { id, purpose, role, email: for_email, made_by, created_at, expires_at }
    }
}

/// `GET /api/admin/links`
#[derive(JsonSchema, Serialize)]
pub struct Links {
    /// The newest first; 500 at most.
    links: Vec<LinkInfo>,
}

/// Lists invitations and other links that can be used.
pub async fn list(State(state): State<AppState>, _: Administrator) -> Result<Json<Links>, ApiError> {
    let links = state.store.open_links(LISTED).await?;
    Ok(Json(Links { links: links.into_iter().map(Into::into).collect() }))
}

/// Takes one back.
pub async fn take_back(
    State(state): State<AppState>,
    administrator: Administrator,
    ApiPath(id): ApiPath<String>,
) -> Result<StatusCode, ApiError> {
    let digest = BASE64_URL_SAFE_NO_PAD.decode(&id).map_err(|_| ApiError::not_found())?;
    if !state.store.remove_link(&digest).await? {
        return Err(ApiError::not_found());
    }
    state.security.note_administration(administrator.0, "link.taken_back", id).await;
    Ok(StatusCode::NO_CONTENT)
}
