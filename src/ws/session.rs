//! The client's half of the link as a state machine without I/O: it is told what happened and when, and says what to do.
//!
//! The owner of the socket calls a method for each thing that happens, then drains [`Session::poll`]. Times are
//! milliseconds on any clock that does not go back. A generation number goes with every socket, so that a late event of a
//! dead one changes nothing.

mod incoming;
mod link;
mod outgoing;
mod types;

use std::collections::{BTreeMap, VecDeque};

use crate::{
    allowance::Allowance,
    close::{CloseCode, Retry},
    frame::{ClientFrame, Frame},
    id::{FrameId, ThreadId, UserId},
    message::ClientMessage,
    payload as p,
};
use link::{OPEN_TIMEOUT, RESTART_TIME, refusal, silence_limit};
pub use types::{Action, Link, Queued, Token, TokenError};

/// Milliseconds on the client's clock.
pub type Millis = u64;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Idle,
    Fetching,
    Opening { since: Millis },
    Open,
    Waiting { until: Millis },
    Offline,
    Stopped,
}

#[derive(Clone, Debug)]
struct Cursor {
    /// The epoch and the last event applied; absent before the first snapshot.
    at: Option<(String, u64)>,
    /// The `subscribe` that waits for its answer and, if that is a snapshot, for the snapshot.
    asked: Option<FrameId>,
    /// Whether `subscribe` was refused for now and is to be sent again.
    deferred: bool,
}

/// How long a fresh token that could not be had, or was refused, is waited for.
const RETRY_REFRESH: Millis = 5_000;

/// Tokens that were refused within this time of each other are one fault.
const REJECTED_LATELY: Millis = 60_000;

/// The client's session.
pub struct Session {
    phase: Phase,
    link: Link,
    generation: u64,
    failures: u32,
    token: Option<(String, Millis)>,
    /// When the server last refused a token on an open socket, and how often it did lately.
    rejected_at: Option<Millis>,
    rejections: u32,
    refreshing: bool,
    refresh_at: Option<Millis>,
    /// The newest frame that brought a fresh token.
    authenticates: Option<FrameId>,
    last_heard: Millis,
    silence_limit: Millis,
    max_frame_bytes: usize,
    paused_until: Millis,
    /// What may still be sent on this socket without being refused for its rate.
    allowance: Allowance,
    /// The newest moment that the owner told.
    now: Millis,
    retry_after: Option<Millis>,
    /// Until when a server that said that it restarts is expected back.
    restarts_until: Millis,
    /// In the order of the threads' ids, so that the same session always does the same.
    cursors: BTreeMap<ThreadId, Cursor>,
    /// Whose page or program this is.
    owner: Option<UserId>,
    outbox: VecDeque<Queued>,
    actions: VecDeque<Action>,
    random: fastrand::Rng,
}

impl Session {
    /// A session that is not started. `seed` makes its random pauses repeatable.
    pub fn new(seed: u64, limits: p::Limits) -> Self {
        Self {
            phase: Phase::Idle,
            link: Link::Connecting,
            generation: 0,
            failures: 0,
            token: None,
            rejected_at: None,
            rejections: 0,
            refreshing: false,
            refresh_at: None,
            authenticates: None,
            last_heard: 0,
            silence_limit: silence_limit(&limits),
            max_frame_bytes: limits.max_frame_bytes,
            paused_until: 0,
            allowance: Allowance::new(0, limits.commands_per_minute),
            now: 0,
            retry_after: None,
            restarts_until: 0,
            cursors: BTreeMap::new(),
            owner: None,
            outbox: VecDeque::new(),
            actions: VecDeque::new(),
            random: fastrand::Rng::with_seed(seed),
        }
    }

    /// The next thing to do.
    pub fn poll(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// What the link is doing.
    pub fn link(&self) -> &Link {
        &self.link
    }

    /// Commands without an answer, oldest first.
    pub fn outbox(&self) -> impl Iterator<Item = &Queued> {
        self.outbox.iter()
    }

    /// When [`Session::tick`] should be called next, if nothing happens before.
    pub fn wake_at(&self) -> Option<Millis> {
        let phase = match self.phase {
            Phase::Opening { since } => Some(since + OPEN_TIMEOUT),
            Phase::Open => Some(self.last_heard.saturating_add(self.silence_limit).saturating_add(1)),
            Phase::Waiting { until } => Some(until),
            Phase::Idle | Phase::Fetching | Phase::Offline | Phase::Stopped => None,
        };
        let resend = (self.phase == Phase::Open && self.paused_until > 0).then_some(self.paused_until);
        let refresh = self.refresh_at.filter(|_| self.phase == Phase::Open && !self.refreshing);
        [phase, resend, refresh].into_iter().flatten().min()
    }

    /// Says whose session this is. Should the server greet somebody else, for whoever shares the browser has signed in meanwhile,
    /// nothing is sent in their name: it is as if the user had signed out.
    pub fn belongs_to(&mut self, user: UserId) {
        self.owner = Some(user);
    }

    /// Starts the link with the token that the page carries, or without one, and with commands kept from before.
    pub fn start(&mut self, now: Millis, token: Option<Token>, outbox: Vec<ClientFrame>) {
        self.token = token.map(|token| (token.token, now.saturating_add(token.lives_ms)));
        self.outbox.extend(outbox.into_iter().map(|frame| Queued { frame, sent_on: None }));
        self.connect(now);
    }

    /// A token came, or why none did.
    pub fn token(&mut self, now: Millis, outcome: Result<Token, TokenError>) {
        let in_band = std::mem::take(&mut self.refreshing);
        match outcome {
            Ok(token) => {
                self.token = Some((token.token.clone(), now.saturating_add(token.lives_ms)));
                if in_band && self.phase == Phase::Open {
                    self.refresh_at = Some(now.saturating_add(token.lives_ms / 5 * 4));
                    let frame = Frame::new(ClientMessage::Authenticate(p::Authenticate { token: token.token }));
                    self.authenticates = Some(frame.id);
                    self.send(frame);
                } else if self.phase == Phase::Fetching {
                    self.open(now);
                }
            }
            Err(TokenError::SignedOut) => self.sign_out(),
            Err(TokenError::Unreachable(reason)) => {
                if self.phase == Phase::Fetching {
                    self.failures += 1;
                    self.back_off(now, Some(reason));
                } else if self.phase == Phase::Open {
                    self.refresh_at = Some(now + RETRY_REFRESH);
                }
            }
        }
    }

    /// The socket opened. The link is live once the `connect` frame came.
    pub fn opened(&mut self, now: Millis, generation: u64) {
        if generation == self.generation {
            self.last_heard = now;
        }
    }

    /// The socket closed, or could not be opened.
    pub fn closed(&mut self, now: Millis, generation: u64, code: u16) {
        if generation != self.generation || !matches!(self.phase, Phase::Opening { .. } | Phase::Open) {
            return;
        }
        let was_open = self.phase == Phase::Open;
        self.lost();
        match CloseCode::retry(code) {
            Retry::Jitter => {
                self.restarts_until = now.saturating_add(RESTART_TIME);
                let spread = self.retry_after.take().unwrap_or(1_000).max(1);
                let pause = self.random.u64(0..spread);
                self.wait(now, pause);
            }
            Retry::Change if code == CloseCode::Unauthenticated.as_u16() => {
                self.token = None;
                // A server that greets and then takes no token at all is not asked in a tight loop, however often it greets.
                let again =
                    self.rejected_at.replace(now).is_some_and(|last| now.saturating_sub(last) < REJECTED_LATELY);
                self.rejections = if again { self.rejections.saturating_add(1) } else { 1 };
                self.failures = self.failures.saturating_add(1).max(self.rejections);
                self.back_off(now, None);
            }
            Retry::Stop | Retry::Change => {
                self.phase = Phase::Stopped;
                self.set_link(Link::Unreachable { reason: refusal(code).to_owned(), retry_at: None });
            }
            Retry::BackOff => {
                // A handshake that fails may mean a token that the server no longer takes.
                if !was_open {
                    self.token = None;
                }
                self.failures += 1;
                self.back_off(now, None);
            }
        }
    }

    /// Time passed.
    pub fn tick(&mut self, now: Millis) {
        self.now = self.now.max(now);
        match self.phase {
            Phase::Open if now.saturating_sub(self.last_heard) > self.silence_limit => self.dead(now),
            Phase::Opening { since } if now.saturating_sub(since) >= OPEN_TIMEOUT => self.dead(now),
            Phase::Waiting { until } if now >= until => self.connect(now),
            Phase::Open => {
                if self.paused_until > 0 && now >= self.paused_until {
                    self.paused_until = 0;
                    self.flush();
                }
                if !self.refreshing && self.refresh_at.is_some_and(|at| now >= at) {
                    self.refreshing = true;
                    self.actions.push_back(Action::FetchToken);
                }
            }
            Phase::Idle
            | Phase::Fetching
            | Phase::Opening { .. }
            | Phase::Waiting { .. }
            | Phase::Offline
            | Phase::Stopped => {}
        }
    }

    /// The page became visible, was shown again, or the user asks to try now.
    pub fn wake(&mut self, now: Millis) {
        self.tick(now);
        if matches!(self.phase, Phase::Waiting { .. } | Phase::Offline | Phase::Stopped) && self.link != Link::SignedOut
        {
            self.connect(now);
        }
    }

    /// The device says whether it has a network.
    pub fn network(&mut self, now: Millis, online: bool) {
        if online {
            self.wake(now);
        } else if self.link != Link::SignedOut && self.phase != Phase::Stopped {
            if matches!(self.phase, Phase::Opening { .. } | Phase::Open) {
                self.actions.push_back(Action::Close);
                self.lost();
            }
            self.phase = Phase::Offline;
            self.set_link(Link::Offline);
        }
    }

    /// The user signed out.
    pub fn sign_out(&mut self) {
        if matches!(self.phase, Phase::Opening { .. } | Phase::Open) {
            self.actions.push_back(Action::Close);
        }
        self.lost();
        self.token = None;
        self.phase = Phase::Stopped;
        self.set_link(Link::SignedOut);
    }

    /// The cursor of a watched thread, for tests and resumption elsewhere.
    pub fn cursor(&self, thread_id: ThreadId) -> Option<(&str, u64)> {
        self.cursors.get(&thread_id)?.at.as_ref().map(|(epoch, seq)| (epoch.as_str(), *seq))
    }
}

#[cfg(test)]
#[path = "session_tests.rs"]
mod tests;
