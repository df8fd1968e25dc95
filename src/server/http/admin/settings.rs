//! Settings in force, and agents with who may use them.

use axum::{Json, extract::State};
use schemars::JsonSchema;
use serde::Serialize;

use super::Administrator;
use crate::server::{config::Setting, state::AppState};

/// `GET /api/admin/settings`
#[derive(JsonSchema, Serialize)]
pub struct Settings {
    /// In the order of the documentation.
    settings: Vec<Setting>,
}

/// Lists the settings in force. Secrets are not shown.
pub async fn settings(State(state): State<AppState>, _: Administrator) -> Json<Settings> {
    Json(Settings { settings: state.config.in_force.clone() })
}

/// An agent, as administrators see it.
#[derive(JsonSchema, Serialize)]
pub struct OverseenAgent {
    /// Its name.
    name: String,
    /// Its name for people.
    title: String,
    /// Who may use it: roles and addresses; everyone when empty.
    users: Vec<String>,
    /// Whether it worked when it was checked last; absent before the first check.
    #[serde(skip_serializing_if = "Option::is_none")]
    works: Option<bool>,
    /// What was found, in one line.
    found: String,
}

/// `GET /api/admin/agents`
#[derive(JsonSchema, Serialize)]
pub struct OverseenAgents {
    /// The default first.
    agents: Vec<OverseenAgent>,
}

/// Lists the agents and who may use them.
pub async fn agents(State(state): State<AppState>, _: Administrator) -> Json<OverseenAgents> {
    let found = state.checks.states();
    let agents = state.config.agents.iter().map(|agent| {
        let state = found.iter().find(|state| state.name == agent.name);
        OverseenAgent {
            name: agent.name.clone(),
            title: agent.title.clone(),
            users: agent.users.names(),
            works: state.and_then(|state| state.works),
            found: state.map(|state| state.said.clone()).unwrap_or_default(),
        }
    });
    Json(OverseenAgents { agents: agents.collect() })
}
