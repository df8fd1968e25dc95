//! What MCP servers ask people in the middle of a call.

use serde_json::{Value, json};

use super::{agent, calls, everything, program, script};
use crate::support::{
    frame::{frame, on},
    provider::{API_KEY, Provider, Request},
    rules::{Run, check_dense, check_run, ended, event, payloads, start_run},
    script::{Reply, Stream},
    server::{Server, Setup},
    socket::Socket,
    user::User,
};

const TOOL: &str = "everything__trigger-elicitation-request {}";

const TOOLS: &str = "\"mcp:everything/*\"";

fn reference() -> String {
    program("everything", &["node", &everything().display().to_string(), "stdio"])
}

async fn netra(provider: &Provider, tools: &str, servers: &str) -> Server {
    let toml = agent(provider, tools) + servers;
    Setup::new().toml(&toml).set("CALLER_KEY", API_KEY).set("NETRA_RUN_LEASE_S", 1).start().await
}

async fn asked(socket: &Socket, prompt: &str) -> (Run, Value) {
    let run = start_run(socket, "caller", prompt).await;
    let asked = event(socket, &run, "tool_approval_required").await;
    (run, asked["payload"].clone())
}

async fn decide(socket: &Socket, asked: &Value, decision: Value) -> Value {
    let mut payload = decision;
    payload["tool_call_id"] = asked["tool_call_id"].clone();
    socket.call(frame("tool_approval", payload)).await
}

/// How the call itself ended, not its question.
fn outcome(socket: &Socket, run: &Run, asked: &Value) -> Value {
    let done = payloads(&socket.frames(), run, "tool_completed");
    done.into_iter().find(|done| done["tool_call_id"] != asked["tool_call_id"]).expect("the call ended")
}

#[tokio::test]
async fn a_form_of_the_reference_server_is_filled_in() {
    let provider = Provider::start(calls).await;
    let server = netra(&provider, TOOLS, &reference()).await;
    let user = User::dev(&server).await;
    let (socket, other_tab) = (user.connect().await, user.connect().await);
    let (run, question) = asked(&socket, TOOL).await;
    assert_eq!(question["tool"], "mcp:everything/trigger-elicitation-request", "{question}");
    assert!(question["message"].as_str().is_some_and(|words| words.starts_with("everything asks: ")), "{question}");
    let fields = question["form"]["properties"].as_object().expect("fields");
    assert_eq!(fields["untitledMultipleSelectEnum"]["items"]["type"], "string", "{question}");
    assert!(fields["titledMultipleSelectEnum"]["items"]["enum"].is_array(), "{question}");

    let page = user.browse(&format!("/t/{}", run.thread)).await;
    let boxes = page.body.matches("type=\"checkbox\"").count();
    assert!(page.body.contains("Drums") && boxes >= 8, "a box for each choice: {boxes} in {}", page.body);

    let wrong = decide(&socket, &question, json!({ "decision": "approve", "answer": { "integer": 1_000 } })).await;
    assert_eq!(wrong["payload"]["code"], "invalid_payload", "{wrong}");
    let wrong =
        decide(&socket, &question, json!({ "decision": "approve", "answer": { "untitledMultipleSelectEnum": [] } }));
    assert!(wrong.await["payload"]["message"].as_str().is_some_and(|why| why.contains("missing")), "the name, first");
    let both = json!(["Piano", "Drums"]);
    let answer =
        json!({ "name": "Ada", "integer": 7, "titledSingleSelectEnum": "hero-2", "untitledMultipleSelectEnum": both });
    let ack = decide(&other_tab, &question, json!({ "decision": "approve", "answer": answer })).await;
    assert_eq!(ack["type"], "ack", "from any tab: {ack}");
    ended(&socket, &run).await;
    let done = outcome(&socket, &run, &question);
    let told = done["result"].to_string();
    assert!(done["status"] == "ok" && told.contains("Ada") && told.contains("hero-2"), "{done}");
    assert!(told.contains("Piano") && told.contains("Drums") && !told.contains("Guitar"), "{done}");
    check_run(&socket.frames(), &run);
    check_dense(&socket.frames(), &run.thread, 1);
}

#[tokio::test]
async fn who_declines_or_is_silent_answers_nothing() {
    let provider = Provider::start(calls).await;
    let toml = agent(&provider, TOOLS) + &reference() + "[tools]\napproval_timeout_s = 2\n";
    let server = Setup::new().toml(&toml).set("CALLER_KEY", API_KEY).start().await;
    let socket = User::dev(&server).await.connect().await;
    for (decision, word) in [(Some("deny"), "decline"), (None, "cancel")] {
        let (run, question) = asked(&socket, TOOL).await;
        if let Some(decision) = decision {
            decide(&socket, &question, json!({ "decision": decision })).await;
        }
        ended(&socket, &run).await;
        let done = outcome(&socket, &run, &question);
        assert!(done["result"].to_string().contains(word), "{word}: {done}");
    }
}

#[tokio::test]
async fn a_question_keeps_its_call_longer_than_silence_may() {
    let provider = Provider::start(calls).await;
    let notes = tempfile::tempdir().expect("a temporary folder");
    let (file, folder) = (script("mcp_unruly.mjs").display().to_string(), notes.path().display().to_string());
    let program = program("unruly", &["node", &file, &folder]) + "timeout_s = 2\n";
    // Neither the call's time nor the run's passes meanwhile.
    let agent = agent(&provider, "\"mcp:unruly/*\"").replace("tools = [", "max_seconds = 3\ntools = [");
    let server = Setup::new().toml(&(agent + &program)).set("CALLER_KEY", API_KEY).start().await;
    let socket = User::dev(&server).await.connect().await;
    let (run, question) = asked(&socket, "unruly__asks_a_person {}").await;
    tokio::time::sleep(std::time::Duration::from_secs(4)).await;
    decide(&socket, &question, json!({ "decision": "approve", "answer": { "name": "Ada" } })).await;
    ended(&socket, &run).await;
    assert_eq!(outcome(&socket, &run, &question)["result"]["text"], "action: accept");
}

#[tokio::test]
async fn a_stop_and_a_crash_end_the_question() {
    let provider = Provider::start(calls).await;
    let server = netra(&provider, TOOLS, &reference()).await;
    let user = User::dev(&server).await;
    let socket = user.connect().await;
    let (run, question) = asked(&socket, TOOL).await;
    socket.call(frame("stop_agent", json!({ "run_id": run.id }))).await;
    ended(&socket, &run).await;
    check_run(&socket.frames(), &run);
    let late = decide(&socket, &question, json!({ "decision": "approve" })).await;
    assert_eq!(late["payload"]["code"], "conflict", "{late}");

    let (run, question) = asked(&socket, TOOL).await;
    let server = server.restart("KILL").await;
    let again = user.moved(&server).connect().await;
    again.call(on(&run.thread, "subscribe", json!({ "after_seq": 0 }))).await;
    ended(&again, &run).await;
    let done = payloads(&again.frames(), &run, "tool_completed");
    let closed = done.iter().find(|done| done["tool_call_id"] == question["tool_call_id"]).expect("the question ended");
    assert_eq!(closed["status"], "denied", "{closed}");
    assert_eq!(outcome(&again, &run, &question)["status"], "interrupted", "{done:?}");
}

/// A model that makes these calls at the same time, and then says that it did.
fn calls_all(request: &Request) -> Reply {
    if !request.tool_results().is_empty() {
        return Reply::text("They were called.");
    }
    let prompt = request.prompt();
    let calls = prompt.split_whitespace().enumerate();
    calls.fold(Stream::new(), |stream, (at, tool)| stream.tool(at, &format!("call_{at}"), tool, "{}")).end("tool_calls")
}

#[tokio::test]
async fn with_several_calls_open_it_is_known_who_is_asked_or_nobody_is() {
    let provider = Provider::start(calls_all).await;
    let notes = tempfile::tempdir().expect("a temporary folder");
    let (file, folder) = (script("mcp_unruly.mjs").display().to_string(), notes.path().display().to_string());
    let server = netra(&provider, "\"mcp:unruly/*\"", &program("unruly", &["node", &file, &folder])).await;
    let socket = User::dev(&server).await.connect().await;
    // Calls of one run work for one person.
    let (run, question) = asked(&socket, "unruly__waits_for_the_answer unruly__asks_a_person").await;
    decide(&socket, &question, json!({ "decision": "approve", "answer": { "name": "Ada" } })).await;
    ended(&socket, &run).await;
    check_run(&socket.frames(), &run);
    let told: Vec<String> =
        payloads(&socket.frames(), &run, "tool_completed").iter().map(|done| done["result"].to_string()).collect();
    assert!(told.iter().any(|result| result.contains("action: accept")), "{told:?}");
    assert!(told.iter().any(|result| result.contains("it was answered")), "{told:?}");

    // Those of several runs may not, unless the server says for which it asks.
    let other = start_run(&socket, "caller", "unruly__never").await;
    event(&socket, &other, "tool_executing").await;
    let run = start_run(&socket, "caller", "unruly__asks_a_person").await;
    ended(&socket, &run).await;
    let done = payloads(&socket.frames(), &run, "tool_completed");
    assert_eq!(done[0]["result"]["text"], "action: decline", "{done:?}");
    let (run, question) = asked(&socket, "unruly__asks_by_token").await;
    assert!(question["tool_call_id"].as_str().is_some_and(|call| call.starts_with(&run.id)), "{question}");
    decide(&socket, &question, json!({ "decision": "deny" })).await;
    ended(&socket, &run).await;
    assert_eq!(outcome(&socket, &run, &question)["result"]["text"], "action: decline");
}
