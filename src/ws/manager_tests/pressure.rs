//! Bounded queues: one slow reader is closed, and nobody else notices.

use super::*;
use crate::id::FrameId;

/// A connection with a small queue.
fn peer(frames: usize, bytes: usize) -> Connection {
    Manager::new(ManagerLimits { queue: QueueLimits { frames, bytes }, ..LIMITS }).connect(user(), Timestamp::default())
}

fn text(bytes: usize) -> Encoded {
    "x".repeat(bytes).into()
}

#[tokio::test]
async fn a_slow_reader_is_closed_and_a_healthy_one_unmoved() {
    let node = Node::new(LIMITS);
    let ada = user();
    let thread = node.log.thread(ada.id);
    let (slow, healthy) = (node.connect(&ada), node.connect(&ada));
    slow.watch(thread, 0);
    healthy.watch(thread, 0);
    settle().await;
    let emitter = node.emitter(thread);
    let last = LIMITS.queue.frames as u64 * 3;
    for seq in 1..=last {
        emit(&emitter, 1).await;
        assert_eq!(healthy.next().await.expect("open").seq, Some(seq));
        let closing = slow.peer().outbound.is_closing();
        assert_eq!(closing, seq > LIMITS.queue.frames as u64, "after {seq} events");
    }
    assert_eq!(slow.next().await.err(), Some(CloseCode::SlowConsumer), "without the frames that nobody read");
    assert_eq!(slow.peer().outbound.depth(), (0, 0));
}

#[test]
fn a_queue_is_bounded_by_frames_and_by_bytes() {
    let check = |frames: usize, bytes: usize, sizes: &[usize], expected: bool| {
        let connection = peer(frames, bytes);
        let outbound = &connection.peer().outbound;
        let taken = sizes.iter().all(|size| outbound.push(text(*size)).is_ok());
        assert_eq!(taken, expected, "{sizes:?} into {frames} frames, {bytes} bytes");
        if taken {
            // A large frame counts as half of the room.
            assert_eq!(outbound.depth(), (sizes.len(), sizes.iter().map(|size| *size.min(&(bytes / 2))).sum()));
        } else {
            assert_eq!(outbound.try_next(), Some(Next::Close(CloseCode::SlowConsumer)));
        }
    };
    check(2, 100, &[1, 1], true);
    check(2, 100, &[1, 1, 1], false);
    check(9, 100, &[50, 50], true);
    check(9, 100, &[50, 49, 2], false);
    check(9, 100, &[1_000], true);
    check(9, 100, &[1_000, 49, 1], true);
    check(9, 100, &[1_000, 49, 2], false);
    check(9, 100, &[1_000, 1_000, 1], false);
}

#[test]
fn what_may_be_missed_never_closes_a_reader() {
    let connection = peer(8, 100);
    let outbound = &connection.peer().outbound;
    let taken = (0..1_000).filter(|_| outbound.offer(text(10))).count();
    assert_eq!(taken, 2, "a quarter of the room");
    assert!(!outbound.is_closing());
    for _ in 0..6 {
        outbound.push(text(10)).expect("the rest is for what must not be missed");
    }
    assert!(!outbound.offer(text(1)));
    while outbound.try_next().is_some() {}
    assert!(outbound.offer(text(1_000)), "a large one fits into an empty queue");
}

#[test]
fn room_comes_back_with_reading() {
    let connection = peer(2, 10);
    let outbound = &connection.peer().outbound;
    for _ in 0..100 {
        outbound.push(text(5)).expect("room");
        outbound.push(text(5)).expect("room");
        assert_eq!(outbound.try_next(), Some(Next::Frame(text(5))));
        assert_eq!(outbound.try_next(), Some(Next::Frame(text(5))));
        assert_eq!((outbound.try_next(), outbound.depth()), (None, (0, 0)));
    }
}

#[test]
fn what_was_queued_goes_out_before_the_goodbye() {
    let connection = peer(4, 100);
    let outbound = &connection.peer().outbound;
    outbound.push(text(1)).expect("room");
    outbound.close(CloseCode::ServiceRestart);
    outbound.close(CloseCode::Internal);
    assert!(outbound.push(text(1)).is_err());
    assert_eq!(outbound.try_next(), Some(Next::Frame(text(1))));
    assert_eq!(outbound.try_next(), Some(Next::Close(CloseCode::ServiceRestart)), "the first reason stays");
}

#[tokio::test]
async fn the_writer_wakes_for_each_thing() {
    let connection = peer(4, 100);
    let peer = connection.peer().clone();
    let writer = tokio::spawn(async move {
        let mut seen = Vec::new();
        loop {
            seen.push(peer.outbound.next().await);
            if matches!(seen.last(), Some(Next::Close(_))) {
                return seen;
            }
        }
    });
    let outbound = &connection.peer().outbound;
    let thread = ThreadId::new();
    settle().await;
    outbound.push(text(1)).expect("room");
    settle().await;
    outbound.repair(thread);
    settle().await;
    outbound.close(CloseCode::Normal);
    let seen = writer.await.expect("ends");
    assert_eq!(seen, [Next::Frame(text(1)), Next::Repair(thread), Next::Close(CloseCode::Normal)]);
}

#[tokio::test]
async fn a_replay_leaves_half_of_the_queue_to_live_events() {
    let node = Node::new(LIMITS);
    let ada = user();
    let thread = node.log.thread(ada.id);
    emit(&node.emitter(thread), 500).await;
    let reader = node.connect(&ada);
    reader.watch(thread, 0);
    settle().await;
    let half = LIMITS.queue.frames / 2;
    assert_eq!(reader.peer().outbound.depth().0, half, "as far as half of the queue");
    for seq in 1..=500 {
        assert_eq!(reader.next().await.expect("open").seq, Some(seq));
        settle().await;
        assert!(reader.peer().outbound.depth().0 <= half);
    }
}

#[tokio::test]
async fn a_replay_does_not_outlive_its_connection() {
    let node = Node::new(LIMITS);
    let ada = user();
    let thread = node.log.thread(ada.id);
    emit(&node.emitter(thread), 500).await;
    let reader = node.connect(&ada);
    let subscription = node.manager.subscribe(reader.peer(), thread, 0).expect("subscribed");
    let log = node.log.clone();
    let replay = tokio::spawn(async move { subscription.replay(&*log).await });
    settle().await;
    assert!(!replay.is_finished(), "it waits for room");
    drop(reader);
    let ended = timeout(Duration::from_secs(10), replay).await.expect("it ends").expect("no panic");
    assert!(ended.is_ok());
}

#[test]
fn a_heartbeat_waits_for_its_own_answer() {
    let connection = peer(4, 100);
    let peer = connection.peer();
    let beat = FrameId::new();
    assert!(peer.heartbeat_acknowledged(None).is_none(), "none waits");
    peer.expect_heartbeat(beat);
    assert!(peer.heartbeat_acknowledged(None).is_none());
    assert!(peer.heartbeat_acknowledged(Some(FrameId::new())).is_none());
    assert!(peer.awaits_heartbeat());
    assert!(peer.heartbeat_acknowledged(Some(beat)).is_some());
    assert!(!peer.awaits_heartbeat());
    assert!(peer.heartbeat_acknowledged(Some(beat)).is_none(), "answered once");
}

#[test]
fn a_token_is_renewed() {
    let connection = peer(4, 100);
    let later = Timestamp::from_millis(99);
    connection.peer().renew_token(later);
    assert_eq!(connection.peer().token_expires_at(), later);
}

#[tokio::test]
async fn one_connection_more_than_a_user_may_have_takes_the_place_of_the_oldest() {
    let node = Node::new(ManagerLimits { connections_per_user: 2, ..LIMITS });
    let (ada, bob) = (user(), user());
    let other = node.connect(&bob);
    let (first, second) = (node.connect(&ada), node.connect(&ada));
    assert!(!first.peer().outbound.is_closing());
    let third = node.connect(&ada);
    assert_eq!(first.next().await.err(), Some(CloseCode::Replaced));
    // One that is on its way out does not count.
    let fourth = node.connect(&ada);
    assert_eq!(second.next().await.err(), Some(CloseCode::Replaced));
    drop((first, second, fourth));
    let fifth = node.connect(&ada);
    for open in [&other, &third, &fifth] {
        assert!(!open.peer().outbound.is_closing());
    }
}

#[tokio::test]
async fn a_snapshot_waits_for_its_turn_and_for_room_and_a_replaced_one_is_never_made() {
    let node = Node::new(LIMITS);
    let ada = user();
    let thread = node.log.thread(ada.id);
    emit(&node.emitter(thread), 3).await;
    let reader = node.connect(&ada);
    // The reader has much to read first.
    while reader.peer().outbound.depth().1 <= LIMITS.queue.bytes / 4 {
        reader.peer().outbound.push(text(100_000)).expect("there is room");
    }
    let waiting = reader.queued_len();
    let mut tasks = Vec::new();
    for _ in 0..300 {
        let subscription = node.manager.subscribe(reader.peer(), thread, 3).expect("subscribed");
        let log = node.log.clone();
        tasks.push(tokio::spawn(async move { subscription.show(&*log).await }));
    }
    settle().await;
    let ended = tasks.iter().filter(|task| task.is_finished()).count();
    assert_eq!((ended, reader.queued_len()), (299, waiting), "all but the last have ended, and nothing was made");
    for _ in 0..waiting {
        let _ = reader.peer().outbound.try_next();
    }
    let frame = reader.next().await.expect("open");
    assert!(matches!(&frame.message, ServerMessage::ThreadSnapshot(snapshot) if snapshot.as_of_seq == 3), "{frame:?}");
    settle().await;
    assert_eq!(reader.queued(), [], "one, not three hundred");
    emit(&node.emitter(thread), 1).await;
    assert_eq!(reader.until(4).await, [4], "and it is live");
}
