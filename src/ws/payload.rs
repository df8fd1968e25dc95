//! What each message carries. Field by field as on the wire; optional fields are left out, never `null`.

use serde::{Deserialize, Deserializer, Serialize, de};
use serde_json::{Number, Value};

use crate::{
    error::ErrorCode,
    id::{ConnectionId, MessageId, RunId, ThreadId},
    model::{Attachment, AttachmentRef, Author, Message, MessageRole, Object, Run, Thread, ToolStatus, Usage, User},
    open_enum::open_enum,
    time::Timestamp,
};

/// `{}`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Empty {}

// Client to server.

/// A person's message to a thread.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct UserMessage {
    /// The text; empty only where files say it all.
    pub content: String,
    /// Who should answer; the thread's agent when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// The message this one follows, when it is not the newest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent_id: Option<MessageId>,
    /// Files: ids from `POST /api/attachments`, 10 at most.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attachments: Vec<AttachmentRef>,
}

/// Starts an agent; without `thread_id` in the frame it makes a thread for it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct StartAgent {
    /// Which agent; the first of the registry when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// What the person asks.
    pub content: String,
    /// The new thread's title; made from `content` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Files: ids from `POST /api/attachments`, 10 at most.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attachments: Vec<AttachmentRef>,
}

/// Stops a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct StopAgent {
    /// Which.
    pub run_id: RunId,
}

/// What a person decided on a tool call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// The tool may run.
    Approve,
    /// The tool must not run.
    Deny,
}

/// A decision on a tool call that waits for one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ToolApproval {
    /// Which call.
    pub tool_call_id: String,
    /// Yes or no.
    pub decision: Decision,
    /// Why, for the model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Asks for a thread's events, from a cursor on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Subscribe {
    /// The last `seq` that the client applied. Absent: a snapshot comes first. 0: the whole log.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "whole")]
    pub after_seq: Option<i64>,
    /// The epoch that `after_seq` belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epoch: Option<String>,
}

/// Up to here every whole number has a float of its own.
const MAX_EXACT: f64 = 9_007_199_254_740_992.0;

/// A whole number, however it is written: JSON has one kind of number, and some clients write 1 as 1.0.
fn whole<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    let Some(number) = Option::<Number>::deserialize(deserializer)? else { return Ok(None) };
    if let Some(whole) = number.as_i64() {
        return Ok(Some(whole));
    }
    match number.as_f64().filter(|value| value.fract() == 0.0 && value.abs() <= MAX_EXACT) {
        #[allow(clippy::cast_possible_truncation)]
        Some(value) => Ok(Some(value as i64)),
        None => Err(de::Error::custom(format!("{number} is no whole number"))),
    }
}

/// A fresh token for the open connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Authenticate {
    /// A JWT with audience `netra:ws`.
    pub token: String,
}

/// `ping` and `pong`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Ping {
    /// Comes back as it was sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nonce: Option<String>,
}

/// `join_room` and `leave_room`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Room {
    /// The room's name.
    pub room: String,
}

/// Something to say in a room.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RoomSay {
    /// The room's name.
    pub room: String,
    /// Anything, as long as it is an object.
    pub body: Object,
}

// Server to client.

/// What a connection may do; the same numbers as in discovery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Limits {
    /// How often the server sends `heartbeat`, in milliseconds, give or take a fifth.
    pub heartbeat_interval_ms: u64,
    /// How long it waits for `heartbeat_ack`, in milliseconds.
    pub heartbeat_timeout_ms: u64,
    /// The largest frame it reads, in bytes.
    pub max_frame_bytes: usize,
    /// How many threads a connection may watch.
    pub max_subscriptions: usize,
    /// How many frames a client may send in a minute.
    pub commands_per_minute: u32,
}

/// The first frame of a connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Connect {
    /// This connection.
    pub connection_id: ConnectionId,
    /// Who is connected.
    pub user: User,
    /// When the token's life ends.
    pub token_expires_at: Timestamp,
    /// The server's version.
    pub server_version: String,
    /// What this connection may do.
    #[serde(flatten)]
    pub limits: Limits,
}

/// The last frame before a close that the server chose.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Disconnect {
    /// The close code that follows.
    pub code: u16,
    /// Why, for people.
    pub reason: String,
    /// How long to wait before the next attempt, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
}

/// The new end of the connection's token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Authenticated {
    /// When the new token's life ends.
    pub token_expires_at: Timestamp,
}

open_enum! {
    /// How a subscription goes on.
    SubscribeMode {
        /// Only events after the cursor follow.
        Resumed = "resumed",
        /// A `thread_snapshot` follows, then events after it.
        Snapshot = "snapshot",
    }
}

/// Answers `subscribe`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Subscribed {
    /// The log's epoch.
    pub epoch: String,
    /// The newest event when the subscription began.
    pub head_seq: u64,
    /// How it goes on.
    pub mode: SubscribeMode,
}

/// A thread as it stands after the event `as_of_seq`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ThreadSnapshot {
    /// The last event that the snapshot holds.
    pub as_of_seq: u64,
    /// The log's epoch.
    pub epoch: String,
    /// The thread.
    pub thread: Thread,
    /// The newest 200 messages, oldest first.
    pub messages: Vec<Message>,
    /// Where `/messages` goes on with older ones; absent when there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub earlier_cursor: Option<String>,
    /// The runs of those messages, and the active ones.
    pub runs: Vec<Run>,
}

/// A command was carried out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Ack {
    /// The thread it went to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thread_id: Option<ThreadId>,
    /// The message it added.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message_id: Option<MessageId>,
    /// The run that answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_id: Option<RunId>,
    /// The event that it became.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seq: Option<u64>,
    /// Whether the command had been carried out before.
    pub duplicate: bool,
}

/// A frame was not acted on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ErrorMessage {
    /// For programs.
    pub code: ErrorCode,
    /// For people.
    pub message: String,
    /// Whether the same frame may succeed later.
    pub retryable: bool,
    /// When, in milliseconds from now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
}

impl ErrorMessage {
    /// An error with the code's own advice on retrying.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), retryable: code.retryable(), retry_after_ms: None }
    }
}

/// A message was added to a thread.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ThreadMessage {
    /// Which.
    pub message_id: MessageId,
    /// Who speaks.
    pub role: MessageRole,
    /// The text.
    pub content: String,
    /// The run that will answer it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answered_by: Option<RunId>,
    /// Who should answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// The person who wrote it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author: Option<Author>,
    /// Files.
    #[serde(default)]
    pub attachments: Vec<Attachment>,
}

/// An agent began to work: the first event of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AgentStarted {
    /// Who.
    pub agent: String,
    /// The message it answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answers: Option<MessageId>,
    /// The run that started it, for a sub-agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent_run_id: Option<RunId>,
    /// With which model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// 1 for the first attempt, one more after each recovery.
    pub iteration: u32,
}

/// The agent thought a little further.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AgentThinking {
    /// Who.
    pub agent: String,
    /// The words added.
    pub thought: String,
    /// Which turn of the agent this is, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<u32>,
    /// How many turns it may take.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total_steps: Option<u32>,
}

/// A tool began to work.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ToolExecuting {
    /// Which call.
    pub tool_call_id: String,
    /// Which tool.
    pub tool: String,
    /// Who called it.
    pub agent: String,
    /// What it was given.
    pub arguments: Object,
}

/// A tool call waits for a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ToolApprovalRequired {
    /// Which call.
    pub tool_call_id: String,
    /// Which tool.
    pub tool: String,
    /// What it would be given.
    pub arguments: Object,
    /// Until when a person may decide.
    pub expires_at: Timestamp,
}

/// A tool ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ToolCompleted {
    /// Which call.
    pub tool_call_id: String,
    /// Which tool.
    pub tool: String,
    /// How it ended.
    pub status: ToolStatus,
    /// What it returned; `{ "error": "…" }` when it failed.
    pub result: Value,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
}

/// How far the agent is, in its own words.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AgentProgress {
    /// Who.
    pub agent: String,
    /// What it does.
    pub message: String,
    /// How far, from 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fraction: Option<f64>,
}

/// A piece of the answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PartialResult {
    /// The message that the answer becomes.
    pub message_id: MessageId,
    /// Where the piece goes: the byte offset in the answer, which is its length so far.
    pub pos: u64,
    /// The piece.
    pub delta: String,
    /// Discard what came before; `pos` is 0.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub reset: bool,
}

/// The whole answer, once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AgentResponse {
    /// The message it is.
    pub message_id: MessageId,
    /// The text, Markdown.
    pub content: String,
    /// Tokens used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
}

open_enum! {
    /// How a run ended well.
    CompletedStatus {
        /// By itself.
        Completed = "completed",
        /// By the user's `stop_agent`.
        Stopped = "stopped",
    }
}

/// The run ended; nothing of it follows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AgentCompleted {
    /// Who.
    pub agent: String,
    /// How.
    pub status: CompletedStatus,
    /// How long it worked, in milliseconds.
    pub duration_ms: u64,
    /// Tokens used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
}

/// The run failed; nothing of it follows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AgentError {
    /// Who.
    pub agent: String,
    /// For programs.
    pub code: ErrorCode,
    /// For people.
    pub message: String,
    /// Whether asking again may help.
    pub retryable: bool,
}

/// A thread that is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ThreadDeleted {
    /// Which.
    pub id: ThreadId,
}

open_enum! {
    /// How much a notice matters.
    Level {
        /// Good to know.
        Info = "info",
        /// Something will change.
        Warn = "warn",
        /// Something is broken.
        Danger = "danger",
    }
}

/// `system_message` and `broadcast`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Notice {
    /// How much it matters.
    pub level: Level,
    /// The text.
    pub message: String,
}

/// What someone said in a room.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RoomHeard {
    /// The room's name.
    pub room: String,
    /// Who.
    pub from: User,
    /// What.
    pub body: Object,
}
