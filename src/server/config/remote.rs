//! Agents that others run: where they are and how they are spoken to.

use std::time::Duration;

use reqwest::header::HeaderName;
use serde_json::Value;

use crate::server::agent::model::Takes;

/// Stands for the thread's id in an agent's address; written `{thread}`, which an address holds like this.
pub const THREAD: &str = "%7Bthread%7D";

/// How a remote agent is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RemoteProtocol {
    /// AG-UI, `kind = "ag-ui"`.
    AgUi,
    /// LangChain's event stream, `kind = "langchain"`.
    LangChain,
}

impl RemoteProtocol {
    pub(super) fn of_kind(kind: &str) -> Option<Self> {
        match kind {
            "ag-ui" => Some(Self::AgUi),
            "langchain" => Some(Self::LangChain),
            _ => None,
        }
    }

    /// Its name, which is also the kind's.
    pub fn name(self) -> &'static str {
        match self {
            Self::AgUi => "ag-ui",
            Self::LangChain => "langchain",
        }
    }
}

/// A remote agent and where it is.
#[derive(Clone)]
pub struct RemoteConfig {
    /// How it is spoken to.
    pub protocol: RemoteProtocol,
    /// Where runs are asked for.
    pub url: url::Url,
    /// The key, sent as a bearer's.
    pub api_key: Option<String>,
    /// Further headers.
    pub headers: Vec<(HeaderName, String)>,
    /// Fields for the request's body, as they are; an object or `null`.
    pub options: Value,
    /// What it is given beside text.
    pub takes: Takes,
    /// Silence after which it counts as gone.
    pub stall: Duration,
    /// Tools of its own that do no harm when they are called twice.
    pub idempotent_tools: Vec<String>,
    /// The assistant at a LangGraph server.
    pub assistant: Option<String>,
    /// The key of a LangChain chain's input that takes the question alone.
    pub input_key: Option<String>,
}

impl RemoteConfig {
    /// Whether the agent's server keeps the thread, so that it is sent the question alone.
    pub fn keeps_threads(&self) -> bool {
        self.url.as_str().contains(THREAD)
    }

    /// Whether it can be told what was done before it was cut off.
    pub fn can_be_told(&self) -> bool {
        !self.keeps_threads() && self.input_key.is_none()
    }
}

impl std::fmt::Debug for RemoteConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Without keys and headers, and what of the address may be one.
        write!(f, "{:?}({}{})", self.protocol, self.url.origin().ascii_serialization(), self.url.path())
    }
}
