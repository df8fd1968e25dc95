//! The agents of this server, in the order of the picker.

use std::{sync::Arc, time::Duration};

use netra_ws::{ErrorCode, discovery::AgentInfo};

use super::provider::{Provider, guide::Guide, openai::OpenAi};
use crate::server::{
    config::{AgentConfig, AgentKind},
    error::ApiError,
};

/// An agent that can be asked.
pub struct Agent {
    /// Its name in messages.
    pub name: String,
    /// Its name for people.
    pub title: String,
    /// What it is for.
    pub description: String,
    /// Questions that it can answer.
    pub examples: Vec<String>,
    /// Where its words come from.
    pub provider: Box<dyn Provider>,
    /// The tools it may use; all when absent.
    pub tools: Option<Vec<String>>,
    /// Turns it may take in one run.
    pub max_steps: u32,
    /// How long a run may take.
    pub max_time: Duration,
}

/// The agents by name.
pub struct Registry {
    agents: Vec<Arc<Agent>>,
}

impl Registry {
    /// The agents of the configuration, the default first.
    pub fn new(configs: &[AgentConfig], http: &reqwest::Client) -> Self {
        let agents = configs.iter().map(|config| Arc::new(build(config, http))).collect();
        Self { agents }
    }

    /// The agent with this name; the default when none is named.
    pub fn find(&self, name: Option<&str>) -> Option<Arc<Agent>> {
        match name {
            Some(name) => self.agents.iter().find(|agent| agent.name == name).cloned(),
            None => self.agents.first().cloned(),
        }
    }

    /// The agent with this name, the default when none is named, or why there is none.
    pub fn require(&self, name: Option<&str>) -> Result<Arc<Agent>, ApiError> {
        self.find(name).ok_or_else(|| {
            ApiError::new(ErrorCode::AgentUnknown, format!("there is no agent called {:?}", name.unwrap_or_default()))
        })
    }

    /// What discovery tells.
    pub fn infos(&self) -> Vec<AgentInfo> {
        self.agents
            .iter()
            .map(|agent| AgentInfo {
                name: agent.name.clone(),
                title: agent.title.clone(),
                description: agent.description.clone(),
                examples: agent.examples.clone(),
            })
            .collect()
    }
}

fn build(config: &AgentConfig, http: &reqwest::Client) -> Agent {
    let provider: Box<dyn Provider> = match &config.kind {
        AgentKind::Guide => Box::new(Guide),
        AgentKind::OpenAi { base_url, api_key, model, system, stall } => Box::new(OpenAi::new(
            http.clone(),
            base_url.clone(),
            api_key.clone(),
            model.clone(),
            system.clone(),
            *stall,
        )),
    };
    Agent {
        name: config.name.clone(),
        title: config.title.clone(),
        description: config.description.clone(),
        examples: config.examples.clone(),
        provider,
        tools: config.tools.clone(),
        max_steps: config.max_steps,
        max_time: config.max_time,
    }
}
