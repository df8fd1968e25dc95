//! The agents of this server, in the order of the picker.

use std::{sync::Arc, time::Duration};

use netra_ws::{
    ErrorCode, ThreadId,
    discovery::AgentInfo,
    model::{Role, User},
};
use serde_json::json;

use super::{
    Agent,
    acp::Acp,
    guide::Guide,
    model,
    remote::Remote,
    tool_loop::{Budget, ToolLoop},
};
use crate::server::{
    config::{AgentConfig, AgentKind, Audience},
    error::ApiError,
    tool::{Rules, ToolSpec},
};

/// An agent that can be asked, as the picker lists it.
pub struct Listed {
    /// Its name in messages.
    pub name: String,
    /// Its name for people.
    pub title: String,
    /// What it is for.
    pub description: String,
    /// Questions that it can answer.
    pub examples: Vec<String>,
    /// What runs.
    pub agent: Box<dyn Agent>,
    /// The agents that it may hand work to, as its model is told of them.
    pub sub_agents: Vec<Arc<ToolSpec>>,
    /// What is done about its calls, where that differs from what the server does.
    pub rules: Rules,
    /// The tools it may use; all when absent.
    pub tools: Option<Vec<String>>,
    /// Turns it may take in one run.
    pub max_steps: u32,
    /// How long a run may take.
    pub max_time: Duration,
    /// Who may use it.
    pub users: Audience,
}

/// The agents by name.
pub struct Registry {
    agents: Vec<Arc<Listed>>,
}

impl Registry {
    /// The agents of the configuration, the default first.
    pub fn new(configs: &[AgentConfig], http: &reqwest::Client) -> Self {
        let agents = configs.iter().map(|config| Arc::new(build(config, configs, http))).collect();
        Self { agents }
    }

    /// The agent with this name; the default when none is named.
    pub fn find(&self, name: Option<&str>) -> Option<Arc<Listed>> {
        match name {
            Some(name) => self.agents.iter().find(|agent| agent.name == name).cloned(),
            None => self.agents.first().cloned(),
        }
    }

    /// A thread is no more: what agents have of it goes.
    pub fn forget(&self, thread: ThreadId) {
        self.agents.iter().for_each(|listed| listed.agent.forget(thread));
    }

    /// Threads of which agents have something, also of those that were deleted without their knowing.
    pub fn threads(&self) -> Vec<ThreadId> {
        self.agents.iter().flat_map(|listed| listed.agent.threads()).collect()
    }

    /// Ends what agents have running.
    pub async fn close(&self) {
        futures::future::join_all(self.agents.iter().map(|listed| listed.agent.close())).await;
    }

    /// Whether everybody may use every agent.
    pub fn is_for_everyone(&self) -> bool {
        self.agents.iter().all(|agent| agent.users == Audience::default())
    }

    /// The first agent that somebody may use.
    pub fn first_for(&self, role: Role, address: Option<&str>) -> Option<&Listed> {
        self.agents.iter().find(|agent| agent.users.holds(role, address)).map(AsRef::as_ref)
    }

    /// The agent with this name, the default when none is named, or why there is none.
    pub fn require(&self, name: Option<&str>) -> Result<Arc<Listed>, ApiError> {
        self.find(name).ok_or_else(|| {
            ApiError::new(ErrorCode::AgentUnknown, format!("there is no agent called {:?}", name.unwrap_or_default()))
        })
    }

    /// The agents that a user may use.
    pub fn of<'a>(&'a self, user: &'a User) -> impl Iterator<Item = &'a Listed> {
        let agents = self.agents.iter().map(AsRef::as_ref);
        agents.filter(move |agent: &&Listed| agent.users.holds(user.role, user.email.as_deref()))
    }

    /// What discovery tells a user, or anyone.
    pub fn infos(&self, user: Option<&User>) -> Vec<AgentInfo> {
        let role = user.map_or(Role::Guest, |user| user.role);
        let address = user.and_then(|user| user.email.as_deref());
        self.agents
            .iter()
            .filter(|agent| agent.users.holds(role, address))
            .map(|agent| AgentInfo {
                name: agent.name.clone(),
                title: agent.title.clone(),
                description: agent.description.clone(),
                examples: agent.examples.clone(),
            })
            .collect()
    }
}

/// An agent as another one's model is told of it: a tool with one argument.
fn as_tool(config: &AgentConfig) -> ToolSpec {
    ToolSpec {
        name: config.name.clone(),
        description: format!(
            "Hands a task to another agent, {}, and gives its answer. {}",
            config.title, config.description
        )
        .trim_end()
        .to_owned(),
        parameters: json!({
            "type": "object",
            "properties": { "task": { "type": "string", "description": "What is to be done, with all that is needed to know" } },
            "required": ["task"],
            "additionalProperties": false
        }),
        idempotent: false,
    }
}

fn build(config: &AgentConfig, all: &[AgentConfig], http: &reqwest::Client) -> Listed {
    let agent: Box<dyn Agent> = match &config.kind {
        AgentKind::Guide => Box::new(Guide),
        AgentKind::Acp(acp) => Box::new(Acp::new(acp)),
        AgentKind::Remote(remote) => Box::new(Remote::new(remote, http)),
        AgentKind::Model(model) => {
            let budget = Budget {
                max_steps: config.max_steps,
                max_tokens: model.max_run_tokens,
                max_context_tokens: model.max_context_tokens,
            };
            Box::new(ToolLoop::new(model::build(model, http), &model.settings, budget, model.price, model.titles))
        }
    };
    Listed {
        name: config.name.clone(),
        title: config.title.clone(),
        description: config.description.clone(),
        examples: config.examples.clone(),
        agent,
        sub_agents: all
            .iter()
            .filter(|other| config.sub_agents.contains(&other.name))
            .map(|other| Arc::new(as_tool(other)))
            .collect(),
        rules: config.rules.clone(),
        tools: config.tools.clone(),
        max_steps: config.max_steps,
        max_time: config.max_time,
        users: config.users.clone(),
    }
}
