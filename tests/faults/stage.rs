//! A server, a model that says what it is told to, and a user; clients through whatever network.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use netra_ws::{RunId, ThreadId, discovery::Discovery};
use serde_json::json;
use tokio::{
    sync::{RwLock, RwLockReadGuard, RwLockWriteGuard},
    time::sleep,
};

use crate::{
    client::{Client, Endpoint, from_server},
    proxy::Proxy,
    support::{
        answer::http,
        frame::frame,
        provider::{Provider, Request},
        rules::acked,
        script::{Reply, Stream},
        server::{Server, Setup},
        socket::Socket,
        user::User,
    },
};

/// Tests that fill the machine run alone.
static MACHINE: RwLock<()> = RwLock::const_new(());

/// The machine for this test alone.
pub(crate) async fn alone() -> RwLockWriteGuard<'static, ()> {
    MACHINE.write().await
}

/// The machine together with other small tests.
pub(crate) async fn beside_others() -> RwLockReadGuard<'static, ()> {
    MACHINE.read().await
}

/// How long a feed waits for what it is to see.
const PATIENCE: Duration = Duration::from_mins(2);

/// How much longer than usual: `NETRA_TEST_LONG=1` asks for ten times.
pub(crate) fn longer() -> u64 {
    if std::env::var("NETRA_TEST_LONG").is_ok_and(|value| value == "1") { 10 } else { 1 }
}

/// What the model is told to say: `pieces` of `bytes`, one every `pause` milliseconds.
pub(crate) fn telling(pieces: usize, pause: u64, bytes: usize) -> String {
    format!("tell {pieces} {pause} {bytes}")
}

/// Says what [`telling`] asked for, and one word to anything else.
fn script(request: &Request) -> Reply {
    let prompt = request.prompt();
    let Some(order) = prompt.strip_prefix("tell ") else { return Reply::text("Said.") };
    let numbers: Vec<u64> = order.split(' ').filter_map(|word| word.parse().ok()).collect();
    let [pieces, pause, bytes] = numbers[..] else { panic!("{order:?}") };
    let size = |n: u64| usize::try_from(n).expect("small");
    let text = format!("{{k}} {}", "abcdefghij ".repeat(size(bytes).div_ceil(11)));
    Stream::new()
        .thinking("reasoning_content", "First I count.")
        .texts(size(pieces), &text, Duration::from_millis(pause))
        .end("stop")
}

/// A server with its model and its user.
pub(crate) struct Stage {
    /// The server.
    pub(crate) server: Server,
    /// Its development user.
    pub(crate) user: Arc<User>,
    /// A socket past any proxy.
    socket: Socket,
    _provider: Provider,
}

impl Stage {
    /// A server whose limits are out of the way, with these settings.
    pub(crate) async fn new(settings: &[(&str, u64)]) -> Self {
        let provider = Provider::start(script).await;
        let mut setup = Setup::new()
            .assistant(&provider)
            .set("NETRA_HANDSHAKES_PER_MINUTE", 1_000_000)
            .set("NETRA_CONNECTIONS_PER_USER", 1_000_000)
            .set("NETRA_COMMANDS_PER_MINUTE", 100_000);
        for (name, value) in settings {
            setup = setup.set(name, value);
        }
        let server = setup.start().await;
        let user = Arc::new(User::dev(&server).await);
        let socket = user.connect().await;
        Self { server, user, socket, _provider: provider }
    }

    /// The same with quick heartbeats, so that silence is noticed soon.
    pub(crate) async fn beating(interval_ms: u64, timeout_ms: u64) -> Self {
        let beat = [("NETRA_HEARTBEAT_INTERVAL_MS", interval_ms), ("NETRA_HEARTBEAT_TIMEOUT_MS", timeout_ms)];
        Self::new(&beat).await
    }

    /// A proxy in front of the server.
    pub(crate) async fn proxy(&self) -> Proxy {
        Proxy::start(self.server.host()).await
    }

    /// How to reach the server at `base`, its own address or a proxy's. Tokens come straight from the server.
    pub(crate) async fn endpoint(&self, base: &str) -> Endpoint {
        let answer = self.user.get("/api/config").await.ok();
        let discovery: Discovery = serde_json::from_value(answer).expect("discovery");
        Endpoint {
            url: format!("{}{}", base.replacen("http", "ws", 1), discovery.ws.url),
            tokens: from_server(http().clone(), &self.server.base, self.user.cookies()),
            limits: discovery.ws.limits,
        }
    }

    /// A client at `base`.
    pub(crate) async fn client(&self, base: &str, seed: u64) -> Client {
        Client::start(self.endpoint(base).await, seed)
    }

    /// A client that no proxy troubles.
    pub(crate) async fn healthy(&self) -> Client {
        self.client(&self.server.base, 1).await
    }

    /// An empty thread.
    pub(crate) async fn thread(&self) -> ThreadId {
        let thread = self.user.thread("A thread").await;
        thread["id"].as_str().and_then(|id| id.parse().ok()).expect("a thread's id")
    }

    /// A new thread with a run that does what `content` says.
    pub(crate) async fn run(&self, content: &str) -> (ThreadId, RunId) {
        let ack = self.socket.call(frame("start_agent", json!({ "agent": "assistant", "content": content }))).await;
        let id = |field| acked(&ack, field);
        (id("thread_id").parse().expect("an id"), id("run_id").parse().expect("an id"))
    }

    /// The server's memory: kilobytes that are resident now.
    pub(crate) fn rss_kb(&self) -> u64 {
        self.server.resident_kb()
    }
}

/// Keeps runs going in threads, through a client that follows them.
pub(crate) struct Feed<'a> {
    client: &'a Client,
    threads: &'a [ThreadId],
    content: String,
}

impl<'a> Feed<'a> {
    /// Runs that do what `content` says, in `threads`, which `client` follows.
    pub(crate) fn new(client: &'a Client, threads: &'a [ThreadId], content: String) -> Self {
        Self { client, threads, content }
    }

    /// Feeds until `over`, looked at often, gives something.
    pub(crate) async fn until<T>(&self, mut over: impl FnMut() -> Option<T>) -> T {
        let (start, patience) = (Instant::now(), PATIENCE.saturating_mul(u32::try_from(longer()).unwrap_or(1)));
        loop {
            if let Some(over) = over() {
                return over;
            }
            assert!(start.elapsed() < patience, "nothing came of it: {}", self.client.book());
            self.top_up();
            sleep(Duration::from_millis(50)).await;
        }
    }

    /// Feeds for a while.
    pub(crate) async fn during(&self, time: Duration) {
        let end = Instant::now() + time;
        self.until(|| (Instant::now() >= end).then_some(())).await;
    }

    /// One run is under way in each thread, and one waits for its turn.
    fn top_up(&self) {
        for thread in self.threads {
            let active = self.client.book().threads.get(thread).map_or(0, |t| t.state.active_runs().count());
            if active < 2 && self.client.book().outbox == 0 {
                self.client.say(*thread, &self.content);
            }
        }
    }

    /// Waits until nothing is under way any more.
    pub(crate) async fn rest(&self, limit: Duration) {
        self.client
            .wait(limit, "rest", |book| {
                book.outbox == 0
                    && self
                        .threads
                        .iter()
                        .all(|thread| book.threads.get(thread).is_some_and(|t| t.state.active_runs().next().is_none()))
            })
            .await;
    }
}
