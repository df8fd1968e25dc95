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
    frame::ServerFrame,
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
    /// Bytes of JSON. A single frame may be larger, and counts as half of this: what follows a large snapshot has room, too.
    pub bytes: usize,
}

impl QueueLimits {
    fn cost(self, frame: usize) -> usize {
        frame.min(self.bytes / 2)
    }
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
    mark: Mutex<Option<(u64, Instant)>>,
    commands: Mutex<Commands>,
}

/// The time that the connection's commands took: while one is carried out, nothing is read, a `heartbeat_ack` neither.
#[derive(Default)]
struct Commands {
    took: Duration,
    since: Option<Instant>,
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
            mark: Mutex::default(),
            commands: Mutex::default(),
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

    /// The other side answered a mark in what is written to it: it has read up to there.
    pub fn mark_answered(&self, mark: u64) {
        *self.mark.lock().unwrap_or_else(PoisonError::into_inner) = Some((mark, Instant::now()));
    }

    /// The mark that it answered last, and when.
    pub fn answered_mark(&self) -> Option<(u64, Instant)> {
        *self.mark.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn commands(&self) -> MutexGuard<'_, Commands> {
        self.commands.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Carries out a command, during which nothing else that the client says is read.
    pub async fn carry_out<T>(&self, command: impl Future<Output = T>) -> T {
        self.commands().since = Some(Instant::now());
        let done = command.await;
        let mut commands = self.commands();
        if let Some(since) = commands.since.take() {
            commands.took += since.elapsed();
        }
        done
    }

    /// How long nothing was read so far because a command was being carried out.
    pub fn unread_for(&self) -> Duration {
        let commands = self.commands();
        commands.took + commands.since.map_or(Duration::ZERO, |since| since.elapsed())
    }

    pub(crate) fn rooms(&self) -> MutexGuard<'_, HashSet<ThreadId>> {
        self.rooms.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues an ephemeral frame, stamped with the server's clock.
    pub fn tell(&self, mut frame: ServerFrame) {
        frame.ts = Some(Timestamp::now());
        match frame.encode() {
            // A connection that is closing misses it.
            Ok(text) => _ = self.outbound.push(text.into()),
            Err(error) => tracing::error!(%error, "a frame does not encode"),
        }
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
    /// Wakes whoever waits for an end that does not wait for the queue.
    cut: Notify,
}

#[derive(Default)]
struct Queue {
    items: VecDeque<Next>,
    bytes: usize,
    close: Option<CloseCode>,
    /// The end does not wait until what was being written is out.
    cut: bool,
}

/// The connection closes; nothing more is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the connection is closing")]
pub struct Closing;

impl Outbound {
    fn new(limits: QueueLimits) -> Self {
        Self { limits, queue: Mutex::default(), filled: Notify::new(), drained: Notify::new(), cut: Notify::new() }
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
        let cost = self.limits.cost(frame.len());
        if !queue.has_room(self.limits, cost) {
            queue.cut(CloseCode::SlowConsumer);
            drop(queue);
            self.wake_all();
            return Err(Closing);
        }
        queue.add(frame, cost);
        drop(queue);
        self.filled.notify_one();
        Ok(())
    }

    /// Queues a frame that may be missed, unless more than a quarter of the queue is taken; whether it was queued. What others say
    /// in a room thus never fills a reader's queue, and never costs it the connection.
    pub fn offer(&self, frame: Encoded) -> bool {
        let quarter = QueueLimits { frames: self.limits.frames / 4, bytes: self.limits.bytes / 4 };
        let cost = self.limits.cost(frame.len());
        let mut queue = self.queue();
        if queue.close.is_some() || !queue.has_room(quarter, cost.min(quarter.bytes)) {
            return false;
        }
        queue.add(frame, cost);
        drop(queue);
        self.filled.notify_one();
        true
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
        let cost = self.limits.cost(frame.len());
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
                if queue.has_room(half, cost) {
                    queue.add(frame, cost);
                    drop(queue);
                    self.filled.notify_one();
                    return Ok(());
                }
            }
            drained.await;
        }
    }

    /// Waits until the queue is nearly empty: for whoever makes a large frame only when there is room for it.
    pub(crate) async fn room(&self) -> Result<(), Closing> {
        loop {
            let drained = self.drained.notified();
            tokio::pin!(drained);
            drained.as_mut().enable();
            {
                let queue = self.queue();
                if queue.close.is_some() {
                    return Err(Closing);
                }
                if queue.items.len() <= self.limits.frames / 4 && queue.bytes <= self.limits.bytes / 4 {
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

    /// Whether the connection closes. What a client still says is then no longer acted on: it hears no answer, and a client
    /// that keeps to the protocol says it again on its next connection.
    pub fn is_closing(&self) -> bool {
        self.queue().close.is_some()
    }

    /// Closes after what is queued was sent, except when the user lost the right to it, or has newer connections and does not
    /// come back to this one. The first code stays, but an end for a lost right overrides it.
    pub fn close(&self, code: CloseCode) {
        let mut queue = self.queue();
        match code {
            CloseCode::Unauthenticated => queue.cut(code),
            CloseCode::Replaced if queue.close.is_none() => queue.cut(code),
            _ => _ = queue.close.get_or_insert(code),
        }
        drop(queue);
        self.wake_all();
    }

    fn wake_all(&self) {
        self.filled.notify_one();
        self.cut.notify_one();
        self.drained.notify_waiters();
    }

    /// Waits for an end that a stalled write must not hold up: a lost right, or a reader that is too slow. Cancelling the wait
    /// loses nothing.
    pub async fn cut_off(&self) -> CloseCode {
        loop {
            {
                let queue = self.queue();
                if let Some(code) = queue.close.filter(|_| queue.cut) {
                    return code;
                }
            }
            self.cut.notified().await;
        }
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
            queue.bytes -= self.limits.cost(frame.len());
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
    fn cut(&mut self, code: CloseCode) {
        self.items = VecDeque::new();
        self.bytes = 0;
        self.close = Some(code);
        self.cut = true;
    }

    fn add(&mut self, frame: Encoded, cost: usize) {
        self.bytes += cost;
        self.items.push_back(Next::Frame(frame));
    }

    fn has_room(&self, limits: QueueLimits, more: usize) -> bool {
        self.items.is_empty() || (self.items.len() < limits.frames && self.bytes + more <= limits.bytes)
    }
}
