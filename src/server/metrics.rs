//! What the server counts, for Prometheus. Labels are closed sets: message types, codes, outcomes; never what users chose.

mod measured;
mod render;

use std::{
    collections::HashMap,
    sync::{LazyLock, OnceLock},
    time::Duration,
};

use netra_ws::{
    CloseCode, ErrorCode,
    bus::Encoded,
    manager::Manager,
    message::{ClientMessage, Message as _, ServerMessage},
    payload::SubscribeMode,
};
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{
        counter::Counter,
        family::Family,
        gauge::Gauge,
        histogram::{Histogram, exponential_buckets},
    },
    registry::{Registry, Unit},
};

pub use measured::{MeasuredLog, MeasuredSink};
#[cfg(test)]
pub(in crate::server) use render::encoded;
pub use render::{CONTENT_TYPE, render};

/// One label with a value from a closed set.
macro_rules! label {
    ($($(#[$doc:meta])* $name:ident { $field:ident })*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
        pub struct $name {
            $field: &'static str,
        }
    )*};
}

label! {
    /// An error code.
    ByCode { code }
    /// How something ended.
    ByOutcome { outcome }
    /// How a subscription began.
    ByMode { mode }
    /// What holds the writer.
    ByWork { work }
    /// What a person may use.
    ByQuota { quota }
}

/// Which way a frame goes, and its type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByType {
    direction: &'static str,
    r#type: &'static str,
}

/// A close code. There are a dozen of the server's; all that clients make up count as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByClose {
    code: u32,
}

/// A tool, and how its call ended.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByTool {
    tool: String,
    status: &'static str,
}

/// What decoding a frame may end with, on the server and on a page.
pub const PAGE_CODES: [ErrorCode; 6] = [
    ErrorCode::MalformedJson,
    ErrorCode::DoubleEncoded,
    ErrorCode::PayloadNotObject,
    ErrorCode::UnsupportedVersion,
    ErrorCode::UnknownType,
    ErrorCode::InvalidPayload,
];
/// A model's server, by the origin that the configuration names.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByServer {
    server: String,
}

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

/// From 100 µs to 13 s.
fn short() -> Histogram {
    Histogram::new(exponential_buckets(0.000_1, 2.0, 18))
}

/// Around the 20 ms that a slice of housekeeping may take.
fn holds() -> Histogram {
    Histogram::new([0.001, 0.002, 0.005, 0.01, 0.015, 0.02, 0.03, 0.05, 0.1, 0.5])
}

/// From 10 ms to 20 min.
fn long() -> Histogram {
    Histogram::new(exponential_buckets(0.01, 2.0, 18))
}

impl Metrics {
    fn new() -> Self {
        let mut registry = Registry::with_prefix("netra");
        let frames: Family<ByType, Counter> = Family::default();
        let bytes: Family<ByType, Counter> = Family::default();
        registry.register("frames", "Frames, by direction and type", frames.clone());
        registry.register_with_unit("frame", "Bytes of JSON in frames", Unit::Bytes, bytes.clone());
        let per_type = |direction: &'static str, names: &mut dyn Iterator<Item = &'static str>| {
            let of = |name: &'static str| {
                let label = ByType { direction, r#type: name };
                let frames = frames.get_or_create(&label).clone();
                (name, PerType { frames, bytes: bytes.get_or_create(&label).clone() })
            };
            names.map(of).collect::<HashMap<_, _>>()
        };
        let sent = per_type("out", &mut ServerMessage::TYPES.iter().map(|info| info.name));
        let received = per_type("in", &mut ClientMessage::TYPES.iter().map(|info| info.name));
        let mut this = Self {
            registry,
            manager: OnceLock::new(),
            sent,
            received,
            rejected: Family::default(),
            quotas: Family::default(),
            refused: Family::default(),
            unread: Family::default(),
            handshakes: Family::default(),
            closes: Family::default(),
            connections: Gauge::default(),
            users: Gauge::default(),
            subscriptions: Gauge::default(),
            queued_bytes: Gauge::default(),
            heartbeat: short(),
            resumes: Family::default(),
            gaps: Counter::default(),
            append: short(),
            appended: Counter::default(),
            delivery: short(),
            append_failures: Counter::default(),
            held: Family::new_with_constructor(holds),
            runs: Family::default(),
            run_time: long(),
            tools: Family::default(),
            tool_time: long(),
            upstream: Family::default(),
            upstream_time: long(),
            circuits: Family::default(),
            uploads: Family::default(),
            swept: Counter::default(),
        };
        this.register_link();
        this.register_work();
        this.start_at_zero();
        this
    }

    /// A series that appears with its first count hides that count from `rate`.
    fn start_at_zero(&self) {
        for code in ErrorCode::KNOWN {
            let label = ByCode { code: code.as_str() };
            let family = if Self::is_unreadable(*code) { &self.rejected } else { &self.refused };
            drop(family.get_or_create(&label));
        }
        for code in PAGE_CODES {
            drop(self.unread.get_or_create(&ByCode { code: code.as_str() }));
        }
        for outcome in ["accepted", ErrorCode::Unauthenticated.as_str(), ErrorCode::TokenExpired.as_str()] {
            drop(self.handshakes.get_or_create(&ByOutcome { outcome }));
        }
        for code in [CloseCode::SlowConsumer, CloseCode::HeartbeatTimeout, CloseCode::Unauthenticated] {
            drop(self.closes.get_or_create(&ByClose { code: code.as_u16().into() }));
        }
        for quota in ["runs", "tokens", "cost"] {
            drop(self.quotas.get_or_create(&ByQuota { quota }));
        }
        for mode in ["resumed", "snapshot"] {
            drop(self.resumes.get_or_create(&ByMode { mode }));
        }
        for outcome in ["completed", "stopped", ErrorCode::AgentFailed.as_str(), ErrorCode::RunInterrupted.as_str()] {
            drop(self.runs.get_or_create(&ByOutcome { outcome }));
        }
        for work in ["trim", "delete", "vacuum"] {
            drop(self.held.get_or_create(&ByWork { work }));
        }
        for outcome in ["kept", "refused"] {
            drop(self.uploads.get_or_create(&ByOutcome { outcome }));
        }
        for status in ["ok", "error"] {
            drop(self.tools.get_or_create(&ByTool { tool: "unknown".to_owned(), status }));
        }
        for outcome in ["ok", "refused", "unreachable", "silent", "broken", "stopped"] {
            drop(self.upstream.get_or_create(&ByOutcome { outcome }));
        }
    }

    fn register_link(&mut self) {
        let Self { registry: to, .. } = self;
        to.register("frames_rejected", "Frames of clients that cannot be read, by error code", self.rejected.clone());
        to.register("commands_refused", "Commands that were read and refused, by error code", self.refused.clone());
        to.register("quotas_met", "Times that a person's quota was used up, by quota", self.quotas.clone());
        to.register("page_frames_unread", "Frames that pages say they cannot read, by error code", self.unread.clone());
        to.register("handshakes", "Handshakes, accepted or refused with a code", self.handshakes.clone());
        to.register("connections", "Open sockets", self.connections.clone());
        to.register("users", "Users with an open socket", self.users.clone());
        to.register("subscriptions", "Threads watched, over all sockets", self.subscriptions.clone());
        to.register_with_unit("outbound_queue", "Bytes that wait for readers", Unit::Bytes, self.queued_bytes.clone());
        to.register("connections_closed", "Closed sockets by close code; 0 when the peer left", self.closes.clone());
        to.register_with_unit(
            "heartbeat_round_trip",
            "From heartbeat to its ack",
            Unit::Seconds,
            self.heartbeat.clone(),
        );
        to.register("subscribes", "Subscriptions begun, by mode", self.resumes.clone());
        to.register("gaps_repaired", "Holes in live streams that were read from the log", self.gaps.clone());
    }

    fn register_work(&mut self) {
        let Self { registry: to, .. } = self;
        to.register_with_unit("append", "Time to commit a batch of events", Unit::Seconds, self.append.clone());
        to.register("events_appended", "Events committed", self.appended.clone());
        to.register("append_failures", "Batches the store failed to commit", self.append_failures.clone());
        to.register_with_unit(
            "writer_held",
            "Time that a slice of housekeeping holds the writer, by its work",
            Unit::Seconds,
            self.held.clone(),
        );
        to.register_with_unit(
            "delivery",
            "Time to queue a committed batch for every watcher here",
            Unit::Seconds,
            self.delivery.clone(),
        );
        to.register("runs", "Ended runs by outcome", self.runs.clone());
        to.register_with_unit("run", "Time that runs took", Unit::Seconds, self.run_time.clone());
        to.register("tool_calls", "Ended tool calls by tool and status", self.tools.clone());
        to.register_with_unit("tool_call", "Time that tool calls took", Unit::Seconds, self.tool_time.clone());
        to.register("upstream_requests", "Requests to models by outcome", self.upstream.clone());
        to.register_with_unit("upstream", "Until a model's first byte", Unit::Seconds, self.upstream_time.clone());
        to.register("uploads", "Files that came in, by outcome", self.uploads.clone());
        to.register(
            "files_removed",
            "Files removed with their threads, or because nobody sent them",
            self.swept.clone(),
        );
        to.register("upstream_circuit_open", "1 while a model's server is left alone", self.circuits.clone());
    }
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
