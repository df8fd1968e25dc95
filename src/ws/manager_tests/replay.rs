//! Replay, then live: no gap, no event twice, whatever happens in between.

use super::*;

#[tokio::test]
async fn a_subscription_begins_after_its_cursor() {
    let node = Node::new(LIMITS);
    let ada = user();
    let thread = node.log.thread(ada.id);
    let emitter = node.emitter(thread);
    emit(&emitter, 10).await;
    for after in [0, 1, 5, 9] {
        let reader = node.connect(&ada);
        reader.watch(thread, after);
        assert_eq!(reader.until(10).await, seqs(after + 1, 10), "after {after}");
    }
    let reader = node.connect(&ada);
    reader.watch(thread, 10);
    settle().await;
    assert_eq!(reader.queued(), []);
    emit(&emitter, 1).await;
    assert_eq!(reader.until(11).await, [11]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn there_is_no_seam_between_replay_and_live() {
    const LAST: u64 = 3_000;
    let node = Arc::new(Node::new(ManagerLimits { queue: QueueLimits { frames: 4_096, bytes: 1 << 24 }, ..LIMITS }));
    let ada = user();
    let thread = node.log.thread(ada.id);
    let emitter = node.emitter(thread);
    let writer = tokio::spawn(async move { emit(&emitter, usize::try_from(LAST).expect("small")).await });
    let mut readers = Vec::new();
    for number in 0..40_u64 {
        let (node, ada) = (node.clone(), ada.clone());
        readers.push(tokio::spawn(async move {
            // They come one after another while the writer writes, each with a cursor somewhere in what there is.
            while node.log.events(thread).len() < usize::try_from(number * 60).expect("small") {
                tokio::task::yield_now().await;
            }
            let after = (number * 60 / 2).min(number * 37 % 997);
            let reader = node.connect(&ada);
            reader.watch(thread, after);
            assert_eq!(reader.until(LAST).await, seqs(after + 1, LAST), "after {after}");
        }));
    }
    for reader in readers {
        reader.await.expect("no event missing, none twice, none out of order");
    }
    writer.await.expect("writes");
}

#[tokio::test]
async fn a_new_subscription_takes_the_place_of_the_old_one() {
    let node = Node::new(LIMITS);
    let ada = user();
    let thread = node.log.thread(ada.id);
    let emitter = node.emitter(thread);
    emit(&emitter, 10).await;
    let reader = node.connect(&ada);
    reader.watch(thread, 0);
    assert_eq!(reader.until(10).await, seqs(1, 10));
    reader.watch(thread, 7);
    assert_eq!(reader.until(10).await, [8, 9, 10], "starts anew from the given cursor");
    emit(&emitter, 1).await;
    settle().await;
    assert_eq!(reader.until(11).await, [11]);
    assert_eq!(reader.queued(), [], "once, not once for each");
}

#[tokio::test]
async fn nothing_of_a_replay_follows_the_subscription_that_replaced_it() {
    let node = Node::new(LIMITS);
    let ada = user();
    let thread = node.log.thread(ada.id);
    emit(&node.emitter(thread), 200).await;
    let reader = node.connect(&ada);
    reader.watch(thread, 0);
    // The replay waits for room, in the middle of a page.
    settle().await;
    let before = reader.peer().outbound.depth().0;
    assert!((1..200).contains(&before));
    let replacement = node.manager.subscribe(reader.peer(), thread, 3).expect("subscribed");
    reader.peer().outbound.push("subscribed".into()).expect("room");
    reader.replay(&replacement);
    let mut after = Vec::new();
    let mut answered = false;
    while after.last() != Some(&200) {
        let Next::Frame(frame) = reader.peer().outbound.next().await else { panic!("a frame") };
        if answered {
            after.extend(ServerFrame::decode(&frame).expect("a frame").seq);
        }
        answered |= *frame == *"subscribed";
        settle().await;
    }
    assert_eq!(after, seqs(4, 200));
}

#[tokio::test]
async fn nothing_of_a_replay_follows_an_unsubscribe() {
    let node = Node::new(LIMITS);
    let ada = user();
    let thread = node.log.thread(ada.id);
    emit(&node.emitter(thread), 200).await;
    let reader = node.connect(&ada);
    reader.watch(thread, 0);
    settle().await;
    assert!(node.manager.unsubscribe(reader.peer(), thread));
    reader.queued();
    settle().await;
    assert_eq!(reader.queued(), []);
}

#[tokio::test]
async fn a_hole_in_the_live_stream_is_read_from_the_log() {
    let node = Node::on(Arc::new(Silent), LIMITS);
    let ada = user();
    let thread = node.log.thread(ada.id);
    let reader = node.connect(&ada);
    let other = node.connect(&ada);
    reader.watch(thread, 0);
    settle().await;
    emit(&node.emitter(thread), 5).await;
    other.watch(thread, 3);
    settle().await;
    let events = node.log.events(thread);
    let show = |seqs: &[usize]| {
        let events = seqs.iter().map(|seq| (*seq as u64, events[seq - 1].encode().expect("encodes").into()));
        node.manager.deliver(&Delivery::Events { thread_id: thread, events: events.collect() });
    };
    show(&[1]);
    show(&[4]);
    assert_eq!(reader.peer().outbound.depth().0, 2, "the first event, and the wish for a repair");
    show(&[5]);
    show(&[2]);
    assert_eq!(reader.peer().outbound.depth().0, 2, "one repair is enough");
    assert_eq!(reader.until(5).await, seqs(1, 5));
    assert_eq!(other.until(5).await, [4, 5]);
    show(&[3, 4, 5]);
    assert_eq!((reader.queued(), other.queued()), (vec![], vec![]), "what comes late is known already");
}

/// A bus that loses everything.
struct Silent;

impl Bus for Silent {
    fn publish(&self, _: Delivery) {}
}

#[tokio::test]
async fn a_repair_does_not_start_what_came_after_it() {
    let node = Node::on(Arc::new(Silent), LIMITS);
    let ada = user();
    let thread = node.log.thread(ada.id);
    let reader = node.connect(&ada);
    reader.watch(thread, 0);
    settle().await;
    emit(&node.emitter(thread), 2).await;
    node.manager.deliver(&Delivery::Events { thread_id: thread, events: [(2, "hole".into())].into() });
    assert_eq!(reader.peer().outbound.depth().0, 1);
    // The new subscription answers with a snapshot first, and replays when that is queued.
    node.manager.subscribe(reader.peer(), thread, 1).expect("subscribed");
    assert_eq!(reader.queued(), []);
}

#[tokio::test]
async fn a_log_that_was_trimmed_under_a_replay_sends_the_client_back() {
    let node = Node::new(LIMITS);
    let ada = user();
    let thread = node.log.thread(ada.id);
    emit(&node.emitter(thread), 10).await;
    node.log.trim(thread, 6);
    let reader = node.connect(&ada);
    reader.watch(thread, 6);
    assert_eq!(reader.until(10).await, seqs(7, 10));
    reader.watch(thread, 4);
    assert_eq!(reader.next().await.err(), Some(CloseCode::Internal));
    node.log.trim(thread, 10);
    let reader = node.connect(&ada);
    reader.watch(thread, 4);
    assert_eq!(reader.next().await.err(), Some(CloseCode::Internal), "also when nothing is left");
}

#[tokio::test]
async fn a_thread_that_is_gone_ends_its_replay_with_an_error() {
    let node = Node::new(LIMITS);
    let ada = user();
    let reader = node.connect(&ada);
    let subscription = node.manager.subscribe(reader.peer(), ThreadId::new(), 0).expect("subscribed");
    assert!(matches!(subscription.replay(&*node.log).await, Err(crate::log::LogError::NotFound)));
    subscription.fail();
    assert_eq!(reader.next().await.err(), Some(CloseCode::Internal));
}
