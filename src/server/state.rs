//! What request handlers share.

use std::{
    ops::Deref,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use axum::extract::FromRef;
use leptos::config::LeptosOptions;
use netra_ws::{
    PROTOCOL, TOKEN_PREFIX, UserId,
    bus::Bus,
    discovery::{AuthInfo, Discovery, SocketInfo},
    log::SharedLog,
    manager::Manager,
    model::User,
};

use super::{
    agent::{Bridge, Checks, Registry},
    announcer::Announcer,
    attachments::Attachments,
    auth::{KeyedLimit, SecurityService},
    config::{AuthMode, Config},
    followers::Followers,
    mcp::client::McpServers,
    store::SharedStore,
    thread_service::ThreadService,
    turns::Turns,
};

/// This program's version.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The application: one pointer to every service, so that each connection holds no more than that.
#[derive(Clone)]
pub struct AppState(Arc<Services>);

impl Deref for AppState {
    type Target = Services;

    fn deref(&self) -> &Services {
        &self.0
    }
}

/// Every service.
pub struct Services {
    /// Settings.
    pub config: Config,
    /// Where Leptos finds the page's assets.
    pub leptos: LeptosOptions,
    /// Origins whose pages may connect and write.
    pub origins: Arc<[String]>,
    /// The database.
    pub store: SharedStore,
    /// Who is asking.
    pub security: Arc<SecurityService>,
    /// The sockets.
    pub manager: Manager,
    /// Tells every node.
    pub bus: Arc<dyn Bus>,
    /// Tells people's pages.
    pub announcer: Announcer,
    /// The agents.
    pub registry: Arc<Registry>,
    /// Carries commands to agents.
    pub bridge: Bridge,
    /// Servers of the Model Context Protocol, whose tools agents use.
    pub mcp: Arc<McpServers>,
    /// Who follows threads without a socket.
    pub followers: Followers,
    /// What was found at the models' servers.
    pub checks: Checks,
    /// Files that go with messages.
    pub attachments: Attachments,
    /// Threads and their settings.
    pub threads: ThreadService,
    /// The commands of each user, over all connections.
    pub(crate) commands: KeyedLimit<UserId>,
    /// What each user changes over HTTP.
    pub(crate) writes: KeyedLimit<UserId>,
    /// The requests that each user has under way.
    pub(crate) requests: Turns<UserId>,
    /// Whether new work is welcome.
    pub ready: AtomicBool,
}

impl FromRef<AppState> for LeptosOptions {
    fn from_ref(state: &AppState) -> Self {
        state.leptos.clone()
    }
}

impl AppState {
    /// The application over these.
    pub fn new(services: Services) -> Self {
        Self(Arc::new(services))
    }

    /// What a client reads before it connects, as this user or anyone.
    pub fn discovery(&self, user: Option<&User>) -> Discovery {
        Discovery {
            version: VERSION.to_owned(),
            protocol: PROTOCOL.to_owned(),
            ws: SocketInfo {
                url: self.config.socket_url(),
                subprotocol: PROTOCOL.to_owned(),
                token_prefix: TOKEN_PREFIX.to_owned(),
                limits: self.config.limits,
            },
            auth: AuthInfo {
                modes: self.config.auth.iter().map(|mode| mode.as_str().to_owned()).collect(),
                registration: self
                    .config
                    .auth
                    .contains(&AuthMode::Password)
                    .then(|| self.config.registration.as_str().to_owned()),
            },
            agents: self.registry.infos(user),
        }
    }

    /// The events.
    pub fn log(&self) -> SharedLog {
        self.store.clone()
    }

    /// Whether new work is welcome.
    pub fn is_ready(&self) -> bool {
        self.ready.load(Ordering::Acquire)
    }
}
