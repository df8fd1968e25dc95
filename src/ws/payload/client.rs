//! What a client says.

use serde::{Deserialize, Deserializer, Serialize, de};
use serde_json::Number;

use crate::{
    id::{MessageId, RunId},
    model::{AttachmentRef, Object},
};

/// A person's message to a thread.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct UserMessage {
    /// The text; empty only where files say it all.
    pub content: String,
    /// Who should answer; the thread's agent when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// The message this one follows, when it is not the newest: a person's or an answer. The nil UUID: none, it begins the
    /// conversation anew.
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

/// Asks for one more answer to a person's message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Regenerate {
    /// Which message.
    pub message_id: MessageId,
    /// Who should answer; who answered first when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
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
    /// Which of the offered options, by its id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub option: Option<String>,
    /// What was filled in, when a form was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<Object>,
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
