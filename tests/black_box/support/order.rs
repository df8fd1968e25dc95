//! The order rules, held against everything that a socket heard: logs are dense, runs begin once and end once.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

/// What a socket knows of a thread that it watches.
#[derive(Default)]
struct Watched {
    epoch: String,
    /// The event before the next one; unknown until the first event or the snapshot.
    last: Option<u64>,
    /// Whether the socket has heard the log from its first event on, so that no run began before it listened.
    whole: bool,
    runs: HashMap<String, Run>,
}

#[derive(Default)]
struct Run {
    started: bool,
    /// Whether its first event was heard, and not only that another process took it up.
    whole: bool,
    over: bool,
    calls: HashSet<String>,
    called: HashSet<String>,
    /// Calls that wait for a person.
    asked: HashSet<String>,
}

/// The first rule that the frames break.
pub(crate) fn violation(frames: &[Value]) -> Option<String> {
    let mut watched: HashMap<String, Watched> = HashMap::new();
    frames.iter().find_map(|frame| hear(&mut watched, frame).err().map(|rule| format!("{rule}: {frame}")))
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn hear(watched: &mut HashMap<String, Watched>, frame: &Value) -> Result<(), String> {
    let thread = text(&frame["thread_id"]);
    match frame["type"].as_str().unwrap_or_default() {
        "subscribed" => {
            let epoch = text(&frame["payload"]["epoch"]);
            watched.insert(thread.clone(), Watched { epoch, ..Watched::default() });
        }
        "thread_snapshot" => {
            let place = watched.get_mut(&thread).ok_or("a snapshot that nobody asked for")?;
            place.last = frame["payload"]["as_of_seq"].as_u64();
        }
        "unsubscribed" => _ = watched.remove(&thread),
        "thread_deleted" => _ = watched.remove(&text(&frame["payload"]["id"])),
        _ => {}
    }
    let Some(seq) = frame["seq"].as_u64() else { return Ok(()) };
    let place = watched.get_mut(&thread).ok_or("an event of a thread that is not watched")?;
    if place.last.is_some_and(|last| seq != last + 1) {
        return Err(format!("event {seq} follows event {}", place.last.unwrap_or_default()));
    }
    if frame["epoch"] != place.epoch.as_str() {
        return Err("another epoch than `subscribed` said".to_owned());
    }
    place.whole |= seq == 1;
    place.last = Some(seq);
    if frame["type"] == "thread_message" || frame.get("run_id").is_none() {
        return Ok(());
    }
    let run = place.runs.entry(text(&frame["run_id"])).or_default();
    step(run, place.whole, frame)
}

fn step(run: &mut Run, whole: bool, frame: &Value) -> Result<(), String> {
    let kind = frame["type"].as_str().unwrap_or_default();
    if run.over {
        return Err("an event after the run's end".to_owned());
    }
    if whole && !run.started && kind != "agent_started" {
        return Err("a run that begins without `agent_started`".to_owned());
    }
    let call = text(&frame["payload"]["tool_call_id"]);
    match kind {
        // A run that another process took up says so by its number.
        "agent_started" if run.started && frame["payload"]["iteration"].as_u64().unwrap_or_default() < 2 => {
            return Err("a run that starts twice".to_owned());
        }
        "agent_started" => {
            run.whole |= frame["payload"]["iteration"].as_u64().is_none_or(|iteration| iteration < 2);
            run.started = true;
        }
        "tool_approval_required" if run.called.contains(&call) || !run.asked.insert(call.clone()) => {
            return Err("a call that is asked about twice, or too late".to_owned());
        }
        "tool_executing" => {
            run.asked.remove(&call);
            if !run.called.insert(call.clone()) {
                return Err("a call that begins twice".to_owned());
            }
            run.calls.insert(call);
        }
        // What nobody allowed never begins.
        "tool_completed" if run.asked.remove(&call) && frame["payload"]["status"] == "denied" => {
            run.called.insert(call);
        }
        "tool_completed" if !run.calls.remove(&call) && (run.whole || run.called.contains(&call)) => {
            return Err("a call that completes without having begun, or twice".to_owned());
        }
        "agent_completed" | "agent_error" if !run.calls.is_empty() || !run.asked.is_empty() => {
            return Err(format!("the run ends and {:?} never completed", run.calls.union(&run.asked)));
        }
        "agent_completed" | "agent_error" => run.over = true,
        _ => {}
    }
    Ok(())
}

#[test]
fn broken_orders_are_found() {
    use serde_json::json;
    let subscribed = json!({ "type": "subscribed", "thread_id": "t", "payload": { "epoch": "e" } });
    let event = |seq: u64, kind: &str, call: &str| json!({ "type": kind, "thread_id": "t", "run_id": "r", "epoch": "e", "seq": seq, "payload": { "tool_call_id": call } });
    let (begun, done) = (event(1, "agent_started", ""), event(4, "agent_completed", ""));
    let (calls, returns) = (event(2, "tool_executing", "a"), event(3, "tool_completed", "a"));
    let run = [&subscribed, &begun, &calls, &returns, &done];
    for (frames, rule) in [
        (run.to_vec(), ""),
        (run[1..].to_vec(), "not watched"),
        (vec![&subscribed, &begun, &returns], "follows event 1"),
        (vec![&subscribed, &calls, &returns, &done, &done], "follows event 4"),
        (vec![&subscribed, &begun, &calls, &event(3, "agent_completed", "")], "never completed"),
        (vec![&subscribed, &begun, &event(2, "tool_completed", "a")], "without having begun"),
        (vec![&subscribed, &event(1, "agent_thinking", "")], "without `agent_started`"),
        ([&run[..], &[&event(5, "agent_thinking", "")]].concat(), "after the run's end"),
    ] {
        let frames: Vec<Value> = frames.into_iter().cloned().collect();
        let found = violation(&frames);
        assert_eq!(found.is_some(), !rule.is_empty(), "{found:?}");
        assert!(found.unwrap_or_default().contains(rule), "{rule}");
    }
}
