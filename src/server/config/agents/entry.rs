//! An entry of `[[agents]]` as it is written, and what can be wrong with it.

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
    AgentConfig, AgentKind, Protocol,
    elsewhere::{acp_agent, remote_agent},
    model::model,
};
use crate::server::{
    agent::{Price, model::Takes},
    config::{acp::AcpFields, audience::Audience, mcp::McpConfig, remote::RemoteProtocol, source::ConfigError},
    tool::{Rules, builtin, names},
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AgentEntry {
    pub(super) name: String,
    pub(super) kind: String,
    pub(super) title: Option<String>,
    #[serde(default)]
    pub(super) description: String,
    pub(super) base_url: Option<String>,
    pub(super) url: Option<String>,
    pub(super) api_key_env: Option<String>,
    pub(super) api_key_file: Option<PathBuf>,
    #[serde(default)]
    pub(super) headers_env: BTreeMap<String, String>,
    pub(super) model: Option<String>,
    pub(super) system: Option<String>,
    pub(super) options: Option<toml::Table>,
    pub(super) tools: Option<Vec<String>>,
    pub(super) tool_use: Option<bool>,
    pub(super) idempotent_tools: Option<Vec<String>>,
    pub(super) assistant: Option<String>,
    pub(super) input_key: Option<String>,
    pub(super) command: Option<Vec<String>>,
    pub(super) env: Option<BTreeMap<String, String>>,
    pub(super) pass_env: Option<Vec<String>>,
    pub(super) workspace: Option<PathBuf>,
    pub(super) readable: Option<Vec<PathBuf>>,
    pub(super) disk_mb: Option<u64>,
    pub(super) memory_mb: Option<u64>,
    pub(super) max_processes: Option<usize>,
    pub(super) max_conversations: Option<usize>,
    pub(super) idle_s: Option<u64>,
    pub(super) silence_s: Option<u64>,
    pub(super) takes: Option<Vec<String>>,
    pub(super) max_steps: Option<u32>,
    pub(super) max_seconds: Option<u64>,
    pub(super) max_run_tokens: Option<u64>,
    pub(super) max_context_tokens: Option<u64>,
    pub(super) price_per_mtok: Option<Price>,
    #[serde(default)]
    pub(super) titles: bool,
    pub(super) users: Option<Vec<String>>,
    #[serde(default)]
    pub(super) sub_agents: Vec<String>,
    #[serde(default)]
    pub(super) policy: Rules,
    #[serde(default)]
    pub(super) examples: Vec<String>,
}

impl AgentEntry {
    /// What it has for a program of this machine.
    pub(super) fn acp(&self) -> AcpFields {
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

/// The key of an entry, and its further headers.
type Access = (Option<String>, Vec<(HeaderName, String)>);

pub(super) fn from_entry(
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

pub(super) fn access(entry: &AgentEntry, setting: &str) -> Result<Access, ConfigError> {
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
pub(super) fn options(entry: &AgentEntry, setting: &str) -> Result<Value, ConfigError> {
    match &entry.options {
        Some(options) => {
            serde_json::to_value(options).map_err(|error| ConfigError::new(setting, format!("options: {error}")))
        }
        None => Ok(Value::Null),
    }
}

/// What the model is given beside text.
pub(super) fn takes(entry: &AgentEntry, setting: &str) -> Result<Takes, ConfigError> {
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

/// A key without the white space around it; none when nothing is left.
pub(super) fn key(setting: &str, text: &str) -> Result<Option<String>, ConfigError> {
    let text = text.trim();
    if text.chars().any(|c| c.is_control() || !c.is_ascii()) {
        return Err(ConfigError::new(setting, "the key has a line break or another character that no key has"));
    }
    Ok((!text.is_empty()).then(|| text.to_owned()))
}

/// The base address; a query stays.
pub(super) fn base(text: &str) -> Option<url::Url> {
    url::Url::parse(text.trim()).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
}
