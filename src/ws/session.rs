//! The client's half of the link as a state machine without I/O: it is told what happened and when, and says what to do.
//!
//! The owner of the socket calls a method for each thing that happens, then drains [`Session::poll`]. Times are
//! milliseconds on any clock that does not go back. A generation number goes with every socket, so that a late event of a
//! dead one changes nothing.

use std::collections::{HashMap, VecDeque};

use serde::{Deserialize, Serialize};

use crate::{
    allowance::Allowance,
    close::{CloseCode, Retry},
    error::ErrorCode,
    frame::{ClientFrame, Frame, Place, ServerFrame},
    id::{FrameId, ThreadId},
    message::{ClientMessage, ServerMessage},
    payload as p,
    time::Timestamp,
};

/// Milliseconds on the client's clock.
pub type Millis = u64;

/// The first pause before a reconnect; doubled with each failure.
const BACK_OFF_BASE: Millis = 500;

/// The longest pause before a reconnect.
const BACK_OFF_MAX: Millis = 30_000;

/// The longest pause while a server restarts, and how long a restart is believed to take: it comes back soon, and whoever
/// waits longer than others is without it for no reason.
const RESTART_PAUSE: Millis = 2_000;
const RESTART_TIME: Millis = 60_000;

/// How long a handshake may take, the `connect` frame included.
const OPEN_TIMEOUT: Millis = 10_000;

/// Failures after which the link is called unreachable rather than reconnecting.
const UNREACHABLE_AFTER: u32 = 2;

/// A token with less life than this is not used for a new connection.
const TOKEN_MARGIN: Millis = 10_000;

/// A token and how long it lives.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    /// The JWT.
    pub token: String,
    /// Its life from the moment it was handed over, in milliseconds.
    pub lives_ms: Millis,
}

/// Why there is no token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenError {
    /// The user is not signed in.
    SignedOut,
    /// The server could not be asked.
    Unreachable(String),
}

/// What the link is doing, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Link {
    /// The first connection is being made.
    Connecting,
    /// Events flow.
    Live,
    /// The connection was lost; the next attempt is at `retry_at`.
    Reconnecting {
        /// When.
        retry_at: Millis,
    },
    /// The device has no network.
    Offline,
    /// The server was tried and could not be reached.
    Unreachable {
        /// Why, as far as it is known.
        reason: String,
        /// When it is tried again; absent when only the user can.
        retry_at: Option<Millis>,
    },
    /// The server no longer knows the user.
    SignedOut,
}

/// What the owner of the socket is to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Open a socket with this token; name its events with this generation.
    Open {
        /// The socket's number.
        generation: u64,
        /// The token for the subprotocol.
        token: String,
    },
    /// Drop the current socket.
    Close,
    /// Send a frame on the current socket.
    Send(Box<ClientFrame>),
    /// Ask the server for a token and report it with [`Session::token`].
    FetchToken,
    /// A frame for the application, filtered and in order.
    Deliver(Box<ServerFrame>),
    /// An event of a type that this build does not know: the thread's state moves over it.
    Skip(Place),
    /// A command was answered and left the outbox.
    Settled {
        /// The command.
        id: FrameId,
        /// Its answer.
        outcome: Result<p::Ack, p::ErrorMessage>,
    },
    /// A subscription was refused.
    Refused {
        /// The thread.
        thread_id: ThreadId,
        /// Why.
        error: p::ErrorMessage,
    },
    /// [`Session::link`] changed.
    LinkChanged,
    /// [`Session::outbox`] changed; keep it where it survives a reload.
    OutboxChanged,
}

/// A command that was not answered yet.
#[derive(Clone, Debug, PartialEq)]
pub struct Queued {
    /// The command.
    pub frame: ClientFrame,
    /// The socket it was sent on, if any.
    sent_on: Option<u64>,
}

impl Queued {
    /// Whether it went out and waits for its answer.
    pub fn is_sent(&self) -> bool {
        self.sent_on.is_some()
    }
}

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

/// The client's session.
pub struct Session {
    phase: Phase,
    link: Link,
    generation: u64,
    failures: u32,
    token: Option<(String, Millis)>,
    refreshing: bool,
    refresh_at: Option<Millis>,
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
    cursors: HashMap<ThreadId, Cursor>,
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
            refreshing: false,
            refresh_at: None,
            last_heard: 0,
            silence_limit: silence_limit(&limits),
            max_frame_bytes: limits.max_frame_bytes,
            paused_until: 0,
            allowance: Allowance::new(0, limits.commands_per_minute),
            now: 0,
            retry_after: None,
            restarts_until: 0,
            cursors: HashMap::new(),
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
                    self.send(Frame::new(ClientMessage::Authenticate(p::Authenticate { token: token.token })));
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
                    self.refresh_at = Some(now + 5_000);
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
                self.connect(now);
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

    /// A frame came.
    pub fn frame(&mut self, now: Millis, generation: u64, frame: ServerFrame) {
        self.now = self.now.max(now);
        if generation != self.generation || !matches!(self.phase, Phase::Opening { .. } | Phase::Open) {
            return;
        }
        self.last_heard = now;
        if frame.seq.is_some() {
            return self.durable(frame);
        }
        match &frame.message {
            ServerMessage::Connect(connect) => {
                self.silence_limit = silence_limit(&connect.limits);
                self.max_frame_bytes = connect.limits.max_frame_bytes;
                self.allowance = Allowance::new(now, connect.limits.commands_per_minute);
                self.refresh_at = Some(now.saturating_add(life(frame.ts, connect.token_expires_at) / 5 * 4));
                self.greeted();
                self.deliver(frame);
            }
            ServerMessage::Heartbeat(_) => {
                self.send(Frame::new(ClientMessage::HeartbeatAck(p::Empty {})).answering(frame.id));
            }
            ServerMessage::Disconnect(goodbye) => self.retry_after = goodbye.retry_after_ms,
            ServerMessage::Subscribed(subscribed) => {
                self.failures = 0;
                let (Some(thread), Some(answers)) = (frame.thread_id, frame.reply_to) else { return };
                let Some(cursor) = self.cursors.get_mut(&thread).filter(|cursor| cursor.asked == Some(answers)) else {
                    return;
                };
                match subscribed.mode {
                    p::SubscribeMode::Snapshot => cursor.at = None,
                    p::SubscribeMode::Resumed => {
                        cursor.asked = None;
                        let (epoch, _) = cursor.at.get_or_insert_default();
                        epoch.clone_from(&subscribed.epoch);
                    }
                }
            }
            ServerMessage::ThreadSnapshot(snapshot) => {
                let Some(cursor) = self.cursors.get_mut(&snapshot.thread.id) else { return };
                cursor.at = Some((snapshot.epoch.clone(), snapshot.as_of_seq));
                cursor.asked = None;
                self.deliver(frame);
            }
            ServerMessage::Ack(ack) => {
                if let Some(id) = frame.reply_to {
                    self.settle(id, Ok(ack.clone()));
                }
            }
            ServerMessage::ErrorMessage(error) => {
                let error = error.clone();
                self.refused(now, frame, error);
            }
            ServerMessage::ThreadDeleted(deleted) => {
                self.cursors.remove(&deleted.id);
                self.deliver(frame);
            }
            ServerMessage::Pong(_) | ServerMessage::Authenticated(_) | ServerMessage::Unsubscribed(_) => {}
            ServerMessage::ThreadCreated(_)
            | ServerMessage::ThreadUpdate(_)
            | ServerMessage::SystemMessage(_)
            | ServerMessage::Broadcast(_)
            | ServerMessage::RoomMessage(_)
            | ServerMessage::JsonrpcResponse(_)
            | ServerMessage::JsonrpcNotification(_) => self.deliver(frame),
            // Durable events carry `seq`; without it they are not events.
            ServerMessage::ThreadMessage(_)
            | ServerMessage::AgentStarted(_)
            | ServerMessage::AgentThinking(_)
            | ServerMessage::ToolExecuting(_)
            | ServerMessage::ToolApprovalRequired(_)
            | ServerMessage::ToolCompleted(_)
            | ServerMessage::AgentProgress(_)
            | ServerMessage::PartialResult(_)
            | ServerMessage::AgentResponse(_)
            | ServerMessage::AgentCompleted(_)
            | ServerMessage::AgentError(_) => {}
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

    /// Takes a command into the outbox, where it stays until it is answered, and sends it when the link is live.
    pub fn command(&mut self, now: Millis, frame: ClientFrame) {
        self.outbox.push_back(Queued { frame, sent_on: None });
        self.actions.push_back(Action::OutboxChanged);
        self.tick(now);
        self.flush();
    }

    /// Sends a frame that matters now or not at all, such as that someone types: it is never kept and never sent again. Gone
    /// when the link is down or the rate is spent; `true` when it was sent.
    pub fn say_once(&mut self, now: Millis, frame: ClientFrame) -> bool {
        self.tick(now);
        let goes = self.phase == Phase::Open && self.allowance.take(self.now).is_ok();
        if goes {
            self.send(frame);
        }
        goes
    }

    /// Takes a command back that was not answered.
    pub fn withdraw(&mut self, id: FrameId) {
        self.outbox.retain(|queued| queued.frame.id != id);
        self.actions.push_back(Action::OutboxChanged);
    }

    /// Watches a thread from a cursor on; `None` asks for a snapshot, an empty epoch with 0 for the whole log. Stays across
    /// reconnects.
    pub fn subscribe(&mut self, thread_id: ThreadId, at: Option<(String, u64)>) {
        self.cursors.insert(thread_id, Cursor { at, asked: None, deferred: false });
        self.ask(thread_id);
    }

    /// Stops watching a thread.
    pub fn unsubscribe(&mut self, thread_id: ThreadId) {
        if self.cursors.remove(&thread_id).is_some() && self.phase == Phase::Open {
            self.send(Frame::new(ClientMessage::Unsubscribe(p::Empty {})).in_thread(thread_id));
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

    /// A frame came whose type this build does not know.
    pub fn unknown(&mut self, now: Millis, generation: u64, place: Option<Place>) {
        self.now = self.now.max(now);
        if generation != self.generation || self.phase != Phase::Open {
            return;
        }
        self.last_heard = now;
        if let Some(place) = place
            && self.is_next(place.thread_id, Some(&place.epoch), place.seq)
        {
            self.actions.push_back(Action::Skip(place));
        }
    }

    fn durable(&mut self, frame: ServerFrame) {
        let (Some(thread), Some(seq)) = (frame.thread_id, frame.seq) else { return };
        if self.is_next(thread, frame.epoch.as_deref(), seq) {
            self.deliver(frame);
        }
    }

    /// Moves the cursor over the event that is next in line; asks again for what is missing before another.
    fn is_next(&mut self, thread: ThreadId, epoch: Option<&str>, seq: u64) -> bool {
        let Some(cursor) = self.cursors.get_mut(&thread) else { return false };
        if cursor.asked.is_some() {
            // These belong to the subscription that was given up; the new one starts from the cursor.
            return false;
        }
        let Some((known, last)) = &mut cursor.at else { return false };
        let same_epoch = epoch == Some(known);
        if same_epoch && seq <= *last {
            return false;
        }
        let next = same_epoch && last.checked_add(1) == Some(seq);
        if next {
            *last = seq;
        } else {
            self.ask(thread);
        }
        next
    }

    fn refused(&mut self, now: Millis, frame: ServerFrame, error: p::ErrorMessage) {
        let Some(id) = frame.reply_to else { return };
        let asked = self.cursors.iter().find(|(_, cursor)| cursor.asked == Some(id)).map(|(thread, _)| *thread);
        let limited = error.code == ErrorCode::RateLimited;
        if limited {
            self.paused_until = now.saturating_add(error.retry_after_ms.unwrap_or(1_000).max(1));
        }
        if let Some(thread_id) = asked {
            if limited {
                if let Some(cursor) = self.cursors.get_mut(&thread_id) {
                    cursor.asked = None;
                    cursor.deferred = true;
                }
                return;
            }
            self.cursors.remove(&thread_id);
            self.actions.push_back(Action::Refused { thread_id, error });
        } else if limited {
            for queued in self.outbox.iter_mut().filter(|queued| queued.frame.id == id) {
                queued.sent_on = None;
            }
            self.actions.push_back(Action::OutboxChanged);
        } else {
            self.settle(id, Err(error));
        }
    }

    fn settle(&mut self, id: FrameId, outcome: Result<p::Ack, p::ErrorMessage>) {
        let before = self.outbox.len();
        self.outbox.retain(|queued| queued.frame.id != id);
        if self.outbox.len() < before {
            self.actions.push_back(Action::OutboxChanged);
            self.actions.push_back(Action::Settled { id, outcome });
        }
    }

    fn connect(&mut self, now: Millis) {
        // An attempt after failures still is one of them; anything else that was shown no longer holds.
        let failing = matches!(self.link, Link::Reconnecting { .. } | Link::Unreachable { retry_at: Some(_), .. });
        if self.failures == 0 || !failing {
            self.set_link(Link::Connecting);
        }
        if self.token.as_ref().is_some_and(|(_, ends)| *ends > now + TOKEN_MARGIN) {
            self.open(now);
        } else {
            self.phase = Phase::Fetching;
            self.actions.push_back(Action::FetchToken);
        }
    }

    fn open(&mut self, now: Millis) {
        let Some((token, _)) = self.token.clone() else { return };
        self.generation += 1;
        self.phase = Phase::Opening { since: now };
        self.actions.push_back(Action::Open { generation: self.generation, token });
    }

    fn greeted(&mut self) {
        self.phase = Phase::Open;
        self.set_link(Link::Live);
        let threads: Vec<_> = self.cursors.keys().copied().collect();
        if threads.is_empty() {
            self.failures = 0;
        }
        for thread in threads {
            self.ask(thread);
        }
        self.flush();
    }

    /// Sends `subscribe` with the cursor.
    fn ask(&mut self, thread_id: ThreadId) {
        if self.phase != Phase::Open {
            return;
        }
        let Some(cursor) = self.cursors.get_mut(&thread_id) else { return };
        if self.paused_until == 0
            && let Err(next) = self.allowance.take(self.now)
        {
            self.paused_until = next;
        }
        if self.paused_until > 0 {
            cursor.deferred = true;
            return;
        }
        let (epoch, after_seq) = cursor.at.clone().unzip();
        let epoch = epoch.filter(|epoch: &String| !epoch.is_empty());
        let after_seq = after_seq.and_then(|seq| i64::try_from(seq).ok());
        let frame = Frame::new(ClientMessage::Subscribe(p::Subscribe { after_seq, epoch })).in_thread(thread_id);
        cursor.asked = Some(frame.id);
        cursor.deferred = false;
        self.send(frame);
    }

    /// Sends what this socket has not sent yet.
    fn flush(&mut self) {
        if self.phase != Phase::Open || self.paused_until > 0 {
            return;
        }
        let deferred: Vec<_> =
            self.cursors.iter().filter(|(_, cursor)| cursor.deferred).map(|(thread, _)| *thread).collect();
        for thread in deferred {
            self.ask(thread);
        }
        let generation = self.generation;
        // The server would close the socket over a frame that is too large, and again after every reconnect.
        let too_large = |queued: &&Queued| {
            queued.sent_on != Some(generation)
                && queued.frame.encode().is_ok_and(|text| text.len() > self.max_frame_bytes)
        };
        let too_large: Vec<_> = self.outbox.iter().filter(too_large).map(|queued| queued.frame.id).collect();
        for id in too_large {
            let error = p::ErrorMessage::new(ErrorCode::FrameTooLarge, "this message is too large for the server");
            self.settle(id, Err(error));
        }
        let mut changed = false;
        for queued in self.outbox.iter_mut().filter(|queued| queued.sent_on != Some(generation)) {
            if self.paused_until > 0 {
                break;
            }
            if let Err(next) = self.allowance.take(self.now) {
                self.paused_until = next;
                break;
            }
            queued.sent_on = Some(generation);
            changed = true;
            self.actions.push_back(Action::Send(Box::new(queued.frame.clone())));
        }
        if changed {
            self.actions.push_back(Action::OutboxChanged);
        }
    }

    fn send(&mut self, frame: ClientFrame) {
        self.actions.push_back(Action::Send(Box::new(frame)));
    }

    fn deliver(&mut self, frame: ServerFrame) {
        self.actions.push_back(Action::Deliver(Box::new(frame)));
    }

    /// The socket is silent for too long.
    fn dead(&mut self, now: Millis) {
        self.actions.push_back(Action::Close);
        self.lost();
        self.failures += 1;
        self.back_off(now, None);
    }

    /// Forgets what belonged to the socket.
    fn lost(&mut self) {
        self.generation += 1;
        self.refreshing = false;
        self.paused_until = 0;
        for cursor in self.cursors.values_mut() {
            cursor.asked = None;
        }
    }

    fn back_off(&mut self, now: Millis, reason: Option<String>) {
        // Full jitter: anything between nothing and the ceiling, so that clients do not come back in step.
        let most = if now < self.restarts_until { RESTART_PAUSE } else { BACK_OFF_MAX };
        let ceiling = BACK_OFF_BASE.saturating_mul(1 << self.failures.saturating_sub(1).min(6)).min(most);
        let pause = self.random.u64(ceiling / 10..=ceiling);
        self.wait(now, pause);
        if reason.is_some() || self.failures > UNREACHABLE_AFTER {
            let reason = reason.unwrap_or_else(|| "the connection could not be made".to_owned());
            self.set_link(Link::Unreachable { reason, retry_at: Some(now + pause) });
        }
    }

    fn wait(&mut self, now: Millis, pause: Millis) {
        let retry_at = now.saturating_add(pause);
        self.phase = Phase::Waiting { until: retry_at };
        self.set_link(Link::Reconnecting { retry_at });
    }

    fn set_link(&mut self, link: Link) {
        if self.link != link {
            self.link = link;
            self.actions.push_back(Action::LinkChanged);
        }
    }
}

/// A client that heard nothing for this long takes the socket for dead.
fn silence_limit(limits: &p::Limits) -> Millis {
    (limits.heartbeat_interval_ms.saturating_mul(3) / 2).saturating_add(limits.heartbeat_timeout_ms)
}

/// How long a token lives, by the server's clock alone.
fn life(now: Option<Timestamp>, expires_at: Timestamp) -> Millis {
    now.map_or(0, |now| expires_at.millis_since(now))
}

/// What a 44xx close means to the user.
fn refusal(code: u16) -> &'static str {
    match code {
        1000 | 1001 => "the server ended the connection",
        4400 => "the server did not understand this page; reload it",
        4403 => "this account may not connect",
        4409 => "another connection took this one's place",
        4413 => "a message was too large to send",
        4429 => "too many requests; wait a minute",
        _ => "the server refused the connection",
    }
}

#[cfg(test)]
#[path = "session_tests.rs"]
mod tests;
