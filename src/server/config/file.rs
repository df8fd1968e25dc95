//! `[[agents]]`: who answers.

use std::{
    collections::BTreeMap,
    env, fs,
    path::{Path, PathBuf},
    time::Duration,
};

use reqwest::header::{HeaderName, HeaderValue};
use serde::Deserialize;
use serde_json::Value;

use super::{
    acp::{AcpConfig, AcpFields},
    audience::Audience,
    mcp::McpConfig,
    policy,
    remote::{RemoteConfig, RemoteProtocol},
    source::{ConfigError, Source},
};
use crate::server::agent::{
    Price,
    model::{Settings, Takes},
};
use crate::server::tool::{Rules, builtin, names};

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

/// A model and where it is.
#[derive(Clone)]
pub struct ModelConfig {
    /// How it is spoken to.
    pub protocol: Protocol,
    /// The endpoint's base, up to and including `/v1`.
    pub base_url: url::Url,
    /// The key, sent as the protocol wants it.
    pub api_key: Option<String>,
    /// Further headers.
    pub headers: Vec<(HeaderName, String)>,
    /// What it is told in every turn.
    pub settings: Settings,
    /// Silence after which its server counts as gone.
    pub stall: Duration,
    /// Tokens that one run may use.
    pub max_run_tokens: Option<u64>,
    /// Tokens of one request; older messages are left out beyond them.
    pub max_context_tokens: Option<u64>,
    /// What it costs, where that is known.
    pub price: Option<Price>,
    /// Whether it names new conversations.
    pub titles: bool,
}

impl std::fmt::Debug for ModelConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Without keys and headers.
        write!(f, "{:?}({}, {})", self.protocol, self.base_url, self.settings.model)
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
    url: Option<String>,
    api_key_env: Option<String>,
    api_key_file: Option<PathBuf>,
    #[serde(default)]
    headers_env: BTreeMap<String, String>,
    model: Option<String>,
    system: Option<String>,
    options: Option<toml::Table>,
    tools: Option<Vec<String>>,
    tool_use: Option<bool>,
    idempotent_tools: Option<Vec<String>>,
    assistant: Option<String>,
    input_key: Option<String>,
    command: Option<Vec<String>>,
    env: Option<BTreeMap<String, String>>,
    pass_env: Option<Vec<String>>,
    workspace: Option<PathBuf>,
    readable: Option<Vec<PathBuf>>,
    disk_mb: Option<u64>,
    memory_mb: Option<u64>,
    max_processes: Option<usize>,
    max_conversations: Option<usize>,
    idle_s: Option<u64>,
    silence_s: Option<u64>,
    takes: Option<Vec<String>>,
    max_steps: Option<u32>,
    max_seconds: Option<u64>,
    max_run_tokens: Option<u64>,
    max_context_tokens: Option<u64>,
    price_per_mtok: Option<Price>,
    #[serde(default)]
    titles: bool,
    users: Option<Vec<String>>,
    #[serde(default)]
    sub_agents: Vec<String>,
    #[serde(default)]
    policy: Rules,
    #[serde(default)]
    examples: Vec<String>,
}

impl AgentEntry {
    /// What it has for a program of this machine.
    fn acp(&self) -> AcpFields {
        AcpFields {
            command: self.command.clone(),
            env: self.env.clone(),
            pass_env: self.pass_env.clone(),
            workspace: self.workspace.clone(),
            readable: self.readable.clone(),
            disk_mb: self.disk_mb,
            memory_mb: self.memory_mb,
            max_processes: self.max_processes,
            max_conversations: self.max_conversations,
            idle_s: self.idle_s,
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

fn from_entry(
    entry: AgentEntry,
    stall: Duration,
    mcp: &[McpConfig],
    data_dir: &Path,
) -> Result<AgentConfig, ConfigError> {
    let setting = format!("agents.{}", entry.name);
    let wrong = |problem: String| ConfigError::new(&setting, problem);
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
    if entry.name.is_empty() || entry.name.len() > 64 || !entry.name.chars().all(plain) {
        return Err(wrong("a name is made of a-z, 0-9, - and _".to_owned()));
    }
    for (name, value) in [("max_steps", entry.max_steps.map(u64::from)), ("max_seconds", entry.max_seconds)] {
        if value == Some(0) {
            return Err(wrong(format!("{name} is 0; an agent needs at least 1")));
        }
    }
    for tool in entry.tools.iter().flatten() {
        check_tool(tool, mcp).map_err(wrong)?;
    }
    let remote = RemoteProtocol::of_kind(&entry.kind);
    let of_remotes = [
        ("url", entry.url.is_some()),
        ("assistant", entry.assistant.is_some()),
        ("input_key", entry.input_key.is_some()),
        ("silence_s", entry.silence_s.is_some()),
        ("idempotent_tools", entry.idempotent_tools.is_some()),
    ];
    let is_of_ours = entry.kind == "guide" || Protocol::of_kind(&entry.kind).is_some();
    if let Some((name, _)) = of_remotes.iter().find(|(_, is_given)| *is_given && is_of_ours) {
        let hint = if *name == "url" { "; did you mean base_url?" } else { "" };
        return Err(wrong(format!("{name} is for agents that others run, kinds ag-ui and langchain{hint}")));
    }
    let acp = entry.acp();
    if let Some(name) = acp.given().filter(|_| entry.kind != "acp") {
        return Err(wrong(format!("{name} is for programs of this machine, kind acp")));
    }
    let kind = match (entry.kind.as_str(), Protocol::of_kind(&entry.kind)) {
        (_, None) if remote.is_some() => {
            AgentKind::Remote(Box::new(remote_agent(&entry, remote.unwrap_or(RemoteProtocol::AgUi), stall, &setting)?))
        }
        ("acp", _) => AgentKind::Acp(Box::new(acp_agent(&entry, data_dir, &setting)?)),
        ("guide", _) => {
            let model = [
                ("base_url", entry.base_url.is_some()),
                ("api_key_env", entry.api_key_env.is_some()),
                ("api_key_file", entry.api_key_file.is_some()),
                ("model", entry.model.is_some()),
                ("system", entry.system.is_some()),
                ("takes", entry.takes.is_some()),
            ];
            if let Some((name, _)) = model.iter().find(|(_, is_given)| *is_given) {
                return Err(wrong(format!(
                    "the guide has no model and no use for {name}; did you mean kind = \"openai\"?"
                )));
            }
            AgentKind::Guide
        }
        (_, Some(protocol)) => AgentKind::Model(Box::new(model(&entry, protocol, stall, &setting)?)),
        (other, None) => {
            return Err(wrong(format!(
                "kind {other:?} is none of openai, responses, messages, ag-ui, langchain, acp and guide"
            )));
        }
    };
    let users = match &entry.users {
        Some(users) => Audience::of(users).map_err(wrong)?,
        None => Audience::default(),
    };
    Ok(AgentConfig {
        title: entry.title.unwrap_or_else(|| entry.name.clone()),
        name: entry.name,
        description: entry.description,
        examples: entry.examples,
        kind,
        tools: entry.tools,
        sub_agents: entry.sub_agents,
        rules: entry.policy,
        max_steps: entry.max_steps.unwrap_or(16),
        max_time: Duration::from_secs(entry.max_seconds.unwrap_or(600)),
        users,
    })
}

/// The key of an entry, and its further headers.
type Access = (Option<String>, Vec<(HeaderName, String)>);

/// Whether a pattern can mean a tool. Which tools an MCP server has, it says when it runs.
fn check_tool(pattern: &str, mcp: &[McpConfig]) -> Result<(), String> {
    let Some(rest) = pattern.strip_prefix(names::MCP) else {
        if builtin::NAMES.iter().any(|name| names::matches(pattern, name)) {
            return Ok(());
        }
        return Err(format!("{pattern:?} is no tool; there are {}", builtin::NAMES.join(", ")));
    };
    let Some((server, _)) = rest.split_once('/').filter(|(_, tool)| !tool.is_empty()) else {
        return Err(format!(
            "{pattern:?} is no tool; those of an MCP server are mcp:<server>/<tool> or mcp:<server>/*"
        ));
    };
    if mcp.iter().any(|known| names::matches(server, &known.name)) {
        return Ok(());
    }
    Err(format!("{pattern:?} is of no MCP server; [[mcp]] has none called {server:?}"))
}

fn access(entry: &AgentEntry, setting: &str) -> Result<Access, ConfigError> {
    let wrong = |problem: String| ConfigError::new(setting, problem);
    let variable =
        |field: &str, name: &str| env::var(name).map_err(|_| wrong(format!("{field} names {name}, which is not set")));
    let api_key = match (&entry.api_key_env, &entry.api_key_file) {
        (Some(_), Some(_)) => return Err(wrong("api_key_env and api_key_file are two places for one key".to_owned())),
        (Some(name), None) => key(setting, &variable("api_key_env", name)?)?,
        (None, Some(path)) => {
            let text = fs::read_to_string(path);
            key(setting, &text.map_err(|error| wrong(format!("api_key_file {}: {error}", path.display())))?)?
        }
        (None, None) => None,
    };
    let mut headers = Vec::new();
    for (header, name) in &entry.headers_env {
        let value = variable("headers_env", name)?.trim().to_owned();
        let header = HeaderName::from_bytes(header.as_bytes())
            .map_err(|_| wrong(format!("headers_env: {header:?} is no name of a header")))?;
        HeaderValue::from_str(&value).map_err(|_| wrong(format!("headers_env: {name} holds no value of a header")))?;
        headers.push((header, value));
    }
    Ok((api_key, headers))
}

/// Fields that an entry adds to each request's body.
fn options(entry: &AgentEntry, setting: &str) -> Result<Value, ConfigError> {
    match &entry.options {
        Some(options) => {
            serde_json::to_value(options).map_err(|error| ConfigError::new(setting, format!("options: {error}")))
        }
        None => Ok(Value::Null),
    }
}

/// The part of an entry for a program of this machine.
fn acp_agent(entry: &AgentEntry, data_dir: &Path, setting: &str) -> Result<AcpConfig, ConfigError> {
    let wrong = |problem: String| ConfigError::new(setting, problem);
    let of_others = [
        ("url", entry.url.is_some()),
        ("base_url", entry.base_url.is_some()),
        ("api_key_env", entry.api_key_env.is_some()),
        ("api_key_file", entry.api_key_file.is_some()),
        ("headers_env", !entry.headers_env.is_empty()),
        ("options", entry.options.is_some()),
        ("model", entry.model.is_some()),
        ("system", entry.system.is_some()),
        ("tools", entry.tools.is_some()),
        ("tool_use", entry.tool_use.is_some()),
        ("idempotent_tools", entry.idempotent_tools.is_some()),
        ("assistant", entry.assistant.is_some()),
        ("input_key", entry.input_key.is_some()),
        ("max_steps", entry.max_steps.is_some()),
        ("max_run_tokens", entry.max_run_tokens.is_some()),
        ("max_context_tokens", entry.max_context_tokens.is_some()),
        ("price_per_mtok", entry.price_per_mtok.is_some()),
        ("titles", entry.titles),
        ("sub_agents", !entry.sub_agents.is_empty()),
        ("policy", !entry.policy.is_empty()),
    ];
    if let Some((name, _)) = of_others.iter().find(|(_, is_given)| *is_given) {
        let hint = if name.ends_with("url") { "; did you mean command?" } else { "" };
        return Err(wrong(format!("{name} is nothing that Netra can tell a program of this machine{hint}")));
    }
    entry.acp().agent(&entry.name, data_dir, entry.silence_s, takes(entry, setting)?).map_err(wrong)
}

/// A remote agent's part of an entry.
fn remote_agent(
    entry: &AgentEntry,
    protocol: RemoteProtocol,
    stall: Duration,
    setting: &str,
) -> Result<RemoteConfig, ConfigError> {
    let wrong = |problem: String| ConfigError::new(setting, problem);
    let of_models = [
        ("base_url", entry.base_url.is_some()),
        ("model", entry.model.is_some()),
        ("system", entry.system.is_some()),
        ("tools", entry.tools.is_some()),
        ("tool_use", entry.tool_use.is_some()),
        ("max_steps", entry.max_steps.is_some()),
        ("max_run_tokens", entry.max_run_tokens.is_some()),
        ("max_context_tokens", entry.max_context_tokens.is_some()),
        ("price_per_mtok", entry.price_per_mtok.is_some()),
        ("titles", entry.titles),
        ("sub_agents", !entry.sub_agents.is_empty()),
    ];
    if let Some((name, _)) = of_models.iter().find(|(_, is_given)| *is_given) {
        let hint = if *name == "base_url" { "; did you mean url?" } else { "" };
        return Err(wrong(format!("{name} is for models, and {} is an agent that others run{hint}", protocol.name())));
    }
    let of_langchain = [("assistant", entry.assistant.is_some()), ("input_key", entry.input_key.is_some())];
    if let Some((name, _)) = of_langchain.iter().find(|(_, given)| *given && protocol != RemoteProtocol::LangChain) {
        return Err(wrong(format!("{name} is for kind = \"langchain\"")));
    }
    let url =
        entry.url.as_deref().ok_or_else(|| wrong("needs url, the address where its runs are asked for".to_owned()))?;
    let url = base(url).ok_or_else(|| wrong(format!("url {url:?} is not an http address")))?;
    if url.path().trim_end_matches('/').ends_with("/runs/stream") && entry.assistant.is_none() {
        return Err(wrong("needs assistant, the graph's name at its LangGraph server".to_owned()));
    }
    let silence = match entry.silence_s {
        Some(seconds @ 1..=3_600) => Duration::from_secs(seconds),
        Some(other) => return Err(wrong(format!("silence_s is {other}; it is from 1 to 3600"))),
        None => stall,
    };
    let (api_key, headers) = access(entry, setting)?;
    let config = RemoteConfig {
        protocol,
        url,
        api_key,
        headers,
        options: options(entry, setting)?,
        takes: takes(entry, setting)?,
        stall: silence,
        idempotent_tools: entry.idempotent_tools.clone().unwrap_or_default(),
        assistant: entry.assistant.clone(),
        input_key: entry.input_key.clone(),
    };
    if config.keeps_threads() && config.assistant.is_none() {
        return Err(wrong("url has {thread}, which is for LangGraph servers, and needs assistant".to_owned()));
    }
    Ok(config)
}

/// A model's part of an entry.
fn model(entry: &AgentEntry, protocol: Protocol, stall: Duration, setting: &str) -> Result<ModelConfig, ConfigError> {
    let wrong = |problem: String| ConfigError::new(setting, problem);
    let base_url = entry.base_url.as_deref().ok_or_else(|| wrong("needs base_url".to_owned()))?;
    let (api_key, headers) = access(entry, setting)?;
    if entry.max_run_tokens == Some(0) || entry.max_context_tokens == Some(0) {
        return Err(wrong("max_run_tokens and max_context_tokens are at least 1".to_owned()));
    }
    let is_price = |price: f64| price.is_finite() && price >= 0.0;
    if entry.price_per_mtok.is_some_and(|price| !is_price(price.input) || !is_price(price.output)) {
        return Err(wrong("price_per_mtok: a price is 0 or more".to_owned()));
    }
    let model = entry.model.as_deref().map(str::trim).filter(|model| !model.is_empty());
    Ok(ModelConfig {
        protocol,
        base_url: base(base_url).ok_or_else(|| wrong(format!("base_url {base_url:?} is not an http address")))?,
        api_key,
        headers,
        settings: Settings {
            model: model.ok_or_else(|| wrong("needs model".to_owned()))?.to_owned(),
            system: entry.system.clone(),
            tool_use: entry.tool_use,
            takes: takes(entry, setting)?,
            options: options(entry, setting)?,
        },
        stall,
        max_run_tokens: entry.max_run_tokens,
        max_context_tokens: entry.max_context_tokens,
        price: entry.price_per_mtok,
        titles: entry.titles,
    })
}

/// What the model is given beside text.
fn takes(entry: &AgentEntry, setting: &str) -> Result<Takes, ConfigError> {
    let mut takes = Takes::default();
    for kind in entry.takes.iter().flatten() {
        match kind.as_str() {
            "text" => {}
            "image" => takes.images = true,
            "file" => takes.files = true,
            other => {
                let problem = format!("takes: {other:?} is none of text, image and file");
                return Err(ConfigError::new(setting, problem));
            }
        }
    }
    Ok(takes)
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

/// The base address; a query stays.
fn base(text: &str) -> Option<url::Url> {
    url::Url::parse(text.trim()).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
}

/// A key without the white space around it; none when nothing is left.
fn key(setting: &str, text: &str) -> Result<Option<String>, ConfigError> {
    let text = text.trim();
    if text.chars().any(|c| c.is_control() || !c.is_ascii()) {
        return Err(ConfigError::new(setting, "the key has a line break or another character that no key has"));
    }
    Ok((!text.is_empty()).then(|| text.to_owned()))
}
