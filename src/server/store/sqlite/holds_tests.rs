//! Trims, deletes and vacuums of much: how long each slice holds the writer.

use std::time::Duration;

use netra_ws::{
    CommandId, ThreadId, Timestamp, UserId,
    log::{self, Accept},
    payload as p,
};

use super::{
    super::{
        super::{Durability, Finder as _, ThreadCatalog as _, Upkeep as _, UserStore as _},
        SqliteStore,
        cleaning::{SLICE, trim_tests::finished_run},
        merging::merge,
    },
    Portion,
};
use crate::server::metrics;

/// Runs of a thread, each of some forty pieces.
const RUNS: usize = 150;

/// Large messages of a thread, each of words that are all searched for.
const LARGE: usize = 60;

/// Counts of holds up to each bound, from what is shown to Prometheus.
fn holds(work: &str) -> Vec<(String, u64)> {
    let of_work = |line: &&str| line.starts_with("netra_writer_held_seconds_bucket") && line.contains(work);
    metrics::encoded()
        .lines()
        .filter(of_work)
        .map(|line| {
            let bound = line.split("le=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("a bound");
            let count = line.rsplit(' ').next().and_then(|count| count.parse().ok()).expect("a count");
            (bound.to_owned(), count)
        })
        .collect()
}

/// Says as much as fits into a message, each word of it new.
async fn say_much(store: &SqliteStore, user: UserId, thread: Option<ThreadId>, number: usize) -> ThreadId {
    let words: Vec<String> = (0..6_000).map(|word| format!("word{number}x{word}")).collect();
    let message = p::UserMessage { content: words.join(" "), ..p::UserMessage::default() };
    let (title, agent) = ("Much".to_owned(), "guide".to_owned());
    let say = Accept {
        user_id: user,
        command_id: CommandId::new(),
        digest: vec![1],
        thread_id: thread,
        title,
        agent,
        message,
    };
    log::accept(store, say).await.expect("accepted").ack.thread_id.expect("a thread")
}

/// Rows that the index of parts of words takes, and parts that it is in.
async fn index(store: &SqliteStore) -> (i64, i64) {
    let counts =
        "SELECT (SELECT COUNT(*) FROM messages_parts_data), (SELECT COUNT(DISTINCT segid) FROM messages_parts_idx)";
    sqlx::query_as(counts).fetch_one(&store.writer).await.expect("counts")
}

#[tokio::test]
async fn housekeeping_gives_the_writer_back_again_and_again() {
    let dir = tempfile::tempdir().expect("a folder");
    let store = SqliteStore::open("sqlite:", dir.path(), Durability::Power).await.expect("the store opens");
    let user = store.dev_user().await.expect("a user").id;
    let kept = say_much(&store, user, None, LARGE).await;
    let mut thread = None;
    for _ in 0..RUNS {
        thread = Some(finished_run(&store, user, thread).await);
    }
    let thread = thread.expect("a thread");
    for number in 0..LARGE {
        say_much(&store, user, Some(thread), number).await;
    }
    let before = Timestamp::now().plus(Duration::from_secs(1));
    let trimmed = store.trim(before, RUNS).await.expect("trimmed");
    assert!(trimmed.events > RUNS * 30, "{trimmed:?}");
    merge(&store.writer).await.expect("merged");
    let (rows, parts) = index(&store).await;
    assert!(parts <= 12, "{parts} parts of an index, each of which a search looks into");
    assert_eq!(store.search_messages(user, "word7x77", 10).await.expect("asked").len(), 1);

    assert!(store.remove_thread(user, thread).await.expect("deleted"));
    store.bury().await.expect("buried");
    merge(&store.writer).await.expect("merged");
    let (left, parts) = index(&store).await;
    println!("the index of parts of words: {rows} rows, {left} once the thread is gone, in {parts} parts");
    assert!(left * 5 < rows, "the words that are gone leave the index: {rows} rows, then {left}");
    assert_eq!(store.search_messages(user, "word7x77", 10).await.expect("asked").len(), 0);
    let found = store.search_messages(user, &format!("word{LARGE}x77"), 10).await.expect("asked");
    assert_eq!(found.iter().map(|found| found.thread_id).collect::<Vec<_>>(), [kept]);

    for (work, least) in [("trim", trimmed.events / SLICE), ("delete", 4), ("vacuum", 4), ("merge", 8)] {
        let held = holds(work);
        println!("{work} held the writer, up to so many seconds, so often: {held:?}");
        let all = held.last().expect("buckets").1;
        assert!(all >= least as u64, "{work} went in {all} slices, and not in {least}");
    }
}

#[test]
fn a_statement_takes_on_more_while_that_is_quick() {
    let mut step = Portion::up_to(100);
    for _ in 0..9 {
        step.took(Duration::from_micros(10));
    }
    assert_eq!(step.size(), 100);
    step.took(Duration::from_millis(2));
    assert_eq!(step.size(), 100);
    for _ in 0..9 {
        step.took(Duration::from_millis(40));
    }
    assert_eq!(step.size(), 1);
}
