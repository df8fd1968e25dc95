//! A replay that live events overtake: the log grows faster than the client reads.

use std::time::Duration;

use crate::{
    client::Book,
    oracle::{Log, Sum, check},
    proxy::{Proxy, Way},
    stage::{Feed, Stage, alone, telling},
};

const THREADS: usize = 6;

/// Bytes a second that reach the client; the threads grow by more.
const SLOW: u32 = 250_000;

/// Megabytes that the server may grow by: the queue of one connection is 1 MB, a page of the log is read for each thread, and the
/// statements that write many rows keep what they wrote last, the more the busier the machine is.
const GROWTH_MB: u64 = 60;

/// R14: a throttled client resumes with a cursor far behind while runs go on, falls further behind, and then catches up.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replay_that_live_events_overtake_has_no_seam() {
    let _machine = alone().await;
    let stage = Stage::new(&[]).await;
    let healthy = stage.healthy().await;
    let mut threads = Vec::new();
    for _ in 0..THREADS {
        threads.push(stage.thread().await);
    }
    for thread in &threads {
        healthy.follow(*thread);
    }
    let feed = Feed::new(&healthy, &threads, telling(60, 25, 3_000));
    // More than the buffers of the system and the queue take at once: else a thread is live at the start, and a client that slow
    // is rightly closed.
    feed.during(Duration::from_secs(10)).await;

    let proxy = Proxy::narrow(stage.server.host()).await;
    proxy.prepare(|link| link.throttle(Way::Down, Some(SLOW)));
    let rss = stage.rss_kb();
    let client = stage.client(&proxy.base, 7).await;
    for thread in &threads {
        client.follow(*thread);
    }
    let behind = |client: &crate::client::Client| {
        let (ahead, book) = (healthy.book(), client.book());
        threads.iter().map(|thread| ahead.seq(*thread) - book.seq(*thread).min(ahead.seq(*thread))).sum::<u64>()
    };
    feed.during(Duration::from_secs(1)).await;
    let first = behind(&client);
    let mut most = 0;
    let end = std::time::Instant::now() + Duration::from_secs(7);
    feed.until(|| {
        most = most.max(stage.rss_kb().saturating_sub(rss));
        (std::time::Instant::now() >= end).then_some(())
    })
    .await;
    let later = behind(&client);
    assert!(later > first, "live events overtook the replay: {first} events behind, then {later}");
    // A replay is paced, not closed as slow.
    client.was_never_lost();

    // The replay meets the live events while both go on.
    proxy.heal();
    proxy.newest().expect("a connection").throttle(Way::Down, None);
    feed.until(|| (behind(&client) < 20).then_some(())).await;
    feed.during(Duration::from_secs(1)).await;
    feed.rest(Duration::from_secs(20)).await;
    let mut logs = Vec::new();
    for thread in &threads {
        logs.push(Log::read(&stage.user, *thread).await);
    }
    let mut sum = Sum::default();
    check(&client, &logs, &mut sum).await;
    let book: &Book = &client.book();
    let seam = (book.connects, book.resumes, book.gaps, book.snapshots, book.losses());
    assert_eq!(seam, (1, THREADS as u64, 0, 0, 0), "one connection, no gap, nothing asked twice: {book}");
    println!(
        "{first} events behind, then {later}, then 0; events {}, applied {}, lost 0, duplicated 0; the server grew by {} MB",
        sum.events,
        sum.applied,
        most / 1024
    );
    assert!(most < GROWTH_MB * 1024, "the server grew by {most} kB");
}
