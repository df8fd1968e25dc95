//! A run told from its first event, and from any position on.

use netra_ws::{
    ErrorCode, MessageId, RunId,
    payload::{
        AgentCompleted, AgentError, AgentProgress, AgentResponse, AgentStarted, AgentThinking, PartialResult,
        ToolCompleted, ToolExecuting,
    },
};

use super::*;

fn started(iteration: u32) -> Event {
    Event::AgentStarted(AgentStarted {
        agent: "a".into(),
        answers: None,
        parent_run_id: None,
        tool_call_id: None,
        model: None,
        iteration,
    })
}

fn thought(thought: &str) -> Event {
    Event::AgentThinking(AgentThinking { agent: "a".into(), thought: thought.into(), step: None, total_steps: None })
}

fn piece(message_id: MessageId, pos: u64, delta: &str, reset: bool) -> Event {
    Event::PartialResult(PartialResult { message_id, pos, delta: delta.into(), reset })
}

fn answer(message_id: MessageId, content: &str) -> Event {
    Event::AgentResponse(AgentResponse { message_id, content: content.into(), usage: None })
}

fn completed() -> Event {
    let status = CompletedStatus::Completed;
    Event::AgentCompleted(AgentCompleted { agent: "a".into(), status, duration_ms: 1, usage: None })
}

fn story(id: MessageId) -> Vec<Event> {
    let (tool_call_id, tool) = ("c".to_owned(), "t".to_owned());
    let begins = ToolExecuting {
        tool_call_id: tool_call_id.clone(),
        tool: tool.clone(),
        agent: "a".into(),
        arguments: netra_ws::model::Object::new(),
        decided_by: None,
    };
    let ends = ToolCompleted {
        tool_call_id,
        tool,
        status: ToolStatus::Error,
        result: json!({ "x": 1 }),
        duration_ms: 1,
        decided_by: None,
    };
    vec![
        started(1),
        thought("hm"),
        piece(id, 0, "Wrong", false),
        started(2),
        piece(id, 0, "", true),
        piece(id, 0, "Look: ", false),
        Event::ToolExecuting(begins),
        Event::AgentProgress(AgentProgress { agent: "a".into(), message: "half".into(), fraction: Some(0.5) }),
        Event::ToolCompleted(ends),
        piece(id, 6, "\n\nDone", false),
        piece(id, 12, ".", false),
        answer(id, "Look: \n\nDone."),
        completed(),
    ]
}

fn told(events: &[Event], after: Option<Position>) -> Vec<(Position, Value)> {
    let asked = vec![json!({ "id": "u", "role": "user", "content": "q" })];
    let mut told = Told::new("t", "r", asked, after);
    (1..).zip(events).flat_map(|(seq, event)| told.event(seq, event)).collect()
}

#[test]
fn a_run_is_told_in_order() {
    let told = told(&story(MessageId::new()), None);
    let kinds: Vec<&str> = told.iter().filter_map(|(_, value)| value["type"].as_str()).collect();
    let wanted = "RUN_STARTED REASONING_START REASONING_MESSAGE_START REASONING_MESSAGE_CONTENT REASONING_MESSAGE_END REASONING_END \
        TEXT_MESSAGE_START TEXT_MESSAGE_CONTENT TEXT_MESSAGE_END MESSAGES_SNAPSHOT TEXT_MESSAGE_START TEXT_MESSAGE_CONTENT \
        TEXT_MESSAGE_END TOOL_CALL_START TOOL_CALL_ARGS TOOL_CALL_END ACTIVITY_SNAPSHOT TOOL_CALL_RESULT TEXT_MESSAGE_START \
        TEXT_MESSAGE_CONTENT TEXT_MESSAGE_CONTENT TEXT_MESSAGE_END RUN_FINISHED";
    assert_eq!(kinds, wanted.split_whitespace().collect::<Vec<_>>());
    let snapshot =
        told.iter().find(|(_, value)| value["type"] == "MESSAGES_SNAPSHOT").map(|(_, value)| &value["messages"]);
    assert_eq!(snapshot, Some(&json!([{ "id": "u", "role": "user", "content": "q" }])), "what was taken back is gone");
    let ids: Vec<&str> = told
        .iter()
        .filter(|(_, value)| value["type"] == "TEXT_MESSAGE_START")
        .filter_map(|(_, value)| value["messageId"].as_str())
        .collect();
    assert!(ids.len() == 3 && ids[0] != ids[1] && ids[1] != ids[2], "{ids:?}");
}

#[test]
fn whoever_comes_back_gets_what_follows() {
    let events = story(MessageId::new());
    let whole = told(&events, None);
    for (at, (position, _)) in whole.iter().enumerate() {
        let known = Position::read(&position.to_string());
        assert_eq!(known, Some(*position));
        assert_eq!(told(&events, known), whole[at + 1..], "after {position}");
    }
    for wrong in ["", "1", "1.2", "1.2.x", "-1.0.0", "1.2.3.4"] {
        assert_eq!(Position::read(wrong), None, "{wrong}");
    }
}

#[test]
fn what_is_no_longer_kept_is_told_from_the_whole() {
    let id = MessageId::new();
    // The pieces are trimmed: the answer itself tells the words.
    let short = [started(1), answer(id, "Hello"), completed()];
    let words = |told: &[(Position, Value)]| -> String {
        told.iter().filter_map(|(_, value)| value["delta"].as_str()).collect()
    };
    assert_eq!(words(&told(&short, None)), "Hello");
    let mut run = Run::queued(RunId::new(), "a".into(), None);
    run.status = RunStatus::Completed;
    run.text = "Hello".into();
    run.message_id = Some(id);
    let tell = |after: Option<&str>| Told::new("t", "r", Vec::new(), after.and_then(Position::read)).run(9, &run);
    assert_eq!(words(&tell(None)), "Hello");
    let rest = tell(Some("3.1.2"));
    assert_eq!(words(&rest), "llo");
    assert_eq!(rest.last().map(|(_, value)| value["type"].clone()), Some(json!("RUN_FINISHED")));
}

#[test]
fn a_failure_ends_what_is_open() {
    let error = AgentError { agent: "a".into(), code: ErrorCode::AgentFailed, message: "no".into(), retryable: true };
    let told = told(&[started(1), piece(MessageId::new(), 0, "x", false), Event::AgentError(error.clone())], None);
    let kinds: Vec<&str> = told.iter().filter_map(|(_, value)| value["type"].as_str()).collect();
    assert_eq!(kinds[kinds.len() - 2..], ["TEXT_MESSAGE_END", "RUN_ERROR"]);
    let early: Vec<Value> = Told::new("t", "r", Vec::new(), None)
        .event(1, &Event::AgentError(error))
        .into_iter()
        .map(|(_, value)| value)
        .collect();
    assert_eq!((&early[0]["type"], &early[1]["code"]), (&json!("RUN_STARTED"), &json!("agent_failed")));
}
