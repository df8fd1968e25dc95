//! Whatever happens in whatever order, a few things stay true.

use std::collections::HashMap;

use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Input {
    Token(u64),
    TokenError(bool),
    Opened,
    Closed(u16),
    Connect(u64),
    Heartbeat,
    Disconnect(Option<u64>),
    Subscribed { thread: usize, snapshot: bool, stale: bool },
    Snapshot { thread: usize, epoch: bool, seq: u64 },
    Event { thread: usize, epoch: bool, seq: u64 },
    NextEvent { thread: usize },
    Ack,
    Refusal { subscription: bool, limited: Option<u64> },
    Deleted(usize),
    Pass(Millis),
    Tick,
    Wake,
    Network(bool),
    Command,
    Withdraw,
    Subscribe { thread: usize, at: Option<u64> },
    Unsubscribe(usize),
    SignOut,
}

fn input() -> impl Strategy<Value = Input> {
    let thread = 0..3_usize;
    let code = prop::sample::select(&[1000, 1001, 1006, 1012, 4401, 4403, 4500, 4508][..]);
    let life = prop_oneof![4 => Just(TOKEN_LIFE), 1 => Just(0), 1 => Just(u64::MAX), 1 => 0..30_000_u64];
    prop_oneof![
        4 => life.clone().prop_map(Input::Token),
        1 => any::<bool>().prop_map(Input::TokenError),
        2 => Just(Input::Opened),
        1 => code.prop_map(Input::Closed),
        6 => (0..400_000_u64).prop_map(Input::Connect),
        2 => Just(Input::Heartbeat),
        1 => any::<Option<u64>>().prop_map(Input::Disconnect),
        5 => (thread.clone(), any::<bool>(), prop::bool::weighted(0.1))
            .prop_map(|(thread, snapshot, stale)| Input::Subscribed { thread, snapshot, stale }),
        4 => (thread.clone(), prop::bool::weighted(0.9), 0..9_u64)
            .prop_map(|(thread, epoch, seq)| Input::Snapshot { thread, epoch, seq }),
        6 => (thread.clone(), prop::bool::weighted(0.9), 0..9_u64)
            .prop_map(|(thread, epoch, seq)| Input::Event { thread, epoch, seq }),
        24 => thread.clone().prop_map(|thread| Input::NextEvent { thread }),
        2 => Just(Input::Ack),
        2 => (any::<bool>(), any::<Option<u64>>()).prop_map(|(subscription, limited)| Input::Refusal { subscription, limited }),
        1 => thread.clone().prop_map(Input::Deleted),
        3 => (0..60_000_u64).prop_map(Input::Pass),
        6 => Just(Input::Tick),
        1 => Just(Input::Wake),
        2 => prop::bool::weighted(0.7).prop_map(Input::Network),
        3 => Just(Input::Command),
        1 => Just(Input::Withdraw),
        4 => (thread.clone(), prop::option::of(0..9_u64)).prop_map(|(thread, at)| Input::Subscribe { thread, at }),
        1 => thread.prop_map(Input::Unsubscribe),
        1 => prop::bool::weighted(0.1).prop_map(|out| if out { Input::SignOut } else { Input::Tick }),
    ]
}

/// The outside of a session as its owner sees it, and what must hold there.
struct Outside {
    client: Client,
    threads: [ThreadId; 3],
    /// The socket that is open or being opened.
    socket: Option<u64>,
    /// Sockets that were, each of which may still say something.
    old: Vec<u64>,
    /// What the application has of each thread: the epoch, if known, and the last event.
    applied: HashMap<ThreadId, Option<(String, u64)>>,
    asked: HashMap<ThreadId, FrameId>,
}

impl Outside {
    fn new() -> Self {
        let mut client = Client::new();
        client.session.start(client.now, Some(token("first")), vec![say("kept")]);
        let threads = [ThreadId::new(), ThreadId::new(), ThreadId::new()];
        let (socket, old, applied, asked) = (None, Vec::new(), HashMap::new(), HashMap::new());
        let mut outside = Self { client, threads, socket, old, applied, asked };
        outside.check();
        outside
    }

    /// Does what the session says, and checks it.
    fn check(&mut self) {
        for action in self.client.actions() {
            match action {
                Action::Open { generation, .. } => {
                    assert_eq!(self.socket, None, "one socket at a time");
                    assert!(self.old.iter().all(|old| *old < generation), "a new number for each");
                    self.socket = Some(generation);
                }
                Action::Close => {
                    let socket = self.socket.take();
                    self.old.extend(Some(socket.expect("a socket to close")));
                }
                Action::Send(frame) => {
                    assert!(self.socket.is_some(), "nothing is sent without a socket: {frame:?}");
                    if let (ClientMessage::Subscribe(_), Some(thread)) = (&frame.message, frame.thread_id) {
                        self.asked.insert(thread, frame.id);
                    }
                }
                Action::Deliver(frame) => self.apply(&frame),
                Action::Refused { thread_id, .. } => drop(self.applied.remove(&thread_id)),
                Action::Skip(_)
                | Action::FetchToken
                | Action::Settled { .. }
                | Action::LinkChanged
                | Action::OutboxChanged => {}
            }
        }
        let live = self.client.session.link() == &Link::Live;
        assert!(!live || self.socket.is_some(), "a live link has a socket");
    }

    fn apply(&mut self, frame: &ServerFrame) {
        match (&frame.message, frame.seq, frame.thread_id) {
            (ServerMessage::ThreadSnapshot(snapshot), None, _) => {
                let known = self.applied.get_mut(&snapshot.thread.id).expect("only what is watched is delivered");
                *known = Some((snapshot.epoch.clone(), snapshot.as_of_seq));
            }
            (ServerMessage::ThreadDeleted(deleted), None, _) => drop(self.applied.remove(&deleted.id)),
            (_, Some(seq), Some(thread)) => {
                let known = self.applied.get_mut(&thread).expect("only what is watched is delivered");
                let (epoch, last) = known.as_mut().expect("events follow a cursor or a snapshot");
                assert_eq!(seq, *last + 1, "each event once and in order");
                if epoch.is_empty() {
                    frame.epoch.clone().unwrap_or_default().clone_into(epoch);
                }
                assert_eq!(frame.epoch.as_deref(), Some(epoch.as_str()));
                *last = seq;
            }
            _ => assert_eq!(frame.seq, None),
        }
    }

    /// Hears a frame: on the socket if there is one, and now and then on a dead one.
    fn hear(&mut self, frame: ServerFrame) {
        if let Some(old) = self.old.last() {
            self.client.session.frame(self.client.now, *old, frame.clone());
            assert_eq!(self.client.actions(), [], "a dead socket changes nothing");
        }
        if let Some(socket) = self.socket {
            self.client.session.frame(self.client.now, socket, frame);
        }
    }

    fn input(&mut self, input: Input) {
        let epoch = |good: bool| if good { EPOCH } else { "0000bbbb" };
        let now = self.client.now;
        match input {
            Input::Token(lives_ms) => self.client.session.token(now, Ok(Token { token: "t".into(), lives_ms })),
            Input::TokenError(true) => {
                self.client.session.token(now, Err(TokenError::Unreachable("no".into())));
            }
            Input::TokenError(false) | Input::Tick => {
                if let Some(at) = self.client.session.wake_at() {
                    self.client.now = at.max(now);
                    self.client.session.tick(self.client.now);
                    let spins = self.client.session.wake_at().is_some_and(|next| next <= at);
                    assert!(!spins || self.client.now == u64::MAX, "a tick makes progress");
                }
            }
            Input::Opened => self.client.session.opened(now, self.socket.unwrap_or(0)),
            Input::Closed(code) => {
                if let Some(socket) = self.socket.take() {
                    self.client.session.closed(now, socket, code);
                    self.check();
                    self.old.push(socket);
                }
            }
            Input::Connect(life) => self.hear(connect(life)),
            Input::Heartbeat => self.hear(heartbeat()),
            Input::Disconnect(retry_after_ms) => {
                let goodbye = p::Disconnect { code: 1012, reason: String::new(), retry_after_ms };
                self.hear(from_server(ServerMessage::Disconnect(goodbye)));
            }
            Input::Subscribed { thread, snapshot, stale } => {
                let thread = self.threads[thread];
                let asked = self.asked.get(&thread).copied().filter(|_| !stale).unwrap_or_else(FrameId::new);
                let mode = if snapshot { p::SubscribeMode::Snapshot } else { p::SubscribeMode::Resumed };
                // A server resumes nobody who gave no cursor.
                let known =
                    self.client.session.cursor(thread).is_some_and(|(epoch, _)| epoch.is_empty() || epoch == EPOCH);
                if snapshot || known {
                    self.hear(subscribed(thread, asked, mode));
                }
            }
            Input::Snapshot { thread, epoch: good, seq } => self.hear(snapshot(self.threads[thread], epoch(good), seq)),
            Input::Event { thread, epoch: good, seq } => self.hear(event(self.threads[thread], epoch(good), seq)),
            Input::NextEvent { thread } => {
                let thread = self.threads[thread];
                let next = self.client.session.cursor(thread).map(|(epoch, last)| (epoch.to_owned(), last + 1));
                if let Some((epoch, seq)) = next {
                    self.hear(event(thread, &epoch, seq));
                }
            }
            Input::Ack => {
                let waiting = self.client.session.outbox().next().map(|queued| queued.frame.id);
                self.hear(ack(waiting.unwrap_or_else(FrameId::new)));
            }
            Input::Refusal { subscription, limited } => {
                let waiting = self.client.session.outbox().next().map(|queued| queued.frame.id);
                let asked = self.asked.values().next().copied().filter(|_| subscription);
                let code = if limited.is_some() { ErrorCode::RateLimited } else { ErrorCode::NotFound };
                self.hear(refusal_of(
                    asked.or(waiting).unwrap_or_else(FrameId::new),
                    code,
                    limited.map(|ms| ms % 90_000),
                ));
            }
            Input::Deleted(thread) => {
                self.hear(from_server(ServerMessage::ThreadDeleted(p::ThreadDeleted { id: self.threads[thread] })));
            }
            Input::Pass(time) => self.client.now = now.saturating_add(time),
            Input::Wake => self.client.session.wake(now),
            Input::Network(online) => self.client.session.network(now, online),
            Input::Command => self.client.session.command(now, say("hello")),
            Input::Withdraw => {
                let waiting = self.client.session.outbox().last().map(|queued| queued.frame.id);
                self.client.session.withdraw(waiting.unwrap_or_else(FrameId::new));
            }
            Input::Subscribe { thread, at } => {
                let thread = self.threads[thread];
                let at = at.map(|seq| (if seq == 0 { String::new() } else { EPOCH.to_owned() }, seq));
                self.applied.insert(thread, at.clone());
                self.client.session.subscribe(thread, at);
            }
            Input::Unsubscribe(thread) => {
                self.applied.remove(&self.threads[thread]);
                self.client.session.unsubscribe(self.threads[thread]);
            }
            Input::SignOut => self.client.session.sign_out(),
        }
        self.check();
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn whatever_happens(inputs in prop::collection::vec(input(), 0..120)) {
        let mut outside = Outside::new();
        for input in inputs {
            outside.input(input);
        }
    }
}

/// The random inputs go where it matters: links that are live, events that are delivered.
#[test]
fn the_random_inputs_reach_the_interesting_places() {
    use proptest::{strategy::ValueTree, test_runner::TestRunner};
    let mut runner = TestRunner::deterministic();
    let (mut live, mut events) = (0, 0);
    for _ in 0..200 {
        let inputs = prop::collection::vec(input(), 120).new_tree(&mut runner).expect("inputs").current();
        let mut outside = Outside::new();
        for input in inputs {
            let before = outside.applied.clone();
            let next = matches!(input, Input::NextEvent { .. });
            outside.input(input);
            live += u32::from(outside.client.session.link() == &Link::Live);
            events += u32::from(next && outside.applied != before);
        }
    }
    assert!(live > 2_000 && events > 250, "{live} {events}");
}
