//! The log is the truth and the bus a hint: whatever the bus loses or mixes up, every client ends where the log is.

use std::sync::atomic::AtomicBool;

use super::*;
use crate::{
    frame::{Frame, StoredEvent},
    message::{ClientMessage, ServerMessage},
    session::{Action, Session, Token},
    state::{Applied, ThreadState},
};

/// A bus that loses some deliveries and holds others back until later ones went by.
struct Bad {
    sink: std::sync::OnceLock<Manager>,
    good: AtomicBool,
    held: Mutex<(fastrand::Rng, Vec<Delivery>)>,
}

impl Bad {
    fn new(seed: u64) -> Arc<Self> {
        let held = Mutex::new((fastrand::Rng::with_seed(seed), Vec::new()));
        Arc::new(Self { sink: std::sync::OnceLock::new(), good: AtomicBool::new(false), held })
    }
}

impl Bus for Bad {
    fn publish(&self, delivery: Delivery) {
        let due = {
            let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
            let (random, held) = &mut *held;
            match random.u8(0..4) {
                _ if self.good.load(Ordering::Relaxed) => held.push(delivery),
                0 => return,
                1 => return held.push(delivery),
                _ => held.insert(0, delivery),
            }
            std::mem::take(held)
        };
        for delivery in &due {
            self.sink.get().expect("attached").deliver(delivery);
        }
    }
}

fn bad_node(seed: u64, limits: ManagerLimits) -> (Node, Arc<Bad>) {
    let bus = Bad::new(seed);
    let node = Node::on(bus.clone(), limits);
    assert!(bus.sink.set(node.manager.clone()).is_ok());
    (node, bus)
}

#[tokio::test]
async fn readers_converge_with_the_next_event_whatever_the_bus_loses() {
    for seed in 0..50 {
        let (node, bus) = bad_node(seed, LIMITS);
        let ada = user();
        let thread = node.log.thread(ada.id);
        let readers: Vec<_> = (0..5).map(|_| node.connect(&ada)).collect();
        for reader in &readers {
            reader.watch(thread, 0);
        }
        settle().await;
        let emitter = node.emitter(thread);
        emit(&emitter, 20).await;
        bus.good.store(true, Ordering::Relaxed);
        emit(&emitter, 1).await;
        for reader in &readers {
            assert_eq!(reader.until(21).await, seqs(1, 21), "seed {seed}");
        }
    }
}

/// A page: a session and the state it keeps, over a connection that is cut now and then.
struct Page {
    session: Session,
    now: u64,
    generation: u64,
    reader: Option<Reader>,
    state: ThreadState,
}

impl Page {
    fn new(seed: u64, thread: ThreadId) -> Self {
        let limits = p::Limits {
            heartbeat_interval_ms: 25_000,
            heartbeat_timeout_ms: 10_000,
            max_frame_bytes: 65_536,
            max_subscriptions: 200,
            commands_per_minute: 600,
        };
        let mut session = Session::new(seed, limits);
        let from_the_start = seed.is_multiple_of(2).then(|| (String::new(), 0));
        session.subscribe(thread, from_the_start);
        session.start(0, Some(Token { token: "t".into(), lives_ms: u64::MAX }), Vec::new());
        Self { session, now: 0, generation: 0, reader: None, state: ThreadState::default() }
    }

    /// Does what the session wants and hears what the server has, until both are quiet.
    async fn run(&mut self, node: &Node, user: &User) {
        loop {
            let mut quiet = true;
            while let Some(action) = self.session.poll() {
                quiet = false;
                match action {
                    Action::Open { generation, .. } => {
                        self.generation = generation;
                        self.reader = Some(node.connect(user));
                        self.session.frame(self.now, generation, greeting(user));
                    }
                    Action::Close => self.reader = None,
                    Action::Send(frame) => {
                        if let (ClientMessage::Subscribe(wanted), Some(reader)) = (&frame.message, &self.reader) {
                            let thread = frame.thread_id.expect("a thread");
                            let log: SharedLog = node.log.clone();
                            let watched = node.manager.watch(&log, reader.peer(), frame.id, thread, wanted).await;
                            watched.expect("the user's own");
                        }
                    }
                    Action::Deliver(frame) => {
                        let applied = self.state.apply(&frame);
                        assert!(
                            frame.seq.is_none() || !matches!(applied, Applied::Gap | Applied::Nothing),
                            "{frame:?}"
                        );
                    }
                    Action::FetchToken
                    | Action::Settled { .. }
                    | Action::Refused { .. }
                    | Action::Skip(_)
                    | Action::LinkChanged
                    | Action::OutboxChanged => {}
                }
            }
            settle().await;
            while let Some(next) = self.reader.as_ref().and_then(|reader| reader.peer().outbound.try_next()) {
                quiet = false;
                match next {
                    Next::Frame(frame) => {
                        let frame = ServerFrame::decode(&frame).expect("a frame");
                        self.session.frame(self.now, self.generation, frame);
                    }
                    Next::Close(code) => self.cut(code.as_u16()),
                    Next::Repair(thread) => {
                        let (log, reader): (SharedLog, _) = (node.log.clone(), self.reader.as_ref().expect("it spoke"));
                        node.manager.repair(&log, reader.peer(), thread);
                    }
                }
            }
            if let Some(at) = self.session.wake_at().filter(|_| self.reader.is_none()) {
                quiet = false;
                self.now = at;
                self.session.tick(at);
            }
            if quiet {
                return;
            }
        }
    }

    fn cut(&mut self, code: u16) {
        if self.reader.take().is_some() {
            self.session.closed(self.now, self.generation, code);
        }
    }
}

fn greeting(user: &User) -> ServerFrame {
    Frame {
        ts: Some(Timestamp::from_millis(0)),
        ..Frame::new(ServerMessage::Connect(p::Connect {
            connection_id: ConnectionId::new(),
            user: user.clone(),
            token_expires_at: Timestamp::from_millis(1 << 40),
            server_version: "0.1.0".into(),
            limits: p::Limits {
                heartbeat_interval_ms: 25_000,
                heartbeat_timeout_ms: 10_000,
                max_frame_bytes: 65_536,
                max_subscriptions: 200,
                commands_per_minute: 600,
            },
        }))
    }
}

#[tokio::test]
async fn pages_end_where_the_log_is_whatever_is_cut_or_lost() {
    for seed in 0..20 {
        let mut random = fastrand::Rng::with_seed(seed);
        // Small queues, so that slow pages are closed too.
        let (node, bus) = bad_node(seed, ManagerLimits { queue: QueueLimits { frames: 16, bytes: 1 << 20 }, ..LIMITS });
        let ada = user();
        let thread = node.log.thread(ada.id);
        let emitter = node.emitter(thread);
        let mut pages: Vec<_> = (0..6).map(|page| Page::new(seed + page, thread)).collect();
        for _ in 0..30 {
            emit(&emitter, random.usize(0..12)).await;
            for page in &mut pages {
                match random.u8(0..4) {
                    0 => page.cut(random.choice([1006, 1012, 4500, 4508]).unwrap_or(1006)),
                    1 => page.run(&node, &ada).await,
                    _ => {}
                }
            }
        }
        bus.good.store(true, Ordering::Relaxed);
        emit(&emitter, 1).await;
        let log: Vec<StoredEvent> = node.log.events(thread);
        let truth = node.log.folded(thread);
        for page in &mut pages {
            page.run(&node, &ada).await;
            assert_eq!(page.state.seq, log.len() as u64, "seed {seed}");
            assert_eq!((&page.state.epoch, &page.state.runs), (&truth.epoch, &truth.runs));
        }
    }
}
