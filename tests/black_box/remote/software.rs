//! Runs of agents that other people's software runs, with scripted models.

use serde_json::{Value, json};

use super::{AGENTS, Software};
use crate::support::{
    answer::{Answer, http},
    frame::on,
    rules::{Run, acked, check_answer, check_critical, check_dense, check_run, ended, payloads, say, start_run},
    server::Server,
    socket::Socket,
    user::User,
};

/// What the tool returns.
fn product() -> Value {
    json!({ "expression": "6*7", "value": 42 })
}

async fn open(server: &Server) -> Socket {
    User::dev(server).await.connect().await
}

/// The thoughts of a run.
fn thoughts(frames: &[Value], run: &Run) -> String {
    payloads(frames, run, "agent_thinking").iter().filter_map(|payload| payload["thought"].as_str()).collect()
}

#[tokio::test]
async fn words_thoughts_and_calls_come_from_all_of_them() {
    let Some(software) = Software::start().await else { return };
    let server = software.setup().start().await;
    let socket = open(&server).await;
    for (name, ..) in AGENTS {
        let run = start_run(&socket, name, "Hello").await;
        let end = ended(&socket, &run).await;
        assert_eq!(end["payload"]["status"], "completed", "{name}: {end}");
        check_run(&socket.frames(), &run);
        check_answer(&socket.frames(), &run, "You said 'Hello', after 0 earlier messages: naïve café 🙂.");

        let before = software.tools();
        let run = start_run(&socket, name, "What is six times seven?").await;
        let end = ended(&socket, &run).await;
        assert_eq!(end["payload"]["status"], "completed", "{name}: {end}");
        let frames = socket.frames();
        check_critical(&check_run(&frames, &run));
        check_dense(&frames, &run.thread, 1);
        check_answer(&frames, &run, r#"The tool said: {"expression": "6*7", "value": 42}"#);
        assert!(
            thoughts(&frames, &run).contains("A product; the tool knows."),
            "{name}: {:?}",
            thoughts(&frames, &run)
        );
        let calls = payloads(&frames, &run, "tool_executing");
        assert_eq!((calls.len(), &calls[0]["tool"]), (1, &json!("abacus")), "{name}: {calls:?}");
        assert_eq!(calls[0]["arguments"], json!({ "expression": "6*7" }), "{name}: {calls:?}");
        let done = payloads(&frames, &run, "tool_completed");
        assert_eq!((&done[0]["status"], &done[0]["result"]), (&json!("ok"), &product()), "{name}: {done:?}");
        assert_eq!(software.tools(), before + 1, "{name}: the tool worked once");
        if name != "pydantic" {
            assert_eq!(end["payload"]["usage"]["total_tokens"], 36, "{name}: both turns are counted: {end}");
        }
    }
}

#[tokio::test]
async fn a_conversation_goes_on() {
    let Some(software) = Software::start().await else { return };
    let server = software.setup().start().await;
    let socket = open(&server).await;
    for (name, ..) in AGENTS {
        let first = start_run(&socket, name, "What is six times seven?").await;
        ended(&socket, &first).await;
        let second = say(&socket, &first.thread, "Hello").await;
        ended(&socket, &second).await;
        // The graph behind `threads` has no memory here; what it is sent is told below.
        let earlier = usize::from(name != "threads");
        let wanted = format!("You said 'Hello', after {earlier} earlier messages: naïve café 🙂.");
        check_answer(&socket.frames(), &second, &wanted);
        check_run(&socket.frames(), &second);
        let third = say(&socket, &first.thread, "Once more: what is six times seven?").await;
        ended(&socket, &third).await;
        assert_eq!(payloads(&socket.frames(), &third, "tool_executing").len(), 1, "{name}");
    }
    let log = software.log();
    let asked: Vec<&String> = log.iter().filter(|line| line.starts_with("thread ")).collect();
    assert!(asked.iter().any(|line| line.starts_with("thread - graph")), "{asked:?}");
    let thread = asked.iter().find(|line| !line.starts_with("thread - ")).expect("the thread's id is in the address");
    assert!(uuid::Uuid::parse_str(thread.split(' ').nth(1).unwrap_or_default()).is_ok(), "{thread}");
}

#[tokio::test]
async fn failures_are_told() {
    let Some(software) = Software::start().await else { return };
    let server = software.setup().start().await;
    let socket = open(&server).await;
    for (name, ..) in AGENTS {
        let run = start_run(&socket, name, "fail").await;
        let end = ended(&socket, &run).await;
        assert_eq!(end["type"], "agent_error", "{name}: {end}");
        let message = end["payload"]["message"].as_str().unwrap_or_default();
        let is_told = message.contains("the scripted model failed");
        // Who serves lines cuts them off where the chain fails.
        let is_cut = ["lines", "wrapped", "runs", "threads"].contains(&name) && message.contains("broke off");
        assert!(is_told || is_cut, "{name}: {end}");
        check_run(&socket.frames(), &run);

        let run = start_run(&socket, name, "What is badly six times seven?").await;
        ended(&socket, &run).await;
        check_run(&socket.frames(), &run);
        let done = payloads(&socket.frames(), &run, "tool_completed");
        assert_eq!(done.len(), 1, "{name}: {done:?}");
        // pydantic-ai tells of a tool that broke as of one that returned words.
        let status = if name == "pydantic" { "ok" } else { "error" };
        assert_eq!(done[0]["status"], status, "{name}: {done:?}");
        let said = done[0]["result"].to_string();
        assert!(said.contains("broke") || said.contains("interrupted by an error"), "{name}: {said}");
    }
}

#[tokio::test]
async fn a_stop_ends_the_run_and_the_request() {
    let Some(software) = Software::start().await else { return };
    let server = software.setup().start().await;
    let socket = open(&server).await;
    for name in ["pydantic", "langserve"] {
        let run = start_run(&socket, name, "Tell a story.").await;
        socket.wait("words", |frame| frame["run_id"] == run.id.as_str() && frame["type"] == "partial_result").await;
        let ack = socket.call(on(&run.thread, "stop_agent", json!({ "run_id": run.id }))).await;
        assert_eq!(acked(&ack, "run_id"), run.id);
        assert_eq!(ended(&socket, &run).await["payload"]["status"], "stopped", "{name}");
        let run = start_run(&socket, name, "What is slowly six times seven?").await;
        socket.wait("a call", |frame| frame["run_id"] == run.id.as_str() && frame["type"] == "tool_executing").await;
        socket.call(on(&run.thread, "stop_agent", json!({ "run_id": run.id }))).await;
        assert_eq!(ended(&socket, &run).await["payload"]["status"], "stopped", "{name}");
        check_run(&socket.frames(), &run);
        let done = payloads(&socket.frames(), &run, "tool_completed");
        assert_eq!(done[0]["status"], "interrupted", "{name}: {done:?}");
    }
}

/// Waits for the question of a run, and answers it.
async fn decide(socket: &Socket, run: &Run, words: &str, decision: Value) {
    let asks = |frame: &Value| frame["run_id"] == run.id.as_str() && frame["type"] == "tool_approval_required";
    let asked = socket.wait("a question", asks).await;
    let message = asked["payload"]["message"].as_str().unwrap_or_default();
    assert!(message.contains(words), "{asked}");
    let mut payload = decision;
    payload["tool_call_id"] = asked["payload"]["tool_call_id"].clone();
    let ack = socket.call(on(&run.thread, "tool_approval", payload)).await;
    assert_eq!(ack["type"], "ack", "{ack}");
}

#[tokio::test]
async fn an_agent_asks_a_person_and_goes_on_with_the_answer() {
    let Some(software) = Software::start().await else { return };
    let mut server = software.setup().start().await;
    let mut user = User::dev(&server).await;
    let mut socket = user.connect().await;
    let run = start_run(&socket, "langgraph", "Ask for permission").await;
    let asks = |frame: &Value| frame["type"] == "tool_approval_required";
    let asked = socket.wait("a question", asks).await;
    // A run that waits is a row: the server may die meanwhile.
    server = server.restart("KILL").await;
    user = user.moved(&server);
    socket = user.connect().await;
    socket.call(on(&run.thread, "subscribe", json!({ "after_seq": asked["seq"], "epoch": asked["epoch"] }))).await;
    let call = asked["payload"]["tool_call_id"].clone();
    assert!(asked["payload"]["message"].as_str().is_some_and(|words| words.contains("May I?")), "{asked}");
    let payload = json!({ "tool_call_id": call, "decision": "approve", "answer": { "answer": "gladly" } });
    let ack = socket.call(on(&run.thread, "tool_approval", payload)).await;
    assert_eq!(ack["type"], "ack", "{ack}");
    assert_eq!(ended(&socket, &run).await["payload"]["status"], "completed");
    let log = user.get(&format!("/api/threads/{}/events", run.thread)).await.ok();
    check_answer(log["events"].as_array().expect("events"), &run, "You said gladly.");
}

#[tokio::test]
async fn a_tool_of_a_remote_agent_is_allowed_or_denied() {
    let Some(software) = Software::start().await else { return };
    let server = software.setup().start().await;
    let socket = open(&server).await;
    for (decision, said, worked) in [
        (json!({ "decision": "approve" }), "The tool said: open with 1234", 1),
        (json!({ "decision": "deny", "reason": "not today" }), "The tool said: not today", 0),
    ] {
        let before = software.tools();
        let run = start_run(&socket, "pydantic", "Open the safe.").await;
        decide(&socket, &run, "Approve safe", decision).await;
        assert_eq!(ended(&socket, &run).await["payload"]["status"], "completed");
        assert_eq!(software.tools() - before, worked);
        let frames = socket.frames();
        let answer = payloads(&frames, &run, "agent_response");
        assert_eq!(answer[0]["content"], said, "{answer:?}");
        let next = say(&socket, &run.thread, "Hello").await;
        assert_eq!(ended(&socket, &next).await["payload"]["status"], "completed", "the conversation goes on");
    }
}

#[tokio::test]
async fn a_check_covers_all_of_them() {
    let Some(software) = Software::start().await else { return };
    let server = software.setup().start().await;
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_netra"))
        .args(["agents", "check"])
        .env("NETRA_CONFIG", server.home().path().join("netra.toml"))
        .env("NETRA_DATA_DIR", server.home().path().join("data"))
        .output()
        .expect("it runs");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    for (name, kind, ..) in AGENTS {
        let line =
            said.lines().find(|line| line.starts_with(&format!("{name}: {kind} at http://127.0.0.1"))).expect(name);
        assert!(line.contains("reached") && line.contains("stream yes"), "{line}");
    }
    let agents = Answer::of(http().get(format!("{}/api/config", server.base))).await.ok();
    assert_eq!(agents["agents"].as_array().map(Vec::len), Some(AGENTS.len() + 1), "the guide is there, too: {agents}");
}
