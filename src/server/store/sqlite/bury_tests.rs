//! A deleted thread is gone at once; its rows follow, and others write between the slices.

use std::time::Duration;

use netra_ws::{
    UserId,
    log::{EventLog as _, LogError, PageLimit},
};

use super::{
    super::super::{Finder as _, RunQueue as _, ThreadCatalog as _},
    *,
};
use crate::server::store::sqlite::cleaning::trim_tests::{finished_run, open, whole_run};

async fn rows(store: &SqliteStore) -> i64 {
    let counts = "SELECT (SELECT COUNT(*) FROM events) + (SELECT COUNT(*) FROM messages) + (SELECT COUNT(*) FROM runs)
        + (SELECT COUNT(*) FROM commands) + (SELECT COUNT(*) FROM threads) + (SELECT COUNT(*) FROM members)
        + (SELECT COUNT(*) FROM messages_fts WHERE messages_fts MATCH 'answer')";
    query_scalar(counts).fetch_one(&store.readers).await.expect("counts")
}

#[tokio::test]
async fn a_deleted_thread_is_out_of_reach_at_once_and_leaves_nothing() {
    let dir = tempfile::tempdir().expect("a folder");
    let (store, user) = open(dir.path()).await;
    let kept = finished_run(&store, user, None).await;
    let alone = rows(&store).await;
    let mut thread = None;
    for _ in 0..30 {
        thread = Some(finished_run(&store, user, thread).await);
    }
    let thread = thread.expect("a thread");
    assert!(!store.remove_thread(UserId::new(), thread).await.expect("asked"), "another user's thread is none");
    assert!(store.remove_thread(user, thread).await.expect("deleted"));
    assert!(!store.remove_thread(user, thread).await.expect("asked"), "once");
    assert!(store.thread(user, thread).await.expect("asked").is_none());
    assert!(matches!(store.head(user, thread).await, Err(LogError::NotFound)));
    assert!(matches!(store.read(thread, 0, PageLimit::events(1)).await, Err(LogError::NotFound)));
    assert!(
        store.search_messages(user, "answer", 50).await.expect("asked").iter().all(|found| found.thread_id == kept)
    );
    store.bury().await.expect("buried");
    for _ in 0..100 {
        if rows(&store).await == alone {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(rows(&store).await, alone, "nothing is left of it, and all of the other");
    assert!(store.thread(user, kept).await.expect("asked").is_some());
}

#[tokio::test]
async fn a_run_whose_thread_is_deleted_writes_nothing_more() {
    let dir = tempfile::tempdir().expect("a folder");
    let (store, user) = open(dir.path()).await;
    let (thread_id, fence) = super::super::cleaning::trim_tests::claimed_run(&store, user, None).await;
    assert!(store.remove_thread(user, thread_id).await.expect("deleted"));
    let late = super::super::cleaning::trim_tests::entry(thread_id, fence, whole_run());
    assert!(matches!(netra_ws::log::append(&store, late).await, Err(LogError::NotFound)));
    assert_eq!(store.threads_with_work(Duration::from_secs(15)).await.expect("asked"), []);
}
