//! `[[agents]]`: who answers.

mod elsewhere;
mod entry;
mod model;

use std::{path::PathBuf, time::Duration};

use entry::{AgentEntry, base, from_entry, key};

pub use model::ModelConfig;

use super::{
    acp::AcpConfig,
    audience::Audience,
    mcp::McpConfig,
    policy,
    remote::RemoteConfig,
    source::{ConfigError, Source},
};
use crate::server::{
    agent::model::Settings,
    tool::{Rules, builtin},
};

/// An agent, as the user wants it.
#[derive(Clone, Debug)]
pub struct AgentConfig {
    /// Its name in messages: lower-case letters, digits, `-` and `_`.
    pub name: String,
    /// Its name for people.
    pub title: String,
    /// One sentence on what it is for.
    pub description: String,
    /// Questions that it can answer, for a new conversation.
    pub examples: Vec<String>,
    /// What it is made of.
    pub kind: AgentKind,
    /// The tools it may use; all when absent.
    pub tools: Option<Vec<String>>,
    /// Agents that it may hand work to.
    pub sub_agents: Vec<String>,
    /// What is done about its calls, where that differs from what the server does.
    pub rules: Rules,
    /// Turns it may take in one run.
    pub max_steps: u32,
    /// How long a run may take.
    pub max_time: Duration,
    /// Who may use it.
    pub users: Audience,
}

/// What an agent is made of.
#[derive(Clone, Debug)]
pub enum AgentKind {
    /// The built-in one, which answers without a model.
    Guide,
    /// A model that may call tools.
    Model(Box<ModelConfig>),
    /// An agent that others run.
    Remote(Box<RemoteConfig>),
    /// A program of this machine, by the Agent Client Protocol.
    Acp(Box<AcpConfig>),
}

impl AgentKind {
    /// Whether a server elsewhere is asked: a model's, or the agent's own.
    pub fn is_elsewhere(&self) -> bool {
        match self {
            Self::Guide => false,
            Self::Model(_) | Self::Remote(_) | Self::Acp(_) => true,
        }
    }
}

/// How a model is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// Chat completions, `kind = "openai"`.
    Chat,
    /// OpenAI's Responses API, `kind = "responses"`.
    Responses,
    /// Anthropic's Messages API, `kind = "messages"`.
    Messages,
}

impl Protocol {
    fn of_kind(kind: &str) -> Option<Self> {
        match kind {
            "openai" => Some(Self::Chat),
            "responses" => Some(Self::Responses),
            "messages" => Some(Self::Messages),
            _ => None,
        }
    }
}

/// The agents of the file, then the one of `NETRA_LLM_*`, then the guide.
pub(super) fn agents(source: &Source, mcp: &[McpConfig]) -> Result<Vec<AgentConfig>, ConfigError> {
    let stall = Duration::from_secs(source.between("llm_stall_s", 60, 1, 3_600)?);
    let data_dir = PathBuf::from(source.text("data_dir").unwrap_or_else(|| "./data".to_owned()));
    let mut agents = Vec::new();
    if let Some(entries) = source.file.get("agents") {
        let entries = entries
            .clone()
            .try_into::<Vec<AgentEntry>>()
            .map_err(|error| ConfigError::new("agents", error.message().lines().next().unwrap_or_default()))?;
        for entry in entries {
            agents.push(from_entry(entry, stall, mcp, &data_dir)?);
        }
    }
    agents.extend(from_environment(source, stall)?);
    if !agents.iter().any(|agent| matches!(agent.kind, AgentKind::Guide)) {
        agents.push(guide());
    }
    for (at, agent) in agents.iter().enumerate() {
        if agents[..at].iter().any(|earlier| earlier.name == agent.name) {
            return Err(ConfigError::new("agents", format!("two agents are called {:?}", agent.name)));
        }
    }
    let names: Vec<&str> = agents.iter().map(|agent| agent.name.as_str()).collect();
    for agent in &agents {
        let wrong = |problem: String| ConfigError::new(format!("agents.{}", agent.name), problem);
        for other in &agent.sub_agents {
            if *other == agent.name {
                return Err(wrong("sub_agents: an agent cannot hand work to itself".to_owned()));
            }
            if !names.contains(&other.as_str()) {
                return Err(wrong(format!("sub_agents: there is no agent called {other:?}")));
            }
            if builtin::NAMES.contains(&other.as_str()) {
                return Err(wrong(format!(
                    "sub_agents: {other:?} is the name of a tool, too; name the agent otherwise"
                )));
            }
        }
        policy::check(agent.rules.keys(), &names).map_err(wrong)?;
    }
    Ok(agents)
}

fn from_environment(source: &Source, stall: Duration) -> Result<Option<AgentConfig>, ConfigError> {
    let Some(text) = source.text("llm_base_url") else {
        return match ["llm_model", "llm_api_key"].into_iter().find(|name| source.text(name).is_some()) {
            Some(name) => {
                let problem = format!("{} is set, so the model's server must be named", source.given(name));
                Err(ConfigError::new("NETRA_LLM_BASE_URL", problem))
            }
            None => Ok(None),
        };
    };
    let base_url = base(&text)
        .ok_or_else(|| ConfigError::new("NETRA_LLM_BASE_URL", format!("{text:?} is not an http address")))?;
    let model = source
        .text("llm_model")
        .ok_or_else(|| ConfigError::new("NETRA_LLM_MODEL", "NETRA_LLM_BASE_URL is set, so a model must be named"))?;
    let api_key = source.text("llm_api_key").map_or(Ok(None), |text| key("NETRA_LLM_API_KEY", &text))?;
    Ok(Some(AgentConfig {
        name: "assistant".to_owned(),
        title: "Assistant".to_owned(),
        description: format!("Answers with {model} and uses tools when they help."),
        examples: [
            "Explain what happens between pressing Enter and seeing the first word of an answer",
            "How many seconds are in 17.5 years? Use a tool to be exact",
            "Write a short poem about a socket that never lies",
            "What have we talked about before?",
        ]
        .map(str::to_owned)
        .to_vec(),
        kind: AgentKind::Model(Box::new(ModelConfig {
            protocol: Protocol::Chat,
            base_url,
            api_key,
            headers: Vec::new(),
            settings: Settings { model, ..Settings::default() },
            stall,
            max_run_tokens: None,
            max_context_tokens: None,
            price: None,
            titles: false,
        })),
        sub_agents: Vec::new(),
        rules: Rules::new(),
        tools: None,
        max_steps: 16,
        max_time: Duration::from_mins(10),
        users: Audience::default(),
    }))
}

fn guide() -> AgentConfig {
    AgentConfig {
        name: "guide".to_owned(),
        title: "Guide".to_owned(),
        description: "Works without a model: exact arithmetic, dates, a search of your conversations and of Netra's documentation."
            .to_owned(),
        examples: [
            "What is 17.5 % of 2,480?",
            "Which weekday is 90 days after 2026-11-20?",
            "How do I connect a model?",
            "What can you do?",
        ]
        .map(str::to_owned)
        .to_vec(),
        kind: AgentKind::Guide,
        sub_agents: Vec::new(),
        rules: Rules::new(),
        tools: None,
        max_steps: 4,
        max_time: Duration::from_mins(1),
        users: Audience::default(),
    }
}
