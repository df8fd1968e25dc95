//! Agents that behave badly: each run ends with a reason, and the server goes on.

use std::time::{Duration, Instant};

use serde_json::json;

use super::{end, entry, running, until};
use crate::support::{
    PATIENCE,
    answer::http,
    frame::on,
    rules::{Run, answer_of, check_run, event, say, start_run},
    server::{Server, Setup},
    socket::Socket,
    user::User,
};

async fn open(ways: &[&str], more: &str) -> (Server, Socket) {
    let agents: Vec<String> = ways.iter().map(|way| entry(way, "acp_hostile.mjs", &[way], more)).collect();
    let server = Setup::new().toml(&agents.join("\n")).start().await;
    let socket = User::dev(&server).await.connect().await;
    (server, socket)
}

/// The run ends with an error in these words, and a next one is worked on.
async fn fails(socket: &Socket, way: &str, words: &str) -> Run {
    let run = start_run(socket, way, "Hello.").await;
    let ended = end(socket, &run).await;
    assert_eq!(ended["type"], "agent_error", "{way}: {ended}");
    let message = ended["payload"]["message"].as_str().unwrap_or_default();
    assert!(message.contains(words), "{way}: {message}");
    check_run(&socket.frames(), &run);
    until("its program is gone", || running(&["confine", &run.thread]).is_empty()).await;
    run
}

#[tokio::test]
async fn what_is_no_protocol_ends_the_run() {
    let ways = ["garbage", "long", "leave", "version", "sign-in", "refuse"];
    let (server, socket) = open(&ways, "").await;
    for (way, words) in [
        ("garbage", "writes what is not its protocol"),
        ("long", "a line of more than 8 MiB"),
        ("leave", "exit status: 3"),
        ("version", "version 9"),
        ("sign-in", "signed in first"),
        ("refuse", "no model"),
    ] {
        let run = fails(&socket, way, words).await;
        if way == "refuse" {
            let next = say(&socket, &run.thread, "Again?").await;
            assert_eq!(end(&socket, &next).await["type"], "agent_error");
        }
    }
    assert!(server.resident_kb() < 600_000, "{} KB", server.resident_kb());
    assert!(!server.log().contains("panicked"), "{}", server.log());
}

/// Such an answer comes faster than a busy reader follows, who is closed and would come back: its end is looked up.
#[tokio::test]
async fn an_answer_without_end_ends_the_run() {
    let (server, _) = open(&["endless"], "").await;
    let user = User::dev(&server).await;
    let run = start_run(&user.connect().await, "endless", "Hello.").await;
    let path = format!("/api/threads/{}/runs/{}", run.thread, run.id);
    let end = Instant::now() + PATIENCE;
    let told = loop {
        let told = user.get(&path).await.ok();
        if told["status"] != "running" && told["status"] != "queued" {
            break told;
        }
        assert!(Instant::now() < end, "the run goes on");
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    let error = &told["error"];
    assert_eq!(told["status"], "failed", "{error}");
    assert!(error["message"].as_str().is_some_and(|why| why.contains("more than 8 MiB")), "{error}");
    until("its program is gone", || running(&["confine", &run.thread]).is_empty()).await;
    assert!(server.resident_kb() < 600_000, "{} KB", server.resident_kb());
}

#[tokio::test]
async fn what_is_not_asked_for_changes_nothing() {
    let (server, socket) = open(&["others", "noise", "wordless"], "").await;
    for (way, said) in [("others", "Fine."), ("noise", "Hello there.")] {
        let run = start_run(&socket, way, "Hello.").await;
        assert_eq!(end(&socket, &run).await["payload"]["status"], "completed", "{way}: {}", server.log());
        check_run(&socket.frames(), &run);
        assert_eq!(answer_of(&socket.frames(), &run).whole, said, "{way}");
    }
    let run = start_run(&socket, "wordless", "Hello.").await;
    let ended = end(&socket, &run).await;
    assert!(ended["payload"]["message"].as_str().is_some_and(|why| why.contains("without a word")), "{ended}");
}

#[tokio::test]
async fn silence_ends_the_run() {
    let (_server, socket) = open(&["silence"], "silence_s = 1").await;
    fails(&socket, "silence", "nothing for 1 s").await;
}

#[tokio::test]
async fn one_that_does_not_stop_is_ended() {
    let (server, socket) = open(&["stubborn"], "").await;
    let run = start_run(&socket, "stubborn", "Hello.").await;
    event(&socket, &run, "partial_result").await;
    socket.call(on(&run.thread, "stop_agent", json!({ "run_id": run.id }))).await;
    assert_eq!(end(&socket, &run).await["payload"]["status"], "stopped");
    until("its program is gone", || running(&["confine", &run.thread]).is_empty()).await;
    server.logged(0, "a line on it", |line| line.contains("did not end its turn")).await;
    // One that the server has just begun to start ends with the server.
    let deaf = start_run(&socket, "stubborn", "Hello.").await;
    event(&socket, &deaf, "partial_result").await;
    let mut server = server;
    server.signal("KILL");
    server.exit(Duration::from_secs(10)).await;
    until("nothing outlives the server", || running(&["confine", &deaf.thread]).is_empty()).await;
    until("nothing outlives the server", || running(&["acp_hostile.mjs", "stubborn"]).is_empty()).await;
}

/// Waits for a line of the metrics.
async fn counts(server: &Server, line: &str) {
    let end = Instant::now() + PATIENCE;
    loop {
        let answer = http().get(format!("{}/metrics", server.base)).send().await.expect("metrics");
        let text = answer.text().await.expect("text");
        if text.lines().any(|known| known == line) {
            return;
        }
        assert!(Instant::now() < end, "never: {line}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn one_that_takes_all_memory_is_ended() {
    let (server, socket) = open(&["grow"], "memory_mb = 300").await;
    let run = start_run(&socket, "grow", "Hello.").await;
    counts(&server, "netra_agent_processes 1").await;
    let ended = end(&socket, &run).await;
    let message = ended["payload"]["message"].as_str().unwrap_or_default();
    assert!(message.contains("more than 300 MiB of memory"), "{ended}");
    check_run(&socket.frames(), &run);
    until("its program is gone", || running(&["confine", &run.thread]).is_empty()).await;
    counts(&server, "netra_agent_processes 0").await;
}
