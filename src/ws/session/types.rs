//! What the owner of the socket and the session tell each other.

use serde::{Deserialize, Serialize};

use super::Millis;
use crate::{
    frame::{ClientFrame, Place, ServerFrame},
    id::{FrameId, ThreadId},
    payload as p,
};

/// A token and how long it lives.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    /// The JWT.
    pub token: String,
    /// Its life from the moment it was handed over, in milliseconds.
    pub lives_ms: Millis,
}

/// Why there is no token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenError {
    /// The user is not signed in.
    SignedOut,
    /// The server could not be asked.
    Unreachable(String),
}

/// What the link is doing, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Link {
    /// The first connection is being made.
    Connecting,
    /// Events flow.
    Live,
    /// The connection was lost; the next attempt is at `retry_at`.
    Reconnecting {
        /// When.
        retry_at: Millis,
    },
    /// The device has no network.
    Offline,
    /// The server was tried and could not be reached.
    Unreachable {
        /// Why, as far as it is known.
        reason: String,
        /// When it is tried again; absent when only the user can.
        retry_at: Option<Millis>,
    },
    /// The server no longer knows the user.
    SignedOut,
}

/// What the owner of the socket is to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Open a socket with this token; name its events with this generation.
    Open {
        /// The socket's number.
        generation: u64,
        /// The token for the subprotocol.
        token: String,
    },
    /// Drop the current socket.
    Close,
    /// Send a frame on the current socket.
    Send(Box<ClientFrame>),
    /// Ask the server for a token and report it with [`Session::token`].
    FetchToken,
    /// A frame for the application, filtered and in order.
    Deliver(Box<ServerFrame>),
    /// An event of a type that this build does not know: the thread's state moves over it.
    Skip(Place),
    /// A command was answered and left the outbox.
    Settled {
        /// The command.
        id: FrameId,
        /// Its answer.
        outcome: Result<p::Ack, p::ErrorMessage>,
    },
    /// A subscription was refused.
    Refused {
        /// The thread.
        thread_id: ThreadId,
        /// Why.
        error: p::ErrorMessage,
    },
    /// [`Session::link`] changed.
    LinkChanged,
    /// [`Session::outbox`] changed; keep it where it survives a reload.
    OutboxChanged,
}

/// A command that was not answered yet.
#[derive(Clone, Debug, PartialEq)]
pub struct Queued {
    /// The command.
    pub frame: ClientFrame,
    /// The socket it was sent on, if any.
    pub(super) sent_on: Option<u64>,
}

impl Queued {
    /// Whether it went out and waits for its answer.
    pub fn is_sent(&self) -> bool {
        self.sent_on.is_some()
    }
}
