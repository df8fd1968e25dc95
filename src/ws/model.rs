//! The objects inside payloads: users, threads, messages, runs and their steps.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{
    error::ErrorCode,
    id::{MessageId, RunId, ThreadId, UserId},
    time::Timestamp,
};

/// A JSON object: what tools take, and what `payload` always is.
pub type Object = Map<String, Value>;

/// What a user may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Uses the chat.
    User,
    /// Also speaks to everyone.
    Admin,
}

/// A user as others and the user's own page see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct User {
    /// Who.
    pub id: UserId,
    /// The name shown.
    pub name: String,
    /// What the user may do.
    pub role: Role,
    /// The sign-in address; absent for the development user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
}

/// Who said something, as others see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Author {
    /// Who.
    pub id: UserId,
    /// The name at that time.
    pub name: String,
}

/// Someone who may read a thread and take part in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Member {
    /// Who.
    pub id: UserId,
    /// The name shown.
    pub name: String,
    /// The sign-in address; absent for the development user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// Whether the thread is this member's own.
    pub owner: bool,
}

/// A thread without its content.
// Each is a fact of its own on the wire.
#[allow(clippy::struct_excessive_bools)]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Thread {
    /// Which.
    pub id: ThreadId,
    /// The title: given, or made from the first message. At most 200 characters.
    pub title: String,
    /// The agent that answers unless a message names another.
    pub agent: String,
    /// Whose it is. The owner alone changes settings, adds and removes members, and deletes it.
    pub owner_id: UserId,
    /// Whether it has members besides its owner.
    pub shared: bool,
    /// Whether its owner keeps it on top.
    pub pinned: bool,
    /// Whether its owner put it away.
    pub archived: bool,
    /// Whether a run is queued or running.
    pub running: bool,
    /// The `seq` of the newest event; 0 for an empty thread.
    pub head_seq: u64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When its newest message was added.
    pub updated_at: Timestamp,
}

/// Who speaks in a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum MessageRole {
    /// A person.
    User,
    /// An agent.
    Assistant,
}

/// A file that goes with a message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Attachment {
    /// The file's name.
    pub name: String,
    /// Its media type (RFC 6838).
    pub media_type: String,
    /// Where the server keeps it, as a path on this server.
    pub url: String,
}

/// A finished message of a thread.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Message {
    /// Which.
    pub message_id: MessageId,
    /// Who speaks.
    pub role: MessageRole,
    /// The text; Markdown when an agent speaks.
    pub content: String,
    /// The run that wrote it; absent for a person's message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_id: Option<RunId>,
    /// The event that added it.
    pub seq: u64,
    /// When it was added.
    pub created_at: Timestamp,
    /// The person who wrote it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author: Option<Author>,
    /// Files.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attachments: Vec<Attachment>,
}

/// How far a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum RunStatus {
    /// Waits for the run before it.
    Queued,
    /// Works.
    Running,
    /// Ended by itself.
    Completed,
    /// Ended by the user.
    Stopped,
    /// Ended by an error.
    Failed,
}

impl RunStatus {
    /// Whether nothing of the run follows.
    pub const fn is_terminal(self) -> bool {
        match self {
            Self::Queued | Self::Running => false,
            Self::Completed | Self::Stopped | Self::Failed => true,
        }
    }

    /// The status as it stands on the wire and in the store.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Completed => "completed",
            Self::Stopped => "stopped",
            Self::Failed => "failed",
        }
    }
}

/// How a tool call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum ToolStatus {
    /// It returned a result.
    Ok,
    /// It failed; `result` says why.
    Error,
    /// The user or the configuration refused it.
    Denied,
    /// The run ended while it worked.
    Interrupted,
}

/// Tokens that a model counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Usage {
    /// Tokens read.
    pub prompt_tokens: u64,
    /// Tokens written, reasoning included.
    pub completion_tokens: u64,
    /// Both.
    pub total_tokens: u64,
}

impl std::ops::AddAssign for Usage {
    fn add_assign(&mut self, other: Self) {
        self.prompt_tokens += other.prompt_tokens;
        self.completion_tokens += other.completion_tokens;
        self.total_tokens += other.total_tokens;
    }
}

/// One step of a run, in the order the agent took them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Step {
    /// The agent thought.
    Thinking {
        /// The thought so far.
        text: String,
        /// When the first word came.
        started_at: Timestamp,
        /// When the newest word came, or, once the agent does something else, when that began.
        ended_at: Timestamp,
        /// Whether the agent still thinks.
        active: bool,
    },
    /// The agent called a tool.
    Tool(ToolCall),
    /// The agent said how far it is.
    Progress {
        /// What it does.
        message: String,
        /// How far, from 0 to 1.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        fraction: Option<f64>,
    },
}

/// A tool call and, once it ended, its result.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ToolCall {
    /// Which call.
    pub tool_call_id: String,
    /// Which tool: `calculate`, or `mcp:<server>/<tool>`.
    pub tool: String,
    /// What it was given.
    pub arguments: Object,
    /// How it ended; absent while it works.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<ToolStatus>,
    /// Until when a person may decide; present while the call waits for approval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval_expires_at: Option<Timestamp>,
    /// What it returned.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub result: Value,
    /// How long it took, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<u64>,
}

/// Why a run failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RunError {
    /// For programs.
    pub code: ErrorCode,
    /// For people.
    pub message: String,
    /// Whether asking again may help.
    pub retryable: bool,
}

/// A run as far as its events tell.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Run {
    /// Which.
    pub run_id: RunId,
    /// The message it answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answers: Option<MessageId>,
    /// The run that started it, for a sub-agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent_run_id: Option<RunId>,
    /// Who works.
    pub agent: String,
    /// With which model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// How far it is.
    pub status: RunStatus,
    /// When it started; absent while it waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    /// Thoughts, tools and progress, in order.
    pub steps: Vec<Step>,
    /// The message that the answer becomes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message_id: Option<MessageId>,
    /// The answer's text so far.
    pub text: String,
    /// How long it worked, in milliseconds; present once it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<u64>,
    /// Tokens used; present when the model counts them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<RunError>,
}

impl Run {
    /// A run that waits for its turn.
    pub fn queued(run_id: RunId, agent: String, answers: Option<MessageId>) -> Self {
        Self {
            run_id,
            answers,
            parent_run_id: None,
            agent,
            model: None,
            status: RunStatus::Queued,
            started_at: None,
            steps: Vec::new(),
            message_id: None,
            text: String::new(),
            duration_ms: None,
            usage: None,
            error: None,
        }
    }
}
