use super::*;
use crate::{
    error::ErrorCode,
    frame::Frame,
    id::{ThreadId, UserId},
    payload::{self as p},
};

#[path = "state_tests/recorded.rs"]
mod recorded;
#[path = "state_tests/runs.rs"]
mod runs;
#[path = "state_tests/stories.rs"]
mod stories;

const EPOCH: &str = "0000aaaa";

/// What happens in a thread, event by event: dense numbers, and a clock that goes on by ten milliseconds.
#[derive(Debug, Default)]
struct Story {
    events: Vec<ServerFrame>,
}

impl Story {
    fn then(&mut self, run_id: Option<RunId>, event: Event) -> &mut Self {
        let seq = self.events.len() as u64 + 1;
        let frame = Frame {
            ts: Some(Timestamp::from_millis(seq * 10)),
            run_id,
            epoch: Some(EPOCH.to_owned()),
            seq: Some(seq),
            ..Frame::new(event.into())
        };
        self.events.push(frame);
        self
    }

    fn asked(&mut self, answered_by: RunId) -> &mut Self {
        self.then(None, asked("hello", Some(answered_by)))
    }

    fn fold(&self) -> ThreadState {
        let mut state = ThreadState::default();
        for event in &self.events {
            let applied = state.apply(event);
            assert!(!matches!(applied, Applied::Gap | Applied::Nothing), "{applied:?} for {event:?}");
        }
        state
    }
}

fn asked(content: &str, answered_by: Option<RunId>) -> Event {
    Event::ThreadMessage(p::ThreadMessage {
        message_id: MessageId::new(),
        role: MessageRole::User,
        content: content.to_owned(),
        answered_by,
        agent: Some("guide".to_owned()),
        author: None,
        parent_id: None,
        attachments: Vec::new(),
    })
}

fn started() -> Event {
    let (answers, parent_run_id, model) = (None, None, Some("model".to_owned()));
    Event::AgentStarted(p::AgentStarted {
        agent: "guide".into(),
        answers,
        parent_run_id,
        tool_call_id: None,
        model,
        iteration: 1,
    })
}

fn thinks(thought: &str) -> Event {
    let (step, total_steps) = (Some(1), None);
    Event::AgentThinking(p::AgentThinking { agent: "guide".into(), thought: thought.into(), step, total_steps })
}

fn calls(id: &str) -> Event {
    let arguments = serde_json::json!({ "expression": id }).as_object().cloned().unwrap_or_default();
    let (tool_call_id, tool, agent) = (id.to_owned(), "calculate".to_owned(), "guide".to_owned());
    Event::ToolExecuting(p::ToolExecuting { tool_call_id, tool, agent, arguments, decided_by: None })
}

fn waits(id: &str) -> Event {
    Event::ToolApprovalRequired(p::ToolApprovalRequired {
        tool_call_id: id.to_owned(),
        tool: "calculate".to_owned(),
        arguments: crate::model::Object::new(),
        expires_at: Timestamp::from_millis(60_000),
        agent: "guide".to_owned(),
        message: None,
        options: Vec::new(),
        form: None,
    })
}

fn returns(id: &str, status: ToolStatus) -> Event {
    let (tool_call_id, tool) = (id.to_owned(), "calculate".to_owned());
    Event::ToolCompleted(p::ToolCompleted {
        tool_call_id,
        tool,
        status,
        result: serde_json::json!({ "value": 4 }),
        duration_ms: 7,
        decided_by: None,
    })
}

fn progresses(message: &str, fraction: Option<f64>) -> Event {
    Event::AgentProgress(p::AgentProgress { agent: "guide".into(), message: message.into(), fraction })
}

fn writes(message_id: MessageId, pos: usize, delta: &str) -> Event {
    Event::PartialResult(p::PartialResult { message_id, pos: pos as u64, delta: delta.into(), reset: false })
}

fn resets(message_id: MessageId) -> Event {
    Event::PartialResult(p::PartialResult { message_id, pos: 0, delta: String::new(), reset: true })
}

fn answers(message_id: MessageId, content: &str) -> Event {
    Event::AgentResponse(p::AgentResponse { message_id, content: content.into(), usage: None })
}

fn completes(status: CompletedStatus) -> Event {
    Event::AgentCompleted(p::AgentCompleted { agent: "guide".into(), status, duration_ms: 90, usage: None })
}

fn fails() -> Event {
    let (code, message) = (ErrorCode::UpstreamUnavailable, "no model".to_owned());
    Event::AgentError(p::AgentError { agent: "guide".into(), code, message, retryable: true })
}

fn thread(title: &str) -> Thread {
    Thread {
        id: ThreadId::new(),
        title: title.to_owned(),
        agent: "guide".into(),
        owner_id: UserId::new(),
        shared: false,
        pinned: false,
        archived: false,
        running: false,
        waiting: false,
        head_seq: 0,
        created_at: Timestamp::default(),
        version: 0,
        updated_at: Timestamp::default(),
    }
}

/// A thread in which a run answered.
fn answered() -> Story {
    let (run, message) = (RunId::new(), MessageId::new());
    let mut story = Story::default();
    story
        .asked(run)
        .then(Some(run), started())
        .then(Some(run), thinks("hm"))
        .then(Some(run), calls("a"))
        .then(Some(run), returns("a", ToolStatus::Ok))
        .then(Some(run), writes(message, 0, "fo"))
        .then(Some(run), writes(message, 2, "ur"))
        .then(Some(run), answers(message, "four"))
        .then(Some(run), completes(CompletedStatus::Completed));
    story
}

#[test]
fn events_in_order_make_the_thread() {
    let state = answered().fold();
    assert_eq!((state.epoch.as_str(), state.seq), (EPOCH, 9));
    let messages: Vec<_> =
        state.messages.iter().map(|message| (message.role, message.content.as_str(), message.seq)).collect();
    assert_eq!(messages, [(MessageRole::User, "hello", 1), (MessageRole::Assistant, "four", 8)]);
    assert_eq!(state.messages[1].created_at, Timestamp::from_millis(80));
    assert_eq!(state.messages[1].run_id, Some(state.runs[0].run_id));
    assert_eq!(state.runs.len(), 1);
    assert_eq!(state.runs[0].answers, Some(state.messages[0].message_id));
    assert_eq!(state.message(state.messages[1].message_id), Some(&*state.messages[1]));
}

#[test]
fn what_each_event_changed_is_said() {
    let story = answered();
    let mut state = ThreadState::default();
    let run = Applied::Run(story.events[1].run_id.expect("a run's event"));
    for (event, expected) in story.events.iter().zip([Applied::Structure, run, run, run, run, run, run, run, run]) {
        assert_eq!(state.apply(event), expected, "{event:?}");
    }
    // A run that nobody asked for is new to the page.
    let mut story = Story::default();
    story.then(Some(RunId::new()), started());
    assert_eq!(ThreadState::default().apply(&story.events[0]), Applied::Structure);
}

#[test]
fn an_event_applied_again_changes_nothing() {
    let story = answered();
    let mut state = story.fold();
    let before = state.clone();
    for event in &story.events {
        assert_eq!(state.apply(event), Applied::Nothing);
        assert_eq!(state, before);
    }
}

#[test]
fn a_gap_changes_nothing_but_says_so() {
    let story = answered();
    let mut state = ThreadState::default();
    state.apply(&story.events[0]);
    let before = state.clone();
    for event in &story.events[2..] {
        assert_eq!(state.apply(event), Applied::Gap, "{event:?}");
        assert_eq!(state, before);
    }
    assert_ne!(state.apply(&story.events[1]), Applied::Gap, "the one that was missing");
    assert_eq!(state.seq, 2);
}

#[test]
fn another_epoch_is_a_gap_whatever_its_number() {
    let story = answered();
    let mut state = ThreadState::default();
    for event in &story.events[..4] {
        state.apply(event);
    }
    let before = state.clone();
    for seq in [1, 4, 5, 9] {
        let other = Frame { epoch: Some("0000bbbb".to_owned()), ..story.events[seq - 1].clone() };
        assert_eq!(state.apply(&other), Applied::Gap, "{seq}");
        let none = Frame { epoch: None, ..story.events[seq - 1].clone() };
        assert_eq!(state.apply(&none), Applied::Gap, "{seq}");
        assert_eq!(state, before);
    }
}

#[test]
fn the_threads_head_goes_on_with_its_events() {
    let story = answered();
    let mut state = ThreadState { thread: Some(thread("t")), ..ThreadState::default() };
    for event in &story.events {
        state.apply(event);
        assert_eq!(state.thread.as_ref().map(|thread| thread.head_seq), event.seq);
    }
}

#[test]
fn title_and_settings_come_without_a_number() {
    let mut state = answered().fold();
    let before = state.clone();
    let renamed = thread("renamed");
    assert_eq!(state.apply(&Frame::new(ServerMessage::ThreadUpdate(renamed.clone()))), Applied::Thread);
    assert_eq!(state, ThreadState { thread: Some(renamed), ..before });
}

#[test]
fn what_is_no_part_of_the_state_changes_nothing() {
    let mut state = answered().fold();
    let before = state.clone();
    for message in [
        ServerMessage::Heartbeat(p::Empty {}),
        ServerMessage::Ack(p::Ack::default()),
        ServerMessage::ErrorMessage(p::ErrorMessage::new(ErrorCode::Internal, "no")),
        // An event without its number is none.
        asked("ghost", None).into(),
        started().into(),
        fails().into(),
    ] {
        assert_eq!(state.apply(&Frame::new(message)), Applied::Nothing);
        assert_eq!(state, before);
    }
}

#[test]
fn a_snapshot_replaces_everything() {
    let mut state = answered().fold();
    let mut other = Story::default();
    other.asked(RunId::new());
    let other = ThreadState { thread: Some(thread("other")), epoch: "0000bbbb".to_owned(), ..other.fold() };
    let snapshot = p::ThreadSnapshot {
        as_of_seq: other.seq,
        epoch: other.epoch.clone(),
        thread: thread("other"),
        messages: other.messages.iter().map(|message| message.clone().into_inner()).collect(),
        earlier_cursor: Some("5".to_owned()),
        runs: other.runs.iter().map(|run| run.clone().into_inner()).collect(),
    };
    let thread = Some(snapshot.thread.clone());
    assert_eq!(state.apply(&Frame::new(ServerMessage::ThreadSnapshot(snapshot))), Applied::Structure);
    assert_eq!(state, ThreadState { thread, earlier_cursor: Some("5".to_owned()), ..other });
}

#[test]
fn an_older_word_on_a_thread_does_not_win() {
    let known = thread("as it is");
    let at = |version: u64, title: &str| Thread { version, title: title.to_owned(), ..known.clone() };
    let mut state = ThreadState { epoch: "0000aaaa".to_owned(), ..ThreadState::default() };
    let mut hear = |message: ServerMessage| {
        let applied = state.apply(&Frame::new(message));
        (applied, state.thread.as_ref().map(|thread| thread.title.clone()).unwrap_or_default())
    };
    assert_eq!(hear(ServerMessage::ThreadUpdate(at(3, "new"))), (Applied::Thread, "new".to_owned()));
    assert_eq!(hear(ServerMessage::ThreadUpdate(at(2, "old"))), (Applied::Nothing, "new".to_owned()));
    assert_eq!(hear(ServerMessage::ThreadUpdate(at(3, "the same"))), (Applied::Thread, "the same".to_owned()));
    let snapshot = |epoch: &str, thread: Thread| {
        let (as_of_seq, messages, runs) = (1, Vec::new(), Vec::new());
        let epoch = epoch.to_owned();
        ServerMessage::ThreadSnapshot(p::ThreadSnapshot {
            as_of_seq,
            epoch,
            thread,
            messages,
            earlier_cursor: None,
            runs,
        })
    };
    assert_eq!(hear(snapshot("0000aaaa", at(2, "overtaken"))).1, "the same");
    assert_eq!(hear(snapshot("0000aaaa", at(4, "newer"))).1, "newer");
    // Another log counts anew.
    assert_eq!(hear(snapshot("0000bbbb", at(1, "restored"))).1, "restored");
    // A server that does not count: its last word holds.
    assert_eq!(hear(snapshot("0000cccc", at(0, "zero"))).1, "zero");
    assert_eq!(hear(ServerMessage::ThreadUpdate(at(0, "one"))).1, "one");
}
