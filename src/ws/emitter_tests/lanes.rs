//! A lane for each active thread, and none longer than it is used.

use super::*;

impl Bench {
    /// Lanes that somebody can still emit into, and workers that still run: each holds the bus, as the pool does.
    fn lanes(&self) -> (usize, usize) {
        let lanes = self.pool.shared.lanes.lock().expect("no panic");
        let open = lanes.values().filter(|lane| lane.strong_count() > 0).count();
        (open, Arc::strong_count(&self.pool.shared.bus) - 1)
    }
}

#[tokio::test(start_paused = true)]
async fn a_thread_has_one_lane_until_its_last_emitter_is_dropped() {
    let bench = Bench::new();
    let (one, other) = (bench.thread(), bench.thread());
    assert_eq!(bench.lanes(), (0, 0));
    let first = bench.emitter(one);
    let second = bench.emitter(one);
    let third = first.clone();
    assert!(Arc::ptr_eq(&first.lane, &second.lane));
    let elsewhere = bench.emitter(other);
    assert!(!Arc::ptr_eq(&first.lane, &elsewhere.lane));
    assert_eq!(bench.lanes(), (2, 2));
    drop((first, second));
    sleep(Duration::from_secs(1)).await;
    assert_eq!(bench.lanes(), (2, 2));
    third.agent_progress(progress("still here")).await.expect("committed");
    drop(third);
    sleep(Duration::from_secs(1)).await;
    assert_eq!(bench.lanes(), (1, 1));
    drop(elsewhere);
    sleep(Duration::from_secs(1)).await;
    assert_eq!(bench.lanes(), (0, 0));
    bench.emitter(one).agent_progress(progress("again")).await.expect("committed");
    assert_eq!(bench.log(one), ["progress still here", "progress again"]);
}

#[tokio::test(start_paused = true)]
async fn lanes_of_ended_threads_are_not_kept() {
    let bench = Bench::new();
    for _ in 0..100 {
        bench.emitter(bench.thread()).agent_progress(progress("x")).await.expect("committed");
    }
    assert!(bench.pool.shared.lanes.lock().expect("no panic").len() <= 2);
}

#[tokio::test(start_paused = true)]
async fn what_was_emitted_is_committed_though_its_emitter_is_gone() {
    let bench = Bench::new();
    let thread = bench.thread();
    let emitter = bench.emitter(thread);
    for thoughts in ["a", "b", "c"] {
        emitter.agent_thinking(thought(thoughts)).await.expect("queued");
    }
    drop(emitter);
    sleep(ROLL_UP).await;
    assert_eq!(bench.log(thread).concat().replace("think ", ""), "abc");
    assert_eq!(bench.published(thread).len(), bench.log(thread).len());
}
