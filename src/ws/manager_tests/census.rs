//! Who is connected, who watches what, and who sees what.

use super::*;

fn counts(manager: &Manager) -> (usize, usize, usize) {
    let census = manager.census();
    manager.state().check_invariants();
    (census.connections, census.users, census.subscriptions)
}

#[tokio::test]
async fn connections_are_counted_until_they_are_dropped() {
    let node = Node::new(LIMITS);
    let (ada, bob) = (user(), user());
    assert_eq!(counts(&node.manager), (0, 0, 0));
    let one = node.connect(&ada);
    let two = node.connect(&ada);
    let three = node.connect(&bob);
    assert_eq!(counts(&node.manager), (3, 2, 0));
    let thread = node.log.thread(ada.id);
    one.watch(thread, 0);
    two.watch(thread, 0);
    two.watch(node.log.thread(ada.id), 0);
    assert_eq!(counts(&node.manager), (3, 2, 3));
    drop(two);
    assert_eq!(counts(&node.manager), (2, 2, 1));
    drop(three);
    assert_eq!(counts(&node.manager), (2 - 1, 1, 1));
    drop(one);
    assert_eq!(counts(&node.manager), (0, 0, 0));
}

#[tokio::test]
async fn a_connection_that_is_gone_takes_nothing_more() {
    let node = Node::new(LIMITS);
    let ada = user();
    let reader = node.connect(&ada);
    let peer = reader.peer().clone();
    drop(reader);
    assert_eq!(peer.outbound.push("x".into()), Err(crate::connection::Closing));
    let thread = node.log.thread(ada.id);
    assert_eq!(node.manager.subscribe(&peer, thread, 0).err(), Some(ErrorCode::Conflict));
    assert_eq!(counts(&node.manager), (0, 0, 0));
}

#[test]
fn a_subscription_made_while_its_connection_ends_leaves_nothing_behind() {
    let manager = Manager::new(LIMITS);
    for _ in 0..2_000 {
        let connection = manager.connect(user(), Timestamp::default());
        let peer = connection.peer().clone();
        let barrier = std::sync::Barrier::new(2);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                barrier.wait();
                for _ in 0..LIMITS.subscriptions {
                    let _ = manager.subscribe(&peer, ThreadId::new(), 0);
                }
            });
            barrier.wait();
            drop(connection);
        });
        assert_eq!(counts(&manager), (0, 0, 0));
    }
}

#[tokio::test]
async fn a_full_or_draining_process_admits_nobody() {
    let node = Node::new(ManagerLimits { connections: 2, ..LIMITS });
    assert_eq!(node.manager.admits(), Ok(()));
    let (one, _two) = (node.connect(&user()), node.connect(&user()));
    assert_eq!(node.manager.admits(), Err(ErrorCode::ServerBusy));
    drop(one);
    assert_eq!(node.manager.admits(), Ok(()));
    node.manager.begin_drain();
    assert_eq!(node.manager.admits(), Err(ErrorCode::Draining));
}

#[tokio::test]
async fn a_drain_asks_each_connection() {
    let node = Node::new(LIMITS);
    let readers: Vec<_> = (0..10).map(|_| node.connect(&user())).collect();
    node.manager.begin_drain();
    assert!(readers.iter().all(|reader| reader.queued().is_empty()), "those that are there stay until they are asked");
    let asked = |readers: &[Reader]| readers.iter().filter(|reader| reader.peer().outbound.is_closing()).count();
    for expected in [4, 8, 10] {
        assert!(node.manager.drain(4) > 0);
        assert_eq!(asked(&readers), expected, "none is asked twice while another was not asked");
    }
    for reader in &readers {
        assert_eq!(reader.next().await.err(), Some(CloseCode::ServiceRestart));
    }
    drop(readers);
    assert_eq!(node.manager.drain(4), 0);
    // One that slipped in is sent on at once.
    let late = node.connect(&user());
    assert_eq!(late.next().await.err(), Some(CloseCode::ServiceRestart));
}

#[tokio::test]
async fn an_event_goes_to_those_who_watch_its_thread() {
    let node = Node::new(LIMITS);
    let ada = user();
    let (one, other) = (node.log.thread(ada.id), node.log.thread(ada.id));
    let (watching, twice, elsewhere, idle) =
        (node.connect(&ada), node.connect(&ada), node.connect(&ada), node.connect(&ada));
    watching.watch(one, 0);
    twice.watch(one, 0);
    twice.watch(other, 0);
    elsewhere.watch(other, 0);
    settle().await;
    emit(&node.emitter(one), 2).await;
    assert_eq!(watching.until(2).await, [1, 2]);
    assert_eq!(twice.until(2).await, [1, 2]);
    assert_eq!(elsewhere.queued(), []);
    assert_eq!(idle.queued(), []);
}

#[tokio::test]
async fn a_frame_is_written_once_for_all_its_readers() {
    let node = Node::new(LIMITS);
    let ada = user();
    let thread = node.log.thread(ada.id);
    let readers: Vec<_> = (0..5).map(|_| node.connect(&ada)).collect();
    for reader in &readers {
        reader.watch(thread, 0);
    }
    settle().await;
    emit(&node.emitter(thread), 1).await;
    let frames: HashSet<*const u8> = readers
        .iter()
        .flat_map(Reader::queued)
        .map(|next| match next {
            Next::Frame(frame) => frame.as_ptr(),
            Next::Repair(_) | Next::Close(_) => panic!("a frame"),
        })
        .collect();
    assert_eq!(frames.len(), 1);
}

#[tokio::test]
async fn a_hundred_users_see_only_their_own() {
    let node = Node::new(LIMITS);
    let all: Vec<_> = (0..100)
        .map(|_| {
            let user = user();
            let thread = node.log.thread(user.id);
            let readers = [node.connect(&user), node.connect(&user)];
            for reader in &readers {
                reader.watch(thread, 0);
            }
            (user, thread, readers)
        })
        .collect();
    settle().await;
    let emitters: Vec<_> = all.iter().map(|(_, thread, _)| node.emitter(*thread)).collect();
    for emitter in &emitters {
        emit(emitter, 1).await;
    }
    for (user, _, _) in &all {
        node.manager.send_to_user(user.id, &user.id.to_string().into());
    }
    for emitter in emitters.iter().rev() {
        emit(emitter, 1).await;
    }
    for (user, thread, readers) in &all {
        for reader in readers {
            let heard: Vec<_> = reader.queued();
            assert_eq!(heard.len(), 3);
            assert_eq!(heard[1], Next::Frame(user.id.to_string().into()));
            for (frame, seq) in [(&heard[0], 1), (&heard[2], 2)] {
                let Next::Frame(frame) = frame else { panic!("{frame:?}") };
                let frame = ServerFrame::decode(frame).expect("a frame");
                assert_eq!((frame.thread_id, frame.seq), (Some(*thread), Some(seq)));
            }
        }
    }
}

#[tokio::test]
async fn what_is_for_a_user_goes_to_all_of_the_users_connections() {
    let node = Node::new(LIMITS);
    let (ada, bob) = (user(), user());
    let (one, two, other) = (node.connect(&ada), node.connect(&ada), node.connect(&bob));
    node.manager.deliver(&Delivery::User { user_id: ada.id, frame: "hello".into() });
    node.manager.send_to_user(UserId::new(), &"nobody".into());
    for reader in [&one, &two] {
        assert_eq!(reader.queued(), [Next::Frame("hello".into())]);
    }
    assert_eq!(other.queued(), []);
}

#[tokio::test]
async fn closing_a_user_closes_all_of_the_users_connections() {
    let node = Node::new(LIMITS);
    let (ada, bob) = (user(), user());
    let (one, two, other) = (node.connect(&ada), node.connect(&ada), node.connect(&bob));
    node.manager.send_to_user(ada.id, &"before".into());
    node.manager.deliver(&Delivery::Close { user_id: ada.id, code: CloseCode::Unauthenticated });
    node.manager.send_to_user(ada.id, &"after".into());
    for reader in [&one, &two] {
        assert_eq!(
            reader.peer().outbound.cut_off().await,
            CloseCode::Unauthenticated,
            "what was queued is not waited for"
        );
        assert_eq!(reader.next().await.err(), Some(CloseCode::Unauthenticated));
        assert_eq!(reader.next().await.err(), Some(CloseCode::Unauthenticated), "and stays closed");
    }
    assert_eq!(other.queued(), []);
    node.manager.close_user(ada.id, CloseCode::Forbidden);
    assert_eq!(one.next().await.err(), Some(CloseCode::Unauthenticated), "the first reason stays");
}

#[tokio::test]
async fn a_connection_watches_as_many_threads_as_it_may() {
    let node = Node::new(LIMITS);
    let ada = user();
    let threads: Vec<_> = (0..4).map(|_| node.log.thread(ada.id)).collect();
    let reader = node.connect(&ada);
    threads[..3].iter().for_each(|thread| drop(reader.watch(*thread, 0)));
    let refused = node.manager.subscribe(reader.peer(), threads[3], 0).err();
    assert_eq!(refused, Some(ErrorCode::TooManySubscriptions));
    reader.watch(threads[0], 0);
    assert_eq!(
        (reader.peer().subscription_count(), counts(&node.manager).2),
        (3, 3),
        "a new one takes the old one's place"
    );
    assert!(node.manager.unsubscribe(reader.peer(), threads[1]));
    reader.watch(threads[3], 0);
    assert_eq!(node.connect(&ada).peer().subscription_count(), 0, "others have their own");
}

#[tokio::test]
async fn a_thread_is_watched_until_unsubscribed() {
    let node = Node::new(LIMITS);
    let ada = user();
    let thread = node.log.thread(ada.id);
    let (reader, other) = (node.connect(&ada), node.connect(&ada));
    reader.watch(thread, 0);
    other.watch(thread, 0);
    settle().await;
    let emitter = node.emitter(thread);
    emit(&emitter, 1).await;
    assert!(node.manager.unsubscribe(reader.peer(), thread));
    assert!(!node.manager.unsubscribe(reader.peer(), thread));
    emit(&emitter, 1).await;
    assert_eq!(reader.queued().len(), 1);
    assert_eq!(other.queued().len(), 2);
    assert_eq!(counts(&node.manager), (2, 1, 1));
}

#[tokio::test]
async fn a_thread_that_is_gone_has_no_watchers() {
    let node = Node::new(LIMITS);
    let ada = user();
    let (gone, kept) = (node.log.thread(ada.id), node.log.thread(ada.id));
    let readers = [node.connect(&ada), node.connect(&ada)];
    for reader in &readers {
        reader.watch(gone, 0);
        reader.watch(kept, 0);
    }
    settle().await;
    let emitter = node.emitter(gone);
    node.log.delete(gone);
    node.manager.deliver(&Delivery::Gone { thread_id: gone });
    assert_eq!(counts(&node.manager), (2, 1, 2));
    assert!(readers.iter().all(|reader| reader.peer().subscription(gone).is_none()));
    let late = p::AgentProgress { agent: "guide".into(), message: "late".into(), fraction: None };
    assert_eq!(emitter.agent_progress(late).await, Err(crate::emitter::EmitError::Gone));
    assert!(readers.iter().all(|reader| reader.queued().is_empty()));
}
