//! What every event log must do, as a suite that any implementation is run through.
//!
//! ```ignore
//! #[tokio::test]
//! async fn my_log_conforms() {
//!     netra_ws::conformance::check(&MySubject::new().await).await;
//! }
//! ```

use std::time::Duration;

use async_trait::async_trait;
use uuid::Uuid;

use crate::{
    branch::MAX_BRANCHES,
    frame::StoredEvent,
    id::{CommandId, MessageId, RunId, ThreadId, UserId},
    log::{
        self, Accept, Accepted, Admission, Append, Entry, EventLog, Fence, LogError, NewEvent, PageLimit, Stored, Wait,
    },
    message::Event,
    model::{Run, RunStatus},
    payload as p,
    state::{Applied, ThreadState},
};

/// A log under test, with what a log alone cannot do.
#[async_trait]
pub trait Subject: Send + Sync {
    /// The log.
    fn log(&self) -> &dyn EventLog;

    /// A user without threads.
    async fn user(&self) -> UserId;

    /// Claims the thread's oldest unfinished run; the claim before it is void.
    async fn claim(&self, thread: ThreadId, run: RunId) -> Fence;

    /// Deletes the user's thread.
    async fn delete(&self, user: UserId, thread: ThreadId);
}

/// Runs the whole suite.
///
/// # Panics
/// The log does not conform; the message says in what.
pub async fn check(subject: &dyn Subject) {
    numbers_are_dense_and_in_the_order_of_the_entries(subject).await;
    an_entry_that_is_refused_leaves_the_others(subject).await;
    nothing_follows_the_end_of_a_run(subject).await;
    who_waits_holds_nothing(subject).await;
    a_command_is_carried_out_once(subject).await;
    an_id_names_one_message(subject).await;
    a_branch_follows_what_it_names(subject).await;
    a_repeated_commit_changes_nothing(subject).await;
    a_repeat_of_what_was_never_committed_is_committed(subject).await;
    a_snapshot_is_the_fold_of_the_events(subject).await;
    pages_go_on_where_the_one_before_ended(subject).await;
    what_is_not_the_users_does_not_exist(subject).await;
    a_deleted_thread_is_gone(subject).await;
}

/// A thread of a user with a run that is claimed.
struct Scene<'s> {
    subject: &'s dyn Subject,
    user: UserId,
    thread: ThreadId,
    run: Run,
    fence: Fence,
}

impl<'s> Scene<'s> {
    async fn new(subject: &'s dyn Subject) -> Self {
        let user = subject.user().await;
        let accepted = log::accept(subject.log(), command(user, None)).await.expect("a new thread");
        let thread = accepted.ack.thread_id.expect("the answer names the thread");
        let run_id = accepted.ack.run_id.expect("the answer names the run");
        let fence = subject.claim(thread, run_id).await;
        assert_eq!(fence.run_id, run_id, "the thread's only run is the one that is claimed");
        let run = Run::queued(run_id, "guide".to_owned(), accepted.ack.message_id);
        Self { subject, user, thread, run, fence }
    }

    /// The entry that these events of the run make.
    fn append(&mut self, events: impl IntoIterator<Item = Event>) -> Entry {
        let events: Vec<NewEvent> = events.into_iter().map(|event| NewEvent::new(event).expect("encodes")).collect();
        for event in &events {
            self.run.apply(&event.event, event.ts);
        }
        let ended = self.run.status.is_terminal().then(|| Box::new(self.run.clone()));
        Entry::Append(Append { ended, ..Append::events(self.thread, self.fence, events) })
    }

    async fn commit(&self, entries: &[Entry], repeated: bool) -> Vec<Result<Stored, LogError>> {
        let outcomes = self.subject.log().commit(entries, repeated).await.expect("the store works");
        assert_eq!(outcomes.len(), entries.len(), "one outcome for each entry");
        outcomes
    }

    async fn events(&self) -> Vec<StoredEvent> {
        let page = self.subject.log().read(self.thread, 0, PageLimit::events(usize::MAX)).await.expect("it is there");
        for (event, seq) in page.events.iter().zip(1..) {
            assert_eq!((event.seq, &event.epoch), (seq, &page.epoch), "dense from 1, in one epoch");
        }
        assert_eq!(page.events.len() as u64, page.head_seq, "the head is the newest event");
        page.events
    }
}

fn command(user_id: UserId, thread_id: Option<ThreadId>) -> Accept {
    Accept {
        user_id,
        command_id: CommandId::new(),
        digest: vec![1],
        thread_id,
        title: "A title".to_owned(),
        agent: "guide".to_owned(),
        message: p::UserMessage { content: "Hello.".to_owned(), ..p::UserMessage::default() },
    }
}

fn admission(command: &Accept) -> Entry {
    Entry::Accept(Box::new(Admission::new(command.clone())))
}

fn started() -> Event {
    let agent = "guide".to_owned();
    Event::AgentStarted(p::AgentStarted {
        agent,
        answers: None,
        parent_run_id: None,
        tool_call_id: None,
        model: None,
        iteration: 1,
    })
}

fn progress(message: &str) -> Event {
    Event::AgentProgress(p::AgentProgress { agent: "guide".to_owned(), message: message.to_owned(), fraction: None })
}

fn answered() -> Event {
    Event::AgentResponse(p::AgentResponse { message_id: MessageId::new(), content: "Yes.".to_owned(), usage: None })
}

fn completed() -> Event {
    let (agent, status) = ("guide".to_owned(), p::CompletedStatus::Completed);
    Event::AgentCompleted(p::AgentCompleted { agent, status, duration_ms: 1, usage: None })
}

fn ids(events: &[StoredEvent]) -> Vec<(u64, String)> {
    events.iter().map(|event| (event.seq, event.id.to_string())).collect()
}

fn accepted(outcome: &Result<Stored, LogError>) -> &Accepted {
    match outcome {
        Ok(Stored::Accepted(accepted)) => accepted,
        other => panic!("a message is accepted: {other:?}"),
    }
}

async fn numbers_are_dense_and_in_the_order_of_the_entries(subject: &dyn Subject) {
    let mut scene = Scene::new(subject).await;
    let entries = [
        scene.append([started(), progress("one"), progress("two")]),
        admission(&command(scene.user, Some(scene.thread))),
        scene.append([progress("three")]),
    ];
    let outcomes = scene.commit(&entries, false).await;
    let stored: Vec<StoredEvent> = outcomes.iter().flatten().flat_map(Stored::events).cloned().collect();
    assert_eq!(stored.iter().map(|event| event.seq).collect::<Vec<_>>(), [2, 3, 4, 5, 6]);
    let read = scene.events().await;
    assert_eq!(ids(&read[1..]), ids(&stored), "what is read is what was answered");
    let names: Vec<&str> = read.iter().map(|event| event.name.as_str()).collect();
    let expected = ["thread_message", "agent_started", "agent_progress", "agent_progress", "thread_message"];
    assert_eq!(names[..5], expected);
    assert_eq!(accepted(&outcomes[1]).ack.seq, Some(5));
    assert!(accepted(&outcomes[1]).thread.as_ref().is_some_and(|(thread, made)| thread.head_seq >= 5 && !made));
}

async fn an_entry_that_is_refused_leaves_the_others(subject: &dyn Subject) {
    let mut scene = Scene::new(subject).await;
    let late = scene.append([started()]);
    scene.fence = subject.claim(scene.thread, scene.fence.run_id).await;
    let nowhere = match scene.append([progress("nowhere")]) {
        Entry::Append(append) => Entry::Append(Append { thread_id: ThreadId::new(), ..append }),
        Entry::Accept(_) => unreachable!("an append"),
    };
    let foreign = admission(&command(UserId::new(), Some(scene.thread)));
    let entries = [scene.append([started()]), late, nowhere, foreign, scene.append([progress("after")])];
    let outcomes = scene.commit(&entries, false).await;
    assert!(outcomes[0].is_ok() && outcomes[4].is_ok(), "{outcomes:?}");
    assert!(matches!(outcomes[1], Err(LogError::Fenced)), "{outcomes:?}");
    assert!(matches!(outcomes[2], Err(LogError::NotFound)), "{outcomes:?}");
    assert!(matches!(outcomes[3], Err(LogError::NotFound)), "{outcomes:?}");
    assert_eq!(scene.events().await.len(), 3);
}

async fn nothing_follows_the_end_of_a_run(subject: &dyn Subject) {
    let mut scene = Scene::new(subject).await;
    let entries = [scene.append([started(), answered(), completed()]), scene.append([progress("in the same commit")])];
    let outcomes = scene.commit(&entries, false).await;
    assert!(outcomes[0].is_ok() && matches!(outcomes[1], Err(LogError::Fenced)), "{outcomes:?}");
    let late = [scene.append([progress("later")])];
    assert!(matches!(scene.commit(&late, false).await[0], Err(LogError::Fenced)));
    assert_eq!(scene.events().await.len(), 4);
}

async fn who_waits_holds_nothing(subject: &dyn Subject) {
    let mut scene = Scene::new(subject).await;
    let Entry::Append(append) = scene.append([started()]) else { unreachable!("events are appended") };
    let waits = Entry::Append(Append { wait: Some(Wait { worked: Duration::from_secs(1) }), ..append });
    let stored = scene.commit(std::slice::from_ref(&waits), false).await;
    assert_eq!(stored[0].as_ref().expect("committed").events().len(), 1);
    let again = scene.commit(&[waits], true).await;
    assert_eq!(again[0].as_ref().expect("known for what it is").events().len(), 1);
    let late = scene.append([progress("late")]);
    assert!(matches!(scene.commit(&[late], false).await[0], Err(LogError::Fenced)), "its owner gave it back");
    let fence = subject.claim(scene.thread, scene.run.run_id).await;
    assert!(fence.token > scene.fence.token, "there was nothing to wait for");
    scene.fence = fence;
    let more = scene.append([progress("more")]);
    assert!(scene.commit(&[more], false).await[0].is_ok(), "whoever claims it goes on");
}

async fn a_command_is_carried_out_once(subject: &dyn Subject) {
    let scene = Scene::new(subject).await;
    let say = command(scene.user, Some(scene.thread));
    let outcomes = scene.commit(&[admission(&say), admission(&say)], false).await;
    let first = accepted(&outcomes[0]).ack.clone();
    for again in [&outcomes[1], &scene.commit(&[admission(&say)], false).await[0]] {
        let again = accepted(again);
        assert_eq!(again.ack, p::Ack { duplicate: true, ..first.clone() });
        assert!(again.events.is_empty() && again.thread.is_none());
    }
    let other = Accept { digest: vec![2], ..say };
    assert!(matches!(scene.commit(&[admission(&other)], false).await[0], Err(LogError::IdConflict)));
    assert_eq!(scene.events().await.len(), 2);
}

/// A client chooses the id of its message, which stands in a thread with the server's own.
async fn an_id_names_one_message(subject: &dyn Subject) {
    let mut scene = Scene::new(subject).await;
    let other = subject.user().await;
    let say = |user, id: Uuid| Accept { command_id: id.into(), ..command(user, Some(scene.thread)) };
    // The answer's, before there is one: it is its run's.
    let taken = admission(&say(scene.user, scene.run.run_id.uuid()));
    // That of a message: in the same commit, too.
    let first = say(scene.user, Uuid::now_v7());
    let outcomes = scene.commit(&[taken, admission(&first), admission(&command(other, None))], false).await;
    assert!(matches!(outcomes[0], Err(LogError::IdConflict)), "{outcomes:?}");
    assert!(outcomes[1].is_ok() && outcomes[2].is_ok(), "{outcomes:?}");

    let (agent, content) = ("guide".to_owned(), "Yes.".to_owned());
    let answer = p::AgentResponse { message_id: first.command_id.into(), content, usage: None };
    let progress = Event::AgentProgress(p::AgentProgress { agent, message: "half".to_owned(), fraction: None });
    let entry = scene.append([Event::AgentResponse(answer)]);
    let refused = match subject.log().commit(std::slice::from_ref(&entry), false).await {
        Ok(mut outcomes) => outcomes.pop().expect("an outcome"),
        Err(error) => Err(error),
    };
    assert!(matches!(refused, Err(LogError::Refused(_))), "{refused:?}");
    let entry = scene.append([progress]);
    assert!(scene.commit(&[entry], false).await[0].is_ok(), "the refusal left nothing behind");
    assert_eq!(scene.events().await.len(), 3);
}

async fn a_branch_follows_what_it_names(subject: &dyn Subject) {
    let scene = Scene::new(subject).await;
    let other = Scene::new(subject).await;
    let first = scene.run.answers.expect("the run answers a message");
    let say = |parent: MessageId| {
        let plain = command(scene.user, Some(scene.thread));
        let message = p::UserMessage { parent_id: Some(parent), ..plain.message.clone() };
        Accept { message, ..plain }
    };
    let follower = say(first);
    let entries = [
        admission(&follower),
        // What was added in the same commit can be followed, and nothing can be begun from what is not there.
        admission(&say(follower.command_id.into())),
        admission(&say(MessageId::beginning())),
        admission(&say(MessageId::new())),
        admission(&say(other.run.answers.expect("the run answers a message"))),
    ];
    let outcomes = scene.commit(&entries, false).await;
    assert!(outcomes[..3].iter().all(Result::is_ok), "{outcomes:?}");
    for outcome in &outcomes[3..] {
        assert!(matches!(outcome, Err(LogError::ParentGone)), "{outcome:?}");
    }
    let snapshot = subject.log().snapshot(scene.user, scene.thread).await.expect("it is there");
    let parents: Vec<_> = snapshot.messages.iter().map(|message| message.parent_id).collect();
    let wanted = [None, Some(first), Some(follower.command_id.into()), Some(MessageId::beginning())];
    assert_eq!(parents, wanted, "as they were sent");
    let many: Vec<Entry> = (1..MAX_BRANCHES).map(|_| admission(&say(first))).collect();
    let outcomes = scene.commit(&many, false).await;
    assert!(outcomes.iter().all(Result::is_ok), "up to the limit");
    let outcomes = scene.commit(&[admission(&say(first)), admission(&say(follower.command_id.into()))], false).await;
    assert!(matches!(outcomes[0], Err(LogError::TooManyBranches)), "{:?}", outcomes[0]);
    assert!(outcomes[1].is_ok(), "elsewhere there is room: {:?}", outcomes[1]);
}

async fn a_repeated_commit_changes_nothing(subject: &dyn Subject) {
    let mut scene = Scene::new(subject).await;
    let entries = [
        scene.append([started(), progress("one"), completed()]),
        admission(&command(scene.user, Some(scene.thread))),
        admission(&command(scene.user, None)),
    ];
    let first = scene.commit(&entries, false).await;
    let read = ids(&scene.events().await);
    for _ in 0..2 {
        let again = scene.commit(&entries, true).await;
        for (first, again) in first.iter().zip(&again) {
            let (first, again) = (first.as_ref().expect("stored"), again.as_ref().expect("stored before"));
            assert_eq!(ids(first.events()), ids(again.events()));
        }
        for at in [1, 2] {
            let (first, again) = (accepted(&first[at]), accepted(&again[at]));
            assert_eq!(first.ack, again.ack, "no duplicate: it is the same attempt");
            assert_eq!(first.thread, again.thread);
        }
        assert_eq!(ids(&scene.events().await), read);
    }
}

async fn a_repeat_of_what_was_never_committed_is_committed(subject: &dyn Subject) {
    let mut scene = Scene::new(subject).await;
    let entries = [scene.append([started()]), admission(&command(scene.user, Some(scene.thread)))];
    let outcomes = scene.commit(&entries, true).await;
    assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
    assert_eq!(scene.events().await.len(), 3);
}

async fn a_snapshot_is_the_fold_of_the_events(subject: &dyn Subject) {
    let mut scene = Scene::new(subject).await;
    for entry in [
        scene.append([started(), progress("one")]),
        scene.append([answered()]),
        scene.append([completed()]),
        admission(&command(scene.user, Some(scene.thread))),
    ] {
        scene.commit(&[entry], false).await.remove(0).expect("stored");
        let snapshot = subject.log().snapshot(scene.user, scene.thread).await.expect("the user's own");
        let mut fold = ThreadState { thread: Some(snapshot.thread.clone()), ..ThreadState::default() };
        for event in scene.events().await {
            assert_ne!(fold.apply_event(&event.decode().expect("decodes")), Applied::Gap);
        }
        assert_eq!(ThreadState::from_snapshot(snapshot), fold);
    }
    assert_eq!(scene.run.status, RunStatus::Completed);
}

async fn pages_go_on_where_the_one_before_ended(subject: &dyn Subject) {
    let mut scene = Scene::new(subject).await;
    let events = (0..20).map(|number| progress(&number.to_string()));
    let entry = scene.append([started()].into_iter().chain(events));
    scene.commit(&[entry], false).await.remove(0).expect("stored");
    let all = ids(&scene.events().await);
    for limit in [PageLimit::events(7), PageLimit { events: 100, bytes: 1 }, PageLimit { events: 100, bytes: 200 }] {
        let mut seen = Vec::new();
        loop {
            let after = seen.last().map_or(0, |(seq, _)| *seq);
            let page = subject.log().read(scene.thread, after, limit).await.expect("it is there");
            if page.events.is_empty() {
                break;
            }
            assert!(page.events.len() <= limit.events);
            seen.extend(ids(&page.events));
        }
        assert_eq!(seen, all, "{limit:?}");
    }
}

async fn what_is_not_the_users_does_not_exist(subject: &dyn Subject) {
    let scene = Scene::new(subject).await;
    let log = subject.log();
    let (other, missing) = (subject.user().await, ThreadId::new());
    for (user, thread) in [(other, scene.thread), (scene.user, missing)] {
        assert!(matches!(log.head(user, thread).await, Err(LogError::NotFound)));
        assert!(matches!(log.snapshot(user, thread).await, Err(LogError::NotFound)));
        assert!(matches!(log::accept(log, command(user, Some(thread))).await, Err(LogError::NotFound)));
    }
    let head = log.head(scene.user, scene.thread).await.expect("the user's own");
    assert_eq!((head.head_seq, head.trimmed_seq), (1, 0));
}

async fn a_deleted_thread_is_gone(subject: &dyn Subject) {
    let mut scene = Scene::new(subject).await;
    let log = subject.log();
    subject.delete(scene.user, scene.thread).await;
    assert!(matches!(log.head(scene.user, scene.thread).await, Err(LogError::NotFound)));
    assert!(matches!(log.snapshot(scene.user, scene.thread).await, Err(LogError::NotFound)));
    assert!(matches!(log.read(scene.thread, 0, PageLimit::events(1)).await, Err(LogError::NotFound)));
    let late = [scene.append([started()]), admission(&command(scene.user, Some(scene.thread)))];
    for outcome in scene.commit(&late, false).await {
        assert!(matches!(outcome, Err(LogError::NotFound)), "{outcome:?}");
    }
}
