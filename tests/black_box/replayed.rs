//! What a model's server wants to see again, its own ids, signatures and sealed thoughts, goes back as it came: after a crash in the
//! middle of a call, and in a later run after a restart. Nobody else gets it.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{
    frame::on,
    provider::{Provider, Request, text},
    rules::{Run, ended, ended_within, event, say, start_run},
    script::{Reply, Stream},
    server::{Server, Setup},
    user::User,
};

const LEASE: (&str, u32) = ("NETRA_RUN_LEASE_S", 1);

/// What chat completions of the field carry beside words: OpenRouter's details, Gemini's signatures.
fn details() -> Value {
    json!([{ "type": "reasoning.encrypted", "index": 0, "id": "rs_1", "format": "x-v1", "data": "c2VhbGVk" }])
}

fn signature() -> Value {
    json!({ "google": { "thought_signature": "c2lnbmVk" } })
}

/// Two calls in one turn, signed, and then an answer.
fn signed(request: &Request) -> Reply {
    if !request.prompt().contains("Wait") {
        return Reply::text("Second answer.");
    }
    if !request.tool_results().is_empty() {
        return Reply::text("First answer.");
    }
    let call = |index: usize, id: &str, extra: Value| {
        let mut call =
            json!({ "index": index, "id": id, "type": "function", "function": { "name": "wait", "arguments": "{}" } });
        if !extra.is_null() {
            call["extra_content"] = extra;
        }
        call
    };
    let delta = json!({ "reasoning_details": details(), "tool_calls": [
        call(0, "function-call-10297", signature()), call(1, "function-call-10298", Value::Null),
    ] });
    let chunk = json!({ "choices": [{ "index": 0, "delta": delta, "finish_reason": null }] });
    Stream::new().thinking("reasoning_content", "Two at once.").raw(&format!("data: {chunk}\n\n")).end("tool_calls")
}

/// A server that is killed in the middle of the calls, and the run as the next one ends it.
async fn killed_in_a_call(setup: Setup) -> (Server, User, Run) {
    let server = setup.set(LEASE.0, LEASE.1).set("NETRA_TEST_TOOLS", "/dev/null").start().await;
    let user = User::dev(&server).await;
    let socket = user.connect().await;
    let run = start_run(&socket, "assistant", "Wait twice.").await;
    let second = |f: &Value| f["type"] == "tool_executing" && f["payload"]["tool_call_id"].to_string().contains("-2");
    socket.wait("the second call", second).await;
    let server = server.restart("KILL").await;
    let user = user.moved(&server);
    let socket = user.connect().await;
    socket.call(on(&run.thread, "subscribe", json!({ "after_seq": 0 }))).await;
    let end = ended_within(&socket, &run, Duration::from_secs(30)).await;
    assert_eq!(end["payload"]["status"], "completed", "{end}");
    (server, user, run)
}

/// The turn with the calls and its results are in the request as they came.
fn check_signed(request: &Request) {
    let messages = request.messages();
    let at = messages.iter().position(|m| m["tool_calls"].is_array()).expect("a turn with calls");
    let turn = &messages[at];
    let ids: Vec<&Value> = turn["tool_calls"].as_array().expect("calls").iter().map(|call| &call["id"]).collect();
    assert_eq!(ids, ["function-call-10297", "function-call-10298"], "{turn}");
    assert_eq!(turn["tool_calls"][0]["extra_content"], signature(), "{turn}");
    assert!(turn["tool_calls"][1].get("extra_content").is_none(), "{turn}");
    assert_eq!(turn["reasoning_details"], details(), "{turn}");
    assert_eq!(turn["reasoning_content"], "Two at once.", "{turn}");
    let results = &messages[at + 1..at + 3];
    assert_eq!(results[0]["tool_call_id"], "function-call-10297", "{results:?}");
    assert_eq!(results[1]["tool_call_id"], "function-call-10298", "{results:?}");
    assert!(results.iter().all(|result| text(result) == r#"{"waited":true}"#), "{results:?}");
}

#[tokio::test]
async fn signatures_and_ids_outlive_the_process() {
    let provider = Provider::start(signed).await;
    let (server, user, run) = killed_in_a_call(Setup::new().assistant(&provider)).await;
    let requests = provider.requests();
    assert_eq!(requests.len(), 2, "one turn before the crash, and one after");
    check_signed(&requests[1]);

    // A later run of the thread, after one more restart.
    let server = server.restart("KILL").await;
    let user = user.moved(&server);
    let socket = user.connect().await;
    socket.call(on(&run.thread, "subscribe", json!({ "after_seq": 0 }))).await;
    let next = say(&socket, &run.thread, "And now?").await;
    ended(&socket, &next).await;
    let asked = provider.requests().pop().expect("a request");
    check_signed(&asked);
    let roles: Vec<&str> = asked.messages().iter().filter_map(|m| m["role"].as_str()).collect();
    assert_eq!(roles, ["user", "assistant", "tool", "tool", "assistant", "user"], "{:?}", asked.messages());
    assert_eq!(text(&asked.messages()[4]), "First answer.");
}

#[tokio::test]
async fn another_model_is_told_the_words_alone() {
    let provider = Provider::start(signed).await;
    let (server, user, run) = killed_in_a_call(Setup::new().assistant(&provider)).await;
    let home = server.home();
    drop(server);
    let agents = format!(
        "[[agents]]\nname = \"assistant\"\nkind = \"openai\"\nbase_url = \"{}\"\nmodel = \"another\"\n",
        provider.base
    );
    let server = Setup::at(home).toml(&agents).set(LEASE.0, LEASE.1).start().await;
    let socket = user.moved(&server).connect().await;
    socket.call(on(&run.thread, "subscribe", json!({ "after_seq": 0 }))).await;
    let next = say(&socket, &run.thread, "And now?").await;
    ended(&socket, &next).await;
    let asked = provider.requests().pop().expect("a request");
    assert_eq!(asked.body["model"], "another");
    let said: Vec<(Option<&str>, String)> = asked.messages().iter().map(|m| (m["role"].as_str(), text(m))).collect();
    let wanted = [("user", "Wait twice."), ("assistant", "First answer."), ("user", "And now?")];
    assert_eq!(said, wanted.map(|(role, words)| (Some(role), words.to_owned())));
    assert!(!asked.body.to_string().contains("c2lnbmVk") && !asked.body.to_string().contains("c2VhbGVk"));
}

/// A server that no longer takes what it sent itself, as when it has another key, still answers: it is told the words.
#[tokio::test]
async fn a_seal_that_became_void_does_not_end_the_conversation() {
    let provider = Provider::start(|request| {
        let sealed = request.body.to_string().contains("c2lnbmVk");
        if sealed && !request.prompt().contains("Wait") {
            return Reply::error(400, "Thought signature is not valid");
        }
        signed(request)
    })
    .await;
    let (_server, user, run) = killed_in_a_call(Setup::new().assistant(&provider)).await;
    let socket = user.connect().await;
    socket.call(on(&run.thread, "subscribe", json!({ "after_seq": 0 }))).await;
    let next = say(&socket, &run.thread, "And now?").await;
    let end = ended(&socket, &next).await;
    assert_eq!(end["payload"]["status"], "completed", "{end}");
    let asked = provider.requests().pop().expect("a request");
    let roles: Vec<&str> = asked.messages().iter().filter_map(|m| m["role"].as_str()).collect();
    assert_eq!(roles, ["user", "assistant", "user"], "{:?}", asked.messages());
}

/// An answer of a protocol whose events name their kind.
fn named(events: &[Value]) -> Reply {
    let event = |event: &Value| format!("event: {}\ndata: {event}\n\n", event["type"].as_str().unwrap_or_default());
    Reply::Whole {
        status: 200,
        headers: vec![("content-type", "text/event-stream".into())],
        body: events.iter().map(event).collect(),
    }
}

/// What a model of this kind is asked: at first, after a crash in the middle of its call, and in the next run.
async fn asked_of(kind: &str, call: Reply, answer: Reply) -> Vec<Request> {
    let provider = Provider::start(move |request| {
        let body = request.body.to_string();
        let called = body.contains("tool_result") || body.contains("function_call_output");
        if called { answer.clone() } else { call.clone() }
    })
    .await;
    let agents = format!(
        "[[agents]]\nname = \"assistant\"\nkind = \"{kind}\"\nbase_url = \"{}\"\nmodel = \"m\"\n",
        provider.base
    );
    let setup = Setup::new().toml(&agents).set(LEASE.0, LEASE.1).set("NETRA_TEST_TOOLS", "/dev/null");
    let server = setup.start().await;
    let user = User::dev(&server).await;
    let socket = user.connect().await;
    let run = start_run(&socket, "assistant", "Wait.").await;
    event(&socket, &run, "tool_executing").await;
    let server = server.restart("KILL").await;
    let socket = user.moved(&server).connect().await;
    socket.call(on(&run.thread, "subscribe", json!({ "after_seq": 0 }))).await;
    let end = ended_within(&socket, &run, Duration::from_secs(30)).await;
    assert_eq!(end["payload"]["status"], "completed", "{end}");
    let next = say(&socket, &run.thread, "And now?").await;
    ended(&socket, &next).await;
    let requests = provider.requests();
    assert_eq!(requests.len(), 3, "a turn, a turn after the crash, and one of the next run");
    requests
}

/// Anthropic's thinking blocks, without which a turn after a call is refused.
#[tokio::test]
async fn thinking_blocks_outlive_the_process() {
    let thinking = json!({ "type": "thinking", "thinking": "Wait first.", "signature": "EqQBCgIYAhIM" });
    let id = "toolu_01T1x1fJ34qAmk2tNTrN7Up6";
    let block =
        |index: u32, block: Value| json!({ "type": "content_block_start", "index": index, "content_block": block });
    let delta = |delta: Value| json!({ "type": "content_block_delta", "index": 0, "delta": delta });
    let end = |reason: &str| {
        let delta =
            json!({ "type": "message_delta", "delta": { "stop_reason": reason }, "usage": { "output_tokens": 9 } });
        [delta, json!({ "type": "message_stop" })]
    };
    let call = [
        json!({ "type": "message_start", "message": { "usage": { "input_tokens": 1, "output_tokens": 1 } } }),
        block(0, json!({ "type": "thinking", "thinking": "", "signature": "" })),
        delta(json!({ "type": "thinking_delta", "thinking": "Wait first." })),
        delta(json!({ "type": "signature_delta", "signature": "EqQBCgIYAhIM" })),
        block(1, json!({ "type": "tool_use", "id": id, "name": "wait", "input": {} })),
    ];
    let answer = [block(0, json!({ "type": "text", "text": "Done." }))];
    let call = named(&[call.as_slice(), &end("tool_use")].concat());
    let answer = named(&[answer.as_slice(), &end("end_turn")].concat());
    for request in &asked_of("messages", call, answer).await[1..] {
        let turn = &request.messages()[1]["content"];
        assert_eq!((&turn[0], &turn[1]["id"]), (&thinking, &json!(id)), "{turn}");
        let result = &request.messages()[2]["content"][0];
        assert_eq!(result["tool_use_id"], id, "{result}");
    }
}

/// Sealed reasoning of the Responses API, which keeps nothing itself (`store` is off).
#[tokio::test]
async fn sealed_reasoning_outlives_the_process() {
    let reasoning = json!({ "type": "reasoning", "id": "rs_68af4030", "summary": [], "encrypted_content": "gAAAAABo" });
    let id = "call_4cC0MiYcbDgJYzhw7gfAWzRy";
    let calling = json!({ "type": "function_call", "id": "fc_1", "call_id": id, "name": "wait", "arguments": "{}" });
    let said =
        json!({ "type": "message", "role": "assistant", "content": [{ "type": "output_text", "text": "Done." }] });
    let item =
        |place: u32, item: &Value| json!({ "type": "response.output_item.done", "output_index": place, "item": item });
    let end = json!({ "type": "response.completed", "response": { "status": "completed" } });
    let call = named(&[item(0, &reasoning), item(1, &calling), end.clone()]);
    let answer = named(&[item(0, &said), end]);
    for request in &asked_of("responses", call, answer).await[1..] {
        let input = request.body["input"].as_array().expect("items");
        let at = input.iter().position(|item| item["type"] == "reasoning").expect("the reasoning");
        assert_eq!(input[at], reasoning);
        assert_eq!((&input[at + 1]["call_id"], &input[at + 2]["call_id"]), (&json!(id), &json!(id)), "{input:?}");
    }
}
