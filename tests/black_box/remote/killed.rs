//! `kill -9` of Netra in the middle of a remote agent's words and tools: every run ends or goes on, and no tool works twice unless
//! it may.

use std::time::Duration;

use serde_json::{Value, json};

use super::{Software, entry};
use crate::support::{
    frame::on,
    rules::{Run, answer_of, check_run, ended_within, event, payloads, start_run},
    script::numbered,
    server::{Server, Setup},
    user::User,
};

/// The log of a thread, once its run has ended.
async fn log(server: &Server, user: &User, run: &Run) -> Vec<Value> {
    let socket = user.connect().await;
    socket.call(on(&run.thread, "subscribe", json!({ "after_seq": 0 }))).await;
    ended_within(&socket, run, Duration::from_secs(40)).await;
    let log = user.get(&format!("/api/threads/{}/events?limit=1000", run.thread)).await.ok();
    let log = log["events"].as_array().expect("events").clone();
    check_run(&log, run);
    assert!(!server.log().contains("panicked"), "{}", server.log());
    log
}

#[tokio::test]
async fn words_that_were_cut_off_are_said_anew() {
    let Some(software) = Software::start().await else { return };
    for name in ["pydantic", "langgraph", "langserve", "threads"] {
        let mut server = software.setup().start().await;
        let mut user = User::dev(&server).await;
        let socket = user.connect().await;
        let run = start_run(&socket, name, "Tell a story.").await;
        event(&socket, &run, "partial_result").await;
        server = server.restart("KILL").await;
        user = user.moved(&server);
        let log = log(&server, &user, &run).await;
        let told = answer_of(&log, &run);
        let story = numbered(120, "w{k} ");
        assert_eq!((told.whole.as_str(), told.folded.as_str()), (story.as_str(), story.as_str()), "{name}");
        let again = payloads(&log, &run, "agent_started");
        assert_eq!(again.len(), 2, "{name}: another process took the run up");
    }
}

/// Kills the server while the tool works, and gives the log of the run.
async fn killed_in_a_tool(software: &Software, setup: Setup, name: &str) -> (Vec<Value>, Run, usize) {
    let before = software.tools();
    let mut server = setup.start().await;
    let mut user = User::dev(&server).await;
    let socket = user.connect().await;
    let run = start_run(&socket, name, "What is slowly six times seven?").await;
    event(&socket, &run, "tool_executing").await;
    software.tool_works(before).await;
    server = server.restart("KILL").await;
    user = user.moved(&server);
    let log = log(&server, &user, &run).await;
    (log, run, software.tools() - before)
}

#[tokio::test]
async fn a_tool_that_was_cut_off_is_told_and_not_repeated() {
    let Some(software) = Software::start().await else { return };
    for name in ["pydantic", "langgraph", "langserve", "lines"] {
        let (log, run, worked) = killed_in_a_tool(&software, software.setup(), name).await;
        let done = payloads(&log, &run, "tool_completed");
        assert_eq!((done.len(), &done[0]["status"]), (1, &json!("interrupted")), "{name}: {done:?}");
        assert_eq!(worked, 1, "{name}: the tool worked again");
        let said = answer_of(&log, &run).whole;
        assert!(said.contains("may or may not have had its effect"), "{name}: the agent was told: {said}");
    }
}

#[tokio::test]
async fn a_tool_that_may_be_repeated_is() {
    let Some(software) = Software::start().await else { return };
    let url = format!("{}/stream_events", software.base);
    let agent = entry("graph", "langchain", &url, "idempotent_tools = [\"abacus\"]");
    let setup = Setup::new().toml(&agent).set("NETRA_RUN_LEASE_S", 1);
    let (log, run, worked) = killed_in_a_tool(&software, setup, "graph").await;
    assert_eq!(worked, 2, "the agent was asked anew");
    let statuses: Vec<Value> =
        payloads(&log, &run, "tool_completed").iter().map(|payload| payload["status"].clone()).collect();
    assert_eq!(statuses, ["interrupted", "ok"]);
    assert!(answer_of(&log, &run).whole.starts_with("The tool said: "), "{log:?}");
}

#[tokio::test]
async fn an_agent_that_cannot_be_told_ends_with_a_reason() {
    let Some(software) = Software::start().await else { return };
    let (log, run, worked) = killed_in_a_tool(&software, software.setup(), "threads").await;
    assert_eq!(worked, 1, "it was not asked again");
    let end = payloads(&log, &run, "agent_error");
    assert_eq!(end[0]["code"], "run_interrupted", "{end:?}");
    assert!(end[0]["message"].as_str().is_some_and(|words| words.contains("twice")), "{end:?}");
}

#[tokio::test]
async fn an_agent_that_dies_ends_the_run() {
    for (name, question, until) in [
        ("pydantic", "Tell a story.", "partial_result"),
        ("langserve", "What is slowly six times seven?", "tool_executing"),
    ] {
        let Some(software) = Software::start().await else { return };
        let server = software.setup().start().await;
        let socket = User::dev(&server).await.connect().await;
        let run = start_run(&socket, name, question).await;
        event(&socket, &run, until).await;
        drop(software);
        let end = ended_within(&socket, &run, Duration::from_secs(30)).await;
        assert_eq!(
            (&end["type"], &end["payload"]["code"]),
            (&json!("agent_error"), &json!("upstream_protocol")),
            "{end}"
        );
        check_run(&socket.frames(), &run);
    }
}
