//! What two hundred lanes hand over at once is one transaction, and each finds its own in the log.

use std::{sync::Arc, time::Duration};

use netra_ws::{
    AttachmentId, CommandId, MessageId,
    bus::LocalBus,
    emitter::EmitterPool,
    log::{Accept, EventLog, PageLimit},
    model::{Attachment, AttachmentRef},
    payload as p,
};

use super::{
    super::super::{AttachmentStore as _, KeptAttachment, NewAttachment, Room, RunQueue as _, ThreadCatalog as _},
    *,
};
use crate::server::store::sqlite::cleaning::trim_tests::{entry, open, whole_run};

const LANES: usize = 200;

fn command(user_id: UserId) -> Entry {
    Entry::Accept(Box::new(Admission::new(Accept {
        user_id,
        command_id: CommandId::new(),
        digest: vec![1],
        thread_id: None,
        title: "Many".to_owned(),
        agent: "guide".to_owned(),
        message: p::UserMessage { content: "Go on.".to_owned(), ..p::UserMessage::default() },
    })))
}

/// A run for each lane, claimed.
async fn lanes(store: &SqliteStore, user: UserId) -> Vec<(ThreadId, Fence)> {
    let commands: Vec<Entry> = (0..LANES).map(|_| command(user)).collect();
    let mut lanes = Vec::with_capacity(LANES);
    for outcome in store.commit(&commands, false).await.expect("committed") {
        let thread = outcome.expect("accepted").events().first().expect("the message").thread_id;
        let claimed = store.claim_run(thread, "test", Duration::from_mins(1)).await.expect("claimed");
        lanes.push((thread, claimed.expect("a run").fence));
    }
    lanes
}

#[tokio::test]
async fn two_hundred_runs_in_one_transaction() {
    let dir = tempfile::tempdir().expect("a folder");
    let (store, user) = open(dir.path()).await;
    let lanes = lanes(&store, user).await;
    let entries: Vec<Entry> =
        lanes.iter().map(|(thread, fence)| Entry::Append(entry(*thread, *fence, whole_run()))).collect();
    let length = whole_run().len() as u64;
    let outcomes = store.commit(&entries, false).await.expect("committed");
    for ((thread, fence), outcome) in lanes.iter().zip(outcomes) {
        let stored = outcome.expect("stored").events().to_vec();
        assert_eq!(stored.iter().map(|event| event.seq).collect::<Vec<_>>(), (2..2 + length).collect::<Vec<_>>());
        assert!(stored.iter().all(|event| event.thread_id == *thread && event.run_id == Some(fence.run_id)));
        let snapshot = store.snapshot(user, *thread).await.expect("the user's own");
        assert_eq!((snapshot.as_of_seq, snapshot.messages.len()), (length + 1, 2));
        assert!(snapshot.runs.iter().all(|run| run.status.is_terminal() && run.run_id == fence.run_id));
    }
    assert_eq!(store.threads_with_work(Duration::from_mins(1)).await.expect("asked"), []);
}

/// Each finds what those before it made, though nothing of that is in a table yet.
#[tokio::test]
async fn a_hundred_messages_to_one_thread_in_one_transaction() {
    let dir = tempfile::tempdir().expect("a folder");
    let (store, user) = open(dir.path()).await;
    let thread = store.add_thread(user, "", "guide").await.expect("added").id;
    let file = kept_file(&store, user).await;
    let to_thread = |title: &str, attached: &[AttachmentRef]| {
        let Entry::Accept(mut admission) = command(user) else { unreachable!("a command is a message") };
        let given = &mut admission.command;
        (given.thread_id, given.title) = (Some(thread), title.to_owned());
        given.message.attachments = attached.to_vec();
        Entry::Accept(admission)
    };
    let mut entries: Vec<Entry> = (0..100).map(|number| to_thread(&format!("Title {number}"), &[])).collect();
    // One file goes with one message.
    entries.extend([to_thread("", std::slice::from_ref(&file)), to_thread("", std::slice::from_ref(&file))]);
    let outcomes = store.commit(&entries, false).await.expect("committed");
    assert!(matches!(outcomes[101], Err(LogError::AttachmentGone)), "{:?}", outcomes[101]);
    for (outcome, seq) in outcomes[..101].iter().zip(1..) {
        let Ok(Stored::Accepted(accepted)) = outcome else { panic!("accepted: {outcome:?}") };
        assert_eq!(accepted.ack.seq, Some(seq));
        let (thread, made) = accepted.thread.as_ref().expect("the thread is told");
        assert_eq!((thread.title.as_str(), thread.head_seq, thread.running, *made), ("Title 0", 101, true, false));
    }
    let numbers: Vec<i64> =
        query_scalar("SELECT r.number FROM runs AS r JOIN messages AS m ON m.id = r.message_id ORDER BY m.seq")
            .fetch_all(&store.readers)
            .await
            .expect("read");
    assert_eq!(numbers, (1..=101).collect::<Vec<i64>>(), "runs work in the order of their messages");
    let elsewhere = store.add_thread(user, "", "guide").await.expect("added").id;
    let Entry::Accept(mut other) = to_thread("", std::slice::from_ref(&file)) else { unreachable!("it is a message") };
    other.command.thread_id = Some(elsewhere);
    let late = store.commit(&[Entry::Accept(other)], false).await.expect("committed");
    assert!(matches!(late[0], Err(LogError::AttachmentGone)), "what was sent is sent");
    // Said again where it was sent, with the same file.
    let again = store.commit(&[to_thread("", &[file])], false).await.expect("committed");
    assert!(again[0].is_ok(), "{:?}", again[0]);
    assert_eq!(store.head(user, thread).await.expect("the user's own").head_seq, 102);
}

/// A file that is there to be sent.
async fn kept_file(store: &SqliteStore, user: UserId) -> AttachmentRef {
    let (id, room) = (AttachmentId::new(), Room { bytes: 100, unsent: 10 });
    let name = "a.txt".to_owned();
    let new = NewAttachment { id, user_id: user, name: name.clone(), bytes: 1 };
    store.begin_attachment(&new, room).await.expect("begun").expect("there is room");
    let told =
        Attachment { id: Some(id), name, media_type: "text/plain".to_owned(), bytes: Some(1), url: String::new() };
    let kept = KeptAttachment { told: told.clone(), digest: vec![1] };
    store.finish_attachment(user, &kept, room).await.expect("kept").expect("there is room");
    AttachmentRef::Told(told)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_emitters_over_one_file() {
    let dir = tempfile::tempdir().expect("a folder");
    let (store, user) = open(dir.path()).await;
    let lanes = lanes(&store, user).await;
    let pool = EmitterPool::new(Arc::new(store.clone()), LocalBus::new());
    let began = std::time::Instant::now();
    let writers: Vec<_> = lanes
        .iter()
        .map(|(thread, fence)| {
            let emitter = pool.emitter(*thread, *fence);
            tokio::spawn(async move {
                let id = MessageId::new();
                for pos in 0..20 {
                    emitter.partial_result(id, pos, "x".to_owned()).await.expect("queued");
                    let progress =
                        p::AgentProgress { agent: "guide".to_owned(), message: pos.to_string(), fraction: None };
                    emitter.agent_progress(progress).await.expect("committed");
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await.expect("writes");
    }
    let took = began.elapsed();
    for (thread, _) in &lanes {
        let page = store.read(*thread, 0, PageLimit::events(100)).await.expect("it is there");
        assert_eq!(page.events.iter().map(|event| event.seq).collect::<Vec<_>>(), (1..=41).collect::<Vec<_>>());
    }
    println!("{} events of {LANES} threads in {took:?}", LANES * 40);
}
