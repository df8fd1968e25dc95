//! One peer of the manager: who it is, its bounded queue of frames to send, and its removal on drop.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::{Notify, Semaphore},
    time::Instant,
};

use crate::{
    bus::Encoded,
    close::CloseCode,
    id::{ConnectionId, FrameId, ThreadId},
    manager::Manager,
    model::User,
    subscription::Subscription,
    time::Timestamp,
};

/// How much may wait for one slow reader.
#[derive(Clone, Copy, Debug)]
pub struct QueueLimits {
    /// Frames.
    pub frames: usize,
    /// Bytes of JSON. A single frame may be larger; it is taken when the queue is empty.
    pub bytes: usize,
}

impl Default for QueueLimits {
    fn default() -> Self {
        Self { frames: 1024, bytes: 1 << 20 }
    }
}

/// A connection as the manager knows it.
pub struct Peer {
    /// Which connection.
    pub id: ConnectionId,
    /// Whose.
    pub user: User,
    /// What is to be sent.
    pub outbound: Outbound,
    /// What it watches.
    pub(crate) subscriptions: Mutex<HashMap<ThreadId, Arc<Subscription>>>,
    /// Replays take turns, page by page: a reader that does not read holds one page, not one for each thread.
    pub(crate) replays: Semaphore,
    rooms: Mutex<HashSet<ThreadId>>,
    token_expires_at: AtomicU64,
    heartbeat: Mutex<Option<(FrameId, Instant)>>,
}

impl Peer {
    pub(crate) fn new(user: User, token_expires_at: Timestamp, limits: QueueLimits) -> Self {
        Self {
            id: ConnectionId::new(),
            user,
            outbound: Outbound::new(limits),
            subscriptions: Mutex::default(),
            replays: Semaphore::new(1),
            rooms: Mutex::default(),
            token_expires_at: AtomicU64::new(token_expires_at.as_millis()),
            heartbeat: Mutex::default(),
        }
    }

    /// When the connection's token ends.
    pub fn token_expires_at(&self) -> Timestamp {
        Timestamp::from_millis(self.token_expires_at.load(Ordering::Relaxed))
    }

    /// A fresh token came.
    pub fn renew_token(&self, expires_at: Timestamp) {
        self.token_expires_at.store(expires_at.as_millis(), Ordering::Relaxed);
    }

    /// A heartbeat was sent and wants an answer.
    pub fn expect_heartbeat(&self, id: FrameId) {
        *self.heartbeat.lock().unwrap_or_else(PoisonError::into_inner) = Some((id, Instant::now()));
    }

    /// Whether a heartbeat still wants its answer.
    pub fn awaits_heartbeat(&self) -> bool {
        self.heartbeat.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    /// An answer came: how long after the heartbeat, or nothing when it answers no heartbeat that waits.
    pub fn heartbeat_acknowledged(&self, reply_to: Option<FrameId>) -> Option<Duration> {
        let mut waiting = self.heartbeat.lock().unwrap_or_else(PoisonError::into_inner);
        let (_, sent) = waiting.take_if(|(id, _)| Some(*id) == reply_to)?;
        Some(sent.elapsed())
    }

    pub(crate) fn rooms(&self) -> MutexGuard<'_, HashSet<ThreadId>> {
        self.rooms.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many threads it watches.
    pub fn subscription_count(&self) -> usize {
        self.subscriptions.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Its subscription to a thread.
    pub fn subscription(&self, thread: ThreadId) -> Option<Arc<Subscription>> {
        self.subscriptions.lock().unwrap_or_else(PoisonError::into_inner).get(&thread).cloned()
    }
}

/// A registered peer. Dropping it takes the peer out of the manager, whatever ended the connection.
pub struct Connection {
    pub(crate) peer: Arc<Peer>,
    pub(crate) manager: Manager,
}

impl Connection {
    /// The peer.
    pub fn peer(&self) -> &Arc<Peer> {
        &self.peer
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.manager.disconnect(&self.peer);
    }
}

/// What the writer does next.
#[derive(Debug, PartialEq, Eq)]
pub enum Next {
    /// Send this frame.
    Frame(Encoded),
    /// The live stream of this thread has a hole: read it from the log.
    Repair(ThreadId),
    /// Say goodbye and close.
    Close(CloseCode),
}

/// A bounded queue of frames. Filling it never waits; a queue that overruns closes its connection as a slow consumer.
pub struct Outbound {
    limits: QueueLimits,
    queue: Mutex<Queue>,
    /// Wakes the writer.
    filled: Notify,
    /// Wakes whoever waits for room.
    drained: Notify,
}

#[derive(Default)]
struct Queue {
    items: VecDeque<Next>,
    bytes: usize,
    close: Option<CloseCode>,
}

/// The connection closes; nothing more is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the connection is closing")]
pub struct Closing;

impl Outbound {
    fn new(limits: QueueLimits) -> Self {
        Self { limits, queue: Mutex::default(), filled: Notify::new(), drained: Notify::new() }
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues a frame; when there is no room, the connection closes with 4508.
    pub fn push(&self, frame: Encoded) -> Result<(), Closing> {
        let mut queue = self.queue();
        if queue.close.is_some() {
            return Err(Closing);
        }
        if !queue.has_room(self.limits, frame.len()) {
            queue.items.clear();
            queue.bytes = 0;
            queue.close = Some(CloseCode::SlowConsumer);
            drop(queue);
            self.filled.notify_one();
            self.drained.notify_waiters();
            return Err(Closing);
        }
        queue.add(frame);
        drop(queue);
        self.filled.notify_one();
        Ok(())
    }

    /// Queues a frame as soon as the queue is at most half full, so that a long replay goes at the socket's pace and leaves
    /// room for live events.
    pub async fn push_paced(&self, frame: Encoded) -> Result<(), Closing> {
        self.push_paced_with(frame, || Some(())).await
    }

    /// As [`Self::push_paced`], if `leave` is given when there is room; it is held while the frame is queued.
    pub(crate) async fn push_paced_with<T>(
        &self,
        frame: Encoded,
        leave: impl Fn() -> Option<T>,
    ) -> Result<(), Closing> {
        let half = QueueLimits { frames: self.limits.frames / 2, bytes: self.limits.bytes / 2 };
        loop {
            let drained = self.drained.notified();
            tokio::pin!(drained);
            drained.as_mut().enable();
            {
                let Some(_leave) = leave() else { return Err(Closing) };
                let mut queue = self.queue();
                if queue.close.is_some() {
                    return Err(Closing);
                }
                if queue.has_room(half, frame.len()) {
                    queue.add(frame);
                    drop(queue);
                    self.filled.notify_one();
                    return Ok(());
                }
            }
            drained.await;
        }
    }

    pub(crate) fn repair(&self, thread: ThreadId) {
        let mut queue = self.queue();
        if queue.close.is_none() {
            queue.items.push_back(Next::Repair(thread));
            drop(queue);
            self.filled.notify_one();
        }
    }

    /// Whoever had the hole is gone; a later subscription reads for itself.
    pub(crate) fn cancel_repair(&self, thread: ThreadId) {
        self.queue().items.retain(|item| *item != Next::Repair(thread));
    }

    pub(crate) fn is_closing(&self) -> bool {
        self.queue().close.is_some()
    }

    /// Closes after what is queued was sent. The first code stays.
    pub fn close(&self, code: CloseCode) {
        self.queue().close.get_or_insert(code);
        self.filled.notify_one();
        self.drained.notify_waiters();
    }

    /// Waits for what to do next. Cancelling the wait loses nothing.
    pub async fn next(&self) -> Next {
        loop {
            if let Some(next) = self.try_next() {
                return next;
            }
            self.filled.notified().await;
        }
    }

    /// What to do next, if there is something.
    pub fn try_next(&self) -> Option<Next> {
        let mut queue = self.queue();
        let next = queue.items.pop_front();
        if let Some(Next::Frame(frame)) = &next {
            queue.bytes -= frame.len();
        }
        if queue.items.is_empty() {
            // An idle connection holds no buffer.
            queue.items.shrink_to(4);
        }
        let close = queue.close;
        drop(queue);
        if next.is_some() {
            self.drained.notify_waiters();
        }
        next.or_else(|| close.map(Next::Close))
    }

    /// Frames and bytes that wait.
    pub fn depth(&self) -> (usize, usize) {
        let queue = self.queue();
        (queue.items.len(), queue.bytes)
    }
}

impl Queue {
    fn add(&mut self, frame: Encoded) {
        self.bytes += frame.len();
        self.items.push_back(Next::Frame(frame));
    }

    fn has_room(&self, limits: QueueLimits, more: usize) -> bool {
        self.items.is_empty() || (self.items.len() < limits.frames && self.bytes + more <= limits.bytes)
    }
}
