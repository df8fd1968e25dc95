//! When something is due on a connection: the next heartbeat, its answer, and the token's end.

use std::{collections::VecDeque, time::Duration};

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

/// Bytes after which a mark goes out with them, a ping of the socket's own: its answer shows how far the other side has read.
const MARK_BYTES: u64 = 64 * 1024;

/// Marks that wait for their answer, at the most, and bytes before one that are given time: more does not fit between a server
/// and a reader who does not read.
const MOST_MARKS: usize = 256;
const MOST_UNREAD: u64 = 8 << 20;

/// A connection's deadlines: the next heartbeat, its answer, and the token's end.
pub(super) struct Deadlines<'a> {
    state: &'a AppState,
    peer: &'a Peer,
    next_heartbeat: Instant,
    /// The heartbeat that wants its answer.
    beat: Option<Beat>,
    /// Bytes that were written.
    written: u64,
    /// How many of them the other side has shown to have read.
    read: u64,
    /// Where marks stand that it has not answered; none on most connections at most times.
    marks: Option<Box<Marks>>,
}

/// Places of marks, in their order.
struct Marks(VecDeque<u64>);

/// A heartbeat that was written.
struct Beat {
    /// When it was, or when the other side last showed that it reads towards it.
    at: Instant,
    /// [`Peer::unread_for`] when it was written.
    unread_for: Duration,
    /// The bytes before it.
    behind: u64,
}

/// What is due.
pub(super) enum Due {
    Nothing,
    /// To be written, and then reported with [`Deadlines::beaten`].
    Heartbeat(Box<ServerFrame>),
    Close(CloseCode),
}

impl<'a> Deadlines<'a> {
    pub(super) fn new(state: &'a AppState, peer: &'a Peer) -> Self {
        let interval = Duration::from_millis(state.config.limits.heartbeat_interval_ms);
        let next_heartbeat = Instant::now() + jittered(interval);
        Self { state, peer, next_heartbeat, beat: None, written: 0, read: 0, marks: None }
    }

    fn interval(&self) -> Duration {
        Duration::from_millis(self.state.config.limits.heartbeat_interval_ms)
    }

    fn patience(&self) -> Duration {
        Duration::from_millis(self.state.config.limits.heartbeat_timeout_ms)
    }

    /// So many bytes go out. Gives what is to go out with them, now and then: a mark that says where it stands.
    pub(super) fn wrote(&mut self, bytes: usize) -> Option<[u8; 8]> {
        self.written = self.written.saturating_add(bytes as u64);
        let last = self.marks.as_ref().and_then(|marks| marks.0.back().copied()).unwrap_or(self.read);
        if self.written - last < MARK_BYTES {
            return None;
        }
        let marks = self.marks.get_or_insert_with(|| Box::new(Marks(VecDeque::new())));
        if marks.0.len() >= MOST_MARKS {
            return None;
        }
        marks.0.push_back(self.written);
        Some(self.written.to_be_bytes())
    }

    /// A heartbeat was written. Patience begins now.
    pub(super) fn beaten(&mut self, now: Instant) {
        self.beat = Some(Beat { at: now, unread_for: self.peer.unread_for(), behind: self.written });
    }

    /// When the answer to the heartbeat is late. Who reads slowly has what was written before it to read first, and shows with
    /// each mark that it does: patience begins anew then, and includes the time that a write of what lies before the next mark
    /// may take. Who reads and is not heard shows nothing. While a command of the client's is carried out, its answer is not read.
    fn answer_due(&self) -> Option<Instant> {
        let beat = self.beat.as_ref()?;
        let mark = self.marks.as_ref().and_then(|marks| marks.0.front());
        let next = mark.map_or(beat.behind, |mark| beat.behind.min(*mark));
        let before = u32::try_from(next.saturating_sub(self.read).min(MOST_UNREAD)).unwrap_or(u32::MAX);
        let carried_out = self.peer.unread_for().saturating_sub(beat.unread_for);
        Some(beat.at + self.patience() + BYTE_DEADLINE * before + carried_out)
    }

    /// Takes in what the other side has shown to have read.
    fn hear(&mut self) {
        if !self.peer.awaits_heartbeat()
            && let Some(beat) = self.beat.take()
        {
            self.read = self.read.max(beat.behind);
        }
        let Some(marks) = &mut self.marks else { return };
        // A number that is no mark that waits shows nothing.
        if let Some((mark, at)) = self.peer.answered_mark()
            && marks.0.contains(&mark)
        {
            self.read = self.read.max(mark);
            if let Some(beat) = &mut self.beat {
                beat.at = beat.at.max(at);
            }
        }
        while marks.0.front().is_some_and(|mark| *mark <= self.read) {
            marks.0.pop_front();
        }
        if marks.0.is_empty() {
            self.marks = None;
        }
    }

    fn token_end(&self) -> Instant {
        let left = self.peer.token_expires_at().millis_since(Timestamp::now());
        let over = Timestamp::now().millis_since(self.peer.token_expires_at());
        (Instant::now() + self.state.config.ws_token_grace + Duration::from_millis(left))
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
        self.hear();
        if self.answer_due().is_some_and(|due| now >= due) {
            tracing::info!("no heartbeat_ack in time");
            return Due::Close(CloseCode::HeartbeatTimeout);
        }
        if now >= self.next_heartbeat {
            self.next_heartbeat = now + jittered(self.interval());
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
