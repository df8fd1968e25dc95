//! `[[agents]]`: who answers.

use std::{env, time::Duration};

use serde::Deserialize;

use super::source::{ConfigError, Source};

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
    /// Turns it may take in one run.
    pub max_steps: u32,
    /// How long a run may take.
    pub max_time: Duration,
}

/// What an agent is made of.
#[derive(Clone)]
pub enum AgentKind {
    /// The built-in one, which answers without a model.
    Guide,
    /// A model behind an OpenAI-compatible chat-completions endpoint.
    OpenAi {
        /// The endpoint's base, up to and including `/v1`.
        base_url: url::Url,
        /// Sent as `Authorization: Bearer`.
        api_key: Option<String>,
        /// The model's name there.
        model: String,
        /// Instructions put before every conversation.
        system: Option<String>,
        /// Silence after which the model's server counts as gone.
        stall: Duration,
    },
}

impl std::fmt::Debug for AgentKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Guide => f.write_str("Guide"),
            // Without the key.
            Self::OpenAi { base_url, model, .. } => write!(f, "OpenAi({base_url}, {model})"),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AgentEntry {
    name: String,
    kind: String,
    title: Option<String>,
    #[serde(default)]
    description: String,
    base_url: Option<String>,
    api_key_env: Option<String>,
    model: Option<String>,
    system: Option<String>,
    tools: Option<Vec<String>>,
    max_steps: Option<u32>,
    max_seconds: Option<u64>,
    #[serde(default)]
    examples: Vec<String>,
}

/// The agents of the file, then the one of `NETRA_LLM_*`, then the guide.
pub(super) fn agents(source: &Source) -> Result<Vec<AgentConfig>, ConfigError> {
    let stall = Duration::from_secs(source.between("llm_stall_s", 60, 1, 3_600)?);
    let mut agents = Vec::new();
    if let Some(entries) = source.file.get("agents") {
        let entries = entries
            .clone()
            .try_into::<Vec<AgentEntry>>()
            .map_err(|error| ConfigError::new("agents", error.message().lines().next().unwrap_or_default()))?;
        for entry in entries {
            agents.push(from_entry(entry, stall)?);
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
    Ok(agents)
}

fn from_entry(entry: AgentEntry, stall: Duration) -> Result<AgentConfig, ConfigError> {
    let setting = format!("agents.{}", entry.name);
    let wrong = |problem: String| ConfigError::new(&setting, problem);
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
    if entry.name.is_empty() || entry.name.len() > 64 || !entry.name.chars().all(plain) {
        return Err(wrong("a name is made of a-z, 0-9, - and _".to_owned()));
    }
    let kind = match entry.kind.as_str() {
        "guide" => AgentKind::Guide,
        "openai" => {
            let base_url = entry.base_url.ok_or_else(|| wrong("needs base_url".to_owned()))?;
            let api_key = match &entry.api_key_env {
                Some(name) => {
                    Some(env::var(name).map_err(|_| wrong(format!("api_key_env names {name}, which is not set")))?)
                }
                None => None,
            };
            AgentKind::OpenAi {
                base_url: base(&base_url)
                    .ok_or_else(|| wrong(format!("base_url {base_url:?} is not an http address")))?,
                api_key,
                model: entry.model.ok_or_else(|| wrong("needs model".to_owned()))?,
                system: entry.system,
                stall,
            }
        }
        other => return Err(wrong(format!("kind {other:?} is neither openai nor guide"))),
    };
    Ok(AgentConfig {
        title: entry.title.unwrap_or_else(|| entry.name.clone()),
        name: entry.name,
        description: entry.description,
        examples: entry.examples,
        kind,
        tools: entry.tools,
        max_steps: entry.max_steps.unwrap_or(16).max(1),
        max_time: Duration::from_secs(entry.max_seconds.unwrap_or(600).max(1)),
    })
}

fn from_environment(source: &Source, stall: Duration) -> Result<Option<AgentConfig>, ConfigError> {
    let Some(text) = source.text("llm_base_url") else { return Ok(None) };
    let base_url = base(&text)
        .ok_or_else(|| ConfigError::new("NETRA_LLM_BASE_URL", format!("{text:?} is not an http address")))?;
    let model = source
        .text("llm_model")
        .ok_or_else(|| ConfigError::new("NETRA_LLM_MODEL", "NETRA_LLM_BASE_URL is set, so a model must be named"))?;
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
        kind: AgentKind::OpenAi { base_url, api_key: source.text("llm_api_key"), model, system: None, stall },
        tools: None,
        max_steps: 16,
        max_time: Duration::from_mins(10),
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
        tools: None,
        max_steps: 4,
        max_time: Duration::from_mins(1),
    }
}

/// The base address, ending in `/` so that paths are joined to it.
fn base(text: &str) -> Option<url::Url> {
    let text = format!("{}/", text.trim_end_matches('/'));
    url::Url::parse(&text).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
}
