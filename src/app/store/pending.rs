//! Messages on their way.

use netra_ws::{ClientFrame, message::ClientMessage, model::AttachmentRef, payload::ErrorMessage};

/// Whether one message would survive the browser.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "ssr", allow(dead_code))]
pub(crate) enum Kept {
    /// It is being written.
    Saving,
    /// The disk has it.
    Saved,
    /// It lives as long as this page, for this reason.
    Unsaved(String),
}

/// A message on its way.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Pending {
    /// The command, kept to be sent again.
    pub(crate) frame: ClientFrame,
    /// How far it is.
    pub(crate) state: PendingState,
    /// Whether it would survive the browser.
    pub(crate) kept: Kept,
}

/// How far a message is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum PendingState {
    /// Waits for the link.
    Queued,
    /// Went out, not answered.
    Sent,
    /// Refused.
    Failed(ErrorMessage),
}

/// Whether the command adds a message to a thread.
pub(crate) fn adds_message(message: &ClientMessage) -> bool {
    content_of(message).is_some()
}

impl Pending {
    /// The message's text, if the command is one that adds a message.
    pub(crate) fn content(&self) -> Option<&str> {
        content_of(&self.frame.message)
    }

    /// The message's files.
    pub(crate) fn attachments(&self) -> &[AttachmentRef] {
        match &self.frame.message {
            ClientMessage::UserMessage(message) => &message.attachments,
            ClientMessage::StartAgent(start) => &start.attachments,
            _ => &[],
        }
    }
}

/// The text of a command that adds a message.
pub(crate) fn content_of(message: &ClientMessage) -> Option<&str> {
    match message {
        ClientMessage::UserMessage(message) => Some(&message.content),
        ClientMessage::StartAgent(start) => Some(&start.content),
        ClientMessage::Regenerate(_)
        | ClientMessage::StopAgent(_)
        | ClientMessage::ToolApproval(_)
        | ClientMessage::Subscribe(_)
        | ClientMessage::Unsubscribe(_)
        | ClientMessage::Authenticate(_)
        | ClientMessage::HeartbeatAck(_)
        | ClientMessage::Ping(_)
        | ClientMessage::JoinRoom(_)
        | ClientMessage::LeaveRoom(_)
        | ClientMessage::RoomMessage(_)
        | ClientMessage::JsonrpcRequest(_)
        | ClientMessage::JsonrpcNotification(_) => None,
    }
}
