//! The backend: build the services, serve, drain.

pub mod agent;
mod announcer;
pub mod auth;
pub mod command;
pub mod config;
pub mod error;
pub mod http;
mod members;
pub mod metrics;
mod reference;
mod router;
pub mod specification;
mod state;
pub mod store;
pub mod telemetry;
mod threads;
pub mod tool;
mod trimmer;

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use axum::{Router, routing::get, serve::ListenerExt as _};
use leptos::config::{LeptosOptions, get_configuration};
use netra_ws::{
    bus::{Bus, LocalBus},
    connection::QueueLimits,
    emitter::EmitterPool,
    manager::{Manager, ManagerLimits},
};
use tokio::{net::TcpListener, sync::oneshot, time::sleep};

use agent::{Bridge, Engine, EngineParts, Registry};
use announcer::Announcer;
use auth::SecurityService;
use config::{AuthMode, Config};
use metrics::{MeasuredLog, MeasuredSink, metrics};
pub use state::{AppState, Services, VERSION};
use store::{SharedStore, sqlite::SqliteStore};
use threads::Threads;
use tool::{ToolEngine, builtin};

/// Connections that one process takes on; the process's limit of open files ends it earlier.
const MAX_CONNECTIONS: usize = 100_000;

/// Sockets that are asked to leave at a time while draining, and the pause between.
const DRAIN_BATCH: usize = 200;
const DRAIN_PAUSE: Duration = Duration::from_millis(50);

/// How long open requests may take once the sockets are gone.
const LAST_REQUESTS: Duration = Duration::from_secs(3);

/// The server could not start or went down.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The data folder cannot be used.
    #[error("the data folder {0}: {1}")]
    DataDir(String, #[source] std::io::Error),
    /// The database cannot be opened.
    #[error("the database cannot be opened: {0}")]
    Store(#[from] store::StoreError),
    /// The address cannot be listened on.
    #[error("cannot listen on {0}: {1}")]
    Bind(SocketAddr, #[source] std::io::Error),
    /// The page's settings are missing.
    #[error("Leptos.toml: {0}")]
    Leptos(String),
    /// Outgoing requests cannot be made.
    #[error("the HTTP client: {0}")]
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
    /// The listener failed.
    #[error("serving failed: {0}")]
    Serve(#[source] std::io::Error),
}

impl RunError {
    /// Whether a setting points at something that cannot be used.
    pub fn is_setting(&self) -> bool {
        match self {
            Self::DataDir(..) | Self::Store(_) => true,
            Self::Bind(..)
            | Self::Leptos(_)
            | Self::Http(_)
            | Self::NoSuchUser(_)
            | Self::Token(_)
            | Self::Refused(_)
            | Self::Serve(_) => false,
        }
    }
}

/// Serves until told to stop.
pub async fn run(config: Config) -> Result<(), RunError> {
    let data_dir = config.data_dir.clone();
    let in_data_dir = |error| RunError::DataDir(data_dir.display().to_string(), error);
    tokio::fs::create_dir_all(&data_dir).await.map_err(in_data_dir)?;
    let database = SqliteStore::open(&config.database_url, &data_dir).await?;
    let store: SharedStore = Arc::new(database.clone());
    let security = SecurityService::new(store.clone(), &config, &data_dir).map_err(in_data_dir)?;
    // Each connection is an open file, and shells allow 1,024 unless asked.
    let open_files = rlimit::increase_nofile_limit(u64::MAX).ok();
    let listener = TcpListener::bind(config.addr).await.map_err(|error| RunError::Bind(config.addr, error))?;
    let bound = listener.local_addr().map_err(RunError::Serve)?;
    let renewed = database.take_up(&data_dir).await?;
    if renewed > 0 {
        tracing::warn!(
            threads = renewed,
            "the log may have gone back (a power cut, or a copy put in place): new epochs"
        );
    }
    let (state, engine) = build(config, bound, store, security)?;
    warn_about_dev_login(&state.config, bound);
    for setting in &state.config.unused {
        tracing::warn!(setting, "this setting has no effect in this version");
    }
    engine.start();
    if let Some(address) = state.config.metrics_addr {
        serve_metrics(address).await?;
    }
    let trimming = tokio::spawn(trimmer::run(state.store.clone(), state.config.trim_after));

    let (stop_serving, stopped) = oneshot::channel::<()>();
    let app = router::router(state.clone()).into_make_service_with_connect_info::<SocketAddr>();
    // A frame must not wait until the reader acknowledges the one before it (Nagle's algorithm).
    let listener = listener.tap_io(|stream| {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "a connection was gone before it began");
        }
    });
    let serving = axum::serve(listener, app).with_graceful_shutdown(async move { _ = stopped.await });
    let mut serving = tokio::spawn(serving.into_future());
    let agents = state.registry.infos().len();
    tracing::info!(address = %bound, version = VERSION, agents, open_files, "listening");
    tokio::select! {
        ended = &mut serving => return ended.unwrap_or(Ok(())).map_err(RunError::Serve),
        () = told_to_stop() => {}
    }
    trimming.abort();
    drain(&state, &engine).await;
    drop(stop_serving);
    let _ = tokio::time::timeout(LAST_REQUESTS, serving).await;
    if let Err(error) = database.put_down(&data_dir).await {
        tracing::warn!(%error, "the end could not be noted; a copy put in place now may go unnoticed");
    }
    database.close().await;
    tracing::info!("stopped");
    Ok(())
}

/// Serves the metrics alone, for as long as the process lives.
async fn serve_metrics(address: SocketAddr) -> Result<(), RunError> {
    let listener = TcpListener::bind(address).await.map_err(|error| RunError::Bind(address, error))?;
    tracing::info!(%address, "serving metrics");
    let app = Router::new().route("/metrics", get(http::metrics::open));
    tokio::spawn(axum::serve(listener, app).into_future());
    Ok(())
}

/// Puts the services together.
fn build(
    config: Config,
    bound: SocketAddr,
    store: SharedStore,
    security: SecurityService,
) -> Result<(AppState, Engine), RunError> {
    let manager = Manager::new(ManagerLimits {
        connections: MAX_CONNECTIONS,
        subscriptions: config.limits.max_subscriptions,
        queue: QueueLimits::default(),
    });
    let local = LocalBus::new();
    local.attach(Arc::new(MeasuredSink(manager.clone())));
    metrics().watch(&manager);
    let bus: Arc<dyn Bus> = local;
    let announcer = Announcer::new(store.clone(), bus.clone());
    let tools = builtin::all(store.clone());
    let log = MeasuredLog::new(store.clone(), tools.iter().map(|tool| tool.spec().name).collect());
    let emitters = EmitterPool::new(Arc::new(log), bus.clone());
    let http = reqwest::Client::builder().connect_timeout(Duration::from_secs(10)).build()?;
    let registry = Arc::new(Registry::new(&config.agents, &http));
    let engine = Engine::new(EngineParts {
        lease: config.run_lease,
        registry: registry.clone(),
        tools: ToolEngine::new(tools),
        store: store.clone(),
        emitters: emitters.clone(),
        announcer: announcer.clone(),
    });
    let state = AppState::new(Services {
        leptos: leptos_options(bound)?,
        origins: config.origins(bound).into(),
        bridge: Bridge::new(store.clone(), registry.clone(), emitters, engine.clone(), announcer.clone()),
        threads: Threads::new(store.clone(), registry.clone(), bus.clone(), announcer.clone()),
        config,
        security: Arc::new(security),
        ready: AtomicBool::new(true),
        store,
        manager,
        bus,
        announcer,
        registry,
    });
    Ok((state, engine))
}

/// Under `cargo leptos watch` the settings come from the environment, otherwise from Leptos.toml.
fn leptos_options(bound: SocketAddr) -> Result<LeptosOptions, RunError> {
    let file = if std::env::var_os("LEPTOS_OUTPUT_NAME").is_some() { None } else { Some("Leptos.toml") };
    let read = get_configuration(file).map_err(|error| RunError::Leptos(error.to_string()))?;
    let mut options = read.leptos_options;
    options.site_addr = bound;
    Ok(options)
}

fn warn_about_dev_login(config: &Config, bound: SocketAddr) {
    if config.auth.contains(&AuthMode::Dev) {
        tracing::warn!(address = %bound, "dev login is on: whoever reaches this address is the developer");
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
