//! A whole client: carries out what its `Session` decides over one socket, and keeps its book.

use std::{
    future::pending,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use futures::{SinkExt, StreamExt};
use netra_ws::{
    Event, Incoming, ServerFrame, ServerMessage, Session,
    payload::SubscribeMode,
    session::{Action, Link, Millis, Token, TokenError},
};
use tokio::{
    task::JoinHandle,
    time::{Instant, sleep_until, timeout},
};
use tokio_tungstenite::tungstenite::Message;

use super::{
    Shared, tokens,
    wire::{Socket, open},
};
use crate::stamp;

/// How long a handshake may take; the session's own limit is no longer.
const OPENING: Duration = Duration::from_secs(10);

pub(super) struct Client {
    shared: Arc<Shared>,
    number: usize,
    session: Session,
    started: Instant,
    generation: u64,
    socket: Option<Socket>,
    fetching: Option<JoinHandle<Result<Token, TokenError>>>,
    /// Subscriptions that wait for their answer on this link.
    unanswered: usize,
    /// The first handshake takes its turn; later ones come as they come.
    has_opened: bool,
    /// Bytes of the frame at hand.
    bytes: usize,
}

enum Heard {
    Message(Option<Message>),
    Token(Result<Token, TokenError>),
    Time,
    Stall,
}

impl Client {
    pub(super) fn new(shared: Arc<Shared>, number: usize) -> Option<Self> {
        let limits = shared.job.limits?;
        // The seed spreads the pauses; what matters is that clients differ.
        let seed = (u64::from(std::process::id()) << 32) + u64::try_from(number).unwrap_or(0);
        Some(Self {
            session: Session::new(seed, limits),
            started: Instant::now(),
            generation: 0,
            socket: None,
            fetching: None,
            unanswered: 0,
            has_opened: false,
            bytes: 0,
            shared,
            number,
        })
    }

    /// Runs until the worker ends.
    pub(super) async fn run(mut self) {
        let shared = Arc::clone(&self.shared);
        let plan = &shared.job.clients[self.number];
        let account = &shared.job.accounts[plan.account];
        let mut stall = shared.stall.subscribe();
        for thread in plan.threads.iter().chain(plan.foreign.iter()) {
            self.session.subscribe(shared.job.threads[*thread], Some((String::new(), 0)));
        }
        let lives_ms = account.lives_ms.saturating_sub(shared.age_ms());
        self.session.start(self.now(), Some(Token { token: account.token.clone(), lives_ms }), Vec::new());
        loop {
            self.act().await;
            if plan.stalls && *stall.borrow_and_update() {
                if stall.changed().await.is_err() {
                    return;
                }
                continue;
            }
            let wake_at = self.session.wake_at().map(|at| self.started + Duration::from_millis(at));
            let heard = tokio::select! {
                message = next(self.socket.as_mut()) => Heard::Message(message),
                outcome = fetched(self.fetching.as_mut()) => Heard::Token(outcome),
                () = sleep_until(wake_at.unwrap_or_else(Instant::now)), if wake_at.is_some() => Heard::Time,
                changed = stall.changed(), if plan.stalls => {
                    if changed.is_err() {
                        return;
                    }
                    Heard::Stall
                }
            };
            let now = self.now();
            match heard {
                Heard::Message(message) => self.hear(now, message),
                Heard::Token(outcome) => {
                    self.fetching = None;
                    self.session.token(now, outcome);
                }
                Heard::Time => self.session.tick(now),
                Heard::Stall => {}
            }
        }
    }

    fn now(&self) -> Millis {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn hear(&mut self, now: Millis, message: Option<Message>) {
        let code = match message {
            Some(Message::Text(text)) => {
                self.bytes = text.len();
                match serde_json::from_str(&text) {
                    Ok(Incoming::Frame(frame)) => {
                        self.inspect(&frame);
                        self.session.frame(now, self.generation, *frame);
                    }
                    // Server and tool are built from the same types.
                    Ok(Incoming::Unknown(_)) => self.bad("an unknown type", &text),
                    Ok(Incoming::Bad(error, _)) => self.bad(&format!("{error:?}"), &text),
                    Err(error) => self.bad(&error.to_string(), &text),
                }
                return;
            }
            Some(Message::Close(close)) => close.map_or(1005, |close| close.code.into()),
            Some(_) => return,
            None => 1006,
        };
        self.drop_socket();
        self.session.closed(now, self.generation, code);
    }

    /// A frame that cannot be read; the first one is shown.
    fn bad(&self, error: &str, text: &str) {
        self.shared.board.book(self.number).faults.bad += 1;
        if !self.shared.has_shown_bad.swap(true, Ordering::Relaxed) {
            eprintln!("a frame that cannot be read: {error}: {text}");
        }
    }

    fn drop_socket(&mut self) {
        if self.socket.take().is_some() {
            self.shared.board.lost(self.number);
        }
    }

    /// Looks at a frame as it came, before the session filters it.
    fn inspect(&mut self, frame: &ServerFrame) {
        let job = &self.shared.job;
        let plan = &job.clients[self.number];
        let own = &job.accounts[plan.account].id;
        let mut book = self.shared.board.book(self.number);
        match &frame.message {
            ServerMessage::Connect(connect) => {
                self.unanswered = plan.threads.len() + usize::from(plan.foreign.is_some());
                book.faults.foreign += u64::from(connect.user.id.to_string() != *own);
            }
            ServerMessage::Subscribed(answer) => {
                self.unanswered = self.unanswered.saturating_sub(1);
                // The whole log was asked for, or what follows a cursor that must still hold.
                book.faults.bad += u64::from(answer.mode != SubscribeMode::Resumed);
            }
            ServerMessage::ErrorMessage(_) => self.unanswered = self.unanswered.saturating_sub(1),
            _ => {}
        }
        if let (Some(thread), Some(seq)) = (frame.thread_id, frame.seq) {
            match plan.threads.iter().position(|at| job.threads[*at] == thread) {
                Some(at) => {
                    book.faults.duplicated += u64::from(seq <= book.last[at]);
                    book.faults.gaps += u64::from(seq > book.last[at] + 1);
                }
                None => book.faults.foreign += 1,
            }
            if let (Some(word), ServerMessage::Event(Event::PartialResult(part))) = (&plan.word, &frame.message) {
                let theirs = part.delta.split_whitespace().any(|said| said != word && !stamp::is(said));
                book.faults.foreign += u64::from(theirs);
            }
        }
        drop(book);
        if self.unanswered == 0 {
            self.shared.board.ready(self.number);
        }
    }

    /// Does what the session says.
    async fn act(&mut self) {
        while let Some(action) = self.session.poll() {
            match action {
                Action::Open { generation, token } => self.open(generation, &token).await,
                Action::Close => self.drop_socket(),
                Action::Send(frame) => self.send(&frame).await,
                Action::FetchToken => {
                    self.fetching = Some(tokio::spawn(tokens::fetch(Arc::clone(&self.shared), self.number)));
                }
                Action::Deliver(frame) => self.deliver(&frame),
                Action::Refused { .. } => self.shared.board.book(self.number).faults.refused += 1,
                Action::LinkChanged if matches!(self.session.link(), Link::SignedOut) => {
                    self.shared.board.book(self.number).faults.bad += 1;
                }
                Action::Skip(_) | Action::LinkChanged | Action::Settled { .. } | Action::OutboxChanged => {}
            }
        }
    }

    async fn open(&mut self, generation: u64, token: &str) {
        self.generation = generation;
        let turn = if self.has_opened { None } else { self.shared.opening.acquire().await.ok() };
        let opened = timeout(OPENING, open(&self.shared, self.number, token)).await;
        drop(turn);
        let now = self.now();
        if let Ok(Ok(socket)) = opened {
            self.has_opened = true;
            self.unanswered = usize::MAX;
            self.socket = Some(socket);
            self.session.opened(now, generation);
        } else {
            self.session.closed(now, generation, 1006);
        }
    }

    async fn send(&mut self, frame: &netra_ws::ClientFrame) {
        let Ok(text) = frame.encode() else { return };
        if let Some(socket) = &mut self.socket {
            // When it fails, reading says so too.
            let _ = socket.send(Message::text(text)).await;
        }
    }

    fn deliver(&mut self, frame: &ServerFrame) {
        let (Some(thread), Some(seq)) = (frame.thread_id, frame.seq) else { return };
        let job = &self.shared.job;
        let plan = &job.clients[self.number];
        let Some(at) = plan.threads.iter().position(|at| job.threads[*at] == thread) else { return };
        let mut book = self.shared.board.book(self.number);
        if seq == book.last[at] + 1 {
            book.last[at] = seq;
        } else {
            book.faults.duplicated += 1;
        }
        let epoch = frame.epoch.as_deref().unwrap_or_default();
        if book.epochs[at] != epoch {
            book.faults.bad += u64::from(!book.epochs[at].is_empty());
            epoch.clone_into(&mut book.epochs[at]);
        }
        drop(book);
        self.shared.board.delivered(self.bytes, frame.ts);
        if let Some(text) = said(&frame.message) {
            self.shared.board.ways(stamp::ages(text));
        }
    }
}

/// What the model said in this event.
fn said(message: &ServerMessage) -> Option<&str> {
    match message {
        ServerMessage::Event(Event::PartialResult(piece)) => Some(&piece.delta),
        ServerMessage::Event(Event::AgentThinking(piece)) => Some(&piece.thought),
        _ => None,
    }
}

async fn next(socket: Option<&mut Socket>) -> Option<Message> {
    match socket {
        Some(socket) => socket.next().await.and_then(Result::ok),
        None => pending().await,
    }
}

async fn fetched(fetching: Option<&mut JoinHandle<Result<Token, TokenError>>>) -> Result<Token, TokenError> {
    match fetching {
        Some(task) => task.await.unwrap_or_else(|error| Err(TokenError::Unreachable(error.to_string()))),
        None => pending().await,
    }
}
