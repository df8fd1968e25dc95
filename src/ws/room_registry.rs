//! Who is in which room on this node. A room is a thread's; whoever comes in was authorised by the caller.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::{
    bus::Encoded,
    connection::Peer,
    error::ErrorCode,
    id::{ThreadId, UserId},
    manager::Manager,
    model::Author,
};

#[derive(Default)]
pub(crate) struct Rooms {
    /// Held while someone comes or goes and that is told, so that others hear it in the order in which it happened.
    order: Mutex<()>,
    /// Copied on write, so that a fan-out holds no lock while it queues frames.
    present: Mutex<HashMap<ThreadId, Arc<Vec<Arc<Peer>>>>>,
}

impl Rooms {
    fn order(&self) -> MutexGuard<'_, ()> {
        self.order.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn present(&self) -> MutexGuard<'_, HashMap<ThreadId, Arc<Vec<Arc<Peer>>>>> {
        self.present.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn peers(&self, room: ThreadId) -> Arc<Vec<Arc<Peer>>> {
        self.present().get(&room).cloned().unwrap_or_default()
    }

    fn enter(&self, peer: &Arc<Peer>, room: ThreadId) {
        if peer.rooms().insert(room) {
            Arc::make_mut(self.present().entry(room).or_default()).push(peer.clone());
        }
    }

    /// Whether the peer was there.
    fn exit(&self, peer: &Arc<Peer>, room: ThreadId) -> bool {
        if !peer.rooms().remove(&room) {
            return false;
        }
        let mut present = self.present();
        if let Some(peers) = present.get_mut(&room) {
            Arc::make_mut(peers).retain(|other| other.id != peer.id);
            if peers.is_empty() {
                present.remove(&room);
            }
        }
        true
    }

    /// Takes a connection out of everything without a word.
    pub(crate) fn forget(&self, peer: &Arc<Peer>) {
        let _order = self.order();
        let rooms: Vec<ThreadId> = peer.rooms().iter().copied().collect();
        for room in rooms {
            self.exit(peer, room);
        }
    }

    /// Queues a frame for everyone in the room. Who has much waiting misses it: it is ephemeral.
    pub(crate) fn say(&self, room: ThreadId, frame: &Encoded) {
        for peer in self.peers(room).iter() {
            peer.outbound.offer(frame.clone());
        }
    }

    /// Ends the room, or one user's part in it.
    pub(crate) fn evict(&self, room: ThreadId, user: Option<UserId>) {
        let _order = self.order();
        for peer in self.peers(room).iter().filter(|peer| user.is_none_or(|user| peer.user.id == user)) {
            self.exit(peer, room);
        }
    }
}

/// What a connection finds when it comes in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Joined {
    /// Everyone there, each once, the one who came in included.
    pub users: Vec<Author>,
    /// Whether it is the first connection of its user there.
    pub first: bool,
}

impl Manager {
    /// Brings a connection into a room, and lets `tell` say so before anyone else comes or goes.
    pub fn join(&self, peer: &Arc<Peer>, room: ThreadId, tell: impl FnOnce(&Joined)) -> Result<(), ErrorCode> {
        let rooms = self.rooms();
        let _order = rooms.order();
        if !self.is_connected(peer) {
            return Err(ErrorCode::Conflict);
        }
        let (known, count) = {
            let own = peer.rooms();
            (own.contains(&room), own.len())
        };
        if !known && count >= self.max_subscriptions() {
            return Err(ErrorCode::TooManySubscriptions);
        }
        let first = !rooms.peers(room).iter().any(|other| other.user.id == peer.user.id);
        rooms.enter(peer, room);
        let mut users: Vec<Author> = Vec::new();
        for other in rooms.peers(room).iter() {
            if users.iter().all(|user| user.id != other.user.id) {
                users.push(Author { id: other.user.id, name: other.user.name.clone() });
            }
        }
        tell(&Joined { users, first });
        Ok(())
    }

    /// Takes a connection out of a room; `tell` is called when it was the last of its user there.
    pub fn leave(&self, peer: &Arc<Peer>, room: ThreadId, tell: impl FnOnce()) {
        let rooms = self.rooms();
        let _order = rooms.order();
        if rooms.exit(peer, room) && !rooms.peers(room).iter().any(|other| other.user.id == peer.user.id) {
            tell();
        }
    }

    /// The rooms that a connection is in.
    pub fn rooms_of(&self, peer: &Peer) -> Vec<ThreadId> {
        peer.rooms().iter().copied().collect()
    }

    /// Whether a connection is in a room.
    pub fn is_in(&self, peer: &Peer, room: ThreadId) -> bool {
        peer.rooms().contains(&room)
    }
}
