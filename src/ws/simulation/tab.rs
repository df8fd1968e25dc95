//! A client of a history: the real session, the real reducer, and a network between it and the server.

use std::{
    collections::HashMap,
    hash::{Hash, Hasher},
    time::Duration,
};

use tokio::time::{Instant, sleep};

use super::{
    Totals, count,
    line::{Line, limits},
    settle,
    world::World,
};
use crate::{
    close::CloseCode,
    connection::Next,
    frame::{Frame, ServerFrame},
    id::{FrameId, ThreadId},
    message::{ClientMessage, ServerMessage},
    model::{Run, User},
    payload as p,
    session::{Action, Link, Session, Token},
    state::ThreadState,
};

pub(super) struct Tab {
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
    /// What was applied and when, thread by the place it has in the world.
    applied: Vec<(usize, u64, u64)>,
}

impl Tab {
    pub(super) fn new(world: &mut World, number: usize) -> Self {
        let user = world.users[number % 2].clone();
        let mut session = Session::new(world.random.u64(..), limits());
        for thread in world.threads_of(&user) {
            let from_the_start = (number < 2).then(|| (String::new(), 0));
            session.subscribe(thread, from_the_start);
        }
        session.start(0, Some(token()), Vec::new());
        let (states, last, given, applied) = (HashMap::new(), HashMap::new(), Vec::new(), Vec::new());
        let (line, began) = (None, Instant::now());
        Self { user, session, generation: 0, line, states, last, given, settled: 0, began, applied }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).expect("small")
    }

    /// A moment in a bad network.
    pub(super) async fn suffer(&mut self, world: &mut World) {
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

    fn say(&mut self, world: &mut World) {
        let thread = world.threads_of(&self.user)[world.random.usize(0..2)];
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
    pub(super) fn cut(&mut self, world: &World, code: u16) {
        if self.line.take().is_some() {
            count(&world.totals.cuts);
            self.session.closed(self.now(), self.generation, code);
        }
    }

    /// The server's process is gone.
    pub(super) fn lose(&mut self, totals: &Totals) {
        // Whoever does not hear a server does not hear it die.
        if self.line.as_ref().is_some_and(|line| !line.silent) {
            count(&totals.cuts);
            self.line = None;
            self.session.closed(self.now(), self.generation, 1006);
        }
    }

    /// Does what the session says; whether it said something.
    fn act(&mut self, world: &mut World) -> bool {
        let mut acted = false;
        while let Some(action) = self.session.poll() {
            acted = true;
            match action {
                Action::Open { generation, .. } => {
                    self.generation = generation;
                    let random = world.random.fork();
                    self.line = Some(Line::open(&world.process, &self.user, random, &world.totals));
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
        acted
    }

    fn deliver(&mut self, world: &World, frame: &ServerFrame) {
        let at = self.now();
        if let ServerMessage::ThreadSnapshot(snapshot) = &frame.message {
            let thread = snapshot.thread.id;
            assert!(world.threads_of(&self.user).contains(&thread), "another user's thread");
            self.applied.push((world.place(thread), snapshot.as_of_seq, at));
            self.last.insert(thread, snapshot.as_of_seq);
            self.states.insert(thread, ThreadState::from_snapshot(snapshot.clone()));
            return;
        }
        let (Some(thread), Some(seq)) = (frame.thread_id, frame.seq) else { return };
        assert!(world.threads_of(&self.user).contains(&thread), "another user's event");
        let last = self.last.entry(thread).or_default();
        assert_eq!(seq, *last + 1, "dense, once and in order");
        assert_eq!(Some(frame.id), world.log.record().id_at(thread, seq), "the log's own event");
        *last = seq;
        self.applied.push((world.place(thread), seq, at));
        self.states.entry(thread).or_default().apply(frame);
        count(&world.totals.applied);
    }

    /// Carries some frames each way, unless the line is silent; whether there were any.
    async fn carry(&mut self, world: &mut World, up: usize, down: usize) -> bool {
        let (now, generation) = (self.now(), self.generation);
        let Some(line) = self.line.as_mut().filter(|line| !line.silent) else { return false };
        let mut carried = false;
        for _ in 0..up {
            let Some(frame) = line.up.pop_front() else { break };
            carried = true;
            line.hear(frame.clone());
            if world.random.u8(0..20) == 0 {
                // A client that is not sure sends again.
                line.hear(frame);
            }
        }
        settle().await;
        let mut closed = None;
        for _ in 0..down {
            match line.peer().outbound.try_next() {
                Some(Next::Frame(frame)) => line.down.push_back(frame.to_string()),
                Some(Next::Repair(thread)) => {
                    if line.process.manager.repair(&line.process.log, line.peer(), thread) {
                        count(&world.totals.repairs);
                    }
                }
                Some(Next::Close(code)) => {
                    closed = Some(code);
                    break;
                }
                None => break,
            }
            carried = true;
        }
        for _ in 0..down {
            let Some(frame) = line.down.pop_front() else { break };
            let frame = ServerFrame::decode(&frame).expect("a frame");
            if let ServerMessage::Subscribed(answer) = &frame.message {
                match answer.mode {
                    p::SubscribeMode::Resumed | p::SubscribeMode::Unknown(_) => count(&world.totals.resumed),
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
        carried
    }

    /// A moment in a good network; whether anything moved.
    pub(super) async fn recover(&mut self, world: &mut World) -> bool {
        self.tick();
        let mut moved = self.act(world);
        moved |= self.carry(world, 8, 64).await;
        moved | self.act(world)
    }

    pub(super) fn is_done(&self, world: &World) -> bool {
        let record = world.log.record();
        let there = |thread: &ThreadId| self.last.get(thread) == Some(&record.head(*thread));
        let there = world.threads_of(&self.user).iter().all(there);
        there && self.session.outbox().count() == 0 && *self.session.link() == Link::Live
    }

    /// What this client has is what was committed, and what the store shows whoever comes new.
    pub(super) async fn check(&self, world: &World) {
        assert_eq!(*self.session.link(), Link::Live);
        assert_eq!(self.settled, self.given.len(), "every command was answered once");
        for thread in world.threads_of(&self.user) {
            let fresh = world.ground.log().snapshot(self.user.id, thread).await.expect("the user's own");
            let record = world.log.record();
            let (truth, state) = (&record.thread(thread).state, &self.states[&thread]);
            assert_eq!((&state.epoch, state.seq), (&truth.epoch, truth.seq), "caught up");
            assert_eq!(state.messages, truth.messages);
            assert_eq!((&fresh.epoch, fresh.as_of_seq), (&truth.epoch, truth.seq));
            assert!(fresh.messages.iter().eq(truth.messages.iter().map(|message| &**message)));
            let runs = by_call(truth.runs.iter().map(|run| &**run));
            assert_eq!(by_call(state.runs.iter().map(|run| &**run)), runs);
            assert_eq!(by_call(&fresh.runs), runs);
        }
    }

    pub(super) fn digest(&self, digest: &mut impl Hasher) {
        self.applied.hash(digest);
        self.settled.hash(digest);
    }
}

/// The runs, those that work for others last: each is found by the call that it answers, and a store may have them in the order in
/// which they were asked for and not in that in which they began.
fn by_call<'a>(runs: impl IntoIterator<Item = &'a Run>) -> Vec<&'a Run> {
    let mut runs: Vec<&Run> = runs.into_iter().collect();
    runs.sort_by_key(|run| run.parent_call_id.clone());
    runs
}

fn token() -> Token {
    Token { token: "t".into(), lives_ms: 1 << 40 }
}
