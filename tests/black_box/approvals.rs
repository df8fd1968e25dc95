//! A person decides whether a tool is called: from any tab, once, in time, after a crash, too (R12, R13, R19).

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{
    frame::{error_code, frame, on},
    provider::Provider,
    rules::{Run, check_run, ended, ended_within, event, payloads, say, start_run},
    script::{Reply, Stream},
    server::{Server, Setup},
    socket::Socket,
    user::User,
};

/// Every use of the calculator is asked about.
const ASK: &str = "[tools]\ncalculate = \"ask\"\n";

async fn server() -> Server {
    Setup::new().toml(ASK).set("NETRA_RUN_LEASE_S", 1).start().await
}

/// A run that waits, and the call that it waits for.
async fn asks(socket: &Socket, agent: &str, content: &str) -> (Run, String, Value) {
    let run = start_run(socket, agent, content).await;
    let asked = event(socket, &run, "tool_approval_required").await;
    let call = asked["payload"]["tool_call_id"].as_str().expect("a call").to_owned();
    (run, call, asked)
}

fn decision(call: &str, decision: &str) -> Value {
    frame("tool_approval", json!({ "tool_call_id": call, "decision": decision }))
}

async fn thread_of(user: &User, run: &Run) -> Value {
    user.get(&format!("/api/threads/{}", run.thread)).await.ok()
}

async fn snapshot(user: &User, run: &Run) -> Value {
    let socket = user.connect().await;
    socket.call(on(&run.thread, "subscribe", json!({}))).await;
    socket.wait("a snapshot", |f| f["type"] == "thread_snapshot").await
}

#[tokio::test]
async fn what_is_allowed_is_done_and_says_by_whom() {
    let server = server().await;
    let user = User::register(&server).await;
    let (socket, other_tab) = (user.connect().await, user.connect().await);
    let (run, call, asked) = asks(&socket, "guide", "What is 6 times 7?").await;
    let told = &asked["payload"];
    assert_eq!((&told["tool"], &told["agent"]), (&json!("calculate"), &json!("guide")), "{asked}");
    assert_eq!(told["arguments"], json!({ "expression": "6 * 7" }), "{asked}");
    let kinds: Vec<&Value> = told["options"].as_array().expect("options").iter().map(|one| &one["kind"]).collect();
    assert_eq!(kinds, ["allow_once", "allow_always", "reject_once"], "{asked}");
    assert!(told["expires_at"].is_string(), "{asked}");

    let waits = snapshot(&user, &run).await;
    assert_eq!(waits["payload"]["runs"][0]["status"], "waiting", "{waits}");
    assert_eq!(waits["payload"]["thread"]["waiting"], true, "{waits}");
    other_tab
        .wait("every tab hears that it waits", |f| f["type"] == "thread_update" && f["payload"]["waiting"] == true)
        .await;

    let given = decision(&call, "approve");
    let ack = other_tab.call(given.clone()).await;
    assert_eq!((&ack["type"], &ack["payload"]["duplicate"]), (&json!("ack"), &json!(false)), "{ack}");
    assert_eq!(ack["payload"]["run_id"], run.id.as_str(), "{ack}");
    ended(&socket, &run).await;
    let frames = socket.frames();
    check_run(&frames, &run);
    let begun = &payloads(&frames, &run, "tool_executing")[0];
    let done = &payloads(&frames, &run, "tool_completed")[0];
    assert_eq!((&done["status"], &done["tool_call_id"]), (&json!("ok"), &json!(call)), "{done}");
    assert_eq!((&begun["decided_by"]["id"], &done["decided_by"]["id"]), (&json!(user.id), &json!(user.id)));
    assert_eq!(payloads(&frames, &run, "agent_started").len(), 1, "a wait is no crash");

    let again = other_tab.call(given).await;
    assert_eq!(again["payload"]["duplicate"], true, "a resend gets its answer: {again}");
    let late = socket.call(decision(&call, "deny")).await;
    assert_eq!(error_code(&late), "conflict", "the first decision counts: {late}");
    let thread = thread_of(&user, &run).await;
    assert_eq!((&thread["waiting"], &thread["running"]), (&Value::Null, &json!(false)), "{thread}");
    server.logged(0, "a line on the decision", |line| line.contains("approval.allowed")).await;
    let kept = user.get("/api/admin/audit?newest=true&query=approval.allowed").await.ok();
    let line = &kept["lines"][0];
    assert_eq!((&line["actor"], &line["address"]), (&json!(user.id), &json!("127.0.0.1")), "{kept}");
}

#[tokio::test]
async fn what_is_denied_is_never_begun_and_the_agent_hears_why() {
    let provider = Provider::start(|request| {
        if request.tool_results().is_empty() {
            return Stream::new().tool(0, "call_1", "calculate", r#"{"expression":"6*7"}"#).end("tool_calls");
        }
        Reply::text("Then I will not.")
    })
    .await;
    let server = Setup::new().assistant(&provider).toml(ASK).start().await;
    let user = User::dev(&server).await;
    let socket = user.connect().await;
    let (run, call, _) = asks(&socket, "assistant", "Calculate.").await;
    let mut no = decision(&call, "deny");
    no["payload"]["reason"] = json!("Use an abacus.");
    assert_eq!(socket.call(no).await["type"], "ack");
    ended(&socket, &run).await;
    let frames = socket.frames();
    check_run(&frames, &run);
    assert_eq!(payloads(&frames, &run, "tool_executing"), Vec::<Value>::new());
    let done = &payloads(&frames, &run, "tool_completed")[0];
    assert_eq!(done["status"], "denied", "{done}");
    let heard = provider.requests().last().expect("asked again").tool_results()[0].to_string();
    assert!(heard.contains("Use an abacus."), "{heard}");
}

#[tokio::test]
async fn strangers_options_and_forms_are_held_to_what_was_asked() {
    let server = server().await;
    let (user, stranger) = (User::register(&server).await, User::register(&server).await);
    let (socket, other) = (user.connect().await, stranger.connect().await);
    let (run, call, _) = asks(&socket, "guide", "What is 6 times 7?").await;
    let not_theirs = other.call(decision(&call, "approve")).await;
    let not_there = other.call(decision("no-such-call", "approve")).await;
    assert_eq!((error_code(&not_theirs), error_code(&not_there)), ("not_found", "not_found"));
    assert_eq!(not_theirs["payload"]["message"], not_there["payload"]["message"], "one tells no more than the other");
    for (field, value) in [("option", json!("whatever")), ("option", json!("deny")), ("answer", json!({ "a": 1 }))] {
        let mut wrong = decision(&call, "approve");
        wrong["payload"][field] = value;
        let refused = socket.call(wrong.clone()).await;
        assert_eq!(error_code(&refused), "invalid_payload", "{wrong}: {refused}");
    }
    // A stop is a no to what was asked.
    socket.call(on(&run.thread, "stop_agent", json!({ "run_id": run.id }))).await;
    let end = ended(&socket, &run).await;
    assert_eq!(end["payload"]["status"], "stopped", "{end}");
    check_run(&socket.frames(), &run);
    assert_eq!(payloads(&socket.frames(), &run, "tool_completed")[0]["status"], "denied");
    let late = socket.call(decision(&call, "approve")).await;
    assert_eq!(error_code(&late), "conflict", "{late}");
}

#[tokio::test]
async fn always_is_for_the_rest_of_the_conversation() {
    let server = server().await;
    let user = User::register(&server).await;
    let socket = user.connect().await;
    let (run, call, _) = asks(&socket, "guide", "What is 6 times 7?").await;
    let mut always = decision(&call, "approve");
    always["payload"]["option"] = json!("always");
    assert_eq!(socket.call(always).await["type"], "ack");
    ended(&socket, &run).await;
    let next = say(&socket, &run.thread, "And 7 times 8?").await;
    ended(&socket, &next).await;
    assert_eq!(payloads(&socket.frames(), &next, "tool_approval_required"), Vec::<Value>::new());
    assert_eq!(payloads(&socket.frames(), &next, "tool_completed")[0]["status"], "ok");
    // Another conversation asks anew.
    let (other, ..) = asks(&socket, "guide", "What is 8 times 9?").await;
    assert_ne!(other.thread, run.thread);
}

#[tokio::test]
async fn nobody_decides_in_time() {
    let server = Setup::new().toml("[tools]\ncalculate = \"ask\"\napproval_timeout_s = 1\n").start().await;
    let user = User::register(&server).await;
    let socket = user.connect().await;
    let (run, call, _) = asks(&socket, "guide", "What is 6 times 7?").await;
    let end = ended(&socket, &run).await;
    check_run(&socket.frames(), &run);
    assert_eq!(payloads(&socket.frames(), &run, "tool_completed")[0]["status"], "denied");
    let late = socket.call(decision(&call, "approve")).await;
    assert!(["conflict", "approval_expired"].contains(&error_code(&late)), "{late}");
    let took = end["payload"]["duration_ms"].as_u64().expect("a duration");
    assert!(took < 1_000, "waiting is no work: {took} ms");
}

#[tokio::test]
async fn a_message_meanwhile_waits_its_turn() {
    let server = server().await;
    let user = User::register(&server).await;
    let socket = user.connect().await;
    let (run, call, _) = asks(&socket, "guide", "What is 6 times 7?").await;
    let next = say(&socket, &run.thread, "What can you do?").await;
    assert_eq!(socket.call(decision(&call, "approve")).await["type"], "ack");
    ended(&socket, &next).await;
    let frames = socket.frames();
    let place = |id: &str, kind: &str| frames.iter().position(|f| f["run_id"] == id && f["type"] == kind);
    let (ends, begins) = (place(&run.id, "agent_completed"), place(&next.id, "agent_started"));
    assert!(ends.is_some() && ends < begins, "{ends:?} {begins:?}");
}

#[tokio::test]
async fn a_question_outlives_the_process() {
    let mut server = server().await;
    let mut user = User::register(&server).await;
    let socket = user.connect().await;
    let (run, call, _) = asks(&socket, "guide", "What is 6 times 7?").await;
    drop(socket);
    for _ in 0..3 {
        server = server.restart("KILL").await;
        user = user.moved(&server);
        let waits = snapshot(&user, &run).await;
        assert_eq!(waits["payload"]["runs"][0]["status"], "waiting", "{waits}");
    }
    let socket = user.connect().await;
    socket.call(on(&run.thread, "subscribe", json!({ "after_seq": 0 }))).await;
    assert_eq!(socket.call(decision(&call, "approve")).await["type"], "ack");
    // And dies right after it was decided.
    server = server.restart("KILL").await;
    let socket = user.moved(&server).connect().await;
    socket.call(on(&run.thread, "subscribe", json!({ "after_seq": 0 }))).await;
    ended_within(&socket, &run, Duration::from_secs(30)).await;
    let frames = socket.frames();
    check_run(&frames, &run);
    assert_eq!(payloads(&frames, &run, "tool_approval_required").len(), 1, "asked once");
    assert_eq!(payloads(&frames, &run, "tool_completed")[0]["status"], "ok");
}

#[tokio::test]
async fn calls_that_need_nobody_do_not_wait_for_one_that_does() {
    let provider = Provider::start(|request| {
        if request.tool_results().is_empty() {
            return Stream::new()
                .tool(0, "call_1", "calculate", r#"{"expression":"6*7"}"#)
                .tool(1, "call_2", "date_time", r#"{"expression":"now"}"#)
                .end("tool_calls");
        }
        Reply::text(&format!("{} results", request.tool_results().len()))
    })
    .await;
    let server = Setup::new().assistant(&provider).toml(ASK).start().await;
    let user = User::dev(&server).await;
    let socket = user.connect().await;
    let (run, call, _) = asks(&socket, "assistant", "Both.").await;
    let done = event(&socket, &run, "tool_completed").await;
    assert_eq!(done["payload"]["tool"], "date_time", "{done}");
    assert_eq!(socket.call(decision(&call, "approve")).await["type"], "ack");
    ended(&socket, &run).await;
    check_run(&socket.frames(), &run);
    let answer = payloads(&socket.frames(), &run, "agent_response");
    assert_eq!(answer[0]["content"], "2 results", "{answer:?}");
}

#[tokio::test]
async fn what_the_settings_forbid_is_neither_offered_nor_called() {
    let provider = Provider::start(|request| {
        if request.tool_results().is_empty() {
            return Stream::new().tool(0, "call_1", "calculate", r#"{"expression":"6*7"}"#).end("tool_calls");
        }
        Reply::text("I may not.")
    })
    .await;
    let server = Setup::new().assistant(&provider).toml("[tools]\n\"calc*\" = \"deny\"\n").start().await;
    let user = User::dev(&server).await;
    let socket = user.connect().await;
    let run = start_run(&socket, "assistant", "Calculate.").await;
    ended(&socket, &run).await;
    check_run(&socket.frames(), &run);
    assert_eq!(payloads(&socket.frames(), &run, "tool_completed")[0]["status"], "denied");
    let offered = provider.requests()[0].body["tools"].to_string();
    assert!(!offered.contains("calculate") && offered.contains("date_time"), "{offered}");
}

#[tokio::test]
async fn settings_that_cannot_work_are_said() {
    for (text, wanted) in [
        ("[tools]\ncalculat = \"ask\"\n", "fits no tool"),
        ("[tools]\ncalculate = \"maybe\"\n", "allow, ask or deny"),
        ("[tools]\napproval_timeout_s = 0\n", "from 1 to"),
    ] {
        let refusal = Setup::new().toml(text).refused().await;
        assert!(refusal.stderr.contains(wanted), "{text}: {}", refusal.stderr);
    }
}
