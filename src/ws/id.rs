//! Ids: one newtype a kind, so that a run's id cannot stand where a thread's belongs.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// A new id: UUID v7 (RFC 9562 §5.7), so that ids sort by the time they were made.
            #[allow(clippy::new_without_default)]
            pub fn new() -> Self {
                Self(Uuid::now_v7())
            }

            /// The id as a plain UUID.
            pub fn uuid(self) -> Uuid {
                self.0
            }
        }

        impl From<Uuid> for $name {
            fn from(uuid: Uuid) -> Self {
                Self(uuid)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Uuid::parse_str(text).map(Self)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.as_hyphenated().fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }
    )*};
}

ids! {
    /// One frame. For a client frame it is made by the client; for a command it is also the idempotency key.
    FrameId;
    /// One user.
    UserId;
    /// One thread: a conversation and its event log.
    ThreadId;
    /// One run of an agent inside a thread.
    RunId;
    /// One message inside a thread. A user's message has the id of the command that sent it.
    MessageId;
    /// One file that goes with a message.
    AttachmentId;
    /// One open socket.
    ConnectionId;
}

/// The id of a command: the id of the frame that carried it, unique per user.
pub type CommandId = FrameId;

impl From<CommandId> for MessageId {
    fn from(command: CommandId) -> Self {
        Self(command.0)
    }
}

impl From<MessageId> for CommandId {
    fn from(message: MessageId) -> Self {
        Self(message.0)
    }
}
