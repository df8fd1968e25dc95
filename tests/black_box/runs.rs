//! Runs on the main path: events in order, answers that add up, stops that stop.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{
    frame::{error_code, frame, on},
    provider::{API_KEY, MODEL, Provider, text},
    rules::{Run, acked, check_answer, check_critical, check_dense, check_run, ended, event, payloads, say, start_run},
    script::{Reply, Stream},
    server::Setup,
    user::User,
};

#[tokio::test]
async fn the_guide_does_real_work_in_view() {
    let server = Setup::new().start().await;
    let socket = User::dev(&server).await.connect().await;
    let run = start_run(&socket, "guide", "What is 12.5 % of 640?").await;
    let end = ended(&socket, &run).await;
    assert_eq!(end["payload"]["status"], "completed", "{end}");
    let frames = socket.frames();
    check_critical(&check_run(&frames, &run));
    check_dense(&frames, &run.thread, 1);
    let calls = payloads(&frames, &run, "tool_executing");
    assert!(calls.iter().any(|c| c["tool"] == "calculate"), "{calls:?}");
    let answer = payloads(&frames, &run, "agent_response")[0]["content"].as_str().expect("text").to_owned();
    assert!(answer.contains("80"), "{answer}");
    check_answer(&frames, &run, &answer);
}

const ANSWER: &str = "Sechs mal sieben ist 42 – «sei gegrüßt», 日本 🙂.\n\n- one\n- two\n";

fn tool_then_answer(key: &'static str, piece: usize) -> impl Fn(&crate::support::provider::Request) -> Reply {
    move |request| {
        if request.tool_results().is_empty() {
            let turn = Stream::new().piece(piece).thinking(key, "A product; the tool knows.");
            return turn.tool(0, "call_a", "calculate", r#"{"expression":"6*7"}"#).end("tool_calls");
        }
        let mut turn = Stream::new().piece(piece);
        for word in ANSWER.split_inclusive(' ') {
            turn = turn.text(word);
        }
        turn.end("stop")
    }
}

async fn check_tool_call_in_pieces(key: &'static str, piece: usize) {
    let provider = Provider::start(tool_then_answer(key, piece)).await;
    let server = Setup::new().assistant(&provider).start().await;
    let socket = User::dev(&server).await.connect().await;
    let run = start_run(&socket, "assistant", "What is six times seven?").await;
    let end = ended(&socket, &run).await;
    assert_eq!(end["payload"]["status"], "completed", "{end}");
    assert!(end["payload"]["duration_ms"].is_u64(), "{end}");
    let usage = &end["payload"]["usage"];
    assert_eq!(usage["prompt_tokens"], 14, "both turns: {end}");
    assert_eq!(usage["completion_tokens"], 22, "both turns: {end}");

    let frames = socket.frames();
    check_critical(&check_run(&frames, &run));
    check_dense(&frames, &run.thread, 1);
    check_answer(&frames, &run, ANSWER);
    let started = &payloads(&frames, &run, "agent_started")[0];
    assert_eq!((&started["agent"], &started["model"]), (&json!("assistant"), &json!(MODEL)), "{started}");
    assert!(started["iteration"].is_u64(), "{started}");
    let thoughts = payloads(&frames, &run, "agent_thinking");
    let thought: String = thoughts.iter().filter_map(|p| p["thought"].as_str()).collect();
    assert!(thought.contains("A product; the tool knows."), "{thought:?}");
    let call = &payloads(&frames, &run, "tool_executing")[0];
    assert_eq!((&call["tool"], &call["arguments"]), (&json!("calculate"), &json!({ "expression": "6*7" })), "{call}");
    let done = &payloads(&frames, &run, "tool_completed")[0];
    assert_eq!(done["status"], "ok", "{done}");
    assert!(done["result"].to_string().contains("42") && done["duration_ms"].is_u64(), "{done}");

    let requests = provider.requests();
    assert_eq!(requests.len(), 2, "one turn for the call, one for the answer");
    assert!(requests.iter().all(|r| r.authorization == format!("Bearer {API_KEY}") && r.body["model"] == MODEL));
    let results = requests[1].tool_results();
    assert_eq!(results.len(), 1, "{results:?}");
    assert!(text(results[0]).contains("42"), "{results:?}");
    let calls: Vec<&Value> = requests[1].messages().iter().filter_map(|m| m["tool_calls"].get(0)).collect();
    assert_eq!(calls[0]["id"], results[0]["tool_call_id"], "the result answers the call");
    let arguments = calls[0]["function"]["arguments"].as_str().expect("arguments go back as a string");
    assert_eq!(serde_json::from_str::<Value>(arguments).expect("JSON"), json!({ "expression": "6*7" }));
}

#[tokio::test]
async fn the_assistant_calls_a_tool_whatever_the_cut() {
    for (key, piece) in [("reasoning_content", 1), ("reasoning", 7), ("reasoning_content", usize::MAX)] {
        check_tool_call_in_pieces(key, piece).await;
    }
}

#[tokio::test]
async fn tool_calls_that_come_interleaved_stay_apart() {
    let provider = Provider::start(|request| {
        if !request.tool_results().is_empty() {
            return Reply::text("Both are done.");
        }
        let turn = Stream::new().call(0, "call_a", "calculate").call(1, "call_b", "calculate");
        let turn = turn.arguments(0, r#"{"expres"#).arguments(1, r#"{"expression":"#);
        turn.arguments(1, r#""100-1"}"#).arguments(0, r#"sion":"6*7"}"#).end("tool_calls")
    })
    .await;
    let server = Setup::new().assistant(&provider).start().await;
    let socket = User::dev(&server).await.connect().await;
    let run = start_run(&socket, "assistant", "Two things at once.").await;
    ended(&socket, &run).await;
    let frames = socket.frames();
    check_run(&frames, &run);
    let mut results: Vec<(String, String)> = Vec::new();
    for done in payloads(&frames, &run, "tool_completed") {
        let call = payloads(&frames, &run, "tool_executing");
        let call = call.iter().find(|c| c["tool_call_id"] == done["tool_call_id"]).expect("its start");
        results.push((call["arguments"]["expression"].to_string(), done["result"].to_string()));
    }
    results.sort();
    assert_eq!(results.len(), 2, "{results:?}");
    assert!(results[0].0.contains("100-1") && results[0].1.contains("99"), "{results:?}");
    assert!(results[1].0.contains("6*7") && results[1].1.contains("42"), "{results:?}");
    assert_eq!(provider.requests()[1].tool_results().len(), 2, "both results went back");
    check_answer(&frames, &run, "Both are done.");
}

#[tokio::test]
async fn a_stop_ends_the_run_and_the_upstream_request_at_once() {
    let provider =
        Provider::start(|_| Stream::new().texts(2_000, "tick {k} ", Duration::from_millis(10)).end("stop")).await;
    let server = Setup::new().assistant(&provider).start().await;
    let socket = User::dev(&server).await.connect().await;
    for _ in 0..3 {
        let run = start_run(&socket, "assistant", "Count.").await;
        event(&socket, &run, "partial_result").await;
        let asked = Instant::now();
        let ack = socket.call(on(&run.thread, "stop_agent", json!({ "run_id": run.id }))).await;
        assert_eq!(ack["type"], "ack", "{ack}");
        let end = ended(&socket, &run).await;
        let took = asked.elapsed();
        assert!(took < Duration::from_millis(500), "{took:?}");
        assert_eq!((&end["type"], &end["payload"]["status"]), (&json!("agent_completed"), &json!("stopped")), "{end}");
        provider.idle(Duration::from_secs(1)).await;
        check_run(&socket.frames(), &run);
    }
}

#[tokio::test]
async fn a_stop_of_a_run_that_is_over_changes_nothing() {
    let server = Setup::new().start().await;
    let socket = User::dev(&server).await.connect().await;
    let run = start_run(&socket, "guide", "What is 1 + 1?").await;
    ended(&socket, &run).await;
    socket.call(on(&run.thread, "stop_agent", json!({ "run_id": run.id }))).await;
    socket.alive().await;
    check_run(&socket.frames(), &run);
    let unknown = socket.call(frame("stop_agent", json!({ "run_id": Uuid::now_v7().to_string() }))).await;
    assert_eq!(error_code(&unknown), "not_found");
}

#[tokio::test]
async fn content_may_be_long_but_not_absent() {
    let server = Setup::new().start().await;
    let user = User::dev(&server).await;
    let socket = user.connect().await;
    let thread = user.thread("long").await["id"].as_str().expect("id").to_owned();
    for bad in [frame("start_agent", json!({ "content": "" })), on(&thread, "user_message", json!({ "content": "" }))] {
        assert_eq!(error_code(&socket.call(bad).await), "invalid_payload");
    }
    let long = "Grüße, Ada. ".repeat(60 * 1024 / 14);
    assert!(long.len() > 59_000 && long.len() < 62_000, "{}", long.len());
    let ack = socket.call(on(&thread, "user_message", json!({ "content": long, "agent": "guide" }))).await;
    let message = acked(&ack, "message_id");
    socket.call(on(&thread, "subscribe", json!({ "after_seq": 0 }))).await;
    let stored = socket.wait("the message", |f| f["type"] == "thread_message" && f["payload"]["role"] == "user").await;
    assert_eq!(stored["payload"]["message_id"], message.as_str());
    assert_eq!(stored["payload"]["content"], long.as_str());
    assert_eq!(stored["seq"], ack["payload"]["seq"], "the ack names the event");
}

#[tokio::test]
async fn an_agent_nobody_knows_is_refused_by_name() {
    let server = Setup::new().start().await;
    let user = User::dev(&server).await;
    let socket = user.connect().await;
    let thread = user.thread("quiet").await["id"].as_str().expect("id").to_owned();
    let body = json!({ "agent": "nobody", "content": "hello" });
    for bad in [frame("start_agent", body.clone()), on(&thread, "user_message", body)] {
        assert_eq!(error_code(&socket.call(bad).await), "agent_unknown");
    }
    let messages = user.get(&format!("/api/threads/{thread}/messages")).await.ok();
    assert_eq!(messages["messages"], json!([]), "nothing was stored");
}

#[tokio::test]
async fn each_of_many_queued_messages_gets_its_own_answer() {
    let provider = Provider::start(|request| {
        // The first answer takes its time, so that all others wait.
        let pause = Duration::from_millis(if request.prompt().ends_with("number 0") { 1_500 } else { 0 });
        Stream::new().pause(pause).text(&format!("You said {:?}", request.prompt())).end("stop")
    })
    .await;
    let server = Setup::new().assistant(&provider).set("NETRA_QUEUED_RUNS", 200).start().await;
    let socket = User::dev(&server).await.connect().await;
    let said = |n: usize| format!("message number {n}");
    let mut runs = vec![start_run(&socket, "assistant", &said(0)).await];
    for n in 1..130 {
        let run = say(&socket, &runs[0].thread, &said(n)).await;
        runs.push(run);
    }
    for (n, run) in runs.iter().enumerate() {
        ended(&socket, run).await;
        let answer = payloads(&socket.frames(), run, "agent_response");
        assert_eq!(answer[0]["content"], format!("You said {:?}", said(n)), "run {n}");
    }
}

/// An agent that waits for nothing hears of a stop as well.
#[tokio::test]
async fn a_stop_before_its_turn_ends_a_run_of_the_guide() {
    let provider =
        Provider::start(|_| Stream::new().texts(3_000, "w{k} ", Duration::from_millis(10)).end("stop")).await;
    let server = Setup::new().assistant(&provider).start().await;
    let socket = User::dev(&server).await.connect().await;
    let slow = start_run(&socket, "assistant", "Tell a story.").await;
    let ack = socket.call(on(&slow.thread, "user_message", json!({ "content": "Thanks!", "agent": "guide" }))).await;
    let queued = Run { thread: acked(&ack, "thread_id"), id: acked(&ack, "run_id") };
    for run in [&queued, &slow] {
        socket.call(on(&run.thread, "stop_agent", json!({ "run_id": run.id }))).await;
    }
    let end = ended(&socket, &queued).await;
    assert_eq!(end["payload"]["status"], "stopped", "{end}");
    assert_eq!(check_run(&socket.frames(), &queued), ["agent_started", "agent_completed"]);
}
