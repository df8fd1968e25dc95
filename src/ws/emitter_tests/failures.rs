//! A store that fails, a run that is no longer ours, a thread that is gone.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_run_with_another_owner_writes_and_shows_nothing() {
    let bench = Bench::new();
    let thread = bench.thread();
    let run = RunId::new();
    let late = bench.pool.emitter(thread, bench.log.claim(thread, run));
    late.agent_started(started()).await.expect("committed");
    let owner = bench.pool.emitter(thread, bench.log.claim(thread, run));
    assert_eq!(late.agent_progress(progress("late")).await, Err(EmitError::Fenced));
    assert_eq!(owner.agent_progress(progress("owner")).await, Ok(()), "the same run, taken up with a new fence");
    assert_eq!(bench.log(thread), ["agent_started", "progress owner"]);
    assert_eq!(bench.published(thread), [1, 2]);
    assert_eq!(late.agent_completed(completed()).await, Err(EmitError::Fenced));
}

#[tokio::test(start_paused = true)]
async fn a_run_whose_piece_was_refused_hears_why_with_the_next_event() {
    let bench = Bench::new();
    let thread = bench.thread();
    let run = RunId::new();
    let late = bench.pool.emitter(thread, bench.log.claim(thread, run));
    bench.log.claim(thread, run);
    late.agent_thinking(thought("late")).await.expect("queued");
    sleep(ROLL_UP * 2).await;
    assert_eq!(late.agent_progress(progress("late")).await, Err(EmitError::Fenced), "it is to stop without a word");
}

#[tokio::test(start_paused = true)]
async fn a_run_that_lost_its_fence_takes_no_other_with_it() {
    for late_first in [true, false] {
        let bench = Bench::new();
        let thread = bench.thread();
        let run = RunId::new();
        let late = bench.pool.emitter(thread, bench.log.claim(thread, run));
        let owner = bench.pool.emitter(thread, bench.log.claim(thread, run));
        let other = bench.emitter(thread);
        let emitters = if late_first { [&late, &owner, &other] } else { [&owner, &other, &late] };
        // All of them in one batch, pieces and more.
        for emitter in emitters {
            emitter.agent_thinking(thought("x")).await.expect("queued");
        }
        let (one, two, three) = tokio::join!(
            emitters[0].agent_progress(progress("1")),
            emitters[1].agent_progress(progress("2")),
            emitters[2].agent_progress(progress("3")),
        );
        let refused = if late_first { [one, two, three] } else { [three, one, two] };
        assert_eq!(refused, [Err(EmitError::Fenced), Ok(()), Ok(())]);
        let told = bench.log(thread);
        let expected = if late_first { ["progress 2", "progress 3"] } else { ["progress 1", "progress 2"] };
        assert_eq!(told, [["think x"; 2], expected].concat());
        assert_eq!(bench.published(thread), [1, 2, 3, 4]);
        assert_eq!(owner.agent_completed(completed()).await, Ok(()));
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_that_recovers_lost_nothing() {
    for failures in 1..=RETRY_PAUSES.len() {
        let bench = Bench::new();
        let thread = bench.thread();
        let emitter = bench.emitter(thread);
        bench.moody.failures.store(failures, Ordering::Relaxed);
        emitter.agent_thinking(thought("a")).await.expect("queued");
        let began = Instant::now();
        assert_eq!(emitter.agent_progress(progress("b")).await, Ok(()), "{failures} failures");
        let paused: Duration = RETRY_PAUSES[..failures].iter().sum();
        assert!(began.elapsed() >= paused, "it waits longer each time");
        assert_eq!(bench.log(thread), ["think a", "progress b"]);
        assert_eq!(bench.published(thread), [1, 2]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_that_does_not_recover_breaks_the_run() {
    let bench = Bench::new();
    let thread = bench.thread();
    let (emitter, other) = (bench.emitter(thread), bench.emitter(thread));
    emitter.agent_started(started()).await.expect("committed");
    bench.moody.failures.store(RETRY_PAUSES.len() + 1, Ordering::Relaxed);
    assert_eq!(emitter.agent_progress(progress("lost")).await, Err(EmitError::Store));
    // The store is well again; what follows would leave a hole in this run, and in no other.
    assert_eq!(emitter.agent_progress(progress("after the hole")).await, Err(EmitError::Store));
    assert_eq!(emitter.agent_completed(completed()).await, Err(EmitError::Store));
    assert_eq!(other.agent_progress(progress("other")).await, Ok(()));
    assert_eq!(bench.log(thread), ["agent_started", "progress other"]);
    assert_eq!(bench.published(thread), [1, 2]);
}

#[tokio::test(start_paused = true)]
async fn a_run_taken_up_again_after_the_store_failed_is_whole() {
    let bench = Bench::new();
    let thread = bench.thread();
    let run = RunId::new();
    let broken = bench.pool.emitter(thread, bench.log.claim(thread, run));
    bench.moody.failures.store(RETRY_PAUSES.len() + 1, Ordering::Relaxed);
    assert_eq!(broken.agent_started(started()).await, Err(EmitError::Store));
    let again = bench.pool.emitter(thread, bench.log.claim(thread, run));
    assert_eq!(again.agent_started(started()).await, Ok(()));
    assert_eq!(again.agent_completed(completed()).await, Ok(()));
    assert_eq!(broken.agent_completed(completed()).await, Err(EmitError::Store));
}

#[tokio::test(start_paused = true)]
async fn a_thread_that_is_gone_ends_its_runs() {
    let bench = Bench::new();
    let thread = bench.thread();
    let emitter = bench.emitter(thread);
    emitter.agent_started(started()).await.expect("committed");
    bench.log.delete(thread);
    assert_eq!(emitter.agent_progress(progress("late")).await, Err(EmitError::Gone));
    assert_eq!(emitter.agent_completed(completed()).await, Err(EmitError::Gone));
    assert_eq!(bench.published(thread), [1]);
}

#[tokio::test(start_paused = true)]
async fn an_agent_that_no_longer_listens_changes_nothing() {
    let bench = Bench::new();
    let thread = bench.thread();
    let emitter = bench.emitter(thread);
    *bench.moody.slow.lock().expect("no panic") = Duration::from_mins(1);
    let cancelled = tokio::time::timeout(Duration::from_secs(1), emitter.agent_progress(progress("a"))).await;
    assert!(cancelled.is_err());
    assert_eq!(emitter.agent_progress(progress("b")).await, Ok(()));
    assert_eq!(bench.log(thread), ["progress a", "progress b"]);
}
