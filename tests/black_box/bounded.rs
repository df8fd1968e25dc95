//! What a thread costs has a bound: snapshots and pages by bytes, subscriptions by their turn, a user's connections by number (§5).

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::time::sleep;

use crate::support::{
    PATIENCE,
    frame::{ends, frame, on},
    provider::Provider,
    rules::{Run, acked, ended, ended_within, say, start_run},
    script::{Reply, Stream},
    server::Setup,
    socket::Socket,
    user::User,
};

/// The most that a snapshot of many messages may have, the last message that went in included.
const ABOUT: usize = 256 * 1024 + 80 * 1024;

async fn shown(socket: &Socket, thread: &str) -> Value {
    let from = socket.count();
    let answer = socket.call(on(thread, "subscribe", json!({}))).await;
    assert_eq!(answer["payload"]["mode"], "snapshot", "{answer}");
    socket.wait_for(from, PATIENCE, "a snapshot", |f| f["type"] == "thread_snapshot").await["payload"].clone()
}

fn ids<'a>(list: &'a Value, field: &str) -> Vec<&'a str> {
    list.as_array().expect("a list").iter().map(|item| item[field].as_str().expect("an id")).collect()
}

/// Every run that answers or wrote one of the messages is there.
fn has_its_runs(part: &Value, also_unfinished: bool) {
    let messages = ids(&part["messages"], "message_id");
    for message in part["messages"].as_array().expect("messages") {
        let id = &message["message_id"];
        let runs = part["runs"].as_array().expect("runs");
        match message["role"].as_str() {
            Some("user") => assert!(runs.iter().any(|run| &run["answers"] == id), "nothing answers {message}"),
            _ => assert!(runs.iter().any(|run| run["run_id"] == message["run_id"]), "nobody wrote {message}"),
        }
    }
    for run in part["runs"].as_array().expect("runs") {
        let needed = run["answers"].as_str().is_some_and(|id| messages.contains(&id))
            || run["message_id"].as_str().is_some_and(|id| messages.contains(&id));
        let unfinished = also_unfinished && matches!(run["status"].as_str(), Some("queued" | "running"));
        assert!(needed || unfinished, "no message needs {run}");
    }
}

/// A thread with so many messages of so many bytes, each answered by a word.
async fn long_thread(user: &User, messages: usize, bytes: usize) -> String {
    let thread = user.thread("A long one").await["id"].as_str().expect("an id").to_owned();
    let socket = user.connect().await;
    let mut last = None;
    for number in 0..messages {
        let content = format!("{number} {}", "x".repeat(bytes));
        let ack = socket.call(on(&thread, "user_message", json!({ "content": content, "agent": "assistant" }))).await;
        last = Some(Run { thread: thread.clone(), id: acked(&ack, "run_id") });
    }
    socket.call(on(&thread, "subscribe", json!({ "after_seq": 0 }))).await;
    ended_within(&socket, &last.expect("a message"), Duration::from_mins(3)).await;
    thread
}

async fn brief() -> Provider {
    Provider::start(|_| Reply::text("Yes.")).await
}

#[tokio::test]
async fn a_snapshot_is_bounded_by_bytes_and_pages_lead_to_the_rest() {
    let provider = brief().await;
    let server = Setup::new().assistant(&provider).start().await;
    let user = User::register(&server).await;
    let thread = long_thread(&user, 20, 30_000).await;
    let socket = user.connect().await;
    let snapshot = shown(&socket, &thread).await;
    assert!(snapshot.to_string().len() < ABOUT, "{} bytes", snapshot.to_string().len());
    assert!(snapshot["messages"].as_array().expect("messages").len() >= 8);
    has_its_runs(&snapshot, true);

    let mut seen = ids(&snapshot["messages"], "message_id").into_iter().map(str::to_owned).collect::<Vec<_>>();
    let mut cursor = snapshot["earlier_cursor"].as_str().expect("there is more").to_owned();
    loop {
        let page = user.get(&format!("/api/threads/{thread}/messages?cursor={cursor}")).await.ok();
        assert!(page.to_string().len() < ABOUT, "{} bytes", page.to_string().len());
        has_its_runs(&page, false);
        let older = ids(&page["messages"], "message_id").into_iter().map(str::to_owned).collect::<Vec<_>>();
        seen.splice(0..0, older);
        match page["next_cursor"].as_str() {
            Some(next) => next.clone_into(&mut cursor),
            None => break,
        }
    }
    assert_eq!(seen.len(), 40, "every message, once");
    let mut once = seen.clone();
    once.sort();
    once.dedup();
    assert_eq!(once.len(), 40);
}

#[tokio::test]
async fn a_snapshot_holds_the_runs_of_its_messages_however_many_and_those_that_wait() {
    let provider = Provider::start(|request| {
        if request.prompt().contains("endless") {
            return Stream::new().texts(2_000, "w{k} ", Duration::from_millis(20)).end("stop");
        }
        Reply::text("Yes.")
    })
    .await;
    let server = Setup::new().assistant(&provider).set("NETRA_COMMANDS_PER_MINUTE", 10_000).start().await;
    let user = User::register(&server).await;
    let thread = long_thread(&user, 110, 10).await;
    let socket = user.connect().await;
    let say = |content: &str| on(&thread, "user_message", json!({ "content": content, "agent": "assistant" }));
    let active = acked(&socket.call(say("endless")).await, "run_id");
    let queued = acked(&socket.call(say("next")).await, "run_id");
    let snapshot = shown(&socket, &thread).await;
    assert_eq!(snapshot["messages"].as_array().expect("messages").len(), 200);
    has_its_runs(&snapshot, true);
    let runs = ids(&snapshot["runs"], "run_id");
    assert!(runs.contains(&active.as_str()) && runs.contains(&queued.as_str()), "what has not ended is there");
}

#[tokio::test]
async fn large_arguments_are_cut_in_snapshots_and_whole_on_demand() {
    let expression = vec!["1"; 3_000].join(" + ");
    let arguments = json!({ "expression": expression }).to_string();
    let provider = Provider::start(move |request| {
        if request.tool_results().is_empty() {
            return Stream::new().tool(0, "c1", "calculate", &arguments).end("tool_calls");
        }
        Reply::text("Three thousand.")
    })
    .await;
    let server = Setup::new().assistant(&provider).start().await;
    let (user, stranger) = (User::register(&server).await, User::register(&server).await);
    let socket = user.connect().await;
    let run = start_run(&socket, "assistant", "Add many ones.").await;
    ended(&socket, &run).await;

    let whole = json!({ "expression": expression });
    let later = user.connect().await;
    let snapshot = shown(&later, &run.thread).await;
    let page = user.get(&format!("/api/threads/{}/messages", run.thread)).await.ok();
    for part in [&snapshot, &page] {
        let call = part["runs"][0]["steps"].as_array().expect("steps").iter().find(|step| step["kind"] == "tool");
        let cut = &call.expect("a call")["arguments"];
        assert_eq!((&cut["cut"], &cut["bytes"]), (&json!(true), &json!(whole.to_string().len())), "{cut}");
        assert!(whole.to_string().starts_with(cut["start"].as_str().expect("a start")), "{cut}");
        assert!(cut.to_string().len() < 4_096);
    }
    let path = format!("/api/threads/{}/runs/{}", run.thread, run.id);
    let found = user.get(&path).await.ok();
    let call = found["steps"].as_array().expect("steps").iter().find(|step| step["kind"] == "tool").expect("a call");
    assert_eq!(call["arguments"], whole);
    assert_eq!(found["run_id"], run.id.as_str());

    // Not yours, not there, not a run of this thread: the same.
    let other = user.thread("Another").await["id"].as_str().expect("an id").to_owned();
    for (who, path) in [
        (&stranger, path.clone()),
        (&user, format!("/api/threads/{other}/runs/{}", run.id)),
        (&user, format!("/api/threads/{}/runs/{other}", run.thread)),
        (&user, format!("/api/threads/{}/runs/newest", run.thread)),
        (&user, format!("/api/threads/nowhere/runs/{}", run.id)),
    ] {
        let answer = who.get(&path).await;
        assert_eq!((answer.status, answer.json()["error"]["code"].as_str()), (404, Some("not_found")), "{path}");
    }
}

#[tokio::test]
async fn a_reader_that_stops_and_subscribes_again_and_again_holds_one_snapshot() {
    let provider = brief().await;
    let server = Setup::new().assistant(&provider).set("NETRA_COMMANDS_PER_MINUTE", 100_000).start().await;
    let user = User::register(&server).await;
    let thread = long_thread(&user, 61, 60_000).await;
    let before = server.resident_kb();
    let stalled = crate::support::stalled::Stalled::open(&server.base, &user.token().await).await;
    for _ in 0..300 {
        stalled.send(&on(&thread, "subscribe", json!({}))).await;
    }
    let mut most = 0;
    for _ in 0..20 {
        sleep(Duration::from_millis(100)).await;
        most = most.max(server.resident_kb());
    }
    let grown = most.saturating_sub(before) / 1024;
    println!("{grown} MiB more");
    assert!(grown < 48, "{grown} MiB for one reader");
    user.connect().await.alive().await;
}

/// A reader of 100 KB a second gets a thread of so many answers, each of so many pieces of 40 KB, and answers heartbeats as it
/// comes to them.
async fn reads_slowly(setup: Setup, answers: usize, pieces: usize) {
    let pause = Duration::from_millis(60);
    let provider = Provider::start(move |_| Stream::new().texts(pieces, &"y".repeat(40_000), pause).end("stop")).await;
    let server = setup.assistant(&provider).start().await;
    let user = User::register(&server).await;
    let socket = user.connect().await;
    let mut run = start_run(&socket, "assistant", "A lot, please.").await;
    ended(&socket, &run).await;
    for _ in 1..answers {
        run = say(&socket, &run.thread, "More, please.").await;
        ended(&socket, &run).await;
    }
    let reader = crate::support::stalled::Stalled::open(&server.base, &user.token().await).await;
    reader.send(&on(&run.thread, "subscribe", json!({ "after_seq": 0 }))).await;
    let began = Instant::now();
    let heard = reader.read_slowly(100_000, |frame| ends(frame, &run.id)).await;
    println!("{heard} bytes in {:?}, one connection", began.elapsed());
    // The pieces, and each whole answer once more.
    assert!(heard > answers * pieces * 40_000 * 2, "{heard} bytes");
}

#[tokio::test]
async fn a_slow_reader_gets_a_long_thread_without_losing_its_connection() {
    let setup = Setup::new().set("NETRA_HEARTBEAT_INTERVAL_MS", 500).set("NETRA_HEARTBEAT_TIMEOUT_MS", 500);
    reads_slowly(setup, 1, 24).await;
}

/// The same with 5 MB and the heartbeats that a server has unless it is told otherwise: about a minute.
#[tokio::test]
async fn a_slow_reader_gets_five_megabytes_with_the_usual_heartbeats() {
    if std::env::var_os("NETRA_TEST_LONG").is_none() {
        println!("skipped, five megabytes at 100 KB/s: set NETRA_TEST_LONG");
        return;
    }
    reads_slowly(Setup::new(), 4, 16).await;
}

#[tokio::test]
async fn one_connection_more_than_allowed_takes_the_place_of_the_oldest() {
    let server = Setup::new().start().await;
    let (user, other) = (User::register(&server).await, User::register(&server).await);
    let foreign = other.connect().await;
    let mut sockets = Vec::new();
    for _ in 0..64 {
        sockets.push(user.connect().await);
    }
    sockets[0].alive().await;
    let one_more = user.connect().await;
    sockets[0].closed_with(4409, PATIENCE).await;
    one_more.alive().await;
    sockets[1].alive().await;
    foreign.alive().await;
    let next = user.connect().await;
    sockets[1].closed_with(4409, PATIENCE).await;
    next.alive().await;
    sockets[2].alive().await;
}

#[tokio::test]
async fn the_number_of_a_users_connections_is_a_setting() {
    let server = Setup::new().set("NETRA_CONNECTIONS_PER_USER", 1).start().await;
    let user = User::register(&server).await;
    let first = user.connect().await;
    let second = user.connect().await;
    first.closed_with(4409, PATIENCE).await;
    assert_eq!(second.call(frame("ping", json!({}))).await["type"], "pong");
}

#[tokio::test]
async fn cursors_that_are_foreign_or_ancient_harm_nothing() {
    let server = Setup::new().start().await;
    let user = User::register(&server).await;
    let socket = user.connect().await;
    let run = start_run(&socket, "guide", "What is 6 times 7?").await;
    ended(&socket, &run).await;
    let (thread, mine) = (&run.thread, format!("/api/threads/{}/messages", run.thread));
    // Before everything, behind everything, and another thread's place.
    for (cursor, count) in [("0", 0), ("1", 0), ("2", 1), ("9223372036854775807", 2), ("18446744073709551615", 2)] {
        let page = user.get(&format!("{mine}?cursor={cursor}")).await.ok();
        assert_eq!(page["messages"].as_array().expect("messages").len(), count, "{cursor}: {page}");
    }
    for cursor in ["-1", "x", "1.5", "1e3", "%00", &"9".repeat(400)] {
        let answer = user.get(&format!("{mine}?cursor={cursor}")).await;
        assert_eq!(
            (answer.status, answer.json()["error"]["code"].as_str()),
            (400, Some("invalid_payload")),
            "{cursor}"
        );
    }
    // Empty is absent.
    let whole = user.get(&mine).await.ok();
    assert_eq!(user.get(&format!("{mine}?cursor=&limit=")).await.ok(), whole);
    let list = user.get("/api/threads").await.ok();
    assert_eq!(user.get("/api/threads?query=&cursor=&limit=&archived=").await.ok(), list);
    let log = format!("/api/threads/{thread}/events");
    assert_eq!(user.get(&format!("{log}?after_seq=&limit=")).await.ok(), user.get(&log).await.ok());
}
