//! One transaction for all lanes; a commit that may have been done is not done again; runs are folded on their way.

use super::*;
use crate::{model::RunStatus, state::ThreadState};

#[tokio::test(start_paused = true)]
async fn lanes_share_a_commit() {
    let bench = Bench::new();
    *bench.moody.slow.lock().expect("no panic") = Duration::from_millis(10);
    let emitters: Vec<_> = (0..200).map(|_| bench.thread()).map(|thread| (thread, bench.emitter(thread))).collect();
    let writers = emitters.into_iter().map(|(thread, emitter)| {
        tokio::spawn(async move {
            for number in 0..5 {
                emitter.agent_progress(progress(&number.to_string())).await.expect("committed");
            }
            thread
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        let thread = writer.await.expect("writes");
        assert_eq!(bench.log(thread), (0..5).map(|number| format!("progress {number}")).collect::<Vec<_>>());
        assert_eq!(bench.published(thread), [1, 2, 3, 4, 5]);
    }
    let commits = bench.moody.attempts.load(Ordering::Relaxed);
    assert!((5..=10).contains(&commits), "1,000 events of 200 threads took {commits} commits");
}

#[tokio::test(start_paused = true)]
async fn pieces_are_joined_for_longer_while_the_committer_is_behind() {
    let bench = Bench::new();
    let thread = bench.thread();
    let emitter = bench.emitter(thread);
    let rolled_up = || bench.pool.shared.committer.roll_up();
    assert_eq!(rolled_up(), ROLL_UP);
    *bench.moody.slow.lock().expect("no panic") = Duration::from_millis(40);
    for _ in 0..10 {
        emitter.agent_progress(progress("x")).await.expect("committed");
    }
    assert_eq!(rolled_up(), LONGEST_ROLL_UP);
    *bench.moody.slow.lock().expect("no panic") = Duration::ZERO;
    for _ in 0..20 {
        emitter.agent_progress(progress("x")).await.expect("committed");
    }
    assert_eq!(rolled_up(), ROLL_UP, "and no longer than it is");
}

#[tokio::test(start_paused = true)]
async fn a_few_commits_never_wait_and_many_are_paced() {
    let bench = Bench::new();
    let thread = bench.thread();
    let emitter = bench.emitter(thread);
    let began = Instant::now();
    for _ in 0..8 {
        emitter.agent_progress(progress("x")).await.expect("committed");
    }
    assert_eq!(began.elapsed(), Duration::ZERO);
    for _ in 0..250 {
        emitter.agent_progress(progress("x")).await.expect("committed");
    }
    let took = began.elapsed();
    assert!((Duration::from_millis(950)..Duration::from_millis(1_300)).contains(&took), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_commit_that_failed_after_it_was_done_changes_nothing_when_it_is_repeated() {
    for failures in 1..=RETRY_PAUSES.len() {
        let bench = Bench::new();
        bench.moody.unclear.store(true, Ordering::Relaxed);
        bench.moody.failures.store(failures, Ordering::Relaxed);
        let thread = bench.thread();
        let (one, other) = (bench.emitter(thread), bench.emitter(bench.thread()));
        // The end of a run among them: its repeat must not be taken for a late owner's word.
        let (first, second, said) = tokio::join!(
            async {
                one.agent_thinking(thought("a")).await?;
                one.agent_completed(completed()).await
            },
            other.agent_progress(progress("b")),
            bench.pool.accept(bench.command(Some(thread), "hello")),
        );
        assert_eq!((first, second), (Ok(()), Ok(())), "{failures} failures");
        let said = said.expect("accepted");
        assert!(!said.ack.duplicate && said.thread.is_some() && said.events.len() == 1, "{said:?}");
        let mut told = bench.log(thread);
        assert_eq!(bench.published(thread), [1, 2, 3]);
        told.sort();
        assert_eq!(told, ["agent_completed", "ask hello", "think a"]);
        // A resend is one all the same.
        let made = bench.command(None, "new");
        bench.moody.failures.store(1, Ordering::Relaxed);
        let first = bench.pool.accept(made.clone()).await.expect("accepted");
        assert!(!first.ack.duplicate && first.thread.is_some_and(|(_, new)| new));
        let again = bench.pool.accept(made).await.expect("accepted");
        assert!(again.ack.duplicate && again.events.is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn an_entry_that_the_store_cannot_take_takes_no_other_with_it() {
    let bench = Bench::new();
    let threads: Vec<_> = (0..20).map(|_| bench.thread()).collect();
    *bench.moody.poison.lock().expect("no panic") = Some(threads[7]);
    let writers = threads.iter().map(|thread| {
        let emitter = bench.emitter(*thread);
        tokio::spawn(async move {
            let outcome = emitter.agent_progress(progress("x")).await;
            (outcome, emitter.agent_progress(progress("y")).await)
        })
    });
    for (number, writer) in writers.collect::<Vec<_>>().into_iter().enumerate() {
        let expected = if number == 7 { Err(EmitError::Store) } else { Ok(()) };
        assert_eq!(writer.await.expect("writes"), (expected, expected), "thread {number}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_told_at_once_and_holds_up_nobody() {
    let bench = Bench::new();
    let threads: Vec<_> = (0..20).map(|_| bench.thread()).collect();
    // More at the head of a batch than are tried while the store takes nothing.
    let poisoned = threads[0];
    *bench.moody.poison.lock().expect("no panic") = Some(poisoned);
    bench.moody.refuses.store(true, Ordering::Relaxed);
    let refused: Vec<_> = (0..6).map(|_| bench.emitter(poisoned)).collect();
    let others: Vec<_> = threads[1..].iter().map(|thread| bench.emitter(*thread)).collect();
    let began = Instant::now();
    let bad = refused.len();
    let writers = refused.into_iter().chain(others);
    let writers = writers.map(|run| tokio::spawn(async move { run.agent_progress(progress("x")).await }));
    for (number, writer) in writers.collect::<Vec<_>>().into_iter().enumerate() {
        let expected = if number < bad { Err(EmitError::Refused) } else { Ok(()) };
        assert_eq!(writer.await.expect("writes"), expected, "{number}");
    }
    assert!(began.elapsed() < RETRY_PAUSES[1], "nothing is tried again: {:?}", began.elapsed());
    let alone = bench.emitter(poisoned);
    let attempts = bench.moody.attempts.load(Ordering::Relaxed);
    assert_eq!(alone.agent_progress(progress("alone")).await, Err(EmitError::Refused));
    assert_eq!(bench.moody.attempts.load(Ordering::Relaxed), attempts + 1);
    assert_eq!(alone.agent_completed(completed()).await, Err(EmitError::Refused), "what follows would leave a hole");
}

#[tokio::test(start_paused = true)]
async fn a_runs_end_brings_the_run_as_its_events_tell_it() {
    let bench = Bench::new();
    let thread = bench.thread();
    let run = RunId::new();
    let first = bench.pool.emitter(thread, bench.log.claim(thread, run));
    first.agent_started(started()).await.expect("committed");
    first.agent_thinking(thought("a")).await.expect("queued");
    first.agent_progress(progress("half")).await.expect("committed");
    // Another process takes it up with what the log tells.
    let so_far = bench.log.folded(thread).run(run).cloned().expect("the run");
    let second = bench.pool.take_up(thread, bench.log.claim(thread, run), so_far);
    second.agent_started(started()).await.expect("committed");
    second.partial_result(MessageId::new(), 0, "words".into()).await.expect("queued");
    second.agent_completed(completed()).await.expect("committed");
    let ended = bench.moody.ended.lock().expect("no panic").clone().expect("handed over with the end");
    assert_eq!(ended.status, RunStatus::Completed);
    let mut fold = ThreadState::default();
    for event in bench.log.events(thread) {
        fold.apply_event(&event.decode().expect("decodes"));
    }
    assert_eq!(fold.run(run), Some(&*ended), "as a reader folds it");
}
