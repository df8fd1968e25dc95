//! What a client must have in the end: the log, all of it, once and in order.

use std::time::Duration;

use netra_ws::{ServerFrame, ThreadId, ThreadState};

use crate::{
    client::{Client, digest},
    stage::Stage,
    support::user::User,
};

/// A thread's log as HTTP tells it.
pub(crate) struct Log {
    /// The thread.
    pub(crate) thread: ThreadId,
    /// Its epoch.
    epoch: String,
    /// Its events.
    pub(crate) events: Vec<ServerFrame>,
}

impl Log {
    /// Reads the log page by page, and checks that it is dense from 1.
    pub(crate) async fn read(user: &User, thread: ThreadId) -> Self {
        let (mut epoch, mut events) = (String::new(), Vec::<ServerFrame>::new());
        loop {
            let after = events.len();
            let page = user.get(&format!("/api/threads/{thread}/events?after_seq={after}&limit=1000")).await.ok();
            page["epoch"].as_str().expect("an epoch").clone_into(&mut epoch);
            let more = page["events"].as_array().expect("events");
            if more.is_empty() {
                assert_eq!(page["head_seq"].as_u64(), u64::try_from(after).ok(), "the pages end at the head");
                break;
            }
            events.extend(more.iter().map(|event| ServerFrame::decode(&event.to_string()).expect("a frame")));
        }
        for (event, seq) in events.iter().zip(1..) {
            assert_eq!((event.seq, event.epoch.as_deref()), (Some(seq), Some(epoch.as_str())), "thread {thread}");
        }
        Self { thread, epoch, events }
    }

    /// The number of the last event.
    pub(crate) fn head(&self) -> u64 {
        self.events.len() as u64
    }

    /// What the events amount to.
    fn state(&self) -> ThreadState {
        let mut state = ThreadState::default();
        for event in &self.events {
            state.apply(event);
        }
        state
    }
}

/// What clients had in sum.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sum {
    /// Events that should have been applied.
    pub(crate) events: u64,
    /// Events that were.
    pub(crate) applied: u64,
    /// Events that never were.
    pub(crate) lost: u64,
    /// Events that were more than once.
    pub(crate) duplicated: u64,
}

/// Waits until the client has come to the end of each log, then holds what it applied and where it stands against them.
pub(crate) async fn check(client: &Client, logs: &[Log], sum: &mut Sum) {
    let there = |book: &crate::client::Book| logs.iter().all(|log| book.seq(log.thread) >= log.head());
    client.wait(Duration::from_secs(30), "the end of the logs", there).await;
    let book = client.book();
    assert_eq!((book.misapplied, &book.bad), (0, &Vec::new()), "{book}");
    for log in logs {
        let followed = &book.threads[&log.thread];
        let mut times = vec![0_u64; log.events.len() + 1];
        for entry in &followed.applied {
            assert_eq!(entry.epoch, log.epoch, "event {} of {}", entry.seq, log.thread);
            let place = usize::try_from(entry.seq).ok().and_then(|seq| times.get_mut(seq));
            *place.unwrap_or_else(|| panic!("event {} is past the log of {}", entry.seq, log.thread)) += 1;
        }
        sum.events += log.head();
        sum.applied += followed.applied.len() as u64;
        sum.lost += times[1..].iter().filter(|n| **n == 0).count() as u64;
        sum.duplicated += times[1..].iter().map(|n| n.saturating_sub(1)).sum::<u64>();
    }
    assert_eq!((sum.lost, sum.duplicated), (0, 0), "{sum:?}; {book}");
    for log in logs {
        let followed = &book.threads[&log.thread];
        for (entry, event) in followed.applied.iter().zip(&log.events) {
            let same = Some(entry.seq) == event.seq && entry.digest == digest(event);
            assert!(same, "event {} of {} is not the log's {event:?}", entry.seq, log.thread);
        }
        assert_eq!(folded(&followed.state), log.state(), "the state of {}", log.thread);
    }
}

/// The same, for a client in a test of its own.
pub(crate) async fn check_alone(client: &Client, stage: &Stage, thread: ThreadId) -> Log {
    let log = Log::read(&stage.user, thread).await;
    check(client, std::slice::from_ref(&log), &mut Sum::default()).await;
    log
}

/// A client that comes now, and gets a snapshot, sees what those see that followed from the start.
pub(crate) async fn check_newcomer(stage: &Stage, logs: &[Log]) {
    let newcomer = stage.healthy().await;
    for log in logs {
        newcomer.subscribe(log.thread, None);
    }
    let there = |book: &crate::client::Book| logs.iter().all(|log| book.seq(log.thread) == log.head());
    newcomer.wait(Duration::from_secs(30), "the snapshots", there).await;
    let book = newcomer.book();
    for log in logs {
        let snapshot = folded(&book.threads[&log.thread].state);
        let (mut whole, shown) = (log.state(), snapshot.messages.len());
        // A snapshot shows the newest messages, and the runs that belong to them.
        whole.messages.drain(..whole.messages.len() - shown);
        whole.runs.drain(..whole.runs.len().saturating_sub(snapshot.runs.len()));
        assert_eq!(snapshot, ThreadState { earlier_cursor: snapshot.earlier_cursor.clone(), ..whole });
    }
}

/// A state without the thread's title and settings, which are not part of its log.
fn folded(state: &ThreadState) -> ThreadState {
    ThreadState { thread: None, ..state.clone() }
}
