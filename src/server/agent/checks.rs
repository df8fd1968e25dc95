//! What was found at each model's server when it was last asked: for the settings page, as `netra agents check` prints it.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use netra_ws::{ErrorCode, Timestamp};
use tokio::sync::Semaphore;

use super::{acp, check, remote};
use crate::{
    app::api::AgentState,
    server::{
        config::{AgentConfig, AgentKind},
        error::ApiError,
        mcp::client::{McpServers, McpStanding, McpState},
        tool::names,
    },
};

/// Asks an agent of this kind; gives the line that tells what was found, and whether it works.
pub async fn check_kind(name: &str, kind: &AgentKind, http: &reqwest::Client) -> (String, bool) {
    match kind {
        AgentKind::Guide => (format!("{name}: works without a model"), true),
        AgentKind::Model(model) => {
            let report = check::check(name, model, http).await;
            (report.line(), report.is_fine())
        }
        AgentKind::Acp(config) => acp::check::check(name, config).await,
        AgentKind::Remote(remote) => {
            let report = remote::check::check(name, remote, http).await;
            (report.line(), report.is_fine())
        }
    }
}

/// How long what was found stands: a check costs tokens.
const FRESH: Duration = Duration::from_secs(30);

/// The agents of this server and what was found.
pub struct Checks {
    http: reqwest::Client,
    agents: Vec<(String, String, AgentKind)>,
    found: Mutex<HashMap<String, (bool, String, Timestamp)>>,
    mcp: Arc<McpServers>,
    /// One check at a time.
    turn: Semaphore,
}

impl Checks {
    /// Nothing was checked yet.
    pub fn new(configs: &[AgentConfig], http: &reqwest::Client, mcp: Arc<McpServers>) -> Self {
        let agents = configs.iter().map(|config| (config.name.clone(), config.title.clone(), config.kind.clone()));
        Self { http: http.clone(), agents: agents.collect(), found: Mutex::default(), mcp, turn: Semaphore::new(1) }
    }

    /// Every agent as it was found last, and every MCP server as it is.
    pub fn states(&self) -> Vec<AgentState> {
        let agents = self.agents.iter().map(|(name, title, kind)| self.state(name, title, kind.is_elsewhere()));
        agents.chain(self.mcp.states().into_iter().map(of_mcp)).collect()
    }

    fn state(&self, name: &str, title: &str, has_model: bool) -> AgentState {
        let found = self.found.lock().unwrap_or_else(PoisonError::into_inner).get(name).cloned();
        let (works, said, at) = match found {
            Some((works, said, at)) => (Some(works), said, Some(at)),
            None if has_model => (None, "Not checked since the server started.".to_owned(), None),
            None => (Some(true), "Works without a model.".to_owned(), None),
        };
        AgentState { name: name.to_owned(), title: title.to_owned(), has_model, works, said, at, signed_in: None }
    }

    /// Asks the agent's model, unless it was asked a moment ago.
    pub async fn check(&self, name: &str) -> Result<AgentState, ApiError> {
        let (name, title, kind) = self
            .agents
            .iter()
            .find(|(known, ..)| known == name)
            .ok_or_else(|| ApiError::new(ErrorCode::AgentUnknown, format!("there is no agent called {name:?}")))?;
        if !kind.is_elsewhere() {
            return Ok(self.state(name, title, false));
        }
        let _turn = self.turn.acquire().await.map_err(|error| ApiError::internal(&error))?;
        let state = self.state(name, title, true);
        let age = state.at.map(|at| Timestamp::now().millis_since(at));
        if age.is_some_and(|age| u128::from(age) < FRESH.as_millis()) {
            return Ok(state);
        }
        let (line, is_fine) = check_kind(name, kind, &self.http).await;
        let said = line.strip_prefix(&format!("{name}: ")).unwrap_or(&line).to_owned();
        tracing::info!(agent = name, works = is_fine, said, "agent checked");
        let found = (is_fine, said, Timestamp::now());
        self.found.lock().unwrap_or_else(PoisonError::into_inner).insert(name.clone(), found);
        Ok(self.state(name, title, true))
    }
}

/// An MCP server as the settings page shows it.
fn of_mcp(server: McpState) -> AgentState {
    AgentState {
        title: format!("{} (MCP)", server.name),
        name: format!("{}{}", names::MCP, server.name),
        has_model: false,
        works: match server.standing {
            McpStanding::Connecting => None,
            McpStanding::Ready => Some(true),
            McpStanding::Away => Some(false),
        },
        said: server.said,
        at: Some(server.since),
        signed_in: server.signed_in,
    }
}
