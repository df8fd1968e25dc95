//! Servers of the Model Context Protocol as sources of tools.
//!
//! - [`McpServers`]: all that are configured, as one [`ToolSource`](crate::server::tool::ToolSource);
//! - `upkeep`: keeps a connection to each, whatever it does; `link`: makes one; `child`: a program that is started;
//! - `listing`: what a server has, within bounds; `handler`: what servers ask of us and tell us;
//! - `authorization`: tokens for servers that want them, Netra's own or of a person's sign-in; `requests`: requests with these;
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
mod signing_in;
mod tool;
mod upkeep;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use futures::future::join_all;
use tokio_util::sync::CancellationToken;

use crate::server::{
    config::{McpConfig, McpPlace},
    tool::{KnownTool, ToolSource, ToolSpec, names},
};
pub use authorization::{Answer, Refused, SignIn, Vault};
use authorization::{Glimpse, Tokens};
use requests::Requests;
pub use server::{McpServer, McpStanding, McpState};

/// How long a run waits for servers that were not heard of yet.
const FIRST_WORD: Duration = Duration::from_secs(10);

/// How long servers may take to end when this one does.
const ENDING: Duration = Duration::from_secs(3);

/// What servers are reached with.
#[derive(Clone)]
pub struct McpServices {
    /// Makes requests.
    pub http: reqwest::Client,
    /// Where this server is for browsers.
    pub base: String,
    /// Where connections are kept; without one, none outlives the process.
    pub vault: Option<Vault>,
}

impl McpServices {
    fn requests(&self, config: &McpConfig) -> Requests {
        let tokens = match &config.place {
            McpPlace::Address { url, oauth: Some(oauth), .. } => {
                Some(Arc::new(Tokens::new(&config.name, oauth, url, self)))
            }
            McpPlace::Address { oauth: None, .. } | McpPlace::Program { .. } => None,
        };
        Requests { http: self.http.clone(), tokens }
    }
}

/// All MCP servers of the configuration.
pub struct McpServers {
    servers: Vec<Arc<McpServer>>,
    closing: CancellationToken,
}

impl McpServers {
    /// The servers of the configuration; none is spoken to yet.
    pub fn new(configs: &[McpConfig], services: &McpServices) -> Arc<Self> {
        let server = |config: &McpConfig| Arc::new(McpServer::new(config.clone(), services.requests(config)));
        let servers = configs.iter().map(server);
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

    /// The server of this name.
    pub fn server(&self, name: &str) -> Option<&Arc<McpServer>> {
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

/// Connects to a server once and says what it has, or why that failed: for the command line. Tokens are renewed by whoever serves.
pub async fn check(config: &McpConfig, services: &McpServices) -> Result<String, String> {
    let mut requests = services.requests(config);
    let glimpse = match requests.sign_in() {
        Some(sign_in) => Some(sign_in.glimpse().await?),
        None => None,
    };
    match glimpse {
        Some(Glimpse::Missing(why)) => return Err(why),
        Some(Glimpse::Over) => return Ok("connected; its token is renewed when Netra next uses it".to_owned()),
        Some(Glimpse::Good(token)) => requests.tokens = Some(Arc::new(Tokens::Given(token))),
        None => {}
    }
    let server = Arc::new(McpServer::new(config.clone(), requests));
    let link = link::connect(&server).await?;
    let has = listing::list(&link.peer).await;
    link.end().await;
    has.map(|has| has.said())
}
