//! `/api/config` and `/api/agents`: what a client reads before it connects.

use axum::{Json, extract::State, http::header::CACHE_CONTROL, response::IntoResponse};
use netra_ws::discovery::AgentInfo;
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
}

/// The agents, for those who may ask them.
pub async fn agents(State(state): State<AppState>, identity: Identity) -> Json<Agents> {
    Json(Agents { agents: state.registry.infos(Some(&identity.user)) })
}
