//! The client's side of a history: the real session, the real reducer, and a network between it and the server.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use tokio::time::{Instant, sleep};

use super::{
    super::{convergence::greeting, p},
    World, count,
};
use crate::{
    close::CloseCode,
    connection::{Connection, Next},
    error::ErrorCode,
    frame::{ClientFrame, Frame, ServerFrame},
    id::{CommandId, FrameId, ThreadId},
    log::{Accept, EventLog, LogError},
    message::{ClientMessage, ServerMessage},
    model::User,
    session::{Action, Link, Session, Token},
    state::ThreadState,
    time::Timestamp,
};

/// A socket and what is on its way in it.
struct Line {
    connection: Arc<Connection>,
    up: VecDeque<ClientFrame>,
    down: VecDeque<String>,
    /// Nothing passes, and nobody is told.
    silent: bool,
}

/// A page.
pub(super) struct Page {
    pub(super) user: User,
    session: Session,
    generation: u64,
    line: Option<Line>,
    states: HashMap<ThreadId, ThreadState>,
    /// The last event applied, by what came, and not by what the reducer says.
    last: HashMap<ThreadId, u64>,
    /// Commands that were given.
    pub(super) given: Vec<(ThreadId, FrameId)>,
    settled: usize,
    began: Instant,
}

impl Page {
    pub(super) fn new(world: &World<'_>, number: usize) -> Self {
        let user = world.users[number % 2].clone();
        let mut session = Session::new(number as u64, limits());
        for thread in world.threads[&user.id] {
            let from_the_start = (number < 2).then(|| (String::new(), 0));
            session.subscribe(thread, from_the_start);
        }
        session.start(0, Some(token()), Vec::new());
        let (states, last) = (HashMap::new(), HashMap::new());
        Self {
            user,
            session,
            generation: 0,
            line: None,
            states,
            last,
            given: Vec::new(),
            settled: 0,
            began: Instant::now(),
        }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).expect("small")
    }

    /// A moment in a bad network.
    pub(super) async fn suffer(&mut self, world: &mut World<'_>) {
        match world.random.u8(0..24) {
            0 => self.cut(world, 1006),
            1 => {
                if let Some(line) = &mut self.line {
                    count(&world.totals.silences);
                    line.silent = true;
                }
            }
            2 => sleep(Duration::from_millis(world.random.u64(0..800))).await,
            3..6 => self.say(world),
            // A reader that dawdles.
            6..9 => return,
            _ => {}
        }
        self.tick();
        self.act(world);
        let (up, down) = (world.random.usize(0..4), world.random.usize(0..12));
        self.carry(world, up, down).await;
        self.act(world);
    }

    fn say(&mut self, world: &mut World<'_>) {
        let thread = world.threads[&self.user.id][world.random.usize(0..2)];
        let message = p::UserMessage { content: format!("message {}", self.given.len()), ..p::UserMessage::default() };
        let frame = Frame::new(ClientMessage::UserMessage(message)).in_thread(thread);
        self.given.push((thread, frame.id));
        count(&world.totals.commands);
        self.session.command(self.now(), frame);
    }

    fn tick(&mut self) {
        let now = self.now();
        if self.session.wake_at().is_some_and(|at| at <= now) {
            self.session.tick(now);
        }
    }

    /// The network breaks, with everything that was on its way.
    pub(super) fn cut(&mut self, world: &World<'_>, code: u16) {
        if self.line.take().is_some() {
            count(&world.totals.cuts);
            self.session.closed(self.now(), self.generation, code);
        }
    }

    /// The server's process is gone.
    pub(super) fn lose(&mut self, totals: &super::Totals) {
        // Whoever does not hear a server does not hear it die.
        if self.line.as_ref().is_some_and(|line| !line.silent) {
            count(&totals.cuts);
            self.line = None;
            self.session.closed(self.now(), self.generation, 1006);
        }
    }

    /// Does what the session says.
    fn act(&mut self, world: &World<'_>) {
        while let Some(action) = self.session.poll() {
            match action {
                Action::Open { generation, .. } => {
                    self.generation = generation;
                    let forever = Timestamp::from_millis(u64::MAX);
                    let connection = Arc::new(world.process.manager.connect(self.user.clone(), forever));
                    let hello = greeting(&self.user).encode().expect("encodes");
                    let (up, down) = (VecDeque::new(), VecDeque::from([hello]));
                    self.line = Some(Line { connection, up, down, silent: false });
                }
                Action::Close => self.line = None,
                Action::FetchToken => self.session.token(self.now(), Ok(token())),
                Action::Send(frame) => {
                    if let Some(line) = &mut self.line {
                        line.up.push_back(*frame);
                    }
                }
                Action::Deliver(frame) => self.deliver(world, &frame),
                Action::Settled { outcome, id } => {
                    let ack = outcome.unwrap_or_else(|error| panic!("command {id} was refused: {error:?}"));
                    if ack.duplicate {
                        count(&world.totals.duplicates);
                    }
                    self.settled += 1;
                }
                Action::Refused { error, .. } => panic!("a subscription was refused: {error:?}"),
                Action::Skip(_) | Action::LinkChanged | Action::OutboxChanged => {}
            }
        }
    }

    fn deliver(&mut self, world: &World<'_>, frame: &ServerFrame) {
        if let ServerMessage::ThreadSnapshot(snapshot) = &frame.message {
            assert!(world.threads[&self.user.id].contains(&snapshot.thread.id), "another user's thread");
            self.last.insert(snapshot.thread.id, snapshot.as_of_seq);
            self.states.insert(snapshot.thread.id, ThreadState::from_snapshot(snapshot.clone()));
            return;
        }
        let (Some(thread), Some(seq)) = (frame.thread_id, frame.seq) else { return };
        assert!(world.threads[&self.user.id].contains(&thread), "another user's event");
        let last = self.last.entry(thread).or_default();
        assert_eq!(seq, *last + 1, "dense, once and in order");
        assert_eq!(Some(frame.id), world.log.id_at(thread, seq), "the log's own event");
        *last = seq;
        self.states.entry(thread).or_default().apply(frame);
        count(&world.totals.applied);
    }

    /// Carries some frames each way, unless the line is silent.
    async fn carry(&mut self, world: &mut World<'_>, up: usize, down: usize) {
        let (now, generation) = (self.now(), self.generation);
        let Some(line) = &mut self.line else { return };
        if line.silent {
            return;
        }
        for _ in 0..up {
            let Some(frame) = line.up.pop_front() else { break };
            serve(world, &line.connection, frame.clone());
            if world.random.u8(0..20) == 0 {
                // A client that is not sure sends again.
                serve(world, &line.connection, frame);
            }
        }
        super::super::settle().await;
        let mut closed = None;
        for _ in 0..down {
            match line.connection.peer().outbound.try_next() {
                Some(Next::Frame(frame)) => line.down.push_back(frame.to_string()),
                Some(Next::Repair(thread)) => {
                    count(&world.totals.repairs);
                    if let Some(subscription) = line.connection.peer().subscription(thread) {
                        replay(world, &line.connection, subscription);
                    }
                }
                Some(Next::Close(code)) => {
                    closed = Some(code);
                    break;
                }
                None => break,
            }
        }
        for _ in 0..down {
            let Some(frame) = line.down.pop_front() else { break };
            let frame = ServerFrame::decode(&frame).expect("a frame");
            if let ServerMessage::Subscribed(answer) = &frame.message {
                match answer.mode {
                    p::SubscribeMode::Resumed => count(&world.totals.resumed),
                    p::SubscribeMode::Snapshot => count(&world.totals.snapshots),
                }
            }
            self.session.frame(now, generation, frame);
        }
        if let Some(code) = closed {
            if code == CloseCode::SlowConsumer {
                count(&world.totals.slow);
            }
            self.cut(world, code.as_u16());
        }
    }

    /// A moment in a good network.
    pub(super) async fn recover(&mut self, world: &mut World<'_>) {
        self.tick();
        self.act(world);
        self.carry(world, 8, 64).await;
        self.act(world);
    }

    pub(super) fn is_done(&self, world: &World<'_>) -> bool {
        let there = |thread: &ThreadId| self.last.get(thread) == Some(&world.log.head_of(*thread));
        let there = world.threads[&self.user.id].iter().all(there);
        there && self.session.outbox().count() == 0 && *self.session.link() == Link::Live
    }

    pub(super) fn check(&self, world: &World<'_>) {
        assert_eq!(*self.session.link(), Link::Live);
        assert_eq!(self.settled, self.given.len(), "every command was answered once");
        for thread in world.threads[&self.user.id] {
            let truth = world.log.folded(thread);
            let state = &self.states[&thread];
            assert_eq!((&state.epoch, state.seq), (&truth.epoch, truth.seq), "caught up");
            assert_eq!(state.messages, truth.messages);
            assert_eq!(state.runs, truth.runs);
        }
    }
}

fn limits() -> p::Limits {
    p::Limits {
        heartbeat_interval_ms: 2_000,
        heartbeat_timeout_ms: 500,
        max_frame_bytes: 65_536,
        max_subscriptions: 200,
        commands_per_minute: 600,
    }
}

fn token() -> Token {
    Token { token: "t".into(), lives_ms: 1 << 40 }
}

/// The server hears a frame.
fn serve(world: &mut World<'_>, connection: &Arc<Connection>, frame: ClientFrame) {
    if matches!(frame.message, ClientMessage::UserMessage(_) | ClientMessage::Subscribe(_))
        && world.random.u8(0..25) == 0
    {
        count(&world.totals.limited);
        let error = p::ErrorMessage {
            retry_after_ms: Some(world.random.u64(1..200)),
            ..p::ErrorMessage::new(ErrorCode::RateLimited, "wait")
        };
        return answer(connection, Frame::new(ServerMessage::ErrorMessage(error)).answering(frame.id));
    }
    match frame.message {
        ClientMessage::Subscribe(wanted) => {
            let thread = frame.thread_id.expect("a thread");
            subscribe(world, connection.clone(), frame.id, thread, wanted);
        }
        ClientMessage::UserMessage(message) => {
            let thread = frame.thread_id.expect("a thread");
            accept(world, connection.clone(), frame.id, thread, message);
        }
        _ => {}
    }
}

fn answer(connection: &Connection, frame: ServerFrame) {
    // A connection that is closing misses it.
    let _ = connection.peer().outbound.push(frame.encode().expect("encodes").into());
}

fn accept(
    world: &World<'_>,
    connection: Arc<Connection>,
    command_id: CommandId,
    thread: ThreadId,
    message: p::UserMessage,
) {
    let pool = world.process.pool.clone();
    tokio::spawn(async move {
        let user_id = connection.peer().user.id;
        let digest = message.content.clone().into_bytes();
        let (title, agent) = (String::new(), "guide".to_owned());
        let accept = Accept { user_id, command_id, digest, thread_id: Some(thread), title, agent, message };
        let accepted = pool.accept(accept).await.expect("the user's own thread");
        answer(&connection, Frame::new(ServerMessage::Ack(accepted.ack)).in_thread(thread).answering(command_id));
    });
}

fn subscribe(world: &World<'_>, connection: Arc<Connection>, id: FrameId, thread: ThreadId, wanted: p::Subscribe) {
    let (log, manager) = (world.slow.clone(), world.process.manager.clone());
    // One after another, as a connection's reader does it, but beside everything else.
    tokio::spawn(async move {
        let user = connection.peer().user.id;
        let head = log.head(user, thread).await.expect("the user's own");
        let known = wanted.epoch.as_ref().map_or(wanted.after_seq == Some(0), |epoch| *epoch == head.epoch);
        let after = wanted.after_seq.and_then(|seq| u64::try_from(seq).ok()).filter(|_| known);
        let after = after.filter(|after| (head.trimmed_seq..=head.head_seq).contains(after));
        let say = |message| answer(&connection, Frame::new(message).in_thread(thread).answering(id));
        let subscribed = |mode| p::Subscribed { epoch: head.epoch.clone(), head_seq: head.head_seq, mode };
        let subscription = if let Some(after) = after {
            let Ok(subscription) = manager.subscribe(connection.peer(), thread, after) else { return };
            say(ServerMessage::Subscribed(subscribed(p::SubscribeMode::Resumed)));
            subscription
        } else {
            let snapshot = log.snapshot(user, thread).await.expect("the user's own");
            let Ok(subscription) = manager.subscribe(connection.peer(), thread, snapshot.as_of_seq) else { return };
            say(ServerMessage::Subscribed(subscribed(p::SubscribeMode::Snapshot)));
            say(ServerMessage::ThreadSnapshot(snapshot));
            subscription
        };
        if subscription.replay(&*log).await.is_err_and(|error| matches!(error, LogError::Store(_))) {
            subscription.fail();
        }
    });
}

fn replay(world: &World<'_>, connection: &Arc<Connection>, subscription: Arc<crate::subscription::Subscription>) {
    let (log, connection) = (world.slow.clone(), connection.clone());
    tokio::spawn(async move {
        let _alive = connection;
        let _ = subscription.replay(&*log).await;
    });
}
