//! Trims, deletes and vacuums of much: how long each slice holds the writer.

use std::time::Duration;

use netra_ws::{
    CommandId, Timestamp,
    log::{self, Accept},
    payload as p,
};

use super::super::{
    super::{Durability, ThreadCatalog as _, Upkeep as _, UserStore as _},
    SqliteStore,
    cleaning::{SLICE, trim_tests::finished_run},
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

#[tokio::test]
async fn housekeeping_gives_the_writer_back_again_and_again() {
    let dir = tempfile::tempdir().expect("a folder");
    let store = SqliteStore::open("sqlite:", dir.path(), Durability::Power).await.expect("the store opens");
    let user = store.dev_user().await.expect("a user").id;
    let mut thread = None;
    for _ in 0..RUNS {
        thread = Some(finished_run(&store, user, thread).await);
    }
    let thread = thread.expect("a thread");
    for number in 0..LARGE {
        let words: Vec<String> = (0..6_000).map(|word| format!("word{number}x{word}")).collect();
        let message = p::UserMessage { content: words.join(" "), ..p::UserMessage::default() };
        let (title, agent) = ("Much".to_owned(), "guide".to_owned());
        let (command_id, digest) = (CommandId::new(), vec![1]);
        let say = Accept { user_id: user, command_id, digest, thread_id: Some(thread), title, agent, message };
        log::accept(&store, say).await.expect("accepted");
    }
    let before = Timestamp::now().plus(Duration::from_secs(1));
    let trimmed = store.trim(before, RUNS).await.expect("trimmed");
    assert!(trimmed.events > RUNS * 30, "{trimmed:?}");
    assert!(store.remove_thread(user, thread).await.expect("deleted"));
    store.bury().await.expect("buried");
    for (work, least) in [("trim", trimmed.events / SLICE), ("delete", LARGE / 2), ("vacuum", 1)] {
        let held = holds(work);
        println!("{work} held the writer, up to so many seconds, so often: {held:?}");
        let all = held.last().expect("buckets").1;
        assert!(all >= least as u64, "{work} went in {all} slices, and not in {least}");
    }
}
