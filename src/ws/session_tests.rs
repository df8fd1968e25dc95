use super::{
    link::{BACK_OFF_BASE, RESTART_PAUSE, TOKEN_MARGIN, UNREACHABLE_AFTER},
    *,
};
use crate::{
    error::ErrorCode,
    frame::{Place, ServerFrame},
    id::{ConnectionId, MessageId, UserId},
    message::{Event, ServerMessage},
    model::{Role, Thread, User},
    time::Timestamp,
};

#[path = "session_tests/commands.rs"]
mod commands;
#[path = "session_tests/connecting.rs"]
mod connecting;
#[path = "session_tests/events.rs"]
mod events;
#[path = "session_tests/liveness.rs"]
mod liveness;
#[path = "session_tests/random.rs"]
mod random;
#[path = "session_tests/tokens.rs"]
mod tokens;

const INTERVAL: Millis = 25_000;
const TIMEOUT: Millis = 10_000;
const SILENCE: Millis = INTERVAL * 3 / 2 + TIMEOUT;
const TOKEN_LIFE: Millis = 300_000;
const EPOCH: &str = "0000aaaa";

fn limits() -> p::Limits {
    p::Limits {
        heartbeat_interval_ms: INTERVAL,
        heartbeat_timeout_ms: TIMEOUT,
        max_frame_bytes: 65_536,
        max_subscriptions: 200,
        commands_per_minute: 600,
    }
}

fn token(name: &str) -> Token {
    Token { token: name.to_owned(), lives_ms: TOKEN_LIFE }
}

fn from_server(message: impl Into<ServerMessage>) -> ServerFrame {
    Frame::new(message.into())
}

/// The `connect` frame; the token ends `life` after it.
fn connect(life: Millis) -> ServerFrame {
    let now = Timestamp::from_millis(1_763_632_800_000);
    let mut frame = from_server(ServerMessage::Connect(p::Connect {
        connection_id: ConnectionId::new(),
        user: User { id: UserId::new(), name: "Ada".into(), role: Role::User, email: None },
        token_expires_at: now.plus(std::time::Duration::from_millis(life)),
        server_version: "0.1.0".into(),
        limits: limits(),
    }));
    frame.ts = Some(now);
    frame
}

fn heartbeat() -> ServerFrame {
    from_server(ServerMessage::Heartbeat(p::Empty {}))
}

fn event(thread: ThreadId, epoch: &str, seq: u64) -> ServerFrame {
    let thinking = p::AgentThinking { agent: "guide".into(), thought: "hm".into(), step: None, total_steps: None };
    let mut frame = from_server(Event::AgentThinking(thinking)).in_thread(thread);
    frame.epoch = Some(epoch.to_owned());
    frame.seq = Some(seq);
    frame
}

fn subscribed(thread: ThreadId, asked: FrameId, mode: p::SubscribeMode) -> ServerFrame {
    let subscribed = p::Subscribed { epoch: EPOCH.to_owned(), head_seq: 9, mode };
    from_server(ServerMessage::Subscribed(subscribed)).in_thread(thread).answering(asked)
}

fn snapshot(id: ThreadId, epoch: &str, as_of_seq: u64) -> ServerFrame {
    let thread = Thread {
        id,
        title: "t".into(),
        agent: "guide".into(),
        owner_id: UserId::new(),
        shared: false,
        pinned: false,
        archived: false,
        running: false,
        waiting: false,
        head_seq: as_of_seq,
        created_at: Timestamp::default(),
        version: 0,
        updated_at: Timestamp::default(),
    };
    let (epoch, messages, runs) = (epoch.to_owned(), Vec::new(), Vec::new());
    let snapshot = p::ThreadSnapshot { as_of_seq, epoch, thread, messages, earlier_cursor: None, runs };
    from_server(ServerMessage::ThreadSnapshot(snapshot)).in_thread(id)
}

fn ack(command: FrameId) -> ServerFrame {
    from_server(ServerMessage::Ack(p::Ack::default())).answering(command)
}

fn refusal_of(frame: FrameId, code: ErrorCode, retry_after_ms: Option<u64>) -> ServerFrame {
    let error = p::ErrorMessage { retry_after_ms, ..p::ErrorMessage::new(code, "no") };
    from_server(ServerMessage::ErrorMessage(error)).answering(frame)
}

fn say(content: &str) -> ClientFrame {
    let message = p::UserMessage { content: content.to_owned(), ..p::UserMessage::default() };
    Frame::new(ClientMessage::UserMessage(message)).in_thread(ThreadId::new())
}

/// A session, a clock, and what the session wanted since it was last asked.
struct Client {
    session: Session,
    now: Millis,
    generation: u64,
}

impl Client {
    fn new() -> Self {
        Self { session: Session::new(7, limits()), now: 1_000, generation: 0 }
    }

    /// Started with a token, the socket not open yet.
    fn opening() -> Self {
        let mut client = Self::new();
        client.session.start(client.now, Some(token("first")), Vec::new());
        client.actions();
        client
    }

    /// Connected and idle.
    fn live() -> Self {
        let mut client = Self::opening();
        client.greet();
        client.actions();
        client
    }

    /// Connected and watching a thread whose events up to `seq` it has.
    fn watching(seq: u64) -> (Self, ThreadId) {
        let mut client = Self::live();
        let thread = ThreadId::new();
        client.session.subscribe(thread, Some((EPOCH.to_owned(), seq)));
        let asked = client.subscribes()[0].id;
        client.hear(subscribed(thread, asked, p::SubscribeMode::Resumed));
        client.actions();
        (client, thread)
    }

    fn greet(&mut self) {
        assert_eq!(
            self.generation, self.session.generation,
            "the socket that was asked for last is the one that greets"
        );
        self.session.opened(self.now, self.generation);
        self.hear(connect(TOKEN_LIFE));
    }

    /// Takes what the session wants; remembers the socket it opened last.
    fn actions(&mut self) -> Vec<Action> {
        let actions: Vec<_> = std::iter::from_fn(|| self.session.poll()).collect();
        for action in &actions {
            if let Action::Open { generation, .. } = action {
                self.generation = *generation;
            }
        }
        actions
    }

    fn hear(&mut self, frame: ServerFrame) {
        self.session.frame(self.now, self.generation, frame);
    }

    fn close(&mut self, code: u16) {
        self.session.closed(self.now, self.generation, code);
    }

    fn pass(&mut self, time: Millis) {
        self.now += time;
        self.session.tick(self.now);
    }

    /// Waits for the pause before the next attempt to end, and says how long it was.
    fn sit_out(&mut self) -> Millis {
        let until = self.session.wake_at().expect("a next attempt");
        let pause = until - self.now;
        self.pass(pause);
        pause
    }

    fn sent(&mut self) -> Vec<ClientFrame> {
        let sent = |action| if let Action::Send(frame) = action { Some(*frame) } else { None };
        self.actions().into_iter().filter_map(sent).collect()
    }

    fn subscribes(&mut self) -> Vec<ClientFrame> {
        self.sent().into_iter().filter(|frame| matches!(frame.message, ClientMessage::Subscribe(_))).collect()
    }

    fn delivered(&mut self) -> Vec<ServerFrame> {
        let delivered = |action| if let Action::Deliver(frame) = action { Some(*frame) } else { None };
        self.actions().into_iter().filter_map(delivered).collect()
    }

    fn delivered_seqs(&mut self) -> Vec<u64> {
        self.delivered().iter().filter_map(|frame| frame.seq).collect()
    }
}

/// The names of actions, in order.
fn names(actions: &[Action]) -> Vec<&'static str> {
    let name = |action: &Action| match action {
        Action::Open { .. } => "open",
        Action::Close => "close",
        Action::Send(_) => "send",
        Action::FetchToken => "fetch",
        Action::Deliver(_) => "deliver",
        Action::Skip(_) => "skip",
        Action::Settled { .. } => "settled",
        Action::Refused { .. } => "refused",
        Action::LinkChanged => "link",
        Action::OutboxChanged => "outbox",
    };
    actions.iter().map(name).collect()
}
