//! `kill -9` in the middle of a word and in the middle of a tool call, again and again: nothing that was shown is lost or
//! shown twice, and every run ends once (R13, R14, invariant 8).

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::sleep;

use crate::support::{
    frame::{ends, is_event_of, on},
    provider::{Provider, Request},
    rules::{Run, check_answer, check_run, ended_within, event, start_run},
    script::{Reply, Stream, numbered},
    server::{Server, Setup},
    socket::Socket,
    user::User,
};

/// Servers that are killed side by side, and how often each.
const SERVERS: u64 = 4;
const KILLS: u64 = 13;

/// What a story says in the end.
const WORDS: usize = 60;
const TOOL_ANSWER: &str = "The tool has spoken.";

/// Takes long enough to be killed within, and is safe to repeat.
const SLOW_EXPRESSION: &str = "9000!";

/// A model that tells a long story, or asks for a slow tool first.
fn model(request: &Request) -> Reply {
    if request.prompt().contains("story") {
        return Stream::new().texts(WORDS, "w{k} ", Duration::from_millis(8)).end("stop");
    }
    if request.tool_results().is_empty() {
        let arguments = json!({ "expression": SLOW_EXPRESSION }).to_string();
        return Stream::new().tool(0, "call_1", "calculate", &arguments).end("tool_calls");
    }
    Stream::new().text(TOOL_ANSWER).end("stop")
}

/// A run that is watched, and what was seen of it.
struct Watched {
    run: Run,
    seen: Vec<Value>,
}

async fn start(user: &User, content: &str, until: &str) -> (Run, Socket) {
    let socket = user.connect().await;
    let run = start_run(&socket, "assistant", content).await;
    event(&socket, &run, until).await;
    (run, socket)
}

impl Watched {
    /// What the socket brought before the server died under it.
    async fn cut(run: Run, socket: Socket) -> Self {
        let seen = socket.cut().await.into_iter().filter(|frame| is_event_of(frame, &run.thread)).collect();
        Self { run, seen }
    }

    /// Comes back with the cursor, sees the end, and holds everything against the log.
    async fn finish(mut self, user: &User, wanted: &str, seed: u64) {
        let last = self.seen.last().expect("something was seen");
        let cursor = json!({ "after_seq": last["seq"], "epoch": last["epoch"] });
        let socket = user.connect().await;
        let subscribed = socket.call(on(&self.run.thread, "subscribe", cursor)).await;
        assert_eq!(subscribed["payload"]["mode"], "resumed", "seed {seed}: {subscribed}");
        // The word that the kill cut off may have been the last.
        if !self.seen.iter().any(|frame| ends(frame, &self.run.id)) {
            ended_within(&socket, &self.run, Duration::from_secs(30)).await;
        }
        self.seen.extend(socket.frames().into_iter().filter(|frame| is_event_of(frame, &self.run.thread)));

        let log = user.get(&format!("/api/threads/{}/events?limit=1000", self.run.thread)).await.ok();
        let log = log["events"].as_array().expect("events");
        assert_eq!(&self.seen, log, "seed {seed}: what was seen is the log, once and in order");
        let dense = log.iter().zip(1..).all(|(event, seq)| event["seq"] == seq);
        assert!(dense, "seed {seed}: {log:?}");
        check_run(log, &self.run);
        check_answer(log, &self.run, wanted);
    }
}

/// Kills one server again and again; how often it hit a tool at work.
async fn suffer(seed: u64) -> u64 {
    let mut random = fastrand::Rng::with_seed(seed);
    let provider = Provider::start(model).await;
    let mut server: Server = Setup::new().assistant(&provider).set("NETRA_RUN_LEASE_S", 1).start().await;
    let mut user = User::dev(&server).await;
    let mut in_tool = 0;
    for _ in 0..KILLS {
        let (story, story_socket) = start(&user, "Tell a story.", "partial_result").await;
        let (tool, tool_socket) = start(&user, "Calculate.", "tool_executing").await;
        sleep(Duration::from_millis(random.u64(0..150))).await;
        server.signal("KILL");
        let story = Watched::cut(story, story_socket).await;
        let tool = Watched::cut(tool, tool_socket).await;
        in_tool += u64::from(tool.seen.iter().all(|frame| frame["type"] != "tool_completed"));
        server = server.restart("KILL").await;
        user = user.moved(&server);
        let words = numbered(WORDS, "w{k} ");
        tokio::join!(story.finish(&user, &words, seed), tool.finish(&user, TOOL_ANSWER, seed),);
    }
    in_tool
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_kills_lose_and_repeat_nothing() {
    let base = std::env::var("NETRA_TEST_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(7_u64);
    println!("seeds {base} to {}; NETRA_TEST_SEED repeats them", base + SERVERS - 1);
    let servers = (base..base + SERVERS).map(|seed| tokio::spawn(suffer(seed)));
    let mut in_tool = 0;
    for server in servers {
        in_tool += server.await.expect("a server's story");
    }
    println!(
        "{} kills in the middle of words, {in_tool} of them in the middle of a tool call; lost 0, repeated 0",
        SERVERS * KILLS
    );
    assert!(in_tool >= SERVERS * KILLS * 3 / 4, "{in_tool} tool calls were hit");
}

#[tokio::test]
async fn a_run_that_takes_down_every_process_ends_with_a_reason() {
    let provider =
        Provider::start(|_| Stream::new().texts(3_000, "w{k} ", Duration::from_millis(10)).end("stop")).await;
    let mut server = Setup::new().assistant(&provider).set("NETRA_RUN_LEASE_S", 1).start().await;
    let mut user = User::dev(&server).await;
    let (run, _first) = start(&user, "Tell a story.", "partial_result").await;
    for iteration in 2..=4 {
        server = server.restart("KILL").await;
        user = user.moved(&server);
        let socket = user.connect().await;
        socket.call(on(&run.thread, "subscribe", json!({ "after_seq": 0 }))).await;
        let again = |frame: &Value| frame["type"] == "agent_started" && frame["payload"]["iteration"] == iteration;
        socket.wait("the next process takes the run up", again).await;
        event(&socket, &run, "partial_result").await;
    }
    server = server.restart("KILL").await;
    user = user.moved(&server);
    let socket = user.connect().await;
    socket.call(on(&run.thread, "subscribe", json!({ "after_seq": 0 }))).await;
    let end = ended_within(&socket, &run, Duration::from_secs(20)).await;
    assert_eq!((&end["type"], &end["payload"]["code"]), (&json!("agent_error"), &json!("run_interrupted")), "{end}");
    check_run(&socket.frames(), &run);
    drop(server);
}
