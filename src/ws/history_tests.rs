use super::*;
use crate::{
    frame::Frame,
    id::{RunId, ThreadId},
    message::ServerMessage,
    model::Thread,
    state::Applied,
    time::Timestamp,
};

fn message(seq: u64, run_id: Option<RunId>) -> Message {
    Message {
        message_id: MessageId::new(),
        role: if run_id.is_some() { MessageRole::Assistant } else { MessageRole::User },
        content: format!("number {seq}"),
        run_id,
        seq,
        created_at: Timestamp::from_millis(seq),
        author: None,
        parent_id: None,
        attachments: Vec::new(),
    }
}

fn snapshot(messages: Vec<Message>, earlier_cursor: Option<&str>) -> ThreadSnapshot {
    let thread: Thread = serde_json::from_value(serde_json::json!({
        "id": ThreadId::new(), "owner_id": crate::UserId::new(), "title": "", "agent": "guide", "pinned": false,
        "archived": false, "head_seq": 9, "created_at": Timestamp::default(), "updated_at": Timestamp::default(),
        "running": false, "shared": false,
    }))
    .expect("a thread");
    let as_of_seq = messages.last().map_or(0, |message| message.seq);
    ThreadSnapshot {
        thread,
        epoch: "0000aaaa".to_owned(),
        as_of_seq,
        messages,
        earlier_cursor: earlier_cursor.map(str::to_owned),
        runs: Vec::new(),
    }
}

fn seqs(state: &ThreadState) -> Vec<u64> {
    state.messages.iter().map(|message| message.seq).collect()
}

#[test]
fn pages_are_put_before_what_is_known_once() {
    let mut state = ThreadState::from_snapshot(snapshot(vec![message(5, None), message(6, None)], Some("5")));
    let page = Earlier {
        messages: vec![message(3, None), message(4, None), message(5, None)],
        runs: Vec::new(),
        next_cursor: Some("3".to_owned()),
    };
    assert!(state.prepend("5", page.clone()));
    assert_eq!(seqs(&state), [3, 4, 5, 6]);
    assert!(!state.prepend("5", page), "the same page again");
    assert!(state.prepend("3", Earlier { messages: vec![message(1, None)], ..Earlier::default() }));
    assert_eq!(seqs(&state), [1, 3, 4, 5, 6]);
    assert_eq!(state.earlier_cursor, None);
}

#[test]
fn answers_are_shown_without_their_runs_too() {
    let mut state = ThreadState::from_snapshot(snapshot(vec![message(5, None)], Some("5")));
    let (question, run) = (message(1, None), RunId::new());
    let asked = question.message_id;
    let page = Earlier { messages: vec![question, message(2, Some(run))], ..Earlier::default() };
    assert!(state.prepend("5", page));
    let run = state.run(run).expect("the run that wrote the answer");
    assert_eq!((run.answers, run.text.as_str(), run.status), (Some(asked), "number 2", RunStatus::Completed));
}

#[test]
fn a_snapshot_keeps_the_older_messages_that_it_goes_on_from() {
    let all: Vec<Message> = (1..=6).map(|seq| message(seq, None)).collect();
    let mut state = ThreadState::from_snapshot(snapshot(all[2..5].to_vec(), Some("3")));
    assert!(state.prepend("3", Earlier { messages: all[..2].to_vec(), ..Earlier::default() }));
    let newer = Frame::new(ServerMessage::ThreadSnapshot(snapshot(all[3..].to_vec(), Some("4"))));
    assert_eq!(state.apply(&newer), Applied::Structure);
    assert_eq!(seqs(&state), [1, 2, 3, 4, 5, 6]);
    assert_eq!(state.earlier_cursor, None, "its beginning is known");
}

#[test]
fn a_snapshot_from_beyond_a_hole_begins_anew() {
    let mut state = ThreadState::from_snapshot(snapshot(vec![message(1, None), message(2, None)], None));
    let newer = Frame::new(ServerMessage::ThreadSnapshot(snapshot(vec![message(8, None)], Some("8"))));
    state.apply(&newer);
    assert_eq!(seqs(&state), [8]);
    assert_eq!(state.earlier_cursor.as_deref(), Some("8"));
}
