//! Server functions of the settings page: one's name, what one uses, and who answers with what.

// The macro makes a struct of each function's arguments, with fields that cannot carry docs.
#![allow(missing_docs)]

use leptos::prelude::*;
use serde::{Deserialize, Serialize};

#[cfg(feature = "ssr")]
use super::api::backend;
use super::call::Call;

/// What the settings page shows of the server.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SettingsView {
    /// Tokens of models since midnight UTC.
    pub tokens_today: u64,
    /// How many there may be.
    pub tokens_a_day: Option<u64>,
    /// What they cost in US dollars, as far as prices are known.
    pub cost_today: f64,
    /// What they may cost.
    pub cost_a_day: Option<f64>,
    /// The agents that the user may ask, the default first.
    pub agents: Vec<AgentView>,
    /// The MCP servers whose tools they use, each with how it is and how many tools it has.
    pub servers: Vec<(String, String, usize)>,
}

/// An agent.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct AgentView {
    /// Its name for people.
    pub title: String,
    /// What it is for.
    pub description: String,
    /// The tools it may use, as the settings name them; the server's own when none are named.
    pub tools: Option<Vec<String>>,
    /// The agents that it hands work to.
    pub helpers: Vec<String>,
}

/// What the settings page shows.
#[server(protocol = Call, prefix = "/fn", endpoint = "settings")]
pub async fn settings() -> Result<SettingsView, ServerFnError> {
    use crate::server::{quotas::today, store::taking_part::Spent};

    let state = backend::state()?;
    let identity = backend::person(&state).await?;
    let Spent { tokens, cost } =
        state.store.spent(identity.user.id, today()).await.map_err(|error| backend::failed(error.into()))?;
    let quota = state.config.quotas.of(identity.user.role);
    let agent = |agent: &crate::server::agent::Listed| AgentView {
        title: agent.title.clone(),
        description: agent.description.clone(),
        tools: agent.tools.clone(),
        helpers: agent.sub_agents.iter().map(|spec| spec.name.clone()).collect(),
    };
    Ok(SettingsView {
        tokens_today: tokens,
        tokens_a_day: quota.tokens_a_day,
        cost_today: cost,
        cost_a_day: quota.cost_a_day,
        agents: state.registry.of(&identity.user).map(agent).collect(),
        servers: state
            .mcp
            .states()
            .into_iter()
            .map(|server| {
                let waits = server.signed_in == Some(false);
                let how =
                    if waits { "not connected (an administrator has to connect it)" } else { server.standing.as_str() };
                (server.name, how.to_owned(), server.tools)
            })
            .collect(),
    })
}

/// Gives whoever asks another name; the name as others see it.
#[server(protocol = Call, prefix = "/fn", endpoint = "change-name")]
pub async fn change_name(name: String) -> Result<String, ServerFnError> {
    let state = backend::state()?;
    let identity = backend::person(&state).await?;
    state.security.rename(&identity, &name).await.map_err(backend::failed)
}
