//! Remote agents that behave badly: each run ends once, with words that help, and what was open is closed.

use std::{path::Path, process::Command, time::Duration};

use serde_json::{Value, json};

use super::entry;
use crate::support::{
    frame::on,
    provider::{API_KEY, Provider, Request, always},
    rules::{Run, check_answer, check_run, ended, payloads, start_run},
    script::{Reply, Step},
    server::{Server, Setup},
    user::User,
};

fn sse(events: &[Value]) -> Vec<Step> {
    let body: Vec<String> = events.iter().map(|event| format!("data: {event}\n\n")).collect();
    vec![Step::Bytes(body.concat().into_bytes())]
}

fn stream(steps: Vec<Step>) -> Reply {
    Reply::Stream { steps, piece: usize::MAX }
}

/// The run's id is whatever was asked for.
fn started(request: &Request) -> Value {
    json!({ "type": "RUN_STARTED", "threadId": request.body["threadId"], "runId": request.body["runId"] })
}

fn finished(request: &Request) -> Value {
    json!({ "type": "RUN_FINISHED", "threadId": request.body["threadId"], "runId": request.body["runId"] })
}

fn text(words: &str) -> Value {
    json!({ "type": "TEXT_MESSAGE_CHUNK", "messageId": "m", "role": "assistant", "delta": words })
}

fn call(id: &str) -> [Value; 2] {
    [
        json!({ "type": "TOOL_CALL_START", "toolCallId": id, "toolCallName": "abacus" }),
        json!({ "type": "TOOL_CALL_END", "toolCallId": id }),
    ]
}

async fn server(provider: &Provider, kind: &str, more: &str) -> Server {
    Setup::new().toml(&entry("other", kind, &provider.agent(), more)).start().await
}

/// Asks once; gives the last event, and all of them.
async fn ask(server: &Server) -> (Value, Vec<Value>, Run) {
    let socket = User::dev(server).await.connect().await;
    let run = start_run(&socket, "other", "Go on.").await;
    let end = ended(&socket, &run).await;
    let frames = socket.frames();
    check_run(&frames, &run);
    (end, frames, run)
}

async fn check_failure(kind: &str, reply: Reply, code: &str, words: &str) {
    let provider = Provider::start(always(reply)).await;
    let server = server(&provider, kind, "silence_s = 1").await;
    let (end, ..) = ask(&server).await;
    assert_eq!(
        (&end["type"], &end["payload"]["code"]),
        (&json!("agent_error"), &json!(code)),
        "{kind}, {words}: {end}"
    );
    let message = end["payload"]["message"].as_str().unwrap_or_default();
    assert!(message.contains(words), "{kind}, {words}: {end}");
    assert!(!message.contains("model"), "it is an agent: {end}");
}

#[tokio::test]
async fn failures_of_every_kind_are_told_once() {
    for kind in ["ag-ui", "langchain"] {
        let silent = stream(vec![Step::Pause(Duration::from_mins(1))]);
        check_failure(kind, silent, "upstream_unavailable", "was silent for 1 s").await;
        let words = vec![Step::Bytes(b"data: ".to_vec()), Step::Pause(Duration::from_mins(1))];
        check_failure(kind, stream(words), "upstream_unavailable", "was silent for 1 s").await;
        let mebibyte = Step::Bytes(vec![b'x'; 1 << 20]);
        let endless = [vec![Step::Bytes(b"data: ".to_vec())], vec![mebibyte; 100]].concat();
        check_failure(kind, stream(endless), "upstream_protocol", "more than 4 MiB").await;
        let open = Step::Bytes(vec![b'['; 1 << 20]);
        check_failure(kind, stream(vec![open; 100]), "upstream_protocol", "more than 4 MiB").await;
        let page = Reply::Whole { status: 200, headers: Vec::new(), body: "<html>login</html>".to_owned() };
        check_failure(kind, page, "upstream_protocol", "web page").await;
        check_failure(kind, stream(sse(&[json!("words")])), "upstream_protocol", "no JSON object").await;
        check_failure(kind, stream(vec![Step::Bytes(b"data: {oh\n\n".to_vec())]), "upstream_protocol", "no JSON").await;
        check_failure(kind, Reply::error(401, "who are you"), "upstream_unavailable", "who are you").await;
        check_failure(kind, Reply::error(404, "nothing here"), "upstream_unavailable", "does not know this address")
            .await;
        check_failure(kind, stream(Vec::new()), "upstream_protocol", "broke off").await;
    }
}

#[tokio::test]
async fn an_end_that_does_not_come_is_told_and_words_are_kept() {
    let provider = Provider::start(|request| {
        let events = [vec![started(request), text("Half an")], call("c").to_vec()].concat();
        stream([sse(&events), vec![Step::Abort]].concat())
    })
    .await;
    let server = server(&provider, "ag-ui", "").await;
    let (end, frames, run) = ask(&server).await;
    assert_eq!(end["payload"]["code"], "upstream_protocol", "{end}");
    check_answer(&frames, &run, "Half an");
    let done = payloads(&frames, &run, "tool_completed");
    assert_eq!(done[0]["status"], "interrupted", "what was open is closed: {done:?}");
    assert_eq!(provider.requests().len(), 1, "what was answered in part is not asked again");
}

#[tokio::test]
async fn it_is_asked_again_only_before_its_first_event() {
    let asked = std::sync::atomic::AtomicUsize::new(0);
    let provider = Provider::start(move |request| {
        if asked.fetch_add(1, std::sync::atomic::Ordering::SeqCst) == 0 {
            return Reply::error(503, "not yet");
        }
        stream(sse(&[started(request), text("Here."), finished(request)]))
    })
    .await;
    let server = server(&provider, "ag-ui", "").await;
    let (end, frames, run) = ask(&server).await;
    assert_eq!(end["payload"]["status"], "completed", "{end}");
    check_answer(&frames, &run, "Here.");
    assert_eq!(provider.requests().len(), 2);
    let requests = provider.requests();
    assert_eq!(requests[0].body["runId"], run.id, "the run is named");
    assert_eq!(requests[0].body["threadId"], run.thread);
    assert_eq!(requests[0].body["messages"][0]["content"], "Go on.");
}

#[tokio::test]
async fn events_out_of_order_twice_and_of_others_change_nothing() {
    let provider = Provider::start(|request| {
        let returned = json!({ "type": "TOOL_CALL_RESULT", "messageId": "r", "toolCallId": "c", "content": "[1]" });
        let other = json!({ "type": "RUN_FINISHED", "threadId": "t", "runId": "another" });
        let events = [
            vec![returned.clone(), started(request), started(request), text("a"), other],
            [call("c"), call("c")].concat(),
            vec![
                returned.clone(),
                returned,
                json!({ "type": "NEWS", "x": [1] }),
                text("b"),
                finished(request),
                text("late"),
            ],
        ];
        stream(sse(&events.concat()))
    })
    .await;
    let server = server(&provider, "ag-ui", "").await;
    let (end, frames, run) = ask(&server).await;
    assert_eq!(end["payload"]["status"], "completed", "{end}");
    check_answer(&frames, &run, "ab");
    let done = payloads(&frames, &run, "tool_completed");
    assert_eq!((done.len(), &done[0]["status"], &done[0]["result"]), (1, &json!("ok"), &json!([1])), "{done:?}");
}

#[tokio::test]
async fn state_and_ids_go_back_with_the_next_question() {
    let provider = Provider::start(|request| {
        let count = request.body["state"]["count"].as_u64().unwrap_or_default() + 1;
        let state = json!({ "type": "STATE_SNAPSHOT", "snapshot": { "count": count } });
        stream(sse(&[started(request), state, text(&format!("{count}")), finished(request)]))
    })
    .await;
    let server = server(&provider, "ag-ui", "").await;
    let socket = User::dev(&server).await.connect().await;
    let first = start_run(&socket, "other", "One").await;
    ended(&socket, &first).await;
    let second = crate::support::rules::say(&socket, &first.thread, "Two").await;
    ended(&socket, &second).await;
    check_answer(&socket.frames(), &second, "2");
    let requests = provider.requests();
    assert_eq!(requests[1].body["state"], json!({ "count": 1 }));
    let messages = requests[1].messages();
    assert_eq!(
        (&messages[0]["id"], &messages[1]["id"]),
        (&requests[0].messages()[0]["id"], &json!("m")),
        "{messages:?}"
    );
}

#[tokio::test]
async fn a_key_is_sent_and_shown_to_nobody() {
    let provider = Provider::start(always(Reply::error(401, &format!("wrong key {API_KEY}")))).await;
    let setup = Setup::new().toml(&entry("other", "langchain", &provider.agent(), "api_key_env = \"OTHER_KEY\""));
    let server = setup.set("OTHER_KEY", API_KEY).start().await;
    let (end, ..) = ask(&server).await;
    let message = end["payload"]["message"].as_str().unwrap_or_default();
    assert!(message.contains("the agent's server refused the key") && !message.contains(API_KEY), "{end}");
    assert_eq!(provider.requests()[0].authorization, format!("Bearer {API_KEY}"));
}

/// One event of each type of npm's `@ag-ui/core`, checked with its own schemas before it is sent.
#[tokio::test]
async fn every_type_of_the_protocol_is_understood() {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/black_box/support/ag_ui_events.mjs");
    let made = Command::new("node").arg(script).output().expect("node runs");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let events: Vec<Value> = serde_json::from_slice(&made.stdout).expect("JSON");
    assert!(events.len() > 30, "{}", events.len());
    let provider = Provider::start(move |request| {
        let events = [vec![started(request)], events.clone(), vec![finished(request)]].concat();
        stream(sse(&events))
    })
    .await;
    let server = server(&provider, "ag-ui", "").await;
    let (end, frames, run) = ask(&server).await;
    assert_eq!(end["payload"]["status"], "completed", "{end}");
    check_answer(&frames, &run, "Started.\n\nIn a chunk.");
    let done = payloads(&frames, &run, "tool_completed");
    assert_eq!(done.len(), 2, "{done:?}");
    assert_eq!(done[0]["result"], json!({ "found": true }), "{done:?}");
    let notes: Vec<Value> =
        payloads(&frames, &run, "agent_progress").iter().map(|note| note["message"].clone()).collect();
    assert_eq!(notes, ["plan", "Writer: writes", "a helper failed: out of ink", "PLAN: Look"]);
}

/// What Netra sends is what the protocol's own schemas take.
#[tokio::test]
async fn what_is_sent_is_what_the_protocol_says() {
    let provider = Provider::start(|request| {
        let returned = json!({ "type": "TOOL_CALL_RESULT", "messageId": "r", "toolCallId": "c", "content": "1" });
        let events =
            [vec![started(request), text("Look.")], call("c").to_vec(), vec![returned, finished(request)]].concat();
        stream(sse(&events))
    })
    .await;
    let server = server(&provider, "ag-ui", "").await;
    let socket = User::dev(&server).await.connect().await;
    let first = start_run(&socket, "other", "One").await;
    ended(&socket, &first).await;
    let second = socket.call(on(&first.thread, "user_message", json!({ "content": "Two" }))).await;
    let second = Run { thread: first.thread, id: crate::support::rules::acked(&second, "run_id") };
    ended(&socket, &second).await;
    let inputs: Vec<Value> = provider.requests().into_iter().map(|request| request.body).collect();
    assert_eq!(inputs[1]["messages"].as_array().map(Vec::len), Some(5), "{}", inputs[1]);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/black_box/support/ag_ui_events.mjs");
    let checked = Command::new("node").arg(script).arg(json!(inputs).to_string()).output().expect("node runs");
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
}

#[tokio::test]
async fn settings_that_cannot_work_are_refused() {
    let check = async |toml: &str, words: &str| {
        let refusal = Setup::new().toml(&format!("[[agents]]\nname = \"a\"\n{toml}\n")).refused().await;
        assert_eq!(refusal.code, 2, "{}", refusal.stderr);
        assert!(refusal.stderr.contains(words), "{toml}: {}", refusal.stderr);
    };
    check("kind = \"ag-ui\"", "needs url").await;
    check("kind = \"ag-ui\"\nurl = \"localhost\"", "is not an http address").await;
    check("kind = \"ag-ui\"\nbase_url = \"http://h\"", "did you mean url?").await;
    check("kind = \"ag-ui\"\nurl = \"http://h\"\nmodel = \"m\"", "model is for models").await;
    check("kind = \"ag-ui\"\nurl = \"http://h\"\nassistant = \"m\"", "is for kind = \"langchain\"").await;
    check("kind = \"langchain\"\nurl = \"http://h/runs/stream\"", "needs assistant").await;
    check("kind = \"langchain\"\nurl = \"http://h/{thread}\"", "needs assistant").await;
    check("kind = \"langchain\"\nurl = \"http://h\"\nsilence_s = 0", "from 1 to 3600").await;
    check("kind = \"openai\"\nurl = \"http://h\"", "did you mean base_url?").await;
    check("kind = \"ag-ui\"\nurl = \"http://h\"\nadress = \"x\"", "unknown field").await;
    check("kind = \"agui\"\nurl = \"http://h\"", "ag-ui, langchain").await;
}

/// What the documentation says to copy is what the server takes.
#[tokio::test]
async fn settings_in_the_documentation_work() {
    let page = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/agents.md")).expect("the page");
    let blocks: Vec<&str> = page.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    assert!(blocks.len() >= 4, "{blocks:?}");
    for block in blocks {
        assert!(block.lines().count() < 10, "under ten lines: {block}");
        let server = Setup::new().toml(block).set("LANGGRAPH_KEY", "lsv2-of-nobody").start().await;
        let config = crate::support::answer::Answer::of(
            crate::support::answer::http().get(format!("{}/api/config", server.base)),
        )
        .await
        .ok();
        assert_eq!(config["agents"].as_array().map(Vec::len), Some(2), "{block}: {config}");
    }
}
