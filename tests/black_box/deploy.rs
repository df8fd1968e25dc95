//! A deploy under streaming clients: everyone is sent away in batches, comes back with a cursor, and has lost nothing (§6, §7,
//! R14, R16).

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures::future::join_all;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::support::{
    PATIENCE,
    frame::{ends, is_event_of, on},
    handshake::Handshake,
    provider::Provider,
    rules::{Run, check_answer, check_run, ended_within, event, start_run},
    script::{Stream, numbered},
    server::Setup,
    socket::Socket,
    user::User,
};

const SOCKETS: usize = 1_000;
const THREADS: usize = 5;
const WORDS: usize = 200;

/// The least time between the first and the last farewell: five batches of 200 with pauses of 50 ms, and some slack.
const SPREAD: Duration = Duration::from_millis(150);

/// What a socket brought of a thread.
fn of_thread(frames: Vec<Value>, thread: &str) -> Vec<Value> {
    frames.into_iter().filter(|frame| is_event_of(frame, thread)).collect()
}

async fn watch(base: &str, token: &str, thread: &str, cursor: Value) -> Socket {
    let socket = Socket::open(base, token).await;
    let subscribed = socket.call(on(thread, "subscribe", cursor)).await;
    assert_eq!(subscribed["payload"]["mode"], "resumed", "{subscribed}");
    socket
}

/// Opens sockets a few at a time, as a listener's queue allows.
async fn watch_all(base: &str, token: &str, wanted: Vec<(String, Value)>) -> Vec<Socket> {
    let mut sockets = Vec::with_capacity(wanted.len());
    for part in wanted.chunks(50) {
        sockets.extend(join_all(part.iter().map(|(thread, cursor)| watch(base, token, thread, cursor.clone()))).await);
    }
    sockets
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_streaming_sockets_lose_nothing_in_a_deploy() {
    let asked = AtomicUsize::new(0);
    // What is told before the deploy takes longer than the deploy needs to come.
    let provider = Provider::start(move |_| {
        let words = if asked.fetch_add(1, Ordering::SeqCst) < THREADS { 20 * WORDS } else { WORDS };
        Stream::new().texts(words, "w{k} ", Duration::from_millis(25)).end("stop")
    })
    .await;
    let setup = |home| {
        let setup = Setup::at(home).assistant(&provider).set("NETRA_DRAIN_S", 1).set("NETRA_RUN_LEASE_S", 1);
        setup
            .set("NETRA_HANDSHAKES_PER_MINUTE", 100_000)
            .set("NETRA_CONNECTIONS_PER_USER", 100_000)
            .set("NETRA_LOG", "warn,netra=info")
    };
    let first = setup(Arc::new(tempfile::tempdir().expect("a folder")));
    let port = first.port();
    let mut server = first.start().await;
    let user = User::dev(&server).await;
    let starter = user.connect().await;
    let mut runs: Vec<Run> = Vec::new();
    for _ in 0..THREADS {
        let run = start_run(&starter, "assistant", "Tell a story.").await;
        event(&starter, &run, "partial_result").await;
        runs.push(run);
    }
    let thread_of = |index: usize| runs[index % THREADS].thread.clone();
    let token = user.token().await;
    let wanted = (0..SOCKETS).map(|index| (thread_of(index), json!({ "after_seq": 0 }))).collect();
    let sockets = watch_all(&server.base, &token, wanted).await;

    for socket in &sockets {
        socket.wait("a word", |frame| frame["type"] == "partial_result").await;
    }

    server.signal("TERM");
    let mut moments: Vec<Timestamp> = Vec::new();
    for socket in &sockets {
        socket.closed_with(1012, PATIENCE).await;
        let frames = socket.frames();
        let farewell = frames.last().expect("a frame");
        assert!(farewell["payload"]["retry_after_ms"].as_u64().is_some_and(|wait| wait > 0), "{farewell}");
        moments.push(farewell["ts"].as_str().and_then(|ts| ts.parse().ok()).expect("ts"));
    }
    moments.sort();
    let spread = moments[SOCKETS - 1].duration_since(moments[0]).unsigned_abs();
    assert!(spread >= SPREAD, "everyone was sent away at once, within {spread:?}");
    assert_eq!(server.exit(Duration::from_secs(10)).await, 0);

    let before: Vec<Vec<Value>> =
        sockets.iter().enumerate().map(|(index, socket)| of_thread(socket.frames(), &thread_of(index))).collect();
    for (index, seen) in before.iter().enumerate() {
        let run = &runs[index % THREADS].id;
        assert!(!seen.iter().any(|event| ends(event, run)), "socket {index}: the deploy came too late");
    }
    drop(sockets);
    let server = setup(server.home()).on(port).start().await;
    let user = user.moved(&server);
    let token = user.token().await;
    let cursor = |index: usize| {
        let last = before[index].last().expect("something was seen");
        json!({ "after_seq": last["seq"], "epoch": last["epoch"] })
    };
    let wanted = (0..SOCKETS).map(|index| (thread_of(index), cursor(index))).collect();
    let sockets = watch_all(&server.base, &token, wanted).await;
    let mut logs = Vec::new();
    for run in &runs {
        let watcher = user.connect().await;
        watcher.call(on(&run.thread, "subscribe", json!({ "after_seq": 0 }))).await;
        ended_within(&watcher, run, Duration::from_mins(1)).await;
        let log = user.get(&format!("/api/threads/{}/events?limit=1000", run.thread)).await.ok();
        let log = log["events"].as_array().expect("events").clone();
        check_run(&log, run);
        check_answer(&log, run, &numbered(WORDS, "w{k} "));
        logs.push(log);
    }
    let mut applied = 0;
    for (index, (socket, mut seen)) in sockets.iter().zip(before).enumerate() {
        let log = &logs[index % THREADS];
        let last = log.last().expect("a last event")["seq"].clone();
        let thread = thread_of(index);
        socket.wait("the last event", |frame| is_event_of(frame, &thread) && frame["seq"] == last).await;
        seen.extend(of_thread(socket.frames(), &thread));
        assert_eq!(&seen, log, "socket {index} saw the log, once and in order");
        applied += seen.len();
    }
    println!("{SOCKETS} sockets, sent away within {spread:?}, {applied} events; lost 0, repeated 0");
}

#[tokio::test]
async fn a_draining_server_says_so_to_newcomers() {
    let provider =
        Provider::start(|_| Stream::new().texts(3_000, "tick ", Duration::from_millis(10)).end("stop")).await;
    let mut server = Setup::new().assistant(&provider).set("NETRA_DRAIN_S", 4).start().await;
    let user = User::dev(&server).await;
    let socket = user.connect().await;
    let run = start_run(&socket, "assistant", "Tell a story.").await;
    event(&socket, &run, "partial_result").await;
    let token = user.token().await;
    server.signal("TERM");
    socket.closed_with(1012, PATIENCE).await;
    let ready = user.get("/readyz").await;
    assert_eq!(ready.status, 503, "{}", ready.body);
    let refused = Handshake::with_token(&token).send(&server).await;
    assert_eq!(refused.error(), (503, "draining".into()));
    assert!(refused.header("retry-after").parse::<u64>().is_ok_and(|seconds| seconds >= 1));
    assert_eq!(server.exit(Duration::from_secs(10)).await, 0);
}
