//! Any story, told in any number of ways, ends in the same state.

use proptest::prelude::*;

use super::*;

/// Any events of three runs, well-ordered or not: the reducer takes what the log says.
fn story() -> impl Strategy<Value = Story> {
    let runs: Vec<RunId> = (0..3).map(|_| RunId::new()).collect();
    let message = MessageId::new();
    let event = (0..3_usize, 0..12_u8, "[a-zü🦀]{0,4}", 0..3_u8).prop_map(move |(run, kind, text, call)| {
        let (run_id, call) = (runs[run], format!("call-{call}"));
        let of_run = |message| (Some(run_id), message);
        match kind {
            0 => (None, asked(&text, Some(run_id))),
            1 => (None, asked(&text, None)),
            2 => of_run(started()),
            3 => of_run(thinks(&text)),
            4 => of_run(calls(&call)),
            5 => of_run(waits(&call)),
            6 => of_run(returns(&call, ToolStatus::Ok)),
            7 => of_run(progresses(&text, Some(0.5))),
            8 => of_run(writes(message, 0, &text)),
            9 => of_run(resets(message)),
            10 => of_run(answers(message, &text)),
            _ if text.len() > 2 => of_run(fails()),
            _ => of_run(completes(CompletedStatus::Completed)),
        }
    });
    prop::collection::vec(event, 0..40).prop_map(|events| {
        let mut story = Story::default();
        for (run, message) in events {
            story.then(run, message);
        }
        story
    })
}

fn snapshot(state: &ThreadState) -> ThreadSnapshot {
    ThreadSnapshot {
        as_of_seq: state.seq,
        epoch: state.epoch.clone(),
        thread: state.thread.clone().unwrap_or_else(|| thread("t")),
        messages: state.messages.iter().map(|message| message.clone().into_inner()).collect(),
        earlier_cursor: state.earlier_cursor.clone(),
        runs: state.runs.iter().map(|run| run.clone().into_inner()).collect(),
    }
}

proptest! {
    #[test]
    fn replaying_what_was_applied_changes_nothing(story in story(), replays in prop::collection::vec(any::<prop::sample::Index>(), 0..6)) {
        let whole = story.fold();
        let mut state = ThreadState::default();
        let mut next = 0;
        for replay in replays {
            // On to a random event, then again from a random one before it.
            let to = replay.index(story.events.len() + 1).max(next);
            for event in &story.events[next..to] {
                state.apply(event);
            }
            next = to;
            let before = state.clone();
            let from = replay.index(next + 1);
            for event in &story.events[from..next] {
                prop_assert_eq!(state.apply(event), Applied::Nothing);
            }
            prop_assert_eq!(&state, &before);
        }
        for event in &story.events {
            state.apply(event);
        }
        prop_assert_eq!(state, whole);
    }

    #[test]
    fn a_snapshot_and_what_follows_are_the_whole(story in story(), cut in any::<prop::sample::Index>()) {
        let whole = story.fold();
        let cut = cut.index(story.events.len() + 1);
        let mut state = ThreadState { thread: Some(thread("t")), epoch: EPOCH.to_owned(), ..ThreadState::default() };
        for event in &story.events[..cut] {
            state.apply(event);
        }
        // As it goes over the wire.
        let frame = Frame::new(ServerMessage::ThreadSnapshot(snapshot(&state)));
        let frame = ServerFrame::decode(&frame.encode().expect("encodes")).expect("decodes");
        let mut resumed = ThreadState::default();
        resumed.apply(&frame);
        prop_assert_eq!(&resumed, &state);
        for event in &story.events {
            prop_assert_ne!(resumed.apply(event), Applied::Gap);
        }
        prop_assert_eq!((resumed.seq, resumed.messages, resumed.runs), (whole.seq, whole.messages, whole.runs));
    }

    #[test]
    fn nothing_missing_is_overlooked(story in story(), lost in any::<prop::sample::Index>()) {
        prop_assume!(story.events.len() > 1);
        let lost = lost.index(story.events.len() - 1);
        let mut state = ThreadState::default();
        for (index, event) in story.events.iter().enumerate().filter(|(index, _)| *index != lost) {
            prop_assert_eq!(state.apply(event) == Applied::Gap, index > lost);
        }
        prop_assert_eq!(state.seq, lost as u64);
    }
}

#[cfg(feature = "native")]
#[tokio::test]
async fn the_logs_snapshot_is_the_fold_of_its_events() {
    use crate::{
        id::UserId,
        log::{self, Append, EventLog, NewEvent, PageLimit},
        memory::MemoryLog,
    };
    let log = MemoryLog::new();
    let user = UserId::new();
    let thread_id = log.thread(user);
    let story = answered();
    for event in story.events.iter().filter(|event| event.run_id.is_some()) {
        let run = event.run_id.expect("filtered");
        let fence = log.claim(thread_id, run);
        let event = NewEvent::new(event.message.event().expect("a story is events").clone()).expect("encodes");
        let append = Append::events(thread_id, fence, vec![event]);
        log::append(&*log, append).await.expect("appends");
        let snapshot = log.snapshot(user, thread_id).await.expect("the user's own");
        let mut fold = ThreadState { thread: Some(snapshot.thread.clone()), ..ThreadState::default() };
        for event in log.read(thread_id, 0, PageLimit::events(usize::MAX)).await.expect("reads").events {
            let text = event.encode().expect("encodes");
            assert_ne!(fold.apply(&ServerFrame::decode(&text).expect("decodes")), Applied::Gap);
        }
        assert_eq!(ThreadState::from_snapshot(snapshot), fold);
    }
    assert_eq!(log.head(user, thread_id).await.expect("the user's own").head_seq, 8);
    assert!(log.snapshot(UserId::new(), thread_id).await.is_err(), "another user's thread is none");
}
