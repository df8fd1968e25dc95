//! Events are committed in the order they were emitted, pieces of text rolled up.

use super::*;

#[tokio::test(start_paused = true)]
async fn every_kind_keeps_its_place() {
    let bench = Bench::new();
    let thread = bench.thread();
    let emitter = bench.emitter(thread);
    let id = MessageId::new();
    let (call, tool, agent) = (|| "c".to_owned(), || "calculate".to_owned(), || "guide".to_owned());
    let arguments = crate::model::Object::new;
    let outcome = async {
        emitter.agent_started(started()).await?;
        emitter.agent_thinking(thought("a")).await?;
        emitter.agent_thinking(thought("b")).await?;
        let expires_at = crate::time::Timestamp::default();
        let approval = p::ToolApprovalRequired {
            tool_call_id: call(),
            tool: tool(),
            agent: agent(),
            arguments: arguments(),
            expires_at,
            message: None,
            options: Vec::new(),
            form: None,
        };
        emitter.tool_approval_required(approval, None).await?;
        let executing = p::ToolExecuting {
            tool_call_id: call(),
            tool: tool(),
            agent: agent(),
            arguments: arguments(),
            decided_by: None,
        };
        emitter.tool_executing(executing).await?;
        let (status, result) = (crate::model::ToolStatus::Ok, serde_json::json!(4));
        let returned =
            p::ToolCompleted { tool_call_id: call(), tool: tool(), status, result, duration_ms: 1, decided_by: None };
        emitter.tool_completed(returned).await?;
        emitter.agent_progress(progress("half")).await?;
        emitter.partial_result(id, 0, "first try".into()).await?;
        emitter.reset_result(id).await?;
        emitter.partial_result(id, 0, "fo".into()).await?;
        emitter.partial_result(id, 2, "ur".into()).await?;
        emitter.agent_response(p::AgentResponse { message_id: id, content: "four".into(), usage: None }).await?;
        emitter.agent_completed(completed()).await
    };
    assert_eq!(outcome.await, Ok(()));
    let expected = [
        "agent_started",
        "think ab",
        "tool_approval_required",
        "call c",
        "return c",
        "progress half",
        "write 0 first try",
        "reset ",
        "write 0 four",
        "answer four",
        "agent_completed",
    ];
    assert_eq!(bench.log(thread), expected);
    assert_eq!(bench.published(thread), (1..=11).collect::<Vec<_>>());
    assert_eq!(emitter.agent_error("guide", ErrorCode::Internal, "late".into(), false).await, Err(EmitError::Fenced));
    assert_eq!(bench.log(thread).len(), 11, "nothing follows the end");
}

#[tokio::test(start_paused = true)]
async fn what_it_returns_from_is_committed() {
    let bench = Bench::new();
    let thread = bench.thread();
    let emitter = bench.emitter(thread);
    for number in 1..=10 {
        emitter.agent_progress(progress("x")).await.expect("committed");
        assert_eq!(bench.log(thread).len(), number);
        assert_eq!(bench.published(thread).len(), number);
    }
}

#[tokio::test(start_paused = true)]
async fn the_first_piece_goes_out_at_once_and_later_ones_are_rolled_up() {
    let bench = Bench::new();
    let thread = bench.thread();
    let emitter = bench.emitter(thread);
    let id = MessageId::new();
    let began = Instant::now();
    for pos in 0..100_u64 {
        emitter.partial_result(id, pos, "x".into()).await.expect("queued");
        sleep(Duration::from_millis(1)).await;
    }
    sleep(ROLL_UP).await;
    let seen = bench.bus.seen.lock().expect("no panic").clone();
    let at: Vec<_> = seen.iter().map(|(_, _, at)| at.duration_since(began).as_millis()).collect();
    assert_eq!(at[0], 0, "{at:?}");
    assert!(at.windows(2).all(|pair| pair[1] - pair[0] <= ROLL_UP.as_millis()), "none waits longer: {at:?}");
    assert!((4..=6).contains(&at.len()), "100 pieces in 100 ms are one commit each 25 ms: {at:?}");
    assert_eq!(bench.moody.attempts.load(Ordering::Relaxed), at.len());
    let text: String = bench.log(thread).iter().filter_map(|told| told.rsplit(' ').next()).collect();
    assert_eq!(text.len(), 100);
    // A new burst after a pause does not wait either.
    sleep(Duration::from_secs(1)).await;
    emitter.partial_result(id, 100, "y".into()).await.expect("queued");
    sleep(Duration::from_millis(1)).await;
    assert_eq!(bench.published(thread).len(), at.len() + 1);
}

#[tokio::test(start_paused = true)]
async fn pieces_wait_for_nothing_but_pieces() {
    let bench = Bench::new();
    let thread = bench.thread();
    let emitter = bench.emitter(thread);
    emitter.agent_thinking(thought("a")).await.expect("queued");
    sleep(Duration::from_millis(1)).await;
    emitter.agent_thinking(thought("b")).await.expect("queued");
    let began = Instant::now();
    emitter.agent_progress(progress("x")).await.expect("committed");
    assert_eq!(began.elapsed(), Duration::ZERO, "what is awaited takes the pieces along at once");
    assert_eq!(bench.log(thread), ["think a", "think b", "progress x"]);
}

/// What stands in the log after pieces that come all at once.
async fn rolled_up(pieces: impl IntoIterator<Item = Event>) -> Vec<String> {
    let bench = Bench::new();
    let thread = bench.thread();
    let emitter = bench.emitter(thread);
    for piece in pieces {
        emitter.queue(piece).await.expect("queued");
    }
    emitter.agent_progress(progress("end")).await.expect("committed");
    bench.log(thread)
}

#[tokio::test(start_paused = true)]
async fn only_pieces_of_the_same_text_are_joined() {
    let (one, two) = (MessageId::new(), MessageId::new());
    let write = |message_id, pos, delta: &str| {
        Event::PartialResult(p::PartialResult { message_id, pos, delta: delta.into(), reset: false })
    };
    let reset = Event::PartialResult(p::PartialResult { message_id: one, pos: 0, delta: String::new(), reset: true });
    let think = |text: &str, step| Event::AgentThinking(p::AgentThinking { step: Some(step), ..thought(text) });
    let check = async |pieces: Vec<Event>, expected: &[&str]| {
        let mut log = rolled_up(pieces.clone()).await;
        assert_eq!(log.pop().as_deref(), Some("progress end"));
        assert_eq!(log, expected, "{pieces:?}");
    };
    check(vec![write(one, 0, "a"), write(one, 1, "b"), write(one, 2, "ü")], &["write 0 abü"]).await;
    check(vec![write(one, 0, "a"), write(two, 0, "b")], &["write 0 a", "write 0 b"]).await;
    check(vec![write(one, 0, "a"), reset.clone(), write(one, 0, "b")], &["write 0 a", "reset b"]).await;
    check(vec![think("a", 1), think("b", 1)], &["think ab"]).await;
    check(vec![think("a", 1), think("b", 2)], &["think a", "think b"]).await;
    check(vec![think("a", 1), write(one, 0, "b"), think("c", 1)], &["think a", "write 0 b", "think c"]).await;
    let (half, rest) = ("x".repeat(MAX_JOINED / 2), "y".repeat(MAX_JOINED / 2 + 1));
    let expected = [format!("write 0 {half}"), format!("write {} {rest}", half.len())];
    let pieces = vec![write(one, 0, &half), write(one, half.len() as u64, &rest)];
    check(pieces, &[&expected[0], &expected[1]]).await;
}

#[tokio::test(start_paused = true)]
async fn a_fast_agent_waits_and_loses_nothing() {
    let bench = Bench::new();
    let thread = bench.thread();
    let emitter = bench.emitter(thread);
    let id = MessageId::new();
    let count = DEPTH as u64 * 10;
    for pos in 0..count {
        emitter.partial_result(id, pos, "x".into()).await.expect("queued");
    }
    emitter.agent_progress(progress("end")).await.expect("committed");
    let mut length = 0;
    for event in bench.log.events(thread) {
        if let Event::PartialResult(part) = event.decode().expect("decodes").message {
            assert_eq!(part.pos, length, "each piece goes where the one before it ended");
            length += part.delta.len() as u64;
        }
    }
    assert_eq!(length, count);
}

#[tokio::test]
async fn writers_of_one_thread_share_its_order() {
    let bench = Bench::new();
    let thread = bench.thread();
    let emitters: Vec<_> = (0..4).map(|_| bench.emitter(thread)).collect();
    let writers = emitters.into_iter().enumerate().map(|(writer, emitter)| {
        tokio::spawn(async move {
            for number in 0..50 {
                emitter.agent_progress(progress(&format!("{writer} {number}"))).await.expect("committed");
            }
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.expect("writes");
    }
    let log = bench.log(thread);
    assert_eq!(log.len(), 200);
    for writer in 0..4 {
        let own: Vec<_> = log.iter().filter(|told| told.starts_with(&format!("progress {writer} "))).collect();
        let expected: Vec<_> = (0..50).map(|number| format!("progress {writer} {number}")).collect();
        assert_eq!(own, expected.iter().collect::<Vec<_>>());
    }
    assert_eq!(bench.published(thread), (1..=200).collect::<Vec<_>>());
}
