//! A connection as whoever runs the server sees it.

use std::sync::{Arc, PoisonError};

use crate::{connection::Peer, id::ConnectionId, model::User, time::Timestamp};

/// What is known of a connection at a moment.
#[derive(Clone, Debug)]
pub struct Seat {
    /// Which.
    pub id: ConnectionId,
    /// Whose.
    pub user: User,
    /// Since when it is open.
    pub connected_at: Timestamp,
    /// Threads that it watches.
    pub subscriptions: usize,
    /// Bytes that wait for it.
    pub queued_bytes: usize,
}

impl Seat {
    pub(crate) fn of(peer: &Arc<Peer>) -> Self {
        // The id was made with the connection, and holds the time (RFC 9562, 5.7).
        let at = peer.id.uuid().get_timestamp().map_or((0, 0), |at| at.to_unix());
        Self {
            id: peer.id,
            user: peer.user.clone(),
            connected_at: Timestamp::from_millis(at.0.saturating_mul(1_000) + u64::from(at.1) / 1_000_000),
            subscriptions: peer.subscriptions.lock().unwrap_or_else(PoisonError::into_inner).len(),
            queued_bytes: peer.outbound.depth().1,
        }
    }
}
