//! `/api/admin/*`: what administrators do.

use axum::{
    extract::{FromRequestParts, State},
    http::{StatusCode, request::Parts},
};
use netra_ws::{
    ErrorCode, UserId,
    frame::Frame,
    message::ServerMessage,
    model::Role,
    payload::{Level, Notice},
};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{ApiJson, bearer};
use crate::server::{auth::Identity, error::ApiError, state::AppState};

/// An administrator who is signed in, or whoever runs the server, at its command line.
pub struct Administrator(Option<UserId>);

impl FromRequestParts<AppState> for Administrator {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, ApiError> {
        if bearer(&parts.headers).is_some_and(|token| state.security.is_operator(token)) {
            return Ok(Self(None));
        }
        let identity = Identity::from_request_parts(parts, state).await?;
        match identity.user.role {
            Role::Admin => Ok(Self(Some(identity.user.id))),
            Role::User => Err(ApiError::new(ErrorCode::Forbidden, "only administrators may do that")),
        }
    }
}

/// The longest notice, in characters.
const MAX_NOTICE: usize = 2_000;

/// `POST /api/admin/broadcast`
#[derive(Deserialize, JsonSchema)]
pub struct Announcement {
    /// The text; 1 to 2,000 characters.
    message: String,
    /// How much it matters; `info` when absent.
    #[serde(default = "info")]
    level: Level,
    /// The address of the one user who is to see it, as a `system_message`; everyone sees a `broadcast` when absent.
    email: Option<String>,
}

fn info() -> Level {
    Level::Info
}

/// Shows a notice on every page that is open now, or on those of one user.
pub async fn broadcast(
    State(state): State<AppState>,
    administrator: Administrator,
    ApiJson(announcement): ApiJson<Announcement>,
) -> Result<StatusCode, ApiError> {
    let Announcement { message, level, email } = announcement;
    let message = message.trim().to_owned();
    if message.is_empty() || message.chars().count() > MAX_NOTICE {
        return Err(ApiError::new(ErrorCode::InvalidPayload, format!("`message` has 1 to {MAX_NOTICE} characters")));
    }
    let notice = Notice { level, message };
    match email {
        None => state.announcer.to_everyone(ServerMessage::Broadcast(notice)),
        Some(email) => {
            let user = state.store.user_by_address(&email.trim().to_lowercase()).await?;
            let user = user.ok_or_else(|| ApiError::new(ErrorCode::NotFound, "nobody has this e-mail address here"))?;
            state.announcer.to_users(&[user.id], Frame::new(ServerMessage::SystemMessage(notice)));
        }
    }
    tracing::info!(by = ?administrator.0, "notice sent");
    Ok(StatusCode::NO_CONTENT)
}
