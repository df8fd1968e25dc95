//! What stands in a thread's log.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    error::ErrorCode,
    id::{MessageId, RunId},
    model::{Attachment, Author, Choice, MessageRole, Object, Question, ToolStatus, Usage},
    open_enum::open_enum,
    time::Timestamp,
};

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
    /// The message that it follows; absent: the newest before it. The nil UUID: none, it begins the conversation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent_id: Option<MessageId>,
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
    /// The call of that run that this one is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool_call_id: Option<String>,
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
    /// Who allowed it, when somebody was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decided_by: Option<Author>,
}

/// A tool call waits for a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ToolApprovalRequired {
    /// Which call.
    pub tool_call_id: String,
    /// Which tool; for a question of the agent's own, what it calls that.
    pub tool: String,
    /// Who asks.
    #[serde(default)]
    pub agent: String,
    /// What it would be given.
    pub arguments: Object,
    /// Until when a person may decide.
    pub expires_at: Timestamp,
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

impl ToolApprovalRequired {
    /// What is asked, beside whether the tool may be called.
    pub fn question(&self) -> Option<Question> {
        let question =
            Question { message: self.message.clone(), options: self.options.clone(), form: self.form.clone() };
        (question != Question::default()).then_some(question)
    }
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
    /// Who refused it, or answered, when somebody was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decided_by: Option<Author>,
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
