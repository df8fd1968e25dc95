//! The backend: build the services, serve, drain.

pub mod agent;
mod announcer;
pub mod attachments;
pub mod auth;
mod closer;
pub mod command;
pub mod config;
pub mod confine;
mod disk;
pub mod error;
pub mod followers;
pub(crate) mod form;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
pub mod http;
mod import;
pub mod mail;
pub mod mcp;
mod membership;
pub mod metrics;
mod private;
mod program;
pub mod quotas;
mod reference;
mod router;
mod searches;
mod serve;
mod shared_page;
pub mod site;
pub mod specification;
mod state;
mod stopping;
pub mod store;
pub mod telemetry;
mod thread_service;
pub mod tool;
mod trimmer;
mod turns;
mod whence;

use std::{
    net::SocketAddr,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use axum::{Router, routing::get};
use leptos::config::LeptosOptions;
use netra_ws::{
    bus::{Bus, LocalBus},
    connection::QueueLimits,
    emitter::EmitterPool,
    manager::{Manager, ManagerLimits},
    model::Role,
};
use tokio::{net::TcpListener, time::sleep};
use tokio_util::sync::CancellationToken;

use agent::{Bridge, Checks, Engine, EngineParts, Registry};
use announcer::Announcer;
use attachments::{Attachments, Place, PlaceError};
use auth::{KeyedLimit, SecurityService};
use config::{AuthMode, Config};
use followers::Followers;
use mcp::client::{McpServers, McpServices, Vault};
use metrics::{MeasuredLog, MeasuredSink, metrics};
use quotas::Admissions;
use searches::Searches;
use serve::ConnectionLimits;
use site::{Page, Site};
pub use state::{AppState, Services, VERSION};
use store::{
    Durability, SharedStore,
    sqlite::{self, SqliteStore},
};
use thread_service::ThreadService;
use tool::{SharedTool, ToolEngine, builtin};
use turns::Turns;

/// Connections that one process takes on; the process's limit of open files ends it earlier.
const MAX_CONNECTIONS: usize = 100_000;

/// Requests that one user has under way, from the question to the last byte of the answer, and those that wait for them.
const REQUESTS_AT_ONCE: usize = 16;
const REQUESTS_IN_LINE: usize = 64;

/// How many connections' commands a user's connections have together.
const CONNECTIONS_WORTH_OF_COMMANDS: u32 = 4;

/// Open files that every system allows a process, where it cannot be asked.
const FEWEST_FILES: u64 = 256;

/// Sockets that are asked to leave at a time while draining, and the pause between.
const DRAIN_BATCH: usize = 200;
const DRAIN_PAUSE: Duration = Duration::from_millis(50);

/// How often agents are asked whether they have something of deleted threads.
const FORGETTING: Duration = Duration::from_hours(1);

/// How long open requests may take once the sockets are gone.
const LAST_REQUESTS: Duration = Duration::from_secs(3);

/// The server could not start or went down.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The data folder cannot be used.
    #[error("the data folder {0}: {1}")]
    DataDir(String, #[source] std::io::Error),
    /// The database cannot be opened, or is not whole.
    #[error("the database {} cannot be used: {source}", path.display())]
    Database {
        /// Its file.
        path: PathBuf,
        /// Why.
        source: store::StoreError,
    },
    /// The database failed.
    #[error("the database: {0}")]
    Store(#[from] store::StoreError),
    /// There is no place for files.
    #[error("{0}")]
    Attachments(#[from] PlaceError),
    /// The address cannot be listened on.
    #[error("{0}: cannot listen on {1}: {2}")]
    Bind(&'static str, SocketAddr, #[source] std::io::Error),
    /// The page's settings in the environment are wrong.
    #[error("LEPTOS_*: {0}")]
    Leptos(String),
    /// Outgoing requests cannot be made.
    #[error("outgoing requests cannot be made; are the system's CA certificates installed? {0}")]
    Http(#[from] reqwest::Error),
    /// There is nobody to make a token for.
    #[error("no such user: {0}")]
    NoSuchUser(String),
    /// A token cannot be made.
    #[error("the token: {0}")]
    Token(String),
    /// The server did not do what a command asked.
    #[error("the server refused: {0}")]
    Refused(String),
    /// There is no model to ask.
    #[error("{}", match .0 { Some(name) => format!("no agent called {name:?} has a model"), None => "no agent has a model; see docs/connecting-a-model.md".to_owned() })]
    NoModels(Option<String>),
    /// Models or MCP servers did not answer.
    #[error("{failed} of {of} {what} did not answer")]
    ModelsFailed {
        /// How many.
        failed: usize,
        /// Of how many.
        of: usize,
        /// Of what.
        what: &'static str,
    },
    /// The listener failed.
    #[error("serving failed: {0}")]
    Serve(#[source] std::io::Error),
}

impl ServerError {
    /// Whether a setting points at something that cannot be used.
    pub fn is_setting(&self) -> bool {
        match self {
            Self::DataDir(..) | Self::Database { .. } | Self::Store(_) | Self::Attachments(_) => true,
            // A port that is taken may be free at the next start; an address that is not this machine's stays wrong.
            Self::Bind(_, _, error) => error.kind() != std::io::ErrorKind::AddrInUse,
            Self::Leptos(_)
            | Self::Http(_)
            | Self::NoSuchUser(_)
            | Self::Token(_)
            | Self::Refused(_)
            | Self::NoModels(_)
            | Self::ModelsFailed { .. }
            | Self::Serve(_) => false,
        }
    }
}

/// Serves until told to stop, with the page's files that the binary carries.
pub async fn run(config: Config, page: Page) -> Result<(), ServerError> {
    let data_dir = config.data_dir.clone();
    let in_data_dir = |error| ServerError::DataDir(data_dir.display().to_string(), error);
    disk::create_folder(&data_dir).map_err(in_data_dir)?;
    let database = open_database(&config).await?;
    let store: SharedStore = Arc::new(database.clone());
    let security = SecurityService::new(store.clone(), &config, &data_dir).map_err(in_data_dir)?;
    security.seal_second_factors().await.map_err(|error| ServerError::Refused(error.message))?;
    security.end_developer().await.map_err(|error| ServerError::Refused(error.message))?;
    let http = agent::model::client()?;
    let synced = config.durability == Durability::Power;
    let place = Place::open(&config.attachments, &data_dir, synced)?;
    let attachments = Attachments::new(store.clone(), place, &config.attachments);
    // Each connection is an open file, and shells allow 1,024 unless asked.
    let open_files = rlimit::increase_nofile_limit(u64::MAX).ok();
    let (site, leptos) = Site::find(page).map_err(|error| ServerError::Leptos(error.to_string()))?;
    // An address that is wrong is said before the other one is taken.
    let metrics_listener = match config.metrics_addr {
        Some(address) => Some(bind("NETRA_METRICS_ADDR", address).await?),
        None => None,
    };
    let listener = bind("NETRA_ADDR", config.addr).await?;
    let bound = listener.local_addr().map_err(ServerError::Serve)?;
    let renewed = database.take_up(&data_dir).await.map_err(|source| unusable(&config, source))?;
    if renewed > 0 {
        tracing::warn!(
            threads = renewed,
            "the log may have gone back (a power cut, or a copy put in place): new epochs"
        );
    }
    let (state, engine) = build(config, bound, leptos, store, security, &http, attachments);
    warn_about_dev_login(&state.config, bound);
    warn_about_proxy(&state.config, bound);
    for setting in &state.config.unused {
        tracing::warn!(setting, "this setting has no effect in this version");
    }
    state.mcp.start();
    engine.start();
    if let Some(listener) = metrics_listener {
        serve_metrics(listener);
    }
    let trimming = tokio::spawn(trimmer::run(state.store.clone(), state.config.trim_after));
    let files = state.attachments.clone();
    tokio::spawn(async move { files.try_place().await });
    let sweeping = tokio::spawn(state.attachments.clone().sweep());
    let closing = tokio::spawn(closer::run(state.clone()));
    let forgetting = tokio::spawn(forget_deleted(state.clone()));

    let stop = CancellationToken::new();
    let limits = ConnectionLimits::of_open_files(open_files.unwrap_or(FEWEST_FILES), MAX_CONNECTIONS);
    let serving = tokio::spawn(serve::serve(listener, router::router(state.clone(), site), limits, stop.clone()));
    let agents = state.config.agents.len();
    let durability = state.config.durability.as_str();
    tracing::info!(address = %bound, version = VERSION, agents, open_files, durability, "listening");
    if let Some(link) =
        state.security.first_administrator().await.map_err(|error| ServerError::Refused(error.message))?
    {
        // To the terminal and to no log: whoever reads it becomes the administrator.
        eprintln!(
            "netra: nobody administers this server yet. Make the administrator's account here, once:\n\n  {}\n",
            link.url
        );
    }
    told_to_stop().await;
    trimming.abort();
    closing.abort();
    forgetting.abort();
    sweeping.abort();
    drain(&state, &engine).await;
    tokio::join!(state.mcp.stop(), state.registry.close());
    stop.cancel();
    let _ = tokio::time::timeout(LAST_REQUESTS, serving).await;
    if let Err(error) = database.put_down(&data_dir).await {
        tracing::warn!(%error, "the end could not be noted; a copy put in place now may go unnoticed");
    }
    database.close().await;
    tracing::info!("stopped");
    Ok(())
}

/// Listens on the address of a setting.
async fn bind(setting: &'static str, address: SocketAddr) -> Result<TcpListener, ServerError> {
    TcpListener::bind(address).await.map_err(|error| ServerError::Bind(setting, address, error))
}

/// Opens the database that the settings name.
async fn open_database(config: &Config) -> Result<SqliteStore, ServerError> {
    SqliteStore::open(&config.database_url, &config.data_dir, config.durability)
        .await
        .map_err(|source| unusable(config, source))
}

/// Names the database that cannot be used.
fn unusable(config: &Config, source: store::StoreError) -> ServerError {
    ServerError::Database { path: sqlite::file(&config.database_url, &config.data_dir), source }
}

/// Serves the metrics alone, for as long as the process lives.
fn serve_metrics(listener: TcpListener) {
    let address = listener.local_addr().ok();
    tracing::info!(address = address.map(tracing::field::display), "serving metrics");
    let app = Router::new().route("/metrics", get(http::metrics::open));
    let limits = ConnectionLimits::of_open_files(FEWEST_FILES, MAX_CONNECTIONS);
    tokio::spawn(serve::serve(listener, app, limits, CancellationToken::new()));
}

/// Puts the services together.
fn build(
    config: Config,
    bound: SocketAddr,
    mut leptos: LeptosOptions,
    store: SharedStore,
    security: SecurityService,
    http: &reqwest::Client,
    attachments: Attachments,
) -> (AppState, Engine) {
    leptos.site_addr = bound;
    let manager = Manager::new(ManagerLimits {
        connections: MAX_CONNECTIONS,
        connections_per_user: config.quotas.of(Role::User).connections,
        subscriptions: config.limits.max_subscriptions,
        queue: QueueLimits::default(),
    });
    let local = LocalBus::new();
    let followers = Followers::default();
    local.attach(Arc::new(MeasuredSink { manager: manager.clone(), followers: followers.clone() }));
    metrics().watch(&manager);
    let bus: Arc<dyn Bus> = local;
    let announcer = Announcer::new(store.clone(), bus.clone());
    let searches = Arc::new(Searches::new(store.clone()));
    let tools = all_tools(searches.clone());
    let vault = Vault { store: store.clone(), sealer: security.connection_sealer() };
    let services = McpServices { http: http.clone(), base: config.base(), vault: Some(vault) };
    let mcp = McpServers::new(&config.mcp, &services);
    let named = tools.iter().map(|tool| tool.spec().name);
    let named = named.chain(config.mcp.iter().map(|server| format!("{}{}", tool::names::MCP, server.name)));
    let log = MeasuredLog::new(store.clone(), named.collect());
    let emitters = EmitterPool::new(Arc::new(log), bus.clone());
    let admissions = Admissions::new(store.clone(), config.quotas, config.limits.commands_per_minute);
    let registry = Arc::new(Registry::new(&config.agents, http));
    let engine = Engine::new(EngineParts {
        lease: config.run_lease,
        admissions: admissions.clone(),
        registry: registry.clone(),
        tools: ToolEngine::new(tools, config.tool_policy.clone(), store.clone()).with(mcp.clone()),
        store: store.clone(),
        emitters: emitters.clone(),
        announcer: announcer.clone(),
        attachments: attachments.clone(),
    });
    let writes = KeyedLimit::steady_per_minute(config.limits.commands_per_minute);
    let commands =
        KeyedLimit::per_minute(config.limits.commands_per_minute.saturating_mul(CONNECTIONS_WORTH_OF_COMMANDS));
    let state = AppState::new(Services {
        leptos,
        origins: config.origins(bound).into(),
        bridge: Bridge::new(
            store.clone(),
            registry.clone(),
            emitters,
            engine.clone(),
            announcer.clone(),
            admissions.clone(),
            attachments.clone(),
        ),
        attachments,
        checks: Checks::new(&config.agents, http, mcp.clone()),
        mcp,
        followers,
        threads: ThreadService::new(
            store.clone(),
            searches,
            registry.clone(),
            engine.clone(),
            bus.clone(),
            announcer.clone(),
            admissions,
        ),
        config,
        security: Arc::new(security),
        commands,
        writes,
        requests: Turns::new(REQUESTS_AT_ONCE, REQUESTS_IN_LINE),
        ready: AtomicBool::new(true),
        store,
        manager,
        bus,
        announcer,
        registry,
    });
    (state, engine)
}

/// Has agents forget threads that went without them: with an account, or while the server was down.
async fn forget_deleted(state: AppState) {
    let mut ticks = tokio::time::interval(FORGETTING);
    loop {
        ticks.tick().await;
        let registry = state.registry.clone();
        // It looks through folders.
        let threads = tokio::task::spawn_blocking(move || registry.threads()).await.unwrap_or_default();
        for thread in threads {
            if state.announcer.is_gone(thread).await {
                tracing::info!(thread_id = %thread, "agents forget a thread that was deleted");
                state.registry.forget(thread);
            }
        }
    }
}

/// The tools that agents may use.
#[cfg(not(debug_assertions))]
fn all_tools(searches: Arc<Searches>) -> Vec<SharedTool> {
    builtin::all(searches)
}

/// The same, and those for tests.
#[cfg(debug_assertions)]
fn all_tools(searches: Arc<Searches>) -> Vec<SharedTool> {
    builtin::all(searches).into_iter().chain(tool::for_tests::from_environment()).collect()
}

fn warn_about_dev_login(config: &Config, bound: SocketAddr) {
    if config.auth.contains(&AuthMode::Dev) {
        tracing::warn!(address = %bound, "dev login is on: whoever reaches this address is the developer");
    }
}

fn warn_about_proxy(config: &Config, bound: SocketAddr) {
    if config.public_url.is_some() && config.trusted_proxies.is_empty() && bound.ip().is_loopback() {
        tracing::warn!(
            "NETRA_TRUSTED_PROXIES names no proxy: all who come through one count as one network when guesses, new accounts and \
             connections are counted"
        );
    }
}

async fn told_to_stop() {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut terminate), Ok(mut interrupt)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        tracing::error!("signals cannot be caught; the process can only be killed");
        return std::future::pending().await;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}

/// Not ready, then sockets in batches; runs end meanwhile, or are handed over. A socket that does not close takes no time from
/// them.
async fn drain(state: &AppState, engine: &Engine) {
    tracing::info!("draining");
    state.ready.store(false, Ordering::Release);
    state.manager.begin_drain();
    let deadline = tokio::time::Instant::now() + state.config.drain;
    let sockets = async {
        while state.manager.drain(DRAIN_BATCH) > 0 {
            sleep(DRAIN_PAUSE).await;
        }
    };
    let (closed, ()) = tokio::join!(tokio::time::timeout_at(deadline, sockets), engine.drain(state.config.drain));
    if closed.is_err() {
        tracing::warn!(left = state.manager.census().connections, "sockets did not close in time");
    }
}
