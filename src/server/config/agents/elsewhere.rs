//! Agents that others run, and programs of this machine, in `[[agents]]`: what they need, and what is no matter of theirs.

use std::{path::Path, time::Duration};

use super::entry::{AgentEntry, access, base, options, takes};
use crate::server::config::{
    acp::AcpConfig,
    remote::{RemoteConfig, RemoteProtocol},
    source::ConfigError,
};

/// The part of an entry for a program of this machine.
pub(super) fn acp_agent(entry: &AgentEntry, data_dir: &Path, setting: &str) -> Result<AcpConfig, ConfigError> {
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
pub(super) fn remote_agent(
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
