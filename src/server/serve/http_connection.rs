//! One connection: who holds it, what it is waiting for, and since when.

use std::{
    net::IpAddr,
    sync::{Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use netra_ws::UserId;
use tokio::{sync::Notify, time::Instant};

use super::HttpConnections;

/// How long a connection may be open without a request.
pub(super) const IDLE: Duration = Duration::from_mins(1);

/// How long a request's head may take from its first byte.
pub(super) const HEAD: Duration = Duration::from_secs(15);

/// How long a request's body may take, and what is taken by a reader's network is added: [`SLOWEST`].
const BODY: Duration = Duration::from_secs(20);

/// How long an answer may be stuck in a full socket; to this, too, the time of [`SLOWEST`] is added.
const ANSWER: Duration = Duration::from_secs(30);

/// The slowest network that is waited for, in bytes a second.
const SLOWEST: u64 = 4 * 1024;

/// A connection that speaks HTTP.
pub(crate) struct HttpConnection {
    pub(super) id: u64,
    pub(super) address: IpAddr,
    table: Weak<HttpConnections>,
    /// Told when the connection must end at once.
    pub(super) end: Notify,
    progress: Mutex<Progress>,
}

/// What a connection is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// No byte of a request has come.
    Idle(Instant),
    /// A request's head is coming.
    Head(Instant),
    /// A request is being answered.
    Request,
    /// It is a socket now, which has clocks of its own.
    Socket,
}

/// Bytes that the other side has to send or to take.
#[derive(Clone, Copy, Debug)]
struct Transfer {
    since: Instant,
    bytes: u64,
}

impl Transfer {
    fn begin(now: Instant) -> Self {
        Self { since: now, bytes: 0 }
    }

    fn is_over(&self, now: Instant, patience: Duration) -> bool {
        now.duration_since(self.since) > patience + Duration::from_secs(self.bytes / SLOWEST)
    }
}

struct Progress {
    phase: Phase,
    /// The body that is being received.
    body: Option<Transfer>,
    /// What waits in a full socket.
    answer: Option<Transfer>,
}

/// Why a connection is ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Overdue {
    /// Nobody asks anything.
    Idle,
    /// A head without an end.
    Head,
    /// A body without an end.
    Body,
    /// An answer that nobody reads.
    Answer,
}

impl Overdue {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Head => "head",
            Self::Body => "body",
            Self::Answer => "answer",
        }
    }
}

impl HttpConnection {
    pub(super) fn new(id: u64, address: IpAddr, table: Weak<HttpConnections>) -> Self {
        let progress = Progress { phase: Phase::Idle(Instant::now()), body: None, answer: None };
        Self { id, address, table, end: Notify::new(), progress: Mutex::new(progress) }
    }

    /// Whoever asks at the other end is signed in as this user.
    pub(crate) fn signed_in(&self, user: UserId) {
        if let Some(table) = self.table.upgrade() {
            table.signed_in(self, user);
        }
    }

    fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Bytes came; `true` when they are the first of a request.
    pub(super) fn read(&self, bytes: usize) -> bool {
        let mut progress = self.progress();
        match progress.phase {
            Phase::Idle(_) => {
                progress.phase = Phase::Head(Instant::now());
                return true;
            }
            Phase::Request => {
                if let Some(body) = &mut progress.body {
                    body.bytes += bytes as u64;
                }
            }
            Phase::Head(_) | Phase::Socket => {}
        }
        false
    }

    /// Bytes went out: all that there were, or as many as the socket took; none when it is full.
    pub(super) fn wrote(&self, bytes: usize, all: bool) {
        let mut progress = self.progress();
        if progress.phase == Phase::Socket {
            return;
        }
        if all {
            progress.answer = None;
        } else {
            progress.answer.get_or_insert_with(|| Transfer::begin(Instant::now())).bytes += bytes as u64;
        }
    }

    /// A request's head is complete.
    pub(super) fn begin_request(&self) {
        let mut progress = self.progress();
        progress.phase = Phase::Request;
        progress.body = None;
    }

    /// The request's body is waited for. Its clock begins here, so that who waits for a turn before is not late.
    pub(super) fn begin_body(&self) {
        self.progress().body.get_or_insert_with(|| Transfer::begin(Instant::now()));
    }

    /// The request's body is complete, or nobody reads it further.
    pub(super) fn end_body(&self) {
        self.progress().body = None;
    }

    /// The answer was handed over.
    pub(super) fn end_request(&self) {
        let mut progress = self.progress();
        if progress.phase == Phase::Request {
            progress.phase = Phase::Idle(Instant::now());
        }
    }

    /// The connection is a socket from now on.
    pub(super) fn become_socket(&self) {
        *self.progress() = Progress { phase: Phase::Socket, body: None, answer: None };
        if let Some(table) = self.table.upgrade() {
            table.became_socket(self.id);
        }
    }

    /// The other end is gone.
    pub(super) fn closed(&self) {
        let was_socket = self.progress().phase == Phase::Socket;
        if let Some(table) = self.table.upgrade() {
            if was_socket { table.socket_ended() } else { table.ended(self.id) }
        }
    }

    pub(super) fn is_socket(&self) -> bool {
        self.progress().phase == Phase::Socket
    }

    pub(super) fn is_idle(&self) -> bool {
        matches!(self.progress().phase, Phase::Idle(_))
    }

    /// Whether no request of it is under way: none came, or none came whole.
    pub(super) fn asks_nothing(&self) -> bool {
        matches!(self.progress().phase, Phase::Idle(_) | Phase::Head(_))
    }

    /// What has taken too long, if anything.
    pub(super) fn overdue(&self, now: Instant) -> Option<Overdue> {
        let progress = self.progress();
        let late = |since: Instant, patience| now.duration_since(since) > patience;
        if progress.answer.is_some_and(|answer| answer.is_over(now, ANSWER)) {
            return Some(Overdue::Answer);
        }
        match progress.phase {
            Phase::Idle(since) => late(since, IDLE).then_some(Overdue::Idle),
            Phase::Head(since) => late(since, HEAD).then_some(Overdue::Head),
            Phase::Request => progress.body.is_some_and(|body| body.is_over(now, BODY)).then_some(Overdue::Body),
            Phase::Socket => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connection() -> HttpConnection {
        HttpConnection::new(1, [127, 0, 0, 1].into(), Weak::new())
    }

    #[tokio::test(start_paused = true)]
    async fn every_part_of_a_request_has_an_end() {
        let wait = |time: Duration| tokio::time::advance(time + Duration::from_millis(1));
        let idle = connection();
        wait(IDLE).await;
        assert_eq!(idle.overdue(Instant::now()), Some(Overdue::Idle));

        let head = connection();
        head.read(1);
        wait(HEAD / 2).await;
        head.read(1);
        wait(HEAD / 2).await;
        assert_eq!(head.overdue(Instant::now()), Some(Overdue::Head), "more bytes give no more time");

        let body = connection();
        body.begin_request();
        wait(10 * BODY).await;
        assert_eq!(body.overdue(Instant::now()), None, "nobody has asked for the body yet");
        body.begin_body();
        body.read(10);
        wait(BODY).await;
        assert_eq!(body.overdue(Instant::now()), Some(Overdue::Body));
        body.read(usize::try_from(60 * SLOWEST).expect("a size"));
        assert_eq!(body.overdue(Instant::now()), None, "a slow network is waited for");
        body.end_body();
        wait(10 * BODY).await;
        assert_eq!(body.overdue(Instant::now()), None, "the server's own work has no clock here");
        body.end_request();
        assert!(body.is_idle());

        let answer = connection();
        answer.begin_request();
        answer.wrote(10, false);
        wait(ANSWER).await;
        assert_eq!(answer.overdue(Instant::now()), Some(Overdue::Answer));
        answer.wrote(10, true);
        assert_eq!(answer.overdue(Instant::now()), None);

        let socket = connection();
        socket.become_socket();
        socket.wrote(0, false);
        wait(10 * IDLE).await;
        assert_eq!(socket.overdue(Instant::now()), None);
    }
}
