//! A write-ahead log that was cut at any byte: what was committed before the cut is there, whole and dense, and the store goes on.

use std::{fs, path::Path};

use netra_ws::{
    FrameId, ThreadId,
    log::{EventLog as _, LogError, PageLimit},
};

use super::{
    super::Durability,
    DATABASE, SqliteStore,
    cleaning::trim_tests::{finished_run, open},
};

// https://sqlite.org/fileformat2.html#walformat: bytes of a page, of what stands before each in the log, and before them all.
const PAGE: usize = 4_096;
const BEFORE_PAGE: usize = 24;
const BEFORE_ALL: usize = 32;

/// Cuts inside of pages.
const INSIDE: usize = 40;

async fn ids(store: &SqliteStore, thread: ThreadId) -> Vec<FrameId> {
    match store.read(thread, 0, PageLimit::events(usize::MAX)).await {
        Ok(page) => {
            assert_eq!(page.events.len() as u64, page.head_seq, "the head is the newest event");
            assert!(page.events.iter().zip(1..).all(|(event, seq)| event.seq == seq), "dense from 1");
            page.events.iter().map(|event| event.id).collect()
        }
        Err(LogError::NotFound) => Vec::new(),
        Err(error) => panic!("{error}"),
    }
}

/// The cuts to try: around the boundaries of pages, where most is decided, and anywhere.
fn cuts(length: usize) -> Vec<usize> {
    let boundaries = (BEFORE_ALL..=length).step_by(BEFORE_PAGE + PAGE);
    let thinned = boundaries.clone().count().div_ceil(25);
    let around = boundaries.step_by(thinned).flat_map(|at| [at - 1, at, at + 1, at + BEFORE_PAGE]);
    let mut random = fastrand::Rng::with_seed(10);
    let mut cuts: Vec<usize> = around.chain((0..INSIDE).map(|_| random.usize(0..length))).collect();
    cuts.extend([0, 1, length]);
    cuts.retain(|at| *at <= length);
    cuts.sort_unstable();
    cuts.dedup();
    cuts
}

async fn opened(folder: &Path, database: &[u8], wal: &[u8]) -> SqliteStore {
    fs::write(folder.join(DATABASE), database).expect("written");
    fs::write(folder.join(format!("{DATABASE}-wal")), wal).expect("written");
    SqliteStore::open("sqlite:", folder, Durability::Process).await.expect("it opens")
}

#[tokio::test]
async fn a_log_that_was_cut_at_any_byte_opens_with_what_came_before() {
    let dir = tempfile::tempdir().expect("a folder");
    let (store, user) = open(dir.path()).await;
    sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(&store.writer).await.expect("written into the file");
    let mut thread = None;
    for _ in 0..8 {
        thread = Some(finished_run(&store, user, thread).await);
    }
    let thread = thread.expect("a thread");
    let whole = ids(&store, thread).await;
    let read = |name: &str| fs::read(dir.path().join(name)).expect("it can be read");
    let (database, wal) = (read(DATABASE), read(&format!("{DATABASE}-wal")));
    let cuts = cuts(wal.len());
    let mut known = 0;
    for cut in &cuts {
        let copy = tempfile::tempdir().expect("a folder");
        let store = opened(copy.path(), &database, &wal[..*cut]).await;
        let left = ids(&store, thread).await;
        assert_eq!(left, whole[..left.len()], "cut at {cut}: what is there is as it was");
        assert!(left.len() >= known, "cut at {cut}: more of the log holds {} events, less held {known}", left.len());
        known = left.len();
        let next = finished_run(&store, user, None).await;
        assert!(!ids(&store, next).await.is_empty(), "cut at {cut}: the store goes on");
        store.close().await;
    }
    assert_eq!(known, whole.len(), "nothing is missing from the whole log");
    println!("{} cuts of {} bytes, {known} events", cuts.len(), wal.len());
    store.close().await;
}
