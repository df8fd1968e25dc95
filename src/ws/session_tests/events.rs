//! Subscriptions and the order of events.

use super::*;

#[test]
fn events_come_once_and_in_order() {
    let check = |seqs: &[u64], expected: &[u64]| {
        let (mut client, thread) = Client::watching(3);
        for seq in seqs {
            client.hear(event(thread, EPOCH, *seq));
        }
        assert_eq!(client.delivered_seqs(), expected, "{seqs:?}");
        let last = expected.last().copied().unwrap_or(3);
        assert_eq!(client.session.cursor(thread), Some((EPOCH, last)));
    };
    check(&[4, 5, 6], &[4, 5, 6]);
    check(&[1, 2, 3], &[]);
    check(&[3, 4, 4, 3, 5, 5], &[4, 5]);
    check(&[5], &[]);
    check(&[4, 6, 5], &[4]);
    check(&[0, u64::MAX], &[]);
}

#[test]
fn a_gap_is_asked_for_once_with_the_cursor() {
    let (mut client, thread) = Client::watching(3);
    client.hear(event(thread, EPOCH, 4));
    client.hear(event(thread, EPOCH, 6));
    client.hear(event(thread, EPOCH, 7));
    let actions = client.actions();
    assert_eq!(names(&actions), ["deliver", "send"]);
    let Some(Action::Send(asked)) = actions.last() else { panic!("a subscribe") };
    let wanted = p::Subscribe { after_seq: Some(4), epoch: Some(EPOCH.to_owned()) };
    assert_eq!(asked.message, ClientMessage::Subscribe(wanted));
    // What is still under way belongs to the subscription that was given up.
    client.hear(event(thread, EPOCH, 5));
    assert_eq!(client.actions(), []);
    client.hear(subscribed(thread, asked.id, p::SubscribeMode::Resumed));
    for seq in [5, 6, 7] {
        client.hear(event(thread, EPOCH, seq));
    }
    assert_eq!(client.delivered_seqs(), [5, 6, 7]);
}

#[test]
fn an_event_of_another_epoch_is_a_gap() {
    for seq in [1, 3, 4, 5] {
        let (mut client, thread) = Client::watching(3);
        client.hear(event(thread, "0000bbbb", seq));
        assert_eq!(names(&client.actions()), ["send"], "{seq}");
        assert_eq!(client.session.cursor(thread), Some((EPOCH, 3)));
    }
}

#[test]
fn a_snapshot_comes_first_when_the_server_says_so() {
    let mut client = Client::live();
    let thread = ThreadId::new();
    client.session.subscribe(thread, None);
    let asked = client.subscribes()[0].id;
    client.hear(subscribed(thread, asked, p::SubscribeMode::Snapshot));
    client.hear(event(thread, EPOCH, 1));
    assert_eq!(client.actions(), [], "events before the snapshot are in it");
    client.hear(snapshot(thread, EPOCH, 9));
    for seq in [8, 9, 10] {
        client.hear(event(thread, EPOCH, seq));
    }
    let delivered: Vec<_> = client.delivered().iter().map(|frame| frame.seq).collect();
    assert_eq!(delivered, [None, Some(10)]);
    assert_eq!(client.session.cursor(thread), Some((EPOCH, 10)));
}

#[test]
fn a_snapshot_in_place_of_a_replay_starts_a_new_epoch() {
    let (mut client, thread) = Client::watching(3);
    client.hear(event(thread, "0000bbbb", 1));
    let asked = client.subscribes()[0].id;
    client.hear(subscribed(thread, asked, p::SubscribeMode::Snapshot));
    client.hear(event(thread, EPOCH, 4));
    assert_eq!(client.actions(), [], "the old cursor is void");
    client.hear(snapshot(thread, "0000bbbb", 2));
    client.hear(event(thread, "0000bbbb", 3));
    assert_eq!(client.delivered_seqs(), [3]);
    assert_eq!(client.session.cursor(thread), Some(("0000bbbb", 3)));
}

#[test]
fn a_whole_log_is_read_without_knowing_its_epoch() {
    let mut client = Client::live();
    let thread = ThreadId::new();
    client.session.subscribe(thread, Some((String::new(), 0)));
    let asked = client.subscribes()[0].id;
    client.hear(subscribed(thread, asked, p::SubscribeMode::Resumed));
    for seq in [1, 2] {
        client.hear(event(thread, EPOCH, seq));
    }
    assert_eq!(client.delivered_seqs(), [1, 2]);
    assert_eq!(client.session.cursor(thread), Some((EPOCH, 2)));
}

#[test]
fn an_old_answer_to_a_subscription_changes_nothing() {
    let mut client = Client::live();
    let thread = ThreadId::new();
    client.session.subscribe(thread, None);
    let old = client.subscribes()[0].id;
    client.session.subscribe(thread, Some((EPOCH.to_owned(), 3)));
    let new = client.subscribes()[0].id;
    client.hear(subscribed(thread, old, p::SubscribeMode::Resumed));
    client.hear(event(thread, EPOCH, 4));
    assert_eq!(client.actions(), []);
    client.hear(subscribed(thread, new, p::SubscribeMode::Resumed));
    client.hear(event(thread, EPOCH, 4));
    assert_eq!(client.delivered_seqs(), [4]);
}

#[test]
fn a_thread_that_is_not_watched_is_not_heard() {
    let (mut client, thread) = Client::watching(3);
    let other = ThreadId::new();
    client.hear(event(other, EPOCH, 1));
    client.hear(snapshot(other, EPOCH, 1));
    assert_eq!(client.actions(), []);
    client.session.unsubscribe(thread);
    let sent = client.sent();
    assert_eq!(sent.len(), 1);
    assert_eq!((&sent[0].message, sent[0].thread_id), (&ClientMessage::Unsubscribe(p::Empty {}), Some(thread)));
    client.hear(event(thread, EPOCH, 4));
    client.session.unsubscribe(thread);
    assert_eq!(client.actions(), []);
    assert_eq!(client.session.cursor(thread), None);
}

#[test]
fn two_threads_have_a_cursor_each() {
    let (mut client, one) = Client::watching(3);
    let two = ThreadId::new();
    client.session.subscribe(two, Some((EPOCH.to_owned(), 8)));
    let asked = client.subscribes()[0].id;
    client.hear(subscribed(two, asked, p::SubscribeMode::Resumed));
    for (thread, seq) in [(one, 4), (two, 9), (one, 5), (two, 10)] {
        client.hear(event(thread, EPOCH, seq));
    }
    assert_eq!(client.delivered_seqs(), [4, 9, 5, 10]);
    client.close(4500);
    client.sit_out();
    client.actions();
    client.greet();
    let mut asked: Vec<_> = client.subscribes().into_iter().map(|frame| (frame.thread_id, frame.message)).collect();
    let wanted = |seq| ClientMessage::Subscribe(p::Subscribe { after_seq: Some(seq), epoch: Some(EPOCH.into()) });
    asked.sort_by_key(|(thread, _)| *thread != Some(one));
    assert_eq!(asked, [(Some(one), wanted(5)), (Some(two), wanted(10))]);
}

#[test]
fn a_refused_subscription_is_given_up() {
    let mut client = Client::live();
    let thread = ThreadId::new();
    client.session.subscribe(thread, None);
    let asked = client.subscribes()[0].id;
    client.hear(refusal_of(asked, ErrorCode::NotFound, None));
    let error = p::ErrorMessage::new(ErrorCode::NotFound, "no");
    assert_eq!(client.actions(), [Action::Refused { thread_id: thread, error }]);
    client.close(4500);
    client.sit_out();
    client.actions();
    client.greet();
    assert_eq!(client.subscribes(), [], "and not asked for again");
}

#[test]
fn a_subscription_that_comes_too_fast_is_asked_for_after_the_pause() {
    let mut client = Client::live();
    let thread = ThreadId::new();
    client.session.subscribe(thread, None);
    let asked = client.subscribes()[0].id;
    client.hear(refusal_of(asked, ErrorCode::RateLimited, Some(700)));
    assert_eq!(client.actions(), []);
    client.pass(699);
    assert_eq!(client.actions(), []);
    client.pass(1);
    let again = client.subscribes();
    assert_eq!((again.len(), again[0].thread_id), (1, Some(thread)));
    client.hear(subscribed(thread, again[0].id, p::SubscribeMode::Snapshot));
    client.hear(snapshot(thread, EPOCH, 2));
    assert_eq!(client.delivered().len(), 1);
}

#[test]
fn a_gap_is_not_asked_for_while_the_server_wants_a_pause() {
    let (mut client, thread) = Client::watching(3);
    client.hear(event(thread, EPOCH, 5));
    let asked = client.subscribes()[0].id;
    client.hear(refusal_of(asked, ErrorCode::RateLimited, Some(700)));
    // The stream goes on; each event would be another refusal, and a hundred of them a closed socket.
    for seq in 6..200 {
        client.hear(event(thread, EPOCH, seq));
    }
    client.session.subscribe(ThreadId::new(), None);
    assert_eq!(client.actions(), []);
    client.pass(700);
    assert_eq!(client.subscribes().len(), 2);
}

#[test]
fn a_deleted_thread_is_forgotten() {
    let (mut client, thread) = Client::watching(3);
    client.hear(from_server(ServerMessage::ThreadDeleted(p::ThreadDeleted { id: thread })));
    assert_eq!(names(&client.actions()), ["deliver"]);
    client.close(4500);
    client.sit_out();
    client.actions();
    client.greet();
    assert_eq!(client.subscribes(), []);
}

#[test]
fn what_is_not_numbered_but_should_be_is_no_event() {
    let (mut client, thread) = Client::watching(3);
    let mut ghost = event(thread, EPOCH, 4);
    ghost.seq = None;
    client.hear(ghost);
    let mut nowhere = event(thread, EPOCH, 4);
    nowhere.thread_id = None;
    client.hear(nowhere);
    let answer = p::AgentResponse { message_id: MessageId::new(), content: "no".into(), usage: None };
    client.hear(from_server(Event::AgentResponse(answer)).in_thread(thread));
    assert_eq!(client.actions(), []);
}

#[test]
fn an_event_of_an_unknown_type_counts() {
    let (mut client, thread) = Client::watching(3);
    let place = |epoch: &str, seq| Some(Place { thread_id: thread, epoch: epoch.to_owned(), seq });
    let generation = client.generation;
    client.session.unknown(client.now, generation, place(EPOCH, 4));
    assert_eq!(names(&client.actions()), ["skip"]);
    client.hear(event(thread, EPOCH, 5));
    assert_eq!(client.delivered_seqs(), [5], "the next one is no gap");
    client.session.unknown(client.now, generation, place(EPOCH, 5));
    client.session.unknown(client.now, generation + 1, place(EPOCH, 6));
    client.session.unknown(client.now, generation, None);
    assert_eq!(client.actions(), [], "neither an old one nor one of another socket");
    client.session.unknown(client.now, generation, place(EPOCH, 9));
    assert_eq!(names(&client.actions()), ["send"], "a gap before it is asked for");
    assert_eq!(client.session.cursor(thread), Some((EPOCH, 5)));
}

#[test]
fn a_subscription_that_may_succeed_later_is_asked_for_again() {
    for code in [ErrorCode::Internal, ErrorCode::ServerBusy, ErrorCode::RateLimited] {
        let mut client = Client::live();
        let thread = ThreadId::new();
        client.session.subscribe(thread, Some((EPOCH.to_owned(), 3)));
        let asked = client.subscribes()[0].id;
        client.hear(refusal_of(asked, code, None));
        assert_eq!(client.actions(), [], "{code}: the thread is not given up");
        client.pass(3_000);
        let again = client.subscribes();
        assert_eq!(again.len(), 1, "{code}");
        let wanted = p::Subscribe { after_seq: Some(3), epoch: Some(EPOCH.to_owned()) };
        assert_eq!(again[0].message, ClientMessage::Subscribe(wanted), "{code}: from the cursor");
    }
    let mut client = Client::live();
    let thread = ThreadId::new();
    client.session.subscribe(thread, None);
    let asked = client.subscribes()[0].id;
    client.hear(refusal_of(asked, ErrorCode::NotFound, None));
    assert!(matches!(client.actions().as_slice(), [Action::Refused { thread_id, .. }] if *thread_id == thread));
}
