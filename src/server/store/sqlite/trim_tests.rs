//! Thousands of finished runs: the file stays small, and a thread opens with what it needs.

use std::time::{Duration, Instant};

use netra_ws::{
    CommandId, MessageId, RunId, ThreadId, Timestamp, UserId,
    log::{self, Accept, Append, EventLog as _, Fence, NewEvent},
    message::Event,
    model::Run,
    payload as p,
};

use super::{
    super::{
        super::{RunQueue as _, Upkeep as _, UserStore as _},
        seq,
    },
    SqliteStore,
};

/// Pieces of an answer, about what 25 ms of a model's stream make.
const PIECES: u64 = 40;
const PIECE: &str = "some words of the answer ";

pub(in super::super) async fn open(dir: &std::path::Path) -> (SqliteStore, UserId) {
    let store =
        SqliteStore::open("sqlite:", dir, crate::server::store::Durability::Process).await.expect("the store opens");
    let user = store.dev_user().await.expect("a user").id;
    (store, user)
}

/// A run that waits for its events, in a new thread unless one is given.
pub(in super::super) async fn claimed_run(
    store: &SqliteStore,
    user: UserId,
    thread: Option<ThreadId>,
) -> (ThreadId, Fence) {
    let command = Accept {
        user_id: user,
        command_id: CommandId::new(),
        digest: vec![1],
        thread_id: thread,
        title: "Many".to_owned(),
        agent: "guide".to_owned(),
        message: p::UserMessage { content: "Go on.".to_owned(), ..p::UserMessage::default() },
    };
    let ack = log::accept(store, command).await.expect("accepted").ack;
    let thread_id = ack.thread_id.expect("a thread");
    let claimed = store.claim_run(thread_id, "test", Duration::from_mins(1)).await.expect("claimed");
    (thread_id, claimed.expect("a run").fence)
}

pub(in super::super) fn entry(thread_id: ThreadId, fence: Fence, events: Vec<Event>) -> Append {
    let mut run = Run::queued(fence.run_id, String::new(), None);
    let events: Vec<NewEvent> = events.into_iter().map(|event| NewEvent::new(event).expect("encodes")).collect();
    for event in &events {
        run.apply(&event.event, event.ts);
    }
    let ended = run.status.is_terminal().then(|| Box::new(run));
    Append { ended, ..Append::events(thread_id, fence, events) }
}

pub(in super::super) async fn finished_run(store: &SqliteStore, user: UserId, thread: Option<ThreadId>) -> ThreadId {
    let (thread_id, fence) = claimed_run(store, user, thread).await;
    log::append(store, entry(thread_id, fence, whole_run())).await.expect("appended");
    thread_id
}

pub(in super::super) fn whole_run() -> Vec<Event> {
    let agent = || "guide".to_owned();
    let message_id = MessageId::new();
    let thought = p::AgentThinking { agent: agent(), thought: "Hm.".to_owned(), step: None, total_steps: None };
    let started = p::AgentStarted {
        agent: agent(),
        answers: None,
        parent_run_id: None,
        tool_call_id: None,
        model: None,
        iteration: 1,
    };
    let mut events = vec![Event::AgentStarted(started), Event::AgentThinking(thought)];
    let length = PIECE.len() as u64;
    events.extend((0..PIECES).map(|at| {
        let piece = p::PartialResult { message_id, pos: at * length, delta: PIECE.to_owned(), reset: false };
        Event::PartialResult(piece)
    }));
    let content = PIECE.repeat(usize::try_from(PIECES).expect("small"));
    events.push(Event::AgentResponse(p::AgentResponse { message_id, content, usage: None }));
    let status = p::CompletedStatus::Completed;
    events.push(Event::AgentCompleted(p::AgentCompleted { agent: agent(), status, duration_ms: 1, usage: None }));
    events
}

async fn pages(store: &SqliteStore) -> u64 {
    let count = |pragma: &'static str| sqlx::query_scalar::<_, i64>(pragma).fetch_one(&store.writer);
    let (all, size) = (count("PRAGMA page_count").await, count("PRAGMA page_size").await);
    seq(all.expect("pages") * size.expect("bytes"))
}

#[tokio::test]
async fn ten_thousand_finished_runs_cost_little_once_trimmed() {
    let runs: u64 = 10_000;
    let dir = tempfile::tempdir().expect("a folder");
    let (store, user) = open(dir.path()).await;
    // The disk is not what is tested.
    sqlx::query("PRAGMA synchronous = OFF").execute(&store.writer).await.expect("set");
    let mut thread = None;
    for _ in 0..runs {
        thread = Some(finished_run(&store, user, thread).await);
    }
    let thread = thread.expect("a thread");
    let before = store.snapshot(user, thread).await.expect("a snapshot");
    let full = pages(&store).await;

    let later = Timestamp::from_millis(Timestamp::now().as_millis() + 1);
    let (mut seen, mut events) = (0, 0);
    loop {
        let trimmed = store.trim(later, 50).await.expect("trimmed");
        (seen, events) = (seen + trimmed.runs as u64, events + trimmed.events as u64);
        if trimmed.runs == 0 {
            break;
        }
    }
    assert_eq!((seen, events), (runs, runs * (PIECES + 1)), "each run once, each delta");

    let opening = Instant::now();
    let after = store.snapshot(user, thread).await.expect("a snapshot");
    let opened = opening.elapsed();
    assert_eq!(after, before, "what people see is as it was");
    let small = pages(&store).await;
    println!("{runs} runs: {} KB, trimmed {} KB; the newest 200 messages in {opened:?}", full / 1024, small / 1024);
    assert!(small < full * 2 / 3, "{small} of {full} bytes are left");
    // A run's words are kept in the message, in the event and in the folded run.
    let words = PIECES * PIECE.len() as u64;
    assert!(small / runs < 3 * words + 8 * 1024, "{} bytes a run", small / runs);
    let head = store.head(user, thread).await.expect("the head");
    assert!(head.trimmed_seq > 0 && head.trimmed_seq < head.head_seq, "{head:?}");
}

#[tokio::test]
async fn only_what_ended_before_is_trimmed_and_only_once() {
    let dir = tempfile::tempdir().expect("a folder");
    let (store, user) = open(dir.path()).await;
    let thread = finished_run(&store, user, None).await;
    let long_ago = Timestamp::from_millis(1_000);
    assert_eq!(store.trim(long_ago, 50).await.expect("trimmed").runs, 0);
    let later = Timestamp::from_millis(Timestamp::now().as_millis() + 1);
    assert_eq!(store.trim(later, 50).await.expect("trimmed").events as u64, PIECES + 1);
    assert_eq!(store.trim(later, 50).await.expect("trimmed").runs, 0);
    let claimed = store.claim_run(thread, "test", Duration::from_mins(1)).await.expect("asked");
    assert!(claimed.is_none(), "a finished run stays finished");
    let late = entry(thread, Fence { run_id: RunId::new(), token: 1 }, vec![whole_run().remove(0)]);
    assert!(log::append(&store, late).await.is_err(), "nobody appends to a run that is not theirs");
}
