//! The order rules of a run and of a thread's log, and the ways to start and await a run.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use serde_json::{Value, json};

use super::{
    PATIENCE,
    frame::{check_envelope, ends, frame, is_event_of, on},
    socket::Socket,
};

/// The five events that always reach the user, in the order of their first appearance.
pub(crate) const CRITICAL: [&str; 5] =
    ["agent_started", "agent_thinking", "tool_executing", "tool_completed", "agent_completed"];

/// A run that was started.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    /// Its thread.
    pub(crate) thread: String,
    /// Its id.
    pub(crate) id: String,
}

/// A field of an `ack`.
pub(crate) fn acked(ack: &Value, field: &str) -> String {
    assert_eq!(ack["type"], "ack", "{ack}");
    ack["payload"][field].as_str().unwrap_or_else(|| panic!("no {field} in {ack}")).to_owned()
}

/// Starts an agent in a new thread and subscribes from the first event on.
pub(crate) async fn start_run(socket: &Socket, agent: &str, content: &str) -> Run {
    let ack = socket.call(frame("start_agent", json!({ "agent": agent, "content": content }))).await;
    let run = Run { thread: acked(&ack, "thread_id"), id: acked(&ack, "run_id") };
    let subscribed = socket.call(on(&run.thread, "subscribe", json!({ "after_seq": 0 }))).await;
    assert_eq!(subscribed["type"], "subscribed", "{subscribed}");
    assert_eq!(subscribed["payload"]["mode"], "resumed", "{subscribed}");
    run
}

/// Sends another message to a thread.
pub(crate) async fn say(socket: &Socket, thread: &str, content: &str) -> Run {
    let ack = socket.call(on(thread, "user_message", json!({ "content": content }))).await;
    assert_eq!(acked(&ack, "thread_id"), thread, "{ack}");
    Run { thread: thread.to_owned(), id: acked(&ack, "run_id") }
}

/// Waits for the event that ends the run.
pub(crate) async fn ended(socket: &Socket, run: &Run) -> Value {
    ended_within(socket, run, PATIENCE).await
}

/// The same with another limit.
pub(crate) async fn ended_within(socket: &Socket, run: &Run, limit: Duration) -> Value {
    socket.wait_for(0, limit, "the end of the run", |f| ends(f, &run.id)).await
}

/// Waits for an event of the run.
pub(crate) async fn event(socket: &Socket, run: &Run, kind: &str) -> Value {
    socket.wait(kind, |f| f["run_id"] == run.id.as_str() && f["type"] == kind).await
}

/// The events of the run.
pub(crate) fn events_of(frames: &[Value], run: &Run) -> Vec<Value> {
    frames.iter().filter(|f| f["run_id"] == run.id.as_str() && f.get("seq").is_some()).cloned().collect()
}

/// The payloads of the run's events of this type.
pub(crate) fn payloads(frames: &[Value], run: &Run, kind: &str) -> Vec<Value> {
    events_of(frames, run).iter().filter(|f| f["type"] == kind).map(|f| f["payload"].clone()).collect()
}

/// The order rules for a run that ended; returns the types of its events.
pub(crate) fn check_run(frames: &[Value], run: &Run) -> Vec<String> {
    let events = events_of(frames, run);
    let types: Vec<String> = events.iter().map(|f| f["type"].as_str().unwrap_or_default().to_owned()).collect();
    assert_eq!(types.first().map(String::as_str), Some("agent_started"), "{types:?}");
    let terminal: Vec<usize> = (0..events.len()).filter(|&i| ends(&events[i], &run.id)).collect();
    assert_eq!(terminal, [events.len() - 1], "one terminal event, the last: {types:?}");

    let mut completed: HashMap<String, bool> = HashMap::new();
    // Calls that wait for a person.
    let mut asked: HashSet<String> = HashSet::new();
    for event in &events {
        check_envelope(event);
        let payload = &event["payload"];
        let call = || payload["tool_call_id"].as_str().unwrap_or_else(|| panic!("no tool_call_id: {event}")).to_owned();
        match event["type"].as_str() {
            Some("tool_approval_required") => {
                assert!(asked.insert(call()) && !completed.contains_key(&call()), "asked twice: {event}");
            }
            Some("tool_executing") => {
                asked.remove(&call());
                assert!(payload["arguments"].is_object(), "arguments: {event}");
                assert_eq!(completed.insert(call(), false), None, "executes twice: {event}");
            }
            Some("tool_completed") => {
                let status = payload["status"].as_str().unwrap_or_default();
                // What nobody allowed never begins.
                let refused = asked.remove(&call()) && status == "denied";
                let begun = if refused { None } else { Some(false) };
                assert_eq!(completed.insert(call(), true), begun, "completes out of turn: {event}");
                assert!(["ok", "error", "denied", "interrupted"].contains(&status), "{event}");
            }
            _ => {}
        }
    }
    assert!(asked.is_empty(), "a question was never settled: {asked:?}");
    assert!(completed.values().all(|done| *done), "a tool call never completed: {completed:?}");
    types
}

/// The critical events came, each for the first time in the order of [`CRITICAL`].
pub(crate) fn check_critical(types: &[String]) {
    let first = |kind: &str| types.iter().position(|t| t == kind).unwrap_or_else(|| panic!("no {kind} in {types:?}"));
    let order: Vec<usize> = CRITICAL.iter().map(|kind| first(kind)).collect();
    assert!(order.is_sorted(), "{types:?}");
}

/// The thread's events as one connection got them: dense, from `first` on, no duplicate, one epoch.
pub(crate) fn check_dense(frames: &[Value], thread: &str, first: u64) -> Vec<u64> {
    let events: Vec<&Value> = frames.iter().filter(|f| is_event_of(f, thread)).collect();
    let seqs: Vec<u64> = events.iter().filter_map(|f| f["seq"].as_u64()).collect();
    let wanted: Vec<u64> = (first..).take(seqs.len()).collect();
    assert_eq!(seqs, wanted);
    assert!(events.windows(2).all(|w| w[0]["epoch"] == w[1]["epoch"]), "the epoch changed");
    seqs
}

/// The answer of a run as a client shows it.
#[derive(Debug)]
pub(crate) struct Told {
    /// The folded `partial_result` events.
    pub(crate) folded: String,
    /// The content of `agent_response`, of which there is one.
    pub(crate) whole: String,
}

/// Folds the pieces of an answer and checks their offsets.
pub(crate) fn answer_of(frames: &[Value], run: &Run) -> Told {
    let mut folded = String::new();
    for piece in payloads(frames, run, "partial_result") {
        if piece["reset"] == true {
            folded.clear();
        }
        assert_eq!(piece["pos"].as_u64(), u64::try_from(folded.len()).ok(), "after {folded:?}: {piece}");
        folded.push_str(piece["delta"].as_str().unwrap_or_else(|| panic!("no delta: {piece}")));
    }
    let responses = payloads(frames, run, "agent_response");
    assert_eq!(responses.len(), 1, "one agent_response: {responses:?}");
    Told { folded, whole: responses[0]["content"].as_str().expect("content is text").to_owned() }
}

/// The answer, which is told once in pieces and once whole.
pub(crate) fn check_answer(frames: &[Value], run: &Run, wanted: &str) {
    let told = answer_of(frames, run);
    assert_eq!(told.whole, wanted, "agent_response");
    assert_eq!(told.folded, wanted, "partial_result");
}
