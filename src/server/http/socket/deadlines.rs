//! When something is due on a connection: the next heartbeat, its answer, and the token's end.

use std::time::Duration;

use netra_ws::{
    CloseCode, Timestamp,
    connection::Peer,
    frame::{Frame, ServerFrame},
    message::ServerMessage,
    payload as p,
};
use tokio::time::Instant;

use crate::server::state::AppState;

/// Bytes of frames that go out together.
pub(super) const BATCH_BYTES: usize = 128 * 1024;

/// How long one write may take before the reader counts as gone; a larger frame than [`BATCH_BYTES`] gets as long for each
/// part of that size. A reader that keeps to 13 KB a second thus gets the largest snapshot.
pub(super) const WRITE_DEADLINE: Duration = Duration::from_secs(10);

/// What [`WRITE_DEADLINE`] comes to for each byte of a batch.
const BYTE_DEADLINE: Duration = Duration::from_nanos(10_000_000_000 / (128 * 1024));

/// A connection's deadlines: the next heartbeat, its answer, and the token's end.
pub(super) struct Deadlines<'a> {
    peer: &'a Peer,
    interval: Duration,
    patience: Duration,
    grace: Duration,
    next_heartbeat: Instant,
    /// The heartbeat that wants its answer.
    beat: Option<Beat>,
    /// Bytes that were written and may not be read yet: they wait somewhere between here and the reader, before the heartbeat.
    pub(super) unread: usize,
}

/// A heartbeat that was written.
struct Beat {
    /// When its answer is late, commands of the client's own aside.
    due: Instant,
    /// [`Peer::unread_for`] when it was written.
    unread_for: Duration,
    /// The bytes before it, which its answer shows to be read.
    behind: usize,
}

/// What is due.
pub(super) enum Due {
    Nothing,
    /// To be written, and then reported with [`Deadlines::beaten`].
    Heartbeat(Box<ServerFrame>),
    Close(CloseCode),
}

/// More than this does not fit between a server and a reader who does not read.
const MOST_UNREAD: usize = 8 << 20;

impl<'a> Deadlines<'a> {
    pub(super) fn new(state: &AppState, peer: &'a Peer) -> Self {
        let interval = Duration::from_millis(state.config.limits.heartbeat_interval_ms);
        Self {
            peer,
            interval,
            patience: Duration::from_millis(state.config.limits.heartbeat_timeout_ms),
            grace: state.config.ws_token_grace,
            next_heartbeat: Instant::now() + jittered(interval),
            beat: None,
            unread: 0,
        }
    }

    /// A heartbeat was written. Patience begins now. Who reads slowly has what was written before it to read first, and as much
    /// time for it as a write of it may take.
    pub(super) fn beaten(&mut self, now: Instant) {
        let behind = self.unread.min(MOST_UNREAD);
        let due = now + self.patience + BYTE_DEADLINE * u32::try_from(behind).unwrap_or(u32::MAX);
        self.unread = behind;
        self.beat = Some(Beat { due, unread_for: self.peer.unread_for(), behind });
    }

    /// When the answer to the heartbeat is late. While a command of the client's is carried out, its answer is not read.
    fn answer_due(&self) -> Option<Instant> {
        let beat = self.beat.as_ref()?;
        Some(beat.due + self.peer.unread_for().saturating_sub(beat.unread_for))
    }

    fn token_end(&self) -> Instant {
        let left = self.peer.token_expires_at().millis_since(Timestamp::now());
        let over = Timestamp::now().millis_since(self.peer.token_expires_at());
        (Instant::now() + self.grace + Duration::from_millis(left))
            .checked_sub(Duration::from_millis(over))
            .unwrap_or_else(Instant::now)
    }

    pub(super) fn next(&self) -> Instant {
        let end = self.token_end().min(self.next_heartbeat);
        // A little later than now: a command that is being carried out moves the end on as time goes by.
        let moving = Instant::now() + Duration::from_millis(50);
        self.answer_due().map_or(end, |due| due.max(moving).min(end))
    }

    pub(super) fn token_is_over(&self, now: Instant) -> bool {
        let over = now >= self.token_end();
        if over {
            tracing::info!("the token's life is over");
        }
        over
    }

    /// What is due now.
    pub(super) fn tick(&mut self) -> Due {
        let now = Instant::now();
        if self.token_is_over(now) {
            return Due::Close(CloseCode::Unauthenticated);
        }
        if !self.peer.awaits_heartbeat()
            && let Some(beat) = self.beat.take()
        {
            self.unread = self.unread.saturating_sub(beat.behind);
        }
        if self.answer_due().is_some_and(|due| now >= due) {
            tracing::info!("no heartbeat_ack in time");
            return Due::Close(CloseCode::HeartbeatTimeout);
        }
        if now >= self.next_heartbeat {
            self.next_heartbeat = now + jittered(self.interval);
            if self.beat.is_none() {
                let mut frame = Frame::new(ServerMessage::Heartbeat(p::Empty {}));
                frame.ts = Some(Timestamp::now());
                self.peer.expect_heartbeat(frame.id);
                return Due::Heartbeat(Box::new(frame));
            }
        }
        Due::Nothing
    }
}

/// The interval give or take a fifth, so that connections made together do not beat together.
fn jittered(interval: Duration) -> Duration {
    interval.mul_f64(fastrand::f64().mul_add(0.4, 0.8))
}
