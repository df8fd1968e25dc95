//! Servers of the Model Context Protocol as sources of tools.
//!
//! - [`McpServers`]: all that are configured, as one [`ToolSource`](crate::server::tool::ToolSource);
//! - `upkeep`: keeps a connection to each, whatever it does; `link`: makes one; `child`: a program that is started;
//! - `listing`: what a server has, within bounds; `handler`: what servers ask of us and tell us;
//! - `authorization`: tokens for servers that want them; `requests`: requests with these;
//! - `tool`: one of their tools as one of ours; `content`: their results; `elicitation`: what they ask people.

mod authorization;
mod away;
mod content;
mod elicitation;
mod handler;
mod link;
mod listing;
mod requests;
mod server;
mod tool;
mod upkeep;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use futures::future::join_all;
use tokio_util::sync::CancellationToken;

use crate::server::{
    config::McpConfig,
    tool::{KnownTool, ToolSource, ToolSpec, names},
};
pub use server::{McpServer, McpStanding, McpState};

/// How long a run waits for servers that were not heard of yet.
const FIRST_WORD: Duration = Duration::from_secs(10);

/// How long servers may take to end when this one does.
const ENDING: Duration = Duration::from_secs(3);

/// All MCP servers of the configuration.
pub struct McpServers {
    servers: Vec<Arc<McpServer>>,
    closing: CancellationToken,
}

impl McpServers {
    /// The servers of the configuration; none is spoken to yet.
    pub fn new(configs: &[McpConfig], http: &reqwest::Client) -> Arc<Self> {
        let servers = configs.iter().map(|config| Arc::new(McpServer::new(config.clone(), http.clone())));
        Arc::new(Self { servers: servers.collect(), closing: CancellationToken::new() })
    }

    /// Connects to all of them, and stays connected.
    pub fn start(&self) {
        for server in &self.servers {
            tokio::spawn(upkeep::keep(server.clone(), self.closing.clone()));
        }
    }

    /// Ends the connections and the programs.
    pub async fn stop(&self) {
        self.closing.cancel();
        let ended = join_all(self.servers.iter().map(|server| server.ended()));
        if tokio::time::timeout(ENDING, ended).await.is_err() {
            tracing::warn!("MCP servers did not end in time");
        }
    }

    /// How each is.
    pub fn states(&self) -> Vec<McpState> {
        self.servers.iter().map(|server| server.state()).collect()
    }

    /// The servers.
    pub fn servers(&self) -> &[Arc<McpServer>] {
        &self.servers
    }

    fn server(&self, name: &str) -> Option<&Arc<McpServer>> {
        self.servers.iter().find(|server| server.name() == name)
    }
}

#[async_trait]
impl ToolSource for McpServers {
    fn offered(&self) -> Vec<Arc<ToolSpec>> {
        self.servers.iter().flat_map(|server| server.offered()).collect()
    }

    fn find(&self, name: &str) -> Option<KnownTool> {
        let (server, _) = names::parts_of_mcp(name)?;
        self.server(server)?.tool(name)
    }

    async fn settled(&self, patterns: &[String]) {
        let wanted = |server: &&Arc<McpServer>| {
            patterns
                .iter()
                .filter_map(|pattern| names::parts_of_mcp(pattern))
                .any(|(of, _)| names::matches(of, server.name()))
        };
        let heard_of = join_all(self.servers.iter().filter(wanted).map(|server| server.heard_of()));
        // Whoever was not heard of by then is away.
        let _ = tokio::time::timeout(FIRST_WORD, heard_of).await;
    }
}

/// Connects to a server once and says what it has, or why that failed: for the command line.
pub async fn check(config: &McpConfig, http: &reqwest::Client) -> Result<String, String> {
    let server = Arc::new(McpServer::new(config.clone(), http.clone()));
    let link = link::connect(&server).await?;
    let has = listing::list(&link.peer).await;
    link.end().await;
    has.map(|has| has.said())
}
