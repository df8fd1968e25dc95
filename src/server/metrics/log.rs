//! The log as the emitters see it, and the sockets as the bus sees them, with a clock. What is committed says how runs and
//! tools ended.

use std::time::Instant;

use async_trait::async_trait;
use netra_ws::{
    ThreadId, UserId,
    bus::{Delivery, Sink},
    frame::StoredEvent,
    log::{Accept, Accepted, EventLog, Head, LogError, NewEvent, Page, PageLimit, SharedLog},
    manager::Manager,
    message::ServerMessage,
    model::ToolStatus,
    payload::{CompletedStatus, ThreadSnapshot},
};

use super::{ByOutcome, ByTool, metrics};

/// A log that counts.
pub struct MeasuredLog {
    inner: SharedLog,
    /// The names of the tools there are; a model may ask for any name.
    tools: Vec<String>,
}

impl MeasuredLog {
    /// Counts what is written to `inner`.
    pub fn new(inner: SharedLog, tools: Vec<String>) -> Self {
        Self { inner, tools }
    }

    fn count(&self, message: &ServerMessage) {
        let metrics = metrics();
        let seconds = |millis: u64| std::time::Duration::from_millis(millis).as_secs_f64();
        let ended = |outcome: &'static str| {
            metrics.runs.get_or_create(&ByOutcome { outcome }).inc();
        };
        match message {
            ServerMessage::AgentCompleted(run) => {
                ended(match run.status {
                    CompletedStatus::Completed => "completed",
                    CompletedStatus::Stopped => "stopped",
                });
                metrics.run_time.observe(seconds(run.duration_ms));
            }
            ServerMessage::AgentError(error) => ended(error.code.as_str()),
            ServerMessage::ToolCompleted(call) => {
                let status = match call.status {
                    ToolStatus::Ok => "ok",
                    ToolStatus::Error => "error",
                    ToolStatus::Denied => "denied",
                    ToolStatus::Interrupted => "interrupted",
                };
                let tool = if self.tools.contains(&call.tool) { call.tool.clone() } else { "unknown".to_owned() };
                metrics.tools.get_or_create(&ByTool { tool, status }).inc();
                metrics.tool_time.observe(seconds(call.duration_ms));
            }
            ServerMessage::Connect(_)
            | ServerMessage::Disconnect(_)
            | ServerMessage::Heartbeat(_)
            | ServerMessage::Pong(_)
            | ServerMessage::Authenticated(_)
            | ServerMessage::Subscribed(_)
            | ServerMessage::ThreadSnapshot(_)
            | ServerMessage::Ack(_)
            | ServerMessage::Unsubscribed(_)
            | ServerMessage::ErrorMessage(_)
            | ServerMessage::ThreadCreated(_)
            | ServerMessage::ThreadUpdate(_)
            | ServerMessage::ThreadDeleted(_)
            | ServerMessage::ThreadMessage(_)
            | ServerMessage::AgentStarted(_)
            | ServerMessage::AgentThinking(_)
            | ServerMessage::ToolExecuting(_)
            | ServerMessage::ToolApprovalRequired(_)
            | ServerMessage::AgentProgress(_)
            | ServerMessage::PartialResult(_)
            | ServerMessage::AgentResponse(_)
            | ServerMessage::SystemMessage(_)
            | ServerMessage::Broadcast(_)
            | ServerMessage::RoomMessage(_)
            | ServerMessage::JsonrpcResponse(_)
            | ServerMessage::JsonrpcNotification(_) => {}
        }
    }
}

#[async_trait]
impl EventLog for MeasuredLog {
    async fn append(&self, events: &[NewEvent]) -> Result<Vec<StoredEvent>, LogError> {
        let started = Instant::now();
        let outcome = self.inner.append(events).await;
        match &outcome {
            Ok(stored) => {
                metrics().append.observe(started.elapsed().as_secs_f64());
                metrics().appended.inc_by(stored.len() as u64);
                for event in events {
                    self.count(&event.message);
                }
            }
            Err(error) => failed(error),
        }
        outcome
    }

    async fn accept(&self, command: Accept) -> Result<Accepted, LogError> {
        let started = Instant::now();
        let outcome = self.inner.accept(command).await;
        match &outcome {
            Ok(accepted) => {
                metrics().append.observe(started.elapsed().as_secs_f64());
                metrics().appended.inc_by(accepted.events.len() as u64);
            }
            Err(error) => failed(error),
        }
        outcome
    }

    async fn head(&self, user: UserId, thread: ThreadId) -> Result<Head, LogError> {
        self.inner.head(user, thread).await
    }

    async fn read(&self, thread: ThreadId, after_seq: u64, limit: PageLimit) -> Result<Page, LogError> {
        self.inner.read(thread, after_seq, limit).await
    }

    async fn snapshot(&self, user: UserId, thread: ThreadId) -> Result<ThreadSnapshot, LogError> {
        self.inner.snapshot(user, thread).await
    }
}

/// A store that fails is an alarm; a thread that was deleted under its run, a run that has a new owner, and a command's id
/// used twice are not.
fn failed(error: &LogError) {
    match error {
        LogError::Store(_) => _ = metrics().append_failures.inc(),
        LogError::NotFound | LogError::Fenced | LogError::IdConflict => {}
    }
}

/// The sockets of this node, with a clock.
pub struct MeasuredSink(pub Manager);

impl Sink for MeasuredSink {
    fn deliver(&self, delivery: &Delivery) {
        let started = matches!(delivery, Delivery::Events { .. }).then(Instant::now);
        self.0.deliver(delivery);
        if let Some(started) = started {
            metrics().delivery.observe(started.elapsed().as_secs_f64());
        }
    }
}
