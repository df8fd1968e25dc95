//! One connection watching one thread: replay from the log, then live, with no seam between.
//!
//! While a subscription replays, live events are not queued: they are in the log already, so the gate only remembers how
//! far the thread has come and the replay reads on until it is there. Going live and hearing of a new event take the same
//! lock, so no event falls between. A hole in the live stream (a lost bus message) sends the gate back to replaying.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;

use crate::{
    bus::Encoded,
    close::CloseCode,
    connection::{Closing, Peer},
    frame::Frame,
    id::ThreadId,
    log::{EventLog, LogError, PageLimit},
    message::ServerMessage,
    time::Timestamp,
};

/// What is read from the log at a time. A connection holds one page, whatever it subscribed to.
const PAGE: PageLimit = PageLimit { events: 256, bytes: 128 * 1024 };

/// A connection that watches a thread.
pub struct Subscription {
    /// The thread.
    pub thread_id: ThreadId,
    pub(crate) peer: Arc<Peer>,
    gate: Mutex<Gate>,
    /// Wakes whoever still works for it when it ends.
    ended: Notify,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Gate {
    /// Reads the log from `after` on; the thread is known to have come to `seen`.
    Replaying { after: u64, seen: u64 },
    /// Everything up to `last` was queued.
    Live { last: u64 },
    /// Ended, or replaced by a newer subscription.
    Closed,
}

impl Subscription {
    pub(crate) fn new(thread_id: ThreadId, peer: Arc<Peer>, after: u64) -> Self {
        Self { thread_id, peer, gate: Mutex::new(Gate::Replaying { after, seen: 0 }), ended: Notify::new() }
    }

    fn gate(&self) -> std::sync::MutexGuard<'_, Gate> {
        self.gate.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends the subscription: nothing more of it is sent, and the work for it stops where it is.
    pub fn close(&self) {
        *self.gate() = Gate::Closed;
        self.ended.notify_waiters();
    }

    /// Ends the subscription and the connection: the client comes back with its cursor. One that has ended before ends nothing.
    pub fn fail(&self) {
        let before = std::mem::replace(&mut *self.gate(), Gate::Closed);
        self.ended.notify_waiters();
        if before != Gate::Closed {
            self.peer.outbound.close(CloseCode::Internal);
        }
    }

    /// Waits for its end.
    async fn ended(&self) {
        loop {
            let ended = self.ended.notified();
            tokio::pin!(ended);
            ended.as_mut().enable();
            if *self.gate() == Gate::Closed {
                return;
            }
            ended.await;
        }
    }

    /// Shows newly committed events.
    pub(crate) fn deliver(&self, events: &[(u64, Encoded)]) {
        let Some(&(newest, _)) = events.last() else { return };
        let mut gate = self.gate();
        match &mut *gate {
            Gate::Closed => {}
            Gate::Replaying { seen, .. } => *seen = newest.max(*seen),
            Gate::Live { last } => {
                for (seq, frame) in events {
                    if *seq <= *last {
                        continue;
                    }
                    if *seq > *last + 1 {
                        *gate = Gate::Replaying { after: *last, seen: newest };
                        // Within the gate: closing a replaced subscription waits for it, and then takes the repair back.
                        self.peer.outbound.repair(self.thread_id);
                        return;
                    }
                    if self.peer.outbound.push(frame.clone()).is_err() {
                        *gate = Gate::Closed;
                        return;
                    }
                    *last = *seq;
                }
            }
        }
    }

    /// Sends the thread as it stands, then what follows. The snapshot is read when it is this subscription's turn and the
    /// socket has room for it: a connection holds one, however many it asked for.
    pub async fn show(&self, log: &dyn EventLog) -> Result<(), LogError> {
        tokio::select! {
            biased;
            () = self.ended() => return Ok(()),
            shown = self.send_snapshot(log) => shown?,
        }
        self.replay(log).await
    }

    async fn send_snapshot(&self, log: &dyn EventLog) -> Result<(), LogError> {
        // Never closed, so there is always a turn.
        let _turn = self.peer.replays.acquire().await;
        if self.peer.outbound.room().await.is_err() {
            self.close();
            return Ok(());
        }
        let snapshot = log.snapshot(self.peer.user.id, self.thread_id).await?;
        let as_of_seq = snapshot.as_of_seq;
        let mut frame = Frame::new(ServerMessage::ThreadSnapshot(snapshot)).in_thread(self.thread_id);
        frame.ts = Some(Timestamp::now());
        let text = frame.encode().map_err(LogError::store)?;
        drop(frame);
        if self.push(text.into()).await.is_err() {
            self.close();
        } else if let Gate::Replaying { after, .. } = &mut *self.gate() {
            *after = as_of_seq;
        }
        Ok(())
    }

    /// Sends what the log holds after the cursor, in pages at the socket's pace, and goes live. A subscription that ends
    /// meanwhile ends this at once.
    pub async fn replay(&self, log: &dyn EventLog) -> Result<(), LogError> {
        tokio::select! {
            biased;
            () = self.ended() => Ok(()),
            replayed = self.send_pages(log) => replayed,
        }
    }

    async fn send_pages(&self, log: &dyn EventLog) -> Result<(), LogError> {
        loop {
            // Never closed, so there is always a turn.
            let _turn = self.peer.replays.acquire().await;
            let Gate::Replaying { after, .. } = *self.gate() else { return Ok(()) };
            let page = log.read(self.thread_id, after, PAGE).await?;
            let mut position = after;
            for event in &page.events {
                let frame = event.encode().ok().filter(|_| event.seq == position + 1);
                let Some(frame) = frame else {
                    self.give_up(event.seq);
                    return Ok(());
                };
                if self.push(frame.into()).await.is_err() {
                    self.close();
                    return Ok(());
                }
                position = event.seq;
            }
            if position == after && position < page.head_seq {
                self.give_up(page.head_seq);
                return Ok(());
            }
            if self.advance(position, page.head_seq) {
                return Ok(());
            }
        }
    }

    /// Queues a frame unless the subscription ended: nothing of it follows the answer to the one that replaced it, or the word
    /// that access was taken away.
    pub async fn push(&self, frame: Encoded) -> Result<(), Closing> {
        let open = || Some(self.gate()).filter(|gate| **gate != Gate::Closed);
        self.peer.outbound.push_paced_with(frame, open).await
    }

    /// The log was trimmed under the replay. The client comes back with its cursor and gets a snapshot.
    fn give_up(&self, seq: u64) {
        tracing::warn!(thread_id = %self.thread_id, seq, "the log has a hole under a replay");
        self.fail();
    }

    /// Moves the replay to `position`; `true` when it is live or over.
    fn advance(&self, position: u64, head: u64) -> bool {
        let mut gate = self.gate();
        match &mut *gate {
            Gate::Closed | Gate::Live { .. } => true,
            Gate::Replaying { after, seen } => {
                *after = position;
                let complete = position >= head.max(*seen);
                if complete {
                    *gate = Gate::Live { last: position };
                }
                complete
            }
        }
    }
}
