//! Leases when the clock is set: what a dead process left is taken up, whatever its end says.

use std::time::Duration;

use netra_ws::{
    CommandId,
    log::{self, Accept},
    payload::UserMessage,
};

use super::{super::super::UserStore as _, *};

const LEASE: Duration = Duration::from_secs(15);

async fn claimed(dir: &std::path::Path) -> (SqliteStore, ThreadId, Fence) {
    let store =
        SqliteStore::open("sqlite:", dir, crate::server::store::Durability::Process).await.expect("the store opens");
    let user_id = store.dev_user().await.expect("a user").id;
    let message = UserMessage { content: "Go on.".to_owned(), ..UserMessage::default() };
    let (title, agent) = ("T".to_owned(), "guide".to_owned());
    let (command_id, digest) = (CommandId::new(), vec![1]);
    let accept = Accept { user_id, command_id, digest, thread_id: None, title, agent, message };
    let thread = log::accept(&store, accept).await.expect("accepted").ack.thread_id.expect("a thread");
    let run = store.claim_run(thread, "first", LEASE).await.expect("asked").expect("a run");
    (store, thread, run.fence)
}

/// The lease as it looks after the clock was set by `seconds`.
async fn clock_set(store: &SqliteStore, fence: Fence, seconds: i64) {
    let end = now() + to_i64(LEASE.as_millis()) - seconds * 1_000;
    assert!(store.set_lease(fence, end).await.expect("the lease is moved"));
}

#[tokio::test]
async fn a_lease_holds_until_its_end() {
    let dir = tempfile::tempdir().expect("a folder");
    let (store, thread, fence) = claimed(dir.path()).await;
    assert!(store.claim_run(thread, "second", LEASE).await.expect("asked").is_none());
    assert_eq!(store.threads_with_work(LEASE).await.expect("asked"), []);
    assert!(store.renew_lease(fence, LEASE).await.expect("renewed"));
}

#[tokio::test]
async fn a_clock_set_back_an_hour_keeps_no_dead_lease_alive() {
    let dir = tempfile::tempdir().expect("a folder");
    let (store, thread, fence) = claimed(dir.path()).await;
    clock_set(&store, fence, -3_600).await;
    assert_eq!(store.threads_with_work(LEASE).await.expect("asked"), [thread]);
    let taken = store.claim_run(thread, "second", LEASE).await.expect("asked").expect("a run");
    assert!(taken.fence.token > fence.token);
    assert!(!store.renew_lease(fence, LEASE).await.expect("asked"), "the first owner learns that it is late");
}

#[tokio::test]
async fn a_clock_set_forward_an_hour_hands_the_run_over_once() {
    let dir = tempfile::tempdir().expect("a folder");
    let (store, thread, fence) = claimed(dir.path()).await;
    clock_set(&store, fence, 3_600).await;
    assert_eq!(store.threads_with_work(LEASE).await.expect("asked"), [thread]);
    let taken = store.claim_run(thread, "second", LEASE).await.expect("asked").expect("a run");
    assert!(store.claim_run(thread, "third", LEASE).await.expect("asked").is_none(), "one owner at a time");
    assert!(!store.renew_lease(fence, LEASE).await.expect("asked"));
    assert!(store.renew_lease(taken.fence, LEASE).await.expect("asked"));
}

#[tokio::test]
async fn the_sweep_reads_unfinished_runs_alone() {
    let dir = tempfile::tempdir().expect("a folder");
    let (store, _, _) = claimed(dir.path()).await;
    let plan = sqlx::query(sqlx::AssertSqlSafe(format!("EXPLAIN QUERY PLAN {WITH_WORK}")))
        .bind(0)
        .bind(0)
        .fetch_all(&store.readers)
        .await
        .expect("a plan");
    let steps: Vec<String> = plan.iter().map(|row| row.get("detail")).collect();
    assert!(steps.iter().any(|step| step.contains("runs_unfinished")), "{steps:?}");
}
