//! `/api/config` and `/api/agents`: what a client reads before it connects.

use axum::{Json, extract::State, http::header::CACHE_CONTROL, response::IntoResponse};
use netra_ws::{discovery::AgentInfo, model::Role};
use schemars::JsonSchema;
use serde::Serialize;

use crate::server::{auth::Identity, state::AppState};

/// Discovery, for anyone.
pub async fn config(State(state): State<AppState>, identity: Option<Identity>) -> impl IntoResponse {
    ([(CACHE_CONTROL, "no-store")], Json(state.discovery(identity.as_ref().map(|identity| &identity.user))))
}

/// `GET /api/agents`
#[derive(JsonSchema, Serialize)]
pub struct Agents {
    agents: Vec<AgentInfo>,
    /// The servers of the Model Context Protocol whose tools agents use; absent where there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    mcp: Vec<McpServerInfo>,
}

/// A server of the Model Context Protocol.
#[derive(JsonSchema, Serialize)]
pub struct McpServerInfo {
    /// Its name, as in the names of its tools: `mcp:<name>/<tool>`.
    name: String,
    /// `connecting`, `ready` or `away`.
    status: &'static str,
    /// How many tools it has.
    tools: usize,
    /// Whether an administrator signed in at it; absent where nobody has to.
    #[serde(skip_serializing_if = "Option::is_none")]
    signed_in: Option<bool>,
    /// What it has, or why it is away; for administrators.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

/// The agents, for those who may ask them.
pub async fn agents(State(state): State<AppState>, identity: Identity) -> Json<Agents> {
    let administers = identity.user.role == Role::Admin;
    let mcp = state.mcp.states().into_iter().map(|server| McpServerInfo {
        name: server.name,
        status: server.standing.as_str(),
        tools: server.tools,
        signed_in: server.signed_in,
        // It may name what only who runs the server is to know.
        reason: administers.then_some(server.said),
    });
    Json(Agents { agents: state.registry.infos(Some(&identity.user)), mcp: mcp.collect() })
}
