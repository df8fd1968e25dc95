//! A person's message: stored once, shown once, whatever is sent again.

use super::*;

impl Bench {
    pub(super) fn command(&self, thread_id: Option<ThreadId>, content: &str) -> Accept {
        Accept {
            user_id: self.user,
            command_id: FrameId::new(),
            digest: content.as_bytes().to_vec(),
            thread_id,
            title: "a title".into(),
            agent: "guide".into(),
            message: UserMessage { content: content.into(), ..UserMessage::default() },
        }
    }
}

#[tokio::test]
async fn a_message_becomes_an_event_and_a_run() {
    let bench = Bench::new();
    let thread = bench.thread();
    let command = bench.command(Some(thread), "hello");
    let accepted = bench.pool.accept(command.clone()).await.expect("accepted");
    assert_eq!(accepted.ack.thread_id, Some(thread));
    assert_eq!(accepted.ack.message_id, Some(command.command_id.into()));
    assert_eq!((accepted.ack.seq, accepted.ack.duplicate), (Some(1), false));
    assert!(accepted.thread.is_some_and(|(thread, made)| thread.head_seq == 1 && !made));
    assert_eq!(bench.log(thread), ["ask hello"]);
    assert_eq!(bench.published(thread), [1]);
    let run = bench.log.folded(thread).runs.first().map(|run| run.run_id);
    assert_eq!(run, accepted.ack.run_id);
    assert!(run.is_some());
}

#[tokio::test]
async fn a_message_without_a_thread_makes_one() {
    let bench = Bench::new();
    let accepted = bench.pool.accept(bench.command(None, "hello")).await.expect("accepted");
    let (thread, made) = accepted.thread.expect("a thread");
    assert!(made);
    assert_eq!((thread.title.as_str(), thread.agent.as_str()), ("a title", "guide"));
    assert_eq!(accepted.ack.thread_id, Some(thread.id));
    assert_eq!(bench.published(thread.id), [1]);
}

#[tokio::test]
async fn a_resend_gets_the_first_answer_and_nothing_happens_twice() {
    let bench = Bench::new();
    let thread = bench.thread();
    for thread in [Some(thread), None] {
        let command = bench.command(thread, "hello");
        let first = bench.pool.accept(command.clone()).await.expect("accepted");
        let thread = first.ack.thread_id.expect("a thread");
        bench.pool.accept(bench.command(Some(thread), "something between")).await.expect("accepted");
        for _ in 0..3 {
            let again = bench.pool.accept(command.clone()).await.expect("accepted");
            assert_eq!(again.ack, p::Ack { duplicate: true, ..first.ack.clone() });
            assert!(again.events.is_empty() && again.thread.is_none());
        }
        assert_eq!(bench.log(thread), ["ask hello", "ask something between"]);
        assert_eq!(bench.published(thread), [1, 2]);
    }
}

#[tokio::test]
async fn an_id_is_good_for_one_command_of_one_user() {
    let bench = Bench::new();
    let thread = bench.thread();
    let command = bench.command(Some(thread), "hello");
    bench.pool.accept(command.clone()).await.expect("accepted");
    let other = Accept { digest: b"bye".to_vec(), ..command.clone() };
    assert!(matches!(bench.pool.accept(other).await, Err(LogError::IdConflict)));
    assert_eq!(bench.published(thread), [1]);
    let someone = Accept { user_id: UserId::new(), thread_id: None, ..command };
    let accepted = bench.pool.accept(someone).await.expect("another user's ids are their own");
    assert!(!accepted.ack.duplicate);
}

#[tokio::test]
async fn another_users_thread_takes_no_message() {
    let bench = Bench::new();
    let thread = bench.thread();
    let theirs = Accept { user_id: UserId::new(), ..bench.command(Some(thread), "hello") };
    assert!(matches!(bench.pool.accept(theirs).await, Err(LogError::NotFound)));
    assert!(matches!(bench.pool.accept(bench.command(Some(ThreadId::new()), "x")).await, Err(LogError::NotFound)));
    assert_eq!((bench.log(thread), bench.published(thread)), (vec![], vec![]));
}

#[tokio::test]
async fn a_message_and_a_run_at_work_share_the_threads_numbers() {
    let bench = Bench::new();
    let thread = bench.thread();
    let emitter = bench.emitter(thread);
    emitter.agent_started(started()).await.expect("committed");
    bench.pool.accept(bench.command(Some(thread), "and then?")).await.expect("accepted");
    emitter.agent_completed(completed()).await.expect("committed");
    assert_eq!(bench.log(thread), ["agent_started", "ask and then?", "agent_completed"]);
    assert_eq!(bench.published(thread), [1, 2, 3]);
}
