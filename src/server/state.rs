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
    PROTOCOL, TOKEN_PREFIX,
    bus::Bus,
    discovery::{AuthInfo, Discovery, SocketInfo},
    manager::Manager,
};

use super::{
    agent::{Bridge, Registry},
    announcer::Announcer,
    auth::SecurityService,
    config::Config,
    store::SharedStore,
    threads::Threads,
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
    /// Threads and their settings.
    pub threads: Threads,
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

    /// What a client reads before it connects.
    pub fn discovery(&self) -> Discovery {
        Discovery {
            version: VERSION.to_owned(),
            protocol: PROTOCOL.to_owned(),
            ws: SocketInfo {
                url: self.config.socket_url(),
                subprotocol: PROTOCOL.to_owned(),
                token_prefix: TOKEN_PREFIX.to_owned(),
                limits: self.config.limits,
            },
            auth: AuthInfo { modes: self.config.auth.iter().map(|mode| mode.as_str().to_owned()).collect() },
            agents: self.registry.infos(),
        }
    }

    /// Whether new work is welcome.
    pub fn is_ready(&self) -> bool {
        self.ready.load(Ordering::Acquire)
    }
}
