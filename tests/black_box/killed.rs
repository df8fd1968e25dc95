//! `kill -9` in the middle of a word and in the middle of a tool call, again and again: nothing that was shown is lost or
//! shown twice, and every run ends once (R13, R14, invariant 8).

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::sleep;

use crate::support::{
    frame::{ends, frame, is_event_of, on},
    provider::{Provider, Request, text},
    rules::{Run, acked, check_answer, check_run, ended, ended_within, event, events_of, payloads, say, start_run},
    script::{Reply, Stream, numbered},
    server::{Server, Setup},
    socket::Socket,
    user::User,
};

/// Servers that are killed side by side, how often each must be hit in a word and in a tool, and the kills that may take.
const SERVERS: u64 = 4;
const HITS: u64 = 13;
const MOST_KILLS: u64 = 40;

/// What a story says in the end.
const WORDS: usize = 60;
const TOOL_ANSWER: &str = "The tool has spoken.";

/// A model that tells a long story, or asks for a slow tool first.
fn model(request: &Request) -> Reply {
    if request.prompt().contains("story") {
        return Stream::new().texts(WORDS, "w{k} ", Duration::from_millis(8)).end("stop");
    }
    if request.tool_results().is_empty() {
        // Takes long enough to be killed within, and is safe to repeat.
        return Stream::new().tool(0, "call_1", "wait", "{}").end("tool_calls");
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
    /// Tells what the run was at when its process died.
    async fn finish(mut self, user: &User, wanted: &str, seed: u64) -> String {
        let cursor = self.seen.last().map_or_else(
            || json!({ "after_seq": 0 }),
            |last| json!({ "after_seq": last["seq"], "epoch": last["epoch"] }),
        );
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
        assert_eq!(log[0]["type"], "thread_message", "seed {seed}: the message that was acknowledged is there");
        check_run(log, &self.run);
        check_answer(log, &self.run, wanted);
        if wanted == TOOL_ANSWER {
            check_tool(log, &self.run, seed);
        }
        cut_off_after(log, &self.run)
    }
}

/// The slow tool ended as it does when nobody kills it: it was done again, and what it found is there.
fn check_tool(log: &[Value], run: &Run, seed: u64) {
    let done = payloads(log, run, "tool_completed");
    assert_eq!(done.len(), 1, "seed {seed}: {log:?}");
    let (status, result) = (&done[0]["status"], &done[0]["result"]);
    assert_eq!((status, result), (&json!("ok"), &json!({ "waited": true })), "seed {seed}: {}", done[0]);
}

/// The last event of the run's first process, by the log; empty when one process saw the run through.
fn cut_off_after(log: &[Value], run: &Run) -> String {
    let events = events_of(log, run);
    let again = events.iter().skip(1).position(|event| event["type"] == "agent_started");
    again.map_or_else(String::new, |before| events[before]["type"].as_str().unwrap_or_default().to_owned())
}

/// What a server went through.
#[derive(Default)]
struct Hits {
    kills: u64,
    words: u64,
    tools: u64,
}

/// Kills one server until it was hit often enough in the middle of a word, and of a tool at work.
async fn suffer(seed: u64) -> Hits {
    let mut random = fastrand::Rng::with_seed(seed);
    let provider = Provider::start(model).await;
    let setup = Setup::new().assistant(&provider).set("NETRA_RUN_LEASE_S", 1);
    let mut server: Server = setup.set("NETRA_TEST_TOOLS", "/dev/null").start().await;
    let mut user = User::dev(&server).await;
    let mut hits = Hits::default();
    while hits.words < HITS || hits.tools < HITS {
        assert!(hits.kills < MOST_KILLS, "seed {seed}: {} words and {} tools were hit", hits.words, hits.tools);
        hits.kills += 1;
        let (story, story_socket) = start(&user, "Tell a story.", "partial_result").await;
        let (tool, tool_socket) = start(&user, "Calculate.", "tool_executing").await;
        let late_socket = user.connect().await;
        sleep(Duration::from_millis(random.u64(0..150))).await;
        // Acknowledged, and not a moment longer.
        let ask = frame("start_agent", json!({ "agent": "assistant", "content": "Calculate." }));
        let ack = late_socket.call(ask).await;
        server.signal("KILL");
        let late = Run { thread: acked(&ack, "thread_id"), id: acked(&ack, "run_id") };
        let story = Watched::cut(story, story_socket).await;
        let tool = Watched::cut(tool, tool_socket).await;
        let late = Watched::cut(late, late_socket).await;
        server = server.restart("KILL").await;
        user = user.moved(&server);
        let words = numbered(WORDS, "w{k} ");
        let (story, tool, _) = tokio::join!(
            story.finish(&user, &words, seed),
            tool.finish(&user, TOOL_ANSWER, seed),
            late.finish(&user, TOOL_ANSWER, seed),
        );
        hits.words += u64::from(story == "partial_result");
        hits.tools += u64::from(tool == "tool_executing");
    }
    hits
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_kills_lose_and_repeat_nothing() {
    let base = std::env::var("NETRA_TEST_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(7_u64);
    println!("seeds {base} to {}; NETRA_TEST_SEED repeats them", base + SERVERS - 1);
    let servers: Vec<_> = (base..base + SERVERS).map(|seed| tokio::spawn(suffer(seed))).collect();
    let mut all = Hits::default();
    for server in servers {
        let hits = server.await.expect("a server's story");
        all = Hits { kills: all.kills + hits.kills, words: all.words + hits.words, tools: all.tools + hits.tools };
    }
    println!(
        "{} kills: {} runs cut off in the middle of words, {} in the middle of a tool call; lost 0, repeated 0",
        all.kills, all.words, all.tools
    );
}

#[tokio::test]
async fn a_stop_that_was_acknowledged_outlives_the_process() {
    let provider =
        Provider::start(|_| Stream::new().texts(3_000, "w{k} ", Duration::from_millis(10)).end("stop")).await;
    let server = Setup::new().assistant(&provider).set("NETRA_RUN_LEASE_S", 1).start().await;
    let user = User::dev(&server).await;
    let (working, socket) = start(&user, "Tell a story.", "partial_result").await;
    let waiting = say(&socket, &working.thread, "And another.").await;
    for run in [&waiting, &working] {
        let stop = on(&run.thread, "stop_agent", json!({ "run_id": run.id }));
        assert_eq!(acked(&socket.call(stop).await, "run_id"), run.id);
    }
    server.signal("KILL");

    let server = server.restart("KILL").await;
    let user = user.moved(&server);
    let socket = user.connect().await;
    socket.call(on(&working.thread, "subscribe", json!({ "after_seq": 0 }))).await;
    for run in [&working, &waiting] {
        let end = ended(&socket, run).await;
        assert_eq!(end["payload"]["status"], "stopped", "{end}");
        check_run(&socket.frames(), run);
    }
    let asked = provider.requests().iter().filter(|request| request.prompt().contains("another")).count();
    assert_eq!(asked, 0, "nobody worked on what was stopped before it began");
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

/// A call that takes the process down with it is not made for ever: at last it is told as interrupted, and not begun.
#[tokio::test]
async fn a_call_that_takes_down_every_process_is_not_made_again() {
    let provider = Provider::start(|_| Stream::new().tool(0, "call_1", "wait", "{}").end("tool_calls")).await;
    let folder = tempfile::tempdir().expect("a folder");
    let setup = Setup::new().assistant(&provider).set("NETRA_RUN_LEASE_S", 1);
    let mut server = setup.set("NETRA_TEST_TOOLS", folder.path().join("stamps").display()).start().await;
    let mut user = User::dev(&server).await;
    let (run, _first) = start(&user, "Wait for it.", "tool_executing").await;
    for iteration in 2..=4 {
        server = server.restart("KILL").await;
        user = user.moved(&server);
        let socket = user.connect().await;
        socket.call(on(&run.thread, "subscribe", json!({ "after_seq": 0 }))).await;
        let again = |frame: &Value| frame["type"] == "agent_started" && frame["payload"]["iteration"] == iteration;
        socket.wait("the next process takes the run up", again).await;
    }
    server = server.restart("KILL").await;
    user = user.moved(&server);
    let socket = user.connect().await;
    socket.call(on(&run.thread, "subscribe", json!({ "after_seq": 0 }))).await;
    let end = ended_within(&socket, &run, Duration::from_secs(20)).await;
    assert_eq!((&end["type"], &end["payload"]["code"]), (&json!("agent_error"), &json!("run_interrupted")), "{end}");
    check_run(&socket.frames(), &run);
    let done = payloads(&socket.frames(), &run, "tool_completed");
    assert_eq!((done.len(), &done[0]["status"]), (1, &json!("interrupted")), "{done:?}");
    drop(server);
}

#[tokio::test]
async fn a_run_that_gets_on_may_be_cut_off_more_often() {
    const STEPS: usize = 6;
    let provider = Provider::start(|request| {
        let done = request.tool_results().len();
        if done == STEPS {
            return Reply::text("Done.");
        }
        let arguments = json!({ "expression": format!("{done} + 1") }).to_string();
        let said = Stream::new().text(&format!("Step {done}.")).pause(Duration::from_millis(250));
        said.tool(0, &format!("call_{done}"), "calculate", &arguments).end("tool_calls")
    })
    .await;
    let mut server = Setup::new().assistant(&provider).set("NETRA_RUN_LEASE_S", 1).start().await;
    let mut user = User::dev(&server).await;
    let (run, mut socket) = start(&user, "Take steps.", "partial_result").await;
    for step in 0..STEPS {
        let next = |frame: &Value| {
            frame["type"] == "partial_result"
                && frame["payload"]["delta"].as_str().is_some_and(|said| said.contains(&format!("Step {step}.")))
        };
        socket.wait("the next step is begun", next).await;
        server = server.restart("KILL").await;
        user = user.moved(&server);
        socket = user.connect().await;
        socket.call(on(&run.thread, "subscribe", json!({ "after_seq": 0 }))).await;
    }
    let end = ended_within(&socket, &run, Duration::from_secs(20)).await;
    assert_eq!(end["payload"]["status"], "completed", "{end}");
    check_run(&socket.frames(), &run);
    let steps: Vec<_> = (0..STEPS).map(|step| format!("Step {step}.")).collect();
    check_answer(&socket.frames(), &run, &format!("{}\n\nDone.", steps.join("\n\n")));
    let asked = provider.requests().pop().expect("a last request");
    let said: Vec<_> = asked.messages().iter().filter(|message| message["role"] == "assistant").map(text).collect();
    assert_eq!(said, steps, "the model is shown what it said before each call");
}

/// What must not be done twice is not: the server is killed after the tool's effect and before its word.
#[tokio::test]
async fn a_tool_that_must_not_be_repeated_is_told_as_interrupted() {
    let provider = Provider::start(|request| match request.tool_results().first() {
        None => Stream::new().tool(0, "call_1", "stamp", "{}").end("tool_calls"),
        Some(result) => Stream::new().text(&format!("It said: {}", text(result))).end("stop"),
    })
    .await;
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("stamps");
    let stamps = || std::fs::read_to_string(&file).unwrap_or_default().lines().count();
    let setup = Setup::new().assistant(&provider).set("NETRA_RUN_LEASE_S", 1);
    let server = setup.set("NETRA_TEST_TOOLS", file.display()).start().await;
    let user = User::dev(&server).await;
    let (run, _socket) = start(&user, "Stamp it.", "tool_executing").await;
    let end = tokio::time::Instant::now() + crate::support::PATIENCE;
    while stamps() == 0 {
        assert!(tokio::time::Instant::now() < end, "the tool does nothing");
        sleep(Duration::from_millis(5)).await;
    }
    let server = server.restart("KILL").await;
    let user = user.moved(&server);
    let socket = user.connect().await;
    socket.call(on(&run.thread, "subscribe", json!({ "after_seq": 0 }))).await;
    ended(&socket, &run).await;
    let log = user.get(&format!("/api/threads/{}/events?limit=1000", run.thread)).await.ok();
    let log = log["events"].as_array().expect("events");
    check_run(log, &run);
    let done = payloads(log, &run, "tool_completed");
    assert_eq!(done.len(), 1, "{log:?}");
    assert_eq!((&done[0]["status"], &done[0]["tool"]), (&json!("interrupted"), &json!("stamp")), "{}", done[0]);
    assert_eq!(stamps(), 1, "the tool was called again");
    // The model is told, and so can say it.
    let said = payloads(log, &run, "agent_response")[0]["content"].as_str().expect("an answer").to_owned();
    assert!(said.contains("may or may not have had its effect"), "{said}");

    // The same without a crash: nobody is interrupted, and it is done once more.
    let (run, socket) = start(&user, "Stamp it again.", "tool_completed").await;
    ended(&socket, &run).await;
    let log = user.get(&format!("/api/threads/{}/events?limit=1000", run.thread)).await.ok();
    let done = payloads(log["events"].as_array().expect("events"), &run, "tool_completed").clone();
    assert_eq!((done[0]["status"].as_str(), stamps()), (Some("ok"), 2));
}
