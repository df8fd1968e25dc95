//! The log as the emitters see it, and the sockets as the bus sees them, with a clock. What is committed says how runs and
//! tools ended.

use std::time::Instant;

use async_trait::async_trait;
use netra_ws::{
    ThreadId, UserId,
    bus::{Delivery, Sink},
    log::{Entry, EventLog, Head, LogError, LogPage, PageLimit, SharedLog, Stored},
    manager::Manager,
    message::Event,
    payload::ThreadSnapshot,
};

use super::{ByOutcome, ByTool, metrics};
use crate::server::{followers::Followers, tool::names};

/// A log that counts.
pub struct MeasuredLog {
    inner: SharedLog,
    /// The names of the tools that are always there, and of the MCP servers as `mcp:<server>`, whose tools count as one; a model
    /// may ask for any name.
    tools: Vec<String>,
}

impl MeasuredLog {
    /// Counts what is written to `inner`.
    pub fn new(inner: SharedLog, tools: Vec<String>) -> Self {
        Self { inner, tools }
    }

    fn count(&self, event: &Event) {
        let metrics = metrics();
        let seconds = |millis: u64| std::time::Duration::from_millis(millis).as_secs_f64();
        let ended = |outcome: &'static str| {
            metrics.runs.get_or_create(&ByOutcome { outcome }).inc();
        };
        match event {
            Event::AgentCompleted(run) => {
                ended(run.status.as_str());
                metrics.run_time.observe(seconds(run.duration_ms));
            }
            Event::AgentError(error) => ended(error.code.as_str()),
            Event::ToolCompleted(call) => {
                let status = call.status.as_str();
                let of_mcp = call.tool.starts_with(names::MCP).then(|| call.tool.split('/').next()).flatten();
                let tool = of_mcp.unwrap_or(&call.tool);
                let tool = self.tools.iter().find(|known| *known == tool).map_or("unknown", String::as_str).to_owned();
                metrics.tools.get_or_create(&ByTool { tool, status }).inc();
                metrics.tool_time.observe(seconds(call.duration_ms));
            }
            Event::ThreadMessage(_)
            | Event::AgentStarted(_)
            | Event::AgentThinking(_)
            | Event::ToolExecuting(_)
            | Event::ToolApprovalRequired(_)
            | Event::AgentProgress(_)
            | Event::PartialResult(_)
            | Event::AgentResponse(_) => {}
        }
    }
}

#[async_trait]
impl EventLog for MeasuredLog {
    async fn commit(&self, entries: &[Entry], repeated: bool) -> Result<Vec<Result<Stored, LogError>>, LogError> {
        let started = Instant::now();
        let outcomes = self.inner.commit(entries, repeated).await;
        match &outcomes {
            Ok(outcomes) => {
                metrics().append.observe(started.elapsed().as_secs_f64());
                for (entry, stored) in entries.iter().zip(outcomes) {
                    let Ok(stored) = stored else { continue };
                    metrics().appended.inc_by(stored.events().len() as u64);
                    if let Entry::Append(append) = entry {
                        append.events.iter().for_each(|event| self.count(&event.event));
                    }
                }
            }
            // An alarm. An entry that was refused is none: its thread was deleted, its run has a new owner, or a command's id
            // was used twice.
            Err(_) => _ = metrics().append_failures.inc(),
        }
        outcomes
    }

    async fn head(&self, user: UserId, thread: ThreadId) -> Result<Head, LogError> {
        self.inner.head(user, thread).await
    }

    async fn read(&self, thread: ThreadId, after_seq: u64, limit: PageLimit) -> Result<LogPage, LogError> {
        self.inner.read(thread, after_seq, limit).await
    }

    async fn snapshot(&self, user: UserId, thread: ThreadId) -> Result<ThreadSnapshot, LogError> {
        self.inner.snapshot(user, thread).await
    }
}

/// The sockets of this node, with a clock, and whoever follows threads without one.
pub struct MeasuredSink {
    /// The sockets.
    pub manager: Manager,
    /// The others.
    pub followers: Followers,
}

impl Sink for MeasuredSink {
    fn deliver(&self, delivery: &Delivery) {
        let started = matches!(delivery, Delivery::Events { .. }).then(Instant::now);
        self.manager.deliver(delivery);
        if let Some(started) = started {
            metrics().delivery.observe(started.elapsed().as_secs_f64());
        }
        self.followers.tell(delivery);
    }
}
