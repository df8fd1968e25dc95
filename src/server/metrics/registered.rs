//! What is counted, under which names, and what stands there from the start.

use std::{collections::HashMap, sync::OnceLock};

use netra_ws::{
    CloseCode, ErrorCode,
    message::{ClientMessage, FrameMessage as _, ServerMessage},
};
use prometheus_client::{
    metrics::{
        counter::Counter,
        family::Family,
        gauge::Gauge,
        histogram::{Histogram, exponential_buckets},
    },
    registry::{Registry, Unit},
};

use super::{
    Metrics, PAGE_CODES, PerType,
    labels::{ByClose, ByCode, ByMode, ByOutcome, ByQuota, ByTool, ByType, ByWork},
};

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
    pub(super) fn new() -> Self {
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
            mcp: Family::default(),
            mcp_restarts: Family::default(),
            agent_processes: Gauge::default(),
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
        for work in ["trim", "delete", "vacuum", "merge"] {
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
        to.register("mcp_up", "1 while the tools of an MCP server can be called", self.mcp.clone());
        to.register("mcp_restarts", "Times that an MCP server was connected to again", self.mcp_restarts.clone());
        to.register("agent_processes", "Programs of agents that run", self.agent_processes.clone());
        to.register("upstream_circuit_open", "1 while a model's server is left alone", self.circuits.clone());
    }
}
