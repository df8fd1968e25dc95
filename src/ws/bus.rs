//! The bus: tells every node what was committed or said. It is a hint; the log is the truth.

use std::sync::{Arc, OnceLock};

use crate::{
    close::CloseCode,
    id::{ThreadId, UserId},
};

/// A frame's JSON, written once and shared by every reader.
pub type Encoded = Arc<str>;

/// Something to show to sockets.
#[derive(Clone, Debug)]
pub enum Delivery {
    /// Committed events of a thread, in order: `(seq, frame)`.
    Events {
        /// The thread.
        thread_id: ThreadId,
        /// Its new events.
        events: Arc<[(u64, Encoded)]>,
    },
    /// An ephemeral frame for all connections of a user.
    User {
        /// Who.
        user_id: UserId,
        /// The frame.
        frame: Encoded,
    },
    /// The thread is gone; its subscriptions end.
    Gone {
        /// The thread.
        thread_id: ThreadId,
    },
    /// An ephemeral frame for everyone in a thread's room.
    Room {
        /// The room.
        thread_id: ThreadId,
        /// The frame.
        frame: Encoded,
    },
    /// An ephemeral frame for every connection.
    Everyone {
        /// The frame.
        frame: Encoded,
    },
    /// The user may no longer read the thread: subscriptions end, and the user is out of its room.
    Revoked {
        /// The thread.
        thread_id: ThreadId,
        /// Who.
        user_id: UserId,
    },
    /// The user's connections close.
    Close {
        /// Who.
        user_id: UserId,
        /// Why.
        code: CloseCode,
    },
}

/// Where deliveries go on this node.
pub trait Sink: Send + Sync + 'static {
    /// Shows a delivery to the sockets here. Must not block.
    fn deliver(&self, delivery: &Delivery);
}

/// Carries deliveries to every node.
pub trait Bus: Send + Sync + 'static {
    /// Says it to every node, this one included. Losing it is allowed; waiting is not.
    fn publish(&self, delivery: Delivery);
}

/// The bus of a single process: a function call.
#[derive(Default)]
pub struct LocalBus {
    sink: OnceLock<Arc<dyn Sink>>,
}

impl LocalBus {
    /// A bus with nobody on it yet.
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// Puts the node's sink on the bus. The first one stays.
    pub fn attach(&self, sink: Arc<dyn Sink>) {
        if self.sink.set(sink).is_err() {
            tracing::error!("a bus has one sink; the second is ignored");
        }
    }
}

impl Bus for LocalBus {
    fn publish(&self, delivery: Delivery) {
        if let Some(sink) = self.sink.get() {
            sink.deliver(&delivery);
        }
    }
}
