//! What the server counts, for Prometheus. Labels are closed sets: message types, codes, outcomes; never what users chose.

mod labels;
mod measured;
mod registered;
mod render;

use std::{
    collections::HashMap,
    sync::{LazyLock, OnceLock},
    time::Duration,
};

use netra_ws::{ErrorCode, bus::Encoded, manager::Manager, payload::SubscribeMode};
use prometheus_client::{
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::Registry,
};

use labels::{ByClose, ByCode, ByMode, ByOutcome, ByQuota, ByServer, ByTool, ByWork};
pub use measured::{MeasuredLog, MeasuredSink};
#[cfg(test)]
pub(in crate::server) use render::encoded;
pub use render::{CONTENT_TYPE, render};

/// What decoding a frame may end with, on the server and on a page.
pub const PAGE_CODES: [ErrorCode; 6] = [
    ErrorCode::MalformedJson,
    ErrorCode::DoubleEncoded,
    ErrorCode::PayloadNotObject,
    ErrorCode::UnsupportedVersion,
    ErrorCode::UnknownType,
    ErrorCode::InvalidPayload,
];

/// Everything that is counted.
pub struct Metrics {
    registry: Registry,
    manager: OnceLock<Manager>,
    sent: HashMap<&'static str, PerType>,
    received: HashMap<&'static str, PerType>,
    rejected: Family<ByCode, Counter>,
    quotas: Family<ByQuota, Counter>,
    refused: Family<ByCode, Counter>,
    unread: Family<ByCode, Counter>,
    handshakes: Family<ByOutcome, Counter>,
    closes: Family<ByClose, Counter>,
    connections: Gauge,
    users: Gauge,
    subscriptions: Gauge,
    queued_bytes: Gauge,
    heartbeat: Histogram,
    resumes: Family<ByMode, Counter>,
    gaps: Counter,
    append: Histogram,
    appended: Counter,
    delivery: Histogram,
    append_failures: Counter,
    held: Family<ByWork, Histogram, fn() -> Histogram>,
    runs: Family<ByOutcome, Counter>,
    run_time: Histogram,
    tools: Family<ByTool, Counter>,
    tool_time: Histogram,
    upstream: Family<ByOutcome, Counter>,
    upstream_time: Histogram,
    circuits: Family<ByServer, Gauge>,
    uploads: Family<ByOutcome, Counter>,
    swept: Counter,
    mcp: Family<ByServer, Gauge>,
    mcp_restarts: Family<ByServer, Counter>,
    agent_processes: Gauge,
}

/// Counters of one type in one direction, found once.
struct PerType {
    frames: Counter,
    bytes: Counter,
}

static METRICS: LazyLock<Metrics> = LazyLock::new(Metrics::new);

/// The process's metrics.
pub fn metrics() -> &'static Metrics {
    &METRICS
}

impl Metrics {
    /// The manager whose sockets are counted.
    pub fn watch(&self, manager: &Manager) {
        // One server a process; a second one would count into the same metrics and keep its own census.
        let _ = self.manager.set(manager.clone());
    }

    /// A frame went to a socket. The type stands at the same place in every frame that this server writes.
    pub fn sent(&self, frame: &Encoded) {
        let kind = frame.strip_prefix(r#"{"v":1,"type":""#).and_then(|rest| rest.split('"').next());
        if let Some(counters) = kind.and_then(|kind| self.sent.get(kind)) {
            counters.count(frame.len());
        }
    }

    /// A frame of a client was understood.
    pub fn received(&self, kind: &str, bytes: usize) {
        if let Some(counters) = self.received.get(kind) {
            counters.count(bytes);
        }
    }

    /// A client's frame cannot be read.
    pub fn rejected(&self, code: ErrorCode) {
        self.rejected.get_or_create(&ByCode { code: code.as_str() }).inc();
    }

    /// A client's command was read and refused.
    pub fn refused(&self, code: ErrorCode) {
        self.refused.get_or_create(&ByCode { code: code.as_str() }).inc();
    }

    /// A person's quota is used up.
    pub fn quota_met(&self, quota: &'static str) {
        self.quotas.get_or_create(&ByQuota { quota }).inc();
    }

    /// Pages say that they cannot read so many of this server's frames.
    pub fn unread(&self, code: ErrorCode, frames: u64) {
        self.unread.get_or_create(&ByCode { code: code.as_str() }).inc_by(frames);
    }

    /// An MCP server of the configuration can be called, or cannot.
    pub fn mcp_standing(&self, server: &str, ready: bool) {
        self.mcp.get_or_create(&ByServer { server: server.to_owned() }).set(i64::from(ready));
    }

    /// An MCP server is to be connected to again.
    pub fn mcp_restart(&self, server: &str) {
        self.mcp_restarts.get_or_create(&ByServer { server: server.to_owned() }).inc();
    }

    /// An agent's program runs.
    pub fn agent_process_runs(&self) {
        self.agent_processes.inc();
    }

    /// An agent's program is gone.
    pub fn agent_process_is_gone(&self) {
        self.agent_processes.dec();
    }

    /// Whether the code says that a frame cannot be read.
    const fn is_unreadable(code: ErrorCode) -> bool {
        matches!(
            code,
            ErrorCode::MalformedJson
                | ErrorCode::DoubleEncoded
                | ErrorCode::PayloadNotObject
                | ErrorCode::UnsupportedVersion
                | ErrorCode::UnsupportedFrame
                | ErrorCode::UnknownType
                | ErrorCode::InvalidPayload
                | ErrorCode::FrameTooLarge
        )
    }

    /// A handshake was accepted, or refused with a code.
    pub fn handshake(&self, refused: Option<ErrorCode>) {
        let outcome = refused.map_or("accepted", ErrorCode::as_str);
        self.handshakes.get_or_create(&ByOutcome { outcome }).inc();
    }

    /// A socket was closed by the server with a code, or left.
    pub fn closed(&self, code: Option<u16>) {
        self.closes.get_or_create(&ByClose { code: code.unwrap_or_default().into() }).inc();
    }

    /// A heartbeat was answered.
    pub fn heartbeat(&self, after: Duration) {
        self.heartbeat.observe(after.as_secs_f64());
    }

    /// A slice of housekeeping is over.
    pub fn held(&self, work: &'static str, time: Duration) {
        self.held.get_or_create(&ByWork { work }).observe(time.as_secs_f64());
    }

    /// A subscription began.
    pub fn subscribed(&self, mode: SubscribeMode) {
        let mode = mode.as_str();
        self.resumes.get_or_create(&ByMode { mode }).inc();
    }

    /// A hole in a live stream is read from the log.
    pub fn gap(&self) {
        self.gaps.inc();
    }

    /// A request to a model's server ended: `ok`, `refused`, `unreachable`, `silent`, `broken` or `stopped`.
    pub fn upstream(&self, outcome: &'static str) {
        self.upstream.get_or_create(&ByOutcome { outcome }).inc();
    }

    /// A model's server began to answer, or failed to.
    pub fn upstream_began(&self, after: Duration) {
        self.upstream_time.observe(after.as_secs_f64());
    }

    /// A model's server is left alone because it fails, or no longer.
    pub fn circuit(&self, server: &str, open: bool) {
        self.circuits.get_or_create(&ByServer { server: server.to_owned() }).set(i64::from(open));
    }

    /// A file came in and was kept, or not.
    pub fn upload(&self, kept: bool) {
        self.uploads.get_or_create(&ByOutcome { outcome: if kept { "kept" } else { "refused" } }).inc();
    }

    /// So many files were removed.
    pub fn swept(&self, files: u64) {
        self.swept.inc_by(files);
    }

    fn take_census(&self) {
        let Some(manager) = self.manager.get() else { return };
        let census = manager.census();
        let gauge = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        self.connections.set(gauge(census.connections));
        self.users.set(gauge(census.users));
        self.subscriptions.set(gauge(census.subscriptions));
        self.queued_bytes.set(gauge(census.queued_bytes));
    }
}

impl PerType {
    fn count(&self, bytes: usize) {
        self.frames.inc();
        self.bytes.inc_by(bytes as u64);
    }
}

#[cfg(test)]
#[path = "metrics_tests.rs"]
mod tests;
