//! The objects inside payloads: users, threads, messages, runs and their steps.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{
    error::ErrorCode,
    id::{AttachmentId, MessageId, RunId, ThreadId, UserId},
    open_enum::open_enum,
    time::Timestamp,
};

/// A JSON object: what tools take, and what `payload` always is.
pub type Object = Map<String, Value>;

open_enum! {
    /// What a user may do.
    Role {
        /// Uses the chat.
        User = "user",
        /// Also speaks to everyone.
        Admin = "admin",
        /// Reads what is shared with them.
        Guest = "guest",
    }
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

open_enum! {
    /// What a member may do in a thread.
    MemberRole {
        /// Reads and writes.
        Writer = "writer",
        /// Reads.
        Viewer = "viewer",
    }
}

/// From a server that does not tell them apart, everyone writes.
fn writer() -> MemberRole {
    MemberRole::Writer
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
    /// What this member may do.
    #[serde(default = "writer")]
    pub role: MemberRole,
    /// Whether this member was invited and has yet to accept.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub invited: bool,
}

/// Whether a server does not count versions.
#[allow(clippy::trivially_copy_pass_by_ref)] // serde asks for a reference
fn is_zero(version: &u64) -> bool {
    *version == 0
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
    /// Whether the user who reads this keeps it on top.
    pub pinned: bool,
    /// Whether the user who reads this put it away.
    pub archived: bool,
    /// Whether a run is queued or running.
    pub running: bool,
    /// Whether a run waits for a person to decide; left out when none does.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub waiting: bool,
    /// The `seq` of the newest event; 0 for an empty thread.
    pub head_seq: u64,
    /// Grows with every change of what this says: of two, the one with the larger version is newer. 0 from a server that does
    /// not count.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub version: u64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When its newest message was added.
    pub updated_at: Timestamp,
}

open_enum! {
    /// Who speaks in a message.
    MessageRole {
        /// A person.
        User = "user",
        /// An agent.
        Assistant = "assistant",
    }
}

/// A file that goes with a message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Attachment {
    /// Which; absent only in messages of servers that kept no files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<AttachmentId>,
    /// The file's name.
    pub name: String,
    /// Its media type (RFC 6838), as its content tells it.
    pub media_type: String,
    /// How long it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// Where the server keeps it, as a path on this server.
    pub url: String,
}

impl Attachment {
    /// The path of a file on its server.
    pub fn path(id: AttachmentId) -> String {
        format!("/api/attachments/{id}")
    }

    /// Whether it is shown where it stands.
    pub fn is_picture(&self) -> bool {
        is_picture(&self.media_type)
    }
}

/// Whether a file of this type is a picture that browsers and models show; each of these says its size at its beginning.
pub fn is_picture(media_type: &str) -> bool {
    ["image/png", "image/jpeg", "image/gif", "image/webp"].contains(&media_type)
}

/// How a client names a file that goes with its message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(inline))]
#[serde(untagged)]
pub enum AttachmentRef {
    /// By the id that `POST /api/attachments` answered.
    Id(AttachmentId),
    /// By all that it answered.
    Told(Attachment),
}

impl AttachmentRef {
    /// Which file.
    pub fn id(&self) -> Option<AttachmentId> {
        match self {
            Self::Id(id) => Some(*id),
            Self::Told(told) => told.id,
        }
    }
}

/// Files that a message may have.
pub const MAX_ATTACHMENTS: usize = 10;

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
    /// The message that it follows; absent: the newest before it. The nil UUID: none, it begins the conversation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent_id: Option<MessageId>,
    /// Files.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attachments: Vec<Attachment>,
}

open_enum! {
    /// How far a run is.
    RunStatus {
        /// Waits for the run before it.
        Queued = "queued",
        /// Works.
        Running = "running",
        /// Waits for a person to decide.
        Waiting = "waiting",
        /// Ended by itself.
        Completed = "completed",
        /// Ended by the user.
        Stopped = "stopped",
        /// Ended by an error.
        Failed = "failed",
    }
}

impl RunStatus {
    /// Whether nothing of the run follows, as far as the status alone tells: see [`Run::has_ended`].
    pub const fn is_terminal(self) -> bool {
        match self {
            Self::Queued | Self::Running | Self::Waiting | Self::Unknown(_) => false,
            Self::Completed | Self::Stopped | Self::Failed => true,
        }
    }
}

open_enum! {
    /// How a tool call ended.
    ToolStatus {
        /// It returned a result.
        Ok = "ok",
        /// It failed; `result` says why.
        Error = "error",
        /// The user or the configuration refused it.
        Denied = "denied",
        /// The run ended while it worked.
        Interrupted = "interrupted",
    }
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
    /// What they cost, in millionths of a US dollar; absent where the agent's prices are not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost_usd_micros: Option<u64>,
}

impl std::ops::AddAssign for Usage {
    /// Servers count what they like; no sum overflows.
    fn add_assign(&mut self, other: Self) {
        self.prompt_tokens = self.prompt_tokens.saturating_add(other.prompt_tokens);
        self.completion_tokens = self.completion_tokens.saturating_add(other.completion_tokens);
        self.total_tokens = self.total_tokens.saturating_add(other.total_tokens);
        self.cost_usd_micros = match (self.cost_usd_micros, other.cost_usd_micros) {
            (Some(one), Some(more)) => Some(one.saturating_add(more)),
            (one, more) => one.or(more),
        };
    }
}

/// One step of a run, in the order the agent took them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(transform = kinds_may_grow))]
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
    /// A step of a kind that only a later server knows, as it came.
    #[serde(untagged)]
    #[cfg_attr(feature = "schema", schemars(skip))]
    Unknown(Object),
}

/// Says that a step of another kind may come.
#[cfg(feature = "schema")]
fn kinds_may_grow(schema: &mut schemars::Schema) {
    let Some(Value::Array(mut kinds)) = schema.remove("oneOf") else { return };
    kinds.push(serde_json::json!({
        "description": "A step of a later server: read it as unknown.",
        "type": "object",
        "required": ["kind"],
        "properties": { "kind": { "type": "string" } },
    }));
    schema.insert("anyOf".to_owned(), kinds.into());
}

/// Something that can be chosen where a person is asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Choice {
    /// Which.
    pub id: String,
    /// The words on it.
    pub label: String,
    /// What choosing it means.
    pub kind: ChoiceKind,
}

open_enum! {
    /// What choosing an option means.
    ChoiceKind {
        /// Yes, this time.
        AllowOnce = "allow_once",
        /// Yes, and for the rest of the conversation.
        AllowAlways = "allow_always",
        /// No, this time.
        RejectOnce = "reject_once",
        /// No, and for the rest of the conversation.
        RejectAlways = "reject_always",
    }
}

impl ChoiceKind {
    /// Whether it is a yes; a kind that this build does not know may be either.
    pub const fn allows(self) -> Option<bool> {
        match self {
            Self::AllowOnce | Self::AllowAlways => Some(true),
            Self::RejectOnce | Self::RejectAlways => Some(false),
            Self::Unknown(_) => None,
        }
    }
}

/// What a person is asked, beside whether a tool may be called.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Question {
    /// The question in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// What can be chosen.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub options: Vec<Choice>,
    /// What is to be filled in: the JSON Schema of a flat object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub form: Option<Object>,
}

/// A tool call and, once it ended, its result. In snapshots and pages of messages, arguments and a result of more than 4 KiB are
/// cut: `{ "cut": true, "bytes": n, "start": "…" }`.
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
    /// What is asked, while the call waits for approval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub question: Option<Box<Question>>,
    /// Who decided, when somebody was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decided_by: Option<Author>,
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
    /// The call of that run that this one is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent_call_id: Option<String>,
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
    /// Whether nothing of the run follows. A run whose status this build does not know has ended once it says how long it
    /// took.
    pub fn has_ended(&self) -> bool {
        match self.status {
            RunStatus::Unknown(_) => self.duration_ms.is_some(),
            known => known.is_terminal(),
        }
    }

    /// Whether it was stopped while it waited for its turn: it took no time, and did and said nothing.
    pub fn was_never_worked_on(&self) -> bool {
        let nothing = self.steps.is_empty() && self.text.is_empty();
        self.status == RunStatus::Stopped && self.duration_ms == Some(0) && nothing
    }

    /// Whether it works for another run, whose call its answer is.
    pub fn is_nested(&self) -> bool {
        self.parent_run_id.is_some()
    }

    /// A run that waits for its turn.
    pub fn queued(run_id: RunId, agent: String, answers: Option<MessageId>) -> Self {
        Self {
            run_id,
            answers,
            parent_run_id: None,
            parent_call_id: None,
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
