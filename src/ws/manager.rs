//! The one connection manager: accepts, sends, fans out, disconnects. It knows connections, users and threads' watchers,
//! and nothing of what chat messages mean.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use crate::{
    bus::{Delivery, Encoded, Sink},
    close::CloseCode,
    connection::{Connection, Peer, QueueLimits},
    error::ErrorCode,
    id::{ConnectionId, ThreadId, UserId},
    model::User,
    room_registry::Rooms,
    seat::Seat,
    subscription::Subscription,
    time::Timestamp,
};

/// A cheap handle on the process's connections.
#[derive(Clone)]
pub struct Manager {
    shared: Arc<Shared>,
}

struct Shared {
    limits: ManagerLimits,
    draining: AtomicBool,
    /// Counts what took access away, so that whoever read it just before knows to read again.
    revocations: AtomicU64,
    closings: AtomicU64,
    state: Mutex<State>,
    rooms: Rooms,
}

/// How much the manager takes on.
#[derive(Clone, Copy, Debug)]
pub struct ManagerLimits {
    /// Connections of this process.
    pub connections: usize,
    /// Connections of one user in this process; one more takes the place of the oldest.
    pub connections_per_user: usize,
    /// Threads that one connection may watch.
    pub subscriptions: usize,
    /// What may wait for one reader.
    pub queue: QueueLimits,
}

/// Both maps name the same peers: `users` is an index of `connections`.
#[derive(Default)]
struct State {
    connections: HashMap<ConnectionId, Arc<Peer>>,
    users: HashMap<UserId, Vec<Arc<Peer>>>,
    /// Copied on write, so that a fan-out holds no lock while it queues frames.
    watchers: HashMap<ThreadId, Arc<Vec<Arc<Subscription>>>>,
}

/// What the process holds right now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Census {
    /// Open connections.
    pub connections: usize,
    /// Users with at least one.
    pub users: usize,
    /// Subscriptions of all connections.
    pub subscriptions: usize,
    /// Bytes that wait for readers.
    pub queued_bytes: usize,
}

impl Manager {
    /// A manager without connections.
    pub fn new(limits: ManagerLimits) -> Self {
        Self {
            shared: Arc::new(Shared {
                limits,
                draining: AtomicBool::new(false),
                revocations: AtomicU64::new(0),
                closings: AtomicU64::new(0),
                state: Mutex::default(),
                rooms: Rooms::default(),
            }),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn rooms(&self) -> &Rooms {
        &self.shared.rooms
    }

    pub(crate) fn is_connected(&self, peer: &Peer) -> bool {
        self.state().connections.contains_key(&peer.id)
    }

    pub(crate) fn max_subscriptions(&self) -> usize {
        self.shared.limits.subscriptions
    }

    /// Whether a handshake could be accepted now, and why not. Asked before the upgrade, when a refusal can still be an HTTP
    /// status.
    pub fn admits(&self) -> Result<(), ErrorCode> {
        if self.shared.draining.load(Ordering::Acquire) {
            return Err(ErrorCode::Draining);
        }
        if self.state().connections.len() >= self.shared.limits.connections {
            return Err(ErrorCode::ServerBusy);
        }
        Ok(())
    }

    /// Registers an authenticated connection. Dropping what it returns takes the connection out again. A user who has as many
    /// as allowed loses the oldest.
    pub fn connect(&self, user: User, token_expires_at: Timestamp) -> Connection {
        self.connect_of(user, token_expires_at, self.shared.limits.connections_per_user)
    }

    /// The same for a user who may have another number of connections.
    pub fn connect_of(&self, user: User, token_expires_at: Timestamp, at_most: usize) -> Connection {
        let peer = Arc::new(Peer::new(user, token_expires_at, self.shared.limits.queue));
        let mut state = self.state();
        state.connections.insert(peer.id, peer.clone());
        let peers = state.users.entry(peer.user.id).or_default();
        peers.push(peer.clone());
        // In the order they came.
        let open: Vec<_> = peers.iter().filter(|peer| !peer.outbound.is_closing()).collect();
        let surplus = open.len().saturating_sub(at_most);
        let replaced: Vec<_> = open.into_iter().take(surplus).cloned().collect();
        drop(state);
        for oldest in replaced {
            tracing::info!(connection_id = %oldest.id, user_id = %oldest.user.id, "the user's newer connections take its place");
            oldest.outbound.close(CloseCode::Replaced);
        }
        if self.shared.draining.load(Ordering::Acquire) {
            peer.outbound.close(CloseCode::ServiceRestart);
        }
        Connection { peer, manager: self.clone() }
    }

    pub(crate) fn disconnect(&self, peer: &Arc<Peer>) {
        let mut state = self.state();
        // Under the same lock as `subscribe`, which would else slip one in between and leave it behind.
        let subscriptions = std::mem::take(&mut *peer.subscriptions.lock().unwrap_or_else(PoisonError::into_inner));
        state.connections.remove(&peer.id);
        if let Some(peers) = state.users.get_mut(&peer.user.id) {
            peers.retain(|other| other.id != peer.id);
            if peers.is_empty() {
                state.users.remove(&peer.user.id);
            }
        }
        for subscription in subscriptions.into_values() {
            subscription.close();
            state.forget(&subscription);
        }
        state.check_invariants();
        drop(state);
        self.rooms().forget(peer);
        // Whoever still waits for room in its queue need not wait any longer.
        peer.outbound.close(CloseCode::GoingAway);
    }

    /// Starts watching a thread after `after_seq`; a subscription to the same thread is replaced. The caller has made sure
    /// that the user may read it, and runs the replay.
    pub fn subscribe(
        &self,
        peer: &Arc<Peer>,
        thread: ThreadId,
        after_seq: u64,
    ) -> Result<Arc<Subscription>, ErrorCode> {
        let subscription = Arc::new(Subscription::new(thread, peer.clone(), after_seq));
        let mut state = self.state();
        if !state.connections.contains_key(&peer.id) {
            return Err(ErrorCode::Conflict);
        }
        let replaced = {
            let mut own = peer.subscriptions.lock().unwrap_or_else(PoisonError::into_inner);
            if own.len() >= self.shared.limits.subscriptions && !own.contains_key(&thread) {
                return Err(ErrorCode::TooManySubscriptions);
            }
            own.insert(thread, subscription.clone())
        };
        if let Some(replaced) = replaced {
            replaced.close();
            peer.outbound.cancel_repair(thread);
            state.forget(&replaced);
        }
        Arc::make_mut(state.watchers.entry(thread).or_default()).push(subscription.clone());
        Ok(subscription)
    }

    /// Stops watching a thread; `false` when the peer did not watch it.
    pub fn unsubscribe(&self, peer: &Arc<Peer>, thread: ThreadId) -> bool {
        // Under the same lock as `subscribe`: a subscription that was made in between would lose its own repair.
        let mut state = self.state();
        let removed = peer.subscriptions.lock().unwrap_or_else(PoisonError::into_inner).remove(&thread);
        let Some(subscription) = removed else { return false };
        subscription.close();
        peer.outbound.cancel_repair(thread);
        state.forget(&subscription);
        true
    }

    /// Sends a frame to every connection of a user.
    pub fn send_to_user(&self, user: UserId, frame: &Encoded) {
        for peer in self.peers_of(user) {
            // A closing connection misses it, as it misses everything.
            let _ = peer.outbound.push(frame.clone());
        }
    }

    /// Changes whenever a user's connections were closed. Whoever checks a token and then connects compares it before and
    /// after, and checks again when it changed.
    pub fn closings(&self) -> u64 {
        self.shared.closings.load(Ordering::SeqCst)
    }

    /// Closes every connection of a user.
    pub fn close_user(&self, user: UserId, code: CloseCode) {
        self.shared.closings.fetch_add(1, Ordering::SeqCst);
        for peer in self.peers_of(user) {
            peer.outbound.close(code);
        }
    }

    /// Sends a frame to every connection.
    fn send_to_everyone(&self, frame: &Encoded) {
        let peers: Vec<_> = self.state().connections.values().cloned().collect();
        for peer in peers {
            let _ = peer.outbound.push(frame.clone());
        }
    }

    /// Changes whenever access to a thread was taken away. Whoever checks access and then subscribes or joins compares it
    /// before and after, and checks again when it changed.
    pub fn revocations(&self) -> u64 {
        self.shared.revocations.load(Ordering::SeqCst)
    }

    /// Ends what a user's connections have to do with a thread.
    fn revoke(&self, user: UserId, thread: ThreadId) {
        self.shared.revocations.fetch_add(1, Ordering::SeqCst);
        for peer in self.peers_of(user) {
            self.unsubscribe(&peer, thread);
        }
        self.rooms().evict(thread, Some(user));
    }

    fn peers_of(&self, user: UserId) -> Vec<Arc<Peer>> {
        self.state().users.get(&user).cloned().unwrap_or_default()
    }

    /// Refuses new connections from now on.
    pub fn begin_drain(&self) {
        self.shared.draining.store(true, Ordering::Release);
    }

    /// Asks up to `count` connections to go elsewhere, those first that were not asked before; the number that was asked.
    pub fn drain(&self, count: usize) -> usize {
        let mut peers: Vec<_> = self.state().connections.values().cloned().collect();
        peers.sort_by_key(|peer| peer.outbound.is_closing());
        peers.truncate(count);
        for peer in &peers {
            peer.outbound.close(CloseCode::ServiceRestart);
        }
        peers.len()
    }

    /// Connections, the newest first.
    pub fn newest(&self, count: usize) -> Vec<Seat> {
        let mut peers: Vec<_> = self.state().connections.values().cloned().collect();
        // Their ids sort by the time they were made.
        peers.sort_by_key(|peer| std::cmp::Reverse(peer.id));
        peers.truncate(count);
        peers.iter().map(Seat::of).collect()
    }

    /// Counts.
    pub fn census(&self) -> Census {
        let (mut census, peers) = {
            let state = self.state();
            let census = Census {
                connections: state.connections.len(),
                users: state.users.len(),
                subscriptions: state.watchers.values().map(|watchers| watchers.len()).sum(),
                queued_bytes: 0,
            };
            (census, state.connections.values().cloned().collect::<Vec<_>>())
        };
        census.queued_bytes = peers.iter().map(|peer| peer.outbound.depth().1).sum();
        census
    }
}

impl State {
    fn forget(&mut self, subscription: &Arc<Subscription>) {
        let Some(watchers) = self.watchers.get_mut(&subscription.thread_id) else { return };
        Arc::make_mut(watchers).retain(|other| !Arc::ptr_eq(other, subscription));
        if watchers.is_empty() {
            self.watchers.remove(&subscription.thread_id);
        }
    }

    #[cfg(any(test, debug_assertions))]
    fn check_invariants(&self) {
        let indexed: usize = self.users.values().map(Vec::len).sum();
        assert_eq!(indexed, self.connections.len(), "the index by user names every connection once");
        assert!(self.watchers.values().all(|watchers| !watchers.is_empty()), "no thread is kept without a watcher");
    }

    #[cfg(not(any(test, debug_assertions)))]
    fn check_invariants(&self) {}
}

impl Sink for Manager {
    fn deliver(&self, delivery: &Delivery) {
        match delivery {
            Delivery::Events { thread_id, events } => {
                let watchers = self.state().watchers.get(thread_id).cloned();
                for subscription in watchers.iter().flat_map(|watchers| watchers.iter()) {
                    subscription.deliver(events);
                }
            }
            Delivery::User { user_id, frame } => self.send_to_user(*user_id, frame),
            Delivery::Gone { thread_id } => {
                self.shared.revocations.fetch_add(1, Ordering::SeqCst);
                let watchers = self.state().watchers.get(thread_id).cloned();
                for subscription in watchers.iter().flat_map(|watchers| watchers.iter()) {
                    self.unsubscribe(&subscription.peer, *thread_id);
                }
                self.rooms().evict(*thread_id, None);
            }
            Delivery::Room { thread_id, frame } => self.rooms().say(*thread_id, frame),
            Delivery::Everyone { frame } => self.send_to_everyone(frame),
            Delivery::Revoked { thread_id, user_id } => self.revoke(*user_id, *thread_id),
            Delivery::Close { user_id, code } => self.close_user(*user_id, *code),
        }
    }
}

#[cfg(test)]
#[path = "manager_tests.rs"]
mod tests;
