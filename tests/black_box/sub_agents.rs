//! Agents that hand work to agents: nested runs, in parallel, stopped and killed (R12, R13, R19).

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{
    frame::{ends, on},
    provider::{Provider, Request},
    rules::{Run, check_run, ended, ended_within, payloads, start_run},
    script::{Reply, Stream},
    server::Setup,
    socket::Socket,
    user::User,
};

/// Two agents of one model's server: the first may hand work to the second.
fn agents(provider: &Provider) -> String {
    let agent = |name: &str, more: &str| {
        format!(
            "[[agents]]\nname = \"{name}\"\nkind = \"openai\"\nbase_url = \"{}\"\nmodel = \"{name}\"\n{more}\n",
            provider.base
        )
    };
    agent("lead", "sub_agents = [\"writer\"]") + &agent("writer", "sub_agents = [\"lead\"]")
}

fn hands_over(tasks: &[&str]) -> Reply {
    let stream = tasks.iter().enumerate().fold(Stream::new(), |stream, (at, task)| {
        stream.tool(at, &format!("call_{at}"), "writer", &json!({ "task": task }).to_string())
    });
    stream.end("tool_calls")
}

fn model(request: &Request) -> String {
    request.body["model"].as_str().unwrap_or_default().to_owned()
}

/// The runs that work for this one.
fn nested(socket: &Socket, run: &Run) -> Vec<Run> {
    let begun = |f: &&Value| f["type"] == "agent_started" && f["payload"]["parent_run_id"] == run.id.as_str();
    let of = |f: &Value| Run { thread: run.thread.clone(), id: f["run_id"].as_str().expect("an id").to_owned() };
    socket.frames().iter().filter(begun).map(of).collect()
}

#[tokio::test]
async fn two_work_for_one_at_the_same_time() {
    let provider = Provider::start(|request| match (model(request).as_str(), request.tool_results().len()) {
        ("writer", _) => {
            Stream::new().texts(5, &format!("{} ", request.prompt()), Duration::from_millis(30)).end("stop")
        }
        (_, 0) => hands_over(&["first", "second"]),
        (_, _) => Reply::text("Both are done."),
    })
    .await;
    let server = Setup::new().toml(&agents(&provider)).start().await;
    let user = User::dev(&server).await;
    let socket = user.connect().await;
    let run = start_run(&socket, "lead", "Have it written twice.").await;
    ended(&socket, &run).await;
    let frames = socket.frames();
    check_run(&frames, &run);
    let nested = nested(&socket, &run);
    assert_eq!(nested.len(), 2);
    let end = |id: &str| frames.iter().position(|f| ends(f, id)).expect("it ends");
    for child in &nested {
        check_run(&frames, child);
        assert!(end(&child.id) < end(&run.id), "a child ends before its parent");
        let begun = &payloads(&frames, child, "agent_started")[0];
        let call = begun["tool_call_id"].as_str().expect("the parent's call");
        let told = payloads(&frames, &run, "tool_completed");
        let done = told.iter().find(|done| done["tool_call_id"] == call).expect("the call ends");
        assert_eq!((&done["status"], &done["tool"]), (&json!("ok"), &json!("writer")), "{done}");
        let text = &payloads(&frames, child, "agent_response")[0]["content"];
        assert_eq!(&done["result"]["answer"], text, "the answer is the call's result");
    }
    assert_eq!(payloads(&frames, &run, "agent_response")[0]["content"], "Both are done.");
    assert_eq!(payloads(&frames, &run, "agent_started").len(), 1);
    // What they wrote for another agent is no message of the conversation.
    let messages = user.get(&format!("/api/threads/{}/messages", run.thread)).await.ok();
    assert_eq!(messages["messages"].as_array().map(Vec::len), Some(2), "{messages}");
    assert_eq!(messages["runs"].as_array().map(Vec::len), Some(3), "and their runs are with the one they work for");
    let asked: Vec<String> =
        provider.requests().iter().filter(|one| model(one) == "writer").map(Request::prompt).collect();
    assert!(asked.contains(&"first".to_owned()) && asked.contains(&"second".to_owned()), "{asked:?}");
}

#[tokio::test]
async fn a_stop_reaches_all_that_work_for_it() {
    let provider = Provider::start(|request| match model(request).as_str() {
        "writer" => Stream::new().texts(2_000, "word ", Duration::from_millis(20)).end("stop"),
        _ => hands_over(&["go on for ever"]),
    })
    .await;
    let server = Setup::new().toml(&agents(&provider)).start().await;
    let user = User::dev(&server).await;
    let socket = user.connect().await;
    let run = start_run(&socket, "lead", "Have it written.").await;
    socket.wait("the child speaks", |f| f["type"] == "partial_result" && f["run_id"] != run.id.as_str()).await;
    socket.call(on(&run.thread, "stop_agent", json!({ "run_id": run.id }))).await;
    let end = ended(&socket, &run).await;
    assert_eq!(end["payload"]["status"], "stopped", "{end}");
    let frames = socket.frames();
    check_run(&frames, &run);
    let child = &nested(&socket, &run)[0];
    check_run(&frames, child);
    assert_eq!(payloads(&frames, child, "agent_completed")[0]["status"], "stopped");
    provider.idle(Duration::from_secs(5)).await;
}

#[tokio::test]
async fn work_is_not_handed_on_for_ever() {
    let provider = Provider::start(|request| {
        let other = if model(request) == "lead" { "writer" } else { "lead" };
        match request.tool_results().first() {
            None => Stream::new().tool(0, "c", other, r#"{"task":"you do it"}"#).end("tool_calls"),
            Some(result) => Reply::text(&format!("done: {result}")),
        }
    })
    .await;
    let server = Setup::new().toml(&agents(&provider)).start().await;
    let user = User::dev(&server).await;
    let socket = user.connect().await;
    let run = start_run(&socket, "lead", "Do it.").await;
    let end = ended_within(&socket, &run, Duration::from_secs(30)).await;
    assert_eq!(end["type"], "agent_completed", "{end}");
    let begun = socket.frames().iter().filter(|f| f["type"] == "agent_started").count();
    assert_eq!(begun, 4, "one for the person, and three below it");
    let refused = socket.frames().iter().any(|f| {
        f["type"] == "tool_completed"
            && f["payload"]["result"]["error"].as_str().is_some_and(|why| why.contains("at most"))
    });
    assert!(refused, "the last is told to do it itself");
}

#[tokio::test]
async fn a_tree_outlives_its_process() {
    let provider = Provider::start(|request| match (model(request).as_str(), request.tool_results().len()) {
        ("writer", _) => Stream::new().texts(60, "w{k} ", Duration::from_millis(25)).end("stop"),
        (_, 0) => hands_over(&["one", "two"]),
        (_, _) => Reply::text("Done."),
    })
    .await;
    let mut server = Setup::new().toml(&agents(&provider)).set("NETRA_RUN_LEASE_S", 1).start().await;
    let mut user = User::dev(&server).await;
    let socket = user.connect().await;
    let run = start_run(&socket, "lead", "Have it written twice.").await;
    for _ in 0..3 {
        let socket = user.connect().await;
        socket.call(on(&run.thread, "subscribe", json!({ "after_seq": 0 }))).await;
        socket.wait("a child speaks", |f| f["type"] == "partial_result" && f["run_id"] != run.id.as_str()).await;
        server = server.restart("KILL").await;
        user = user.moved(&server);
    }
    let socket = user.connect().await;
    socket.call(on(&run.thread, "subscribe", json!({ "after_seq": 0 }))).await;
    ended_within(&socket, &run, Duration::from_mins(1)).await;
    let frames = socket.frames();
    check_run(&frames, &run);
    let mut children = nested(&socket, &run);
    children.sort_by(|a, b| a.id.cmp(&b.id));
    children.dedup_by(|a, b| a.id == b.id);
    assert_eq!(children.len(), 2, "none is begun twice");
    for child in &children {
        check_run(&frames, child);
    }
    let done = payloads(&frames, &run, "tool_completed");
    assert!(done.iter().all(|done| done["status"] == "ok"), "{done:?}");
}

#[tokio::test]
async fn settings_that_cannot_work_are_said() {
    let provider = Provider::start(|_| Reply::text("never")).await;
    for (name, wanted) in [("nobody", "no agent called"), ("lead", "to itself"), ("calculate", "no agent called")] {
        let text = agents(&provider).replacen("[\"writer\"]", &format!("[\"{name}\"]"), 1);
        let refusal = Setup::new().toml(&text).refused().await;
        assert!(refusal.stderr.contains(wanted), "{name}: {}", refusal.stderr);
    }
}
