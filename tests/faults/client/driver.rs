//! Carries out what the session decides, and tells it what happens: the native twin of `src/app/socket.rs`.

use std::{
    future::pending,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use netra_ws::{
    ServerMessage, Session,
    message::ClientMessage,
    payload::SubscribeMode,
    session::{Action, Millis, Token, TokenError},
};
use tokio::{
    sync::{mpsc, watch},
    task::JoinHandle,
    time::{Instant, sleep_until},
};

use super::{
    Book, Endpoint, Order,
    wire::{Report, Wire},
};

struct Driver {
    endpoint: Endpoint,
    session: Session,
    started: Instant,
    generation: u64,
    wire: Option<Wire>,
    fetching: Option<JoinHandle<Result<Token, TokenError>>>,
    book: Arc<Mutex<Book>>,
    tell: watch::Sender<()>,
}

/// Runs a client until its handle is gone.
pub(super) async fn run(
    endpoint: Endpoint,
    seed: u64,
    mut orders: mpsc::UnboundedReceiver<Order>,
    book: Arc<Mutex<Book>>,
    tell: watch::Sender<()>,
) {
    let session = Session::new(seed, endpoint.limits);
    let started = Instant::now();
    let mut driver = Driver { endpoint, session, started, generation: 0, wire: None, fetching: None, book, tell };
    driver.session.start(0, None, Vec::new());
    loop {
        driver.act(false);
        let wake_at = driver.session.wake_at().map(|at| driver.started + Duration::from_millis(at));
        tokio::select! {
            order = orders.recv() => match order {
                Some(order) => driver.order(order),
                None => return,
            },
            report = next(&mut driver.wire) => driver.hear(report),
            outcome = fetched(&mut driver.fetching) => {
                driver.fetching = None;
                let now = driver.now();
                driver.session.token(now, outcome);
            }
            () = sleep_until(wake_at.unwrap_or_else(Instant::now)), if wake_at.is_some() => {
                let now = driver.now();
                driver.session.tick(now);
            }
        }
    }
}

async fn next(wire: &mut Option<Wire>) -> Option<Report> {
    match wire {
        Some(wire) => wire.next().await,
        None => pending().await,
    }
}

async fn fetched(fetching: &mut Option<JoinHandle<Result<Token, TokenError>>>) -> Result<Token, TokenError> {
    match fetching {
        Some(task) => task.await.unwrap_or_else(|error| Err(TokenError::Unreachable(error.to_string()))),
        None => pending().await,
    }
}

impl Driver {
    fn now(&self) -> Millis {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn note(&self, write: impl FnOnce(&mut Book)) {
        write(&mut self.book.lock().unwrap_or_else(PoisonError::into_inner));
        self.tell.send_replace(());
    }

    fn order(&mut self, order: Order) {
        let now = self.now();
        match order {
            Order::Subscribe { thread, at } => {
                self.note(|book| book.begin(thread));
                self.session.subscribe(thread, at);
            }
            Order::Command(frame) => self.session.command(now, *frame),
        }
    }

    fn hear(&mut self, report: Option<Report>) {
        let now = self.now();
        match report {
            Some(Report::Opened) => self.session.opened(now, self.generation),
            Some(Report::Frame(frame)) => {
                let durable = frame.seq.is_some();
                self.note(|book| match &frame.message {
                    ServerMessage::Connect(_) => book.connects += 1,
                    ServerMessage::Subscribed(answer) if answer.mode == SubscribeMode::Resumed => book.resumes += 1,
                    ServerMessage::ThreadSnapshot(_) => book.snapshots += 1,
                    ServerMessage::Ack(ack) if ack.duplicate => book.duplicate_acks += 1,
                    ServerMessage::ErrorMessage(error) => *book.errors.entry(error.code.as_str()).or_default() += 1,
                    _ => {}
                });
                self.session.frame(now, self.generation, *frame);
                self.act(durable);
            }
            Some(Report::Bad(error)) => self.note(|book| book.bad.push(error)),
            Some(Report::Closed(code)) => {
                self.wire = None;
                self.note(|book| *book.closes.entry(code).or_default() += 1);
                self.session.closed(now, self.generation, code);
            }
            None => self.wire = None,
        }
    }

    /// Does what the session says; `durable` when that is because of an event, so that `subscribe` means a gap.
    fn act(&mut self, durable: bool) {
        while let Some(action) = self.session.poll() {
            match action {
                Action::Open { generation, token } => {
                    self.generation = generation;
                    self.wire = Some(Wire::open(&self.endpoint.url, &token));
                }
                Action::Close => {
                    self.wire = None;
                    self.note(|book| book.given_up += 1);
                }
                Action::Send(frame) => {
                    if durable && matches!(frame.message, ClientMessage::Subscribe(_)) {
                        self.note(|book| book.gaps += 1);
                    }
                    if let Some(wire) = &self.wire {
                        wire.send(&frame);
                    }
                }
                Action::FetchToken => {
                    self.note(|book| book.tokens += 1);
                    self.fetching = Some(tokio::spawn((self.endpoint.tokens)()));
                }
                Action::Deliver(frame) => self.note(|book| book.deliver(&frame)),
                Action::Settled { id, outcome } => self.note(|book| book.settled.push((id, outcome))),
                Action::Refused { thread_id, error } => self.note(|book| book.refused.push((thread_id, error))),
                // Server and client are of one build.
                Action::Skip(place) => self.note(|book| book.bad.push(format!("{place:?}"))),
                Action::LinkChanged => {
                    let (link, at) = (self.session.link().clone(), self.started.elapsed());
                    self.note(|book| book.links.push((at, link)));
                }
                Action::OutboxChanged => {
                    let waiting = self.session.outbox().count();
                    self.note(|book| book.outbox = waiting);
                }
            }
        }
    }
}
