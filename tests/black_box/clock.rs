//! A server whose clock is set by an hour while it works (R14). Debian's `libfaketime` sets it for the one process; `make test`
//! installs it where it can. Elsewhere these tests say that they did not run.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::support::{
    PATIENCE,
    frame::{is_event_of, on},
    provider::Provider,
    rules::{Run, check_answer, check_dense, check_run, ended, event, payloads, start_run},
    script::{Stream, numbered},
    server::{Server, Setup},
    user::User,
};

const WORDS: usize = 120;
const HOUR: i64 = 3_600;

/// The library that answers in the clock's place, if the machine has it.
fn library() -> Option<PathBuf> {
    let folders = std::fs::read_dir("/usr/lib").ok()?.flatten();
    let mut found = folders.map(|folder| folder.path().join("faketime/libfaketimeMT.so.1"));
    let found = found.find(|path| path.exists());
    if found.is_none() {
        println!("not run: this test needs Debian's libfaketime");
    }
    found
}

/// Sets the server's clock to so many seconds beside the machine's.
fn set_clock(server: &Server, seconds: i64) {
    std::fs::write(server.home().path().join("clock"), format!("{seconds:+}\n")).expect("the clock is set");
}

async fn start(provider: &Provider, library: &Path) -> Server {
    let home = std::sync::Arc::new(tempfile::tempdir().expect("a folder"));
    let clock = home.path().join("clock");
    std::fs::write(&clock, "+0\n").expect("the clock is set");
    let setup = Setup::at(home).assistant(provider).set("NETRA_RUN_LEASE_S", 1);
    // With a heartbeat the server looks at its clock.
    let setup = setup.set("NETRA_HEARTBEAT_INTERVAL_MS", 1_000);
    let setup = setup.set("LD_PRELOAD", library.display()).set("FAKETIME_TIMESTAMP_FILE", clock.display());
    setup.set("FAKETIME_NO_CACHE", 1).set("FAKETIME_DONT_FAKE_MONOTONIC", 1).start().await
}

async fn storyteller() -> Provider {
    Provider::start(|_| Stream::new().texts(WORDS, "w{k} ", Duration::from_millis(25)).end("stop")).await
}

/// The log of a thread, which must hold this one run, whole and in order.
async fn check_log(user: &User, run: &Run) -> Vec<Value> {
    let log = user.get(&format!("/api/threads/{}/events?limit=1000", run.thread)).await.ok();
    let log = log["events"].as_array().expect("events").clone();
    check_dense(&log, &run.thread, 1);
    check_run(&log, run);
    check_answer(&log, run, &numbered(WORDS, "w{k} "));
    log
}

/// The clock is set while a run works: its owner keeps it, and it ends once.
async fn check_jump(library: &Path, seconds: i64) {
    let provider = storyteller().await;
    let server = start(&provider, library).await;
    let user = User::dev(&server).await;
    let mut socket = user.connect().await;
    let run = start_run(&socket, "assistant", "Tell a story.").await;
    event(&socket, &run, "partial_result").await;
    set_clock(&server, seconds);
    let mut seen = Vec::new();
    if seconds > 0 {
        // The token's life is over by the server's clock. A new one is to be had, and the cursor is still good.
        socket.closed_with(4401, PATIENCE).await;
        seen = socket.frames().into_iter().filter(|frame| is_event_of(frame, &run.thread)).collect();
        socket = user.connect().await;
        let last = seen.last().expect("something was seen");
        let cursor = json!({ "after_seq": last["seq"], "epoch": last["epoch"] });
        let subscribed = socket.call(on(&run.thread, "subscribe", cursor)).await;
        assert_eq!(subscribed["payload"]["mode"], "resumed", "{subscribed}");
    }
    ended(&socket, &run).await;
    seen.extend(socket.frames().into_iter().filter(|frame| is_event_of(frame, &run.thread)));
    let log = check_log(&user, &run).await;
    assert_eq!(seen, log, "what was seen is the log");
    assert_eq!(payloads(&log, &run, "agent_started").len(), 1, "the run was taken from its owner");
    assert_eq!(provider.requests().len(), 1);

    let at = |event: &Value| event["ts"].as_str().and_then(|ts| ts.parse::<Timestamp>().ok()).expect("ts");
    let moved = at(&log[log.len() - 1]).duration_since(at(&log[0])) - SignedDuration::from_secs(seconds);
    assert!(moved.abs() < SignedDuration::from_secs(60), "the clock was not set: {moved}");
}

/// The clock is set between a process's death and the next one: what the first left behind is taken up all the same.
async fn check_death(library: &Path, seconds: i64) {
    let provider = storyteller().await;
    let server = start(&provider, library).await;
    let user = User::dev(&server).await;
    let socket = user.connect().await;
    let run = start_run(&socket, "assistant", "Tell a story.").await;
    event(&socket, &run, "partial_result").await;
    server.signal("KILL");
    set_clock(&server, seconds);
    let server = server.restart("KILL").await;
    let user = user.moved(&server);
    let socket = user.connect().await;
    socket.call(on(&run.thread, "subscribe", json!({ "after_seq": 0 }))).await;
    ended(&socket, &run).await;
    let log = check_log(&user, &run).await;
    assert_eq!(payloads(&log, &run, "agent_started").len(), 2, "{log:?}");
}

#[tokio::test]
async fn a_clock_set_forward_by_an_hour_changes_no_run() {
    let Some(library) = library() else { return };
    tokio::join!(check_jump(&library, HOUR), check_death(&library, HOUR));
}

#[tokio::test]
async fn a_clock_set_back_by_an_hour_changes_no_run() {
    let Some(library) = library() else { return };
    tokio::join!(check_jump(&library, -HOUR), check_death(&library, -HOUR));
}
