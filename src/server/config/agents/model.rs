//! A model in `[[agents]]`, and where it is.

use std::time::Duration;

use reqwest::header::HeaderName;

use super::{
    Protocol,
    entry::{AgentEntry, access, base, options, takes},
};
use crate::server::{
    agent::{Price, model::Settings},
    config::source::ConfigError,
};

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

/// A model's part of an entry.
pub(super) fn model(
    entry: &AgentEntry,
    protocol: Protocol,
    stall: Duration,
    setting: &str,
) -> Result<ModelConfig, ConfigError> {
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
