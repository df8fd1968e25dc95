//! `/api/tools/{server}/oauth`: an administrator signs in at an MCP server for all who use it, and takes that back.

use axum::{Json, extract::State, http::StatusCode, response::Redirect};
use netra_ws::{ErrorCode, UserId};
use schemars::JsonSchema;
use serde::Serialize;

use super::{ApiPath, ApiQuery, admin::Administrator};
use crate::{
    app::signed_in_at::Outcome,
    server::{
        auth::Identity,
        error::ApiError,
        mcp::client::{Answer, McpServer, Refused, SignIn},
        state::AppState,
        store::Deed,
        whence,
    },
};

/// `POST /api/tools/{server}/oauth/connect`
#[derive(JsonSchema, Serialize)]
pub struct Entrance {
    /// Where the browser goes to sign in. It is good for ten minutes, once, in the browser that asked.
    url: String,
}

/// The server of this name, and the sign-in at it.
fn found<'a>(state: &'a AppState, name: &str) -> Result<(&'a McpServer, &'a SignIn), ApiError> {
    let server = state.mcp.server(name);
    let found = server.and_then(|server| Some((server.as_ref(), server.sign_in()?.as_ref())));
    found.ok_or_else(|| {
        ApiError::new(ErrorCode::NotFound, "there is no MCP server of this name that an administrator signs in at")
    })
}

async fn note(state: &AppState, actor: UserId, action: &'static str, server: &str) {
    let deed = Deed { actor: Some(actor), action, subject: Some(server.to_owned()), address: whence::address() };
    state.security.note_deed(deed).await;
}

/// Begins a round to the server's authorization server.
pub async fn connect(
    State(state): State<AppState>,
    _: Administrator,
    identity: Identity,
    ApiPath(server): ApiPath<String>,
) -> Result<Json<Entrance>, ApiError> {
    // The way back is a browser's.
    identity.require_person()?;
    let (_, sign_in) = found(&state, &server)?;
    match sign_in.begin(&identity.session).await {
        Ok(url) => Ok(Json(Entrance { url: url.into() })),
        Err(why) => {
            tracing::warn!(server, why, "an MCP server cannot be signed in at");
            Err(ApiError::new(ErrorCode::UpstreamUnavailable, format!("{server} cannot be connected: {why}")))
        }
    }
}

/// Back from the authorization server: to the settings page, which has a sentence for each outcome.
pub async fn callback(
    State(state): State<AppState>,
    _: Administrator,
    identity: Identity,
    ApiPath(server): ApiPath<String>,
    ApiQuery(answer): ApiQuery<Answer>,
) -> Result<Redirect, ApiError> {
    let (known, sign_in) = found(&state, &server)?;
    let user = identity.user.id;
    let outcome = match known.finish_sign_in(sign_in, &identity.session, &answer).await {
        Ok(()) => {
            tracing::info!(server, user_id = %user, "an MCP server was connected");
            note(&state, user, "mcp_server.connected", &server).await;
            Outcome::Connected
        }
        Err(Refused::Stale) => {
            tracing::info!(server, user_id = %user, "a sign-in at an MCP server that was not begun here, or long ago");
            Outcome::Stale
        }
        Err(Refused::Denied) => {
            tracing::info!(server, user_id = %user, "the sign-in at an MCP server was denied");
            Outcome::Denied
        }
        Err(Refused::Failed(why)) => {
            tracing::warn!(server, user_id = %user, why, "the sign-in at an MCP server failed");
            Outcome::Failed
        }
    };
    Ok(Redirect::to(&outcome.address()))
}

/// Takes the connection back.
pub async fn disconnect(
    State(state): State<AppState>,
    _: Administrator,
    identity: Identity,
    ApiPath(server): ApiPath<String>,
) -> Result<StatusCode, ApiError> {
    let (_, sign_in) = found(&state, &server)?;
    sign_in.disconnect().await.map_err(|why| {
        tracing::error!(server, why, "the end of a connection could not be kept");
        ApiError::from(ErrorCode::Internal)
    })?;
    tracing::info!(server, user_id = %identity.user.id, "an MCP server was disconnected");
    note(&state, identity.user.id, "mcp_server.disconnected", &server).await;
    Ok(StatusCode::NO_CONTENT)
}
