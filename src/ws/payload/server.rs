//! What the server says beside the log: of the link, of subscriptions, of threads and rooms.

use serde::{Deserialize, Serialize};

use crate::{
    error::ErrorCode,
    id::{ConnectionId, MessageId, RunId, ThreadId},
    model::{Message, Object, Run, Thread, User},
    open_enum::open_enum,
    time::Timestamp,
};

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
