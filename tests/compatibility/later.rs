//! A conversation of a later server, with statuses, roles, levels, codes, kinds and a type that this version does not know,
//! is read and shown to its end, and what is not known is kept as it came. The client package for TypeScript and the page are
//! held to the same recording.

use netra_ws::{
    Incoming, ThreadState,
    message::FrameMessage as _,
    model::{MessageRole, Run, RunStatus, Step, ToolStatus},
    state::Applied,
};
use serde_json::{Value, json};

fn recording() -> Vec<Value> {
    include_str!("later.jsonl").lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

fn tool(run: &Run) -> ToolStatus {
    run.tools().next().and_then(|call| call.status).expect("a tool that ended")
}

#[test]
fn a_conversation_of_a_later_server_is_shown_to_its_end() {
    let mut state = ThreadState::default();
    let mut newer = Vec::new();
    for recorded in recording() {
        let snapshot = recorded["type"] == "thread_snapshot";
        if snapshot {
            check_events(&state);
        }
        let applied = match serde_json::from_value(recorded.clone()).expect("every frame is read") {
            Incoming::Frame(frame) => {
                let again: Value = serde_json::from_str(&frame.encode().expect("encodes")).expect("JSON");
                assert_eq!(again, recorded, "what came goes on as it came");
                if frame.message.says_unknown() {
                    newer.push(frame.message.info().name);
                }
                state.apply(&frame)
            }
            Incoming::Unknown(place) => state.skip(&place.expect("an event")),
            Incoming::Bad(error, _) => panic!("{recorded}: {error}"),
        };
        assert_ne!(applied, Applied::Gap, "{recorded}");
        if snapshot {
            check_snapshot(&state);
        }
    }
    let last = state.runs.last().expect("a run");
    assert_eq!((last.status, last.text.as_str()), (RunStatus::Completed, "Still brewing."));
    assert_eq!(state.seq, 18);
    assert!(state.active_runs().next().is_none(), "every run has ended");
    let wanted =
        ["tool_completed", "agent_completed", "thread_message", "agent_error", "system_message", "error_message"];
    assert_eq!(newer, wanted, "what shows that the server is newer");
}

/// What the events before the snapshot came to.
fn check_events(state: &ThreadState) {
    assert_eq!(state.seq, 15);
    let roles: Vec<String> = state.messages.iter().map(|message| message.role.to_string()).collect();
    assert_eq!(roles, ["user", "assistant", "narrator", "user"]);
    assert!(matches!(state.messages[2].role, MessageRole::Unknown(_)));
    let [first, second] = state.runs.as_slice() else { panic!("two runs: {:?}", state.runs) };
    assert_eq!((first.status.as_str(), first.status.to_string().as_str()), ("unknown", "handed_over"));
    assert_eq!((tool(first).as_str(), tool(first).to_string().as_str()), ("unknown", "postponed"));
    assert_eq!((first.text.as_str(), first.has_ended()), ("Dusty, minus 60 degrees.", true));
    let error = second.error.as_ref().expect("an error");
    assert_eq!((second.status, error.code.to_string().as_str()), (RunStatus::Failed, "out_of_tea"));
    assert!(error.retryable, "what to do follows from `retryable`");
}

fn check_snapshot(state: &ThreadState) {
    let Step::Unknown(step) = &state.runs[0].steps[0] else { panic!("{:?}", state.runs[0].steps) };
    assert_eq!(step["kind"], json!("doodle"));
    let ended: Vec<bool> = state.runs.iter().map(|run| run.has_ended()).collect();
    assert_eq!(ended, [true, true, false], "a state that is not known is the end once the run says how long it took");
}
