//! A fault of our own, a panic in the middle of a model's stream or of a tool: it costs that run or that call, at once, and nothing
//! else.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::{
    frame::on,
    provider::{Provider, text},
    rules::{answer_of, check_answer, check_run, ended, payloads, say, start_run},
    script::{Reply, Stream},
    server::{Server, Setup},
    socket::Socket,
    user::User,
};

/// A run that is left to its lease is tried again when that is over.
const LEASE: Duration = Duration::from_secs(30);

async fn play(provider: &Provider) -> (Server, Socket) {
    let setup = Setup::new().assistant(provider).set("NETRA_RUN_LEASE_S", LEASE.as_secs());
    let server = setup.set("NETRA_TEST_TOOLS", "/dev/null").start().await;
    let socket = User::dev(&server).await.connect().await;
    (server, socket)
}

#[tokio::test]
async fn a_panic_in_a_models_stream_ends_that_run_at_once() {
    let provider = Provider::start(|request| {
        if request.prompt().contains("next") {
            return Reply::text("Here I am.");
        }
        Stream::new()
            .text("Well, ")
            .pause(Duration::from_millis(200))
            .raw("event: netra-test-fault\ndata: {}\n\n")
            .text("never")
            .end("stop")
    })
    .await;
    let (server, socket) = play(&provider).await;
    let begun = Instant::now();
    let run = start_run(&socket, "assistant", "Fall over.").await;
    let end = ended(&socket, &run).await;
    assert!(begun.elapsed() < LEASE, "{:?}", begun.elapsed());
    assert_eq!((&end["type"], &end["payload"]["code"]), (&json!("agent_error"), &json!("agent_failed")), "{end}");
    assert!(!end.to_string().contains("as the test asked for"), "what it says is for the log: {end}");
    assert!(server.log().contains("a fault of the reader, as the test asked for"), "{}", server.log());
    check_run(&socket.frames(), &run);
    // How much of it came before the fault is not told; whatever was shown is kept.
    let text = |kind: &str, field: &str| {
        let told = payloads(&socket.frames(), &run, kind);
        told.iter().filter_map(|event| event[field].as_str()).collect::<String>()
    };
    assert_eq!(text("agent_response", "content"), text("partial_result", "delta"));
    provider.idle(Duration::from_secs(2)).await;
    assert_eq!(provider.requests().len(), 1, "it is not tried again");

    socket.call(on(&run.thread, "subscribe", json!({}))).await;
    let next = say(&socket, &run.thread, "The next one.").await;
    ended(&socket, &next).await;
    check_answer(&socket.frames(), &next, "Here I am.");
}

#[tokio::test]
async fn a_panic_in_a_tool_ends_that_call_and_no_other() {
    let provider = Provider::start(|request| match request.tool_results().as_slice() {
        [] => Stream::new().tool(0, "a", "fault", "{}").tool(1, "b", "wait", "{}").end("tool_calls"),
        [fault, wait] => Reply::text(&format!("{} {}", text(fault), text(wait))),
        other => Reply::error(400, &format!("{} results", other.len())),
    })
    .await;
    let (server, socket) = play(&provider).await;
    let run = start_run(&socket, "assistant", "Fall over.").await;
    let end = ended(&socket, &run).await;
    assert_eq!(end["payload"]["status"], "completed", "{end}");
    let frames = socket.frames();
    check_run(&frames, &run);
    let mut ends: Vec<String> = payloads(&frames, &run, "tool_completed")
        .iter()
        .map(|end| format!("{} {}", end["tool"], end["status"]))
        .collect();
    ends.sort();
    assert_eq!(ends, [r#""fault" "error""#, r#""wait" "ok""#]);
    let answer = answer_of(&frames, &run).whole;
    assert!(answer.contains("a fault of its own") && answer.contains("waited"), "{answer}");
    assert!(server.log().contains("a fault of the tool, as the test asked for"), "{}", server.log());
}
