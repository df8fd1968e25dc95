//! From the start to a live link, and back to it after a cut.

use super::*;

#[test]
fn a_session_with_a_token_opens_at_once() {
    let mut client = Client::new();
    client.session.start(0, Some(token("t")), Vec::new());
    assert_eq!(client.actions(), [Action::Open { generation: 1, token: "t".into() }]);
    assert_eq!(client.session.link(), &Link::Connecting);
}

#[test]
fn a_session_without_a_good_token_fetches_one_first() {
    let check = |given: Option<Token>| {
        let mut client = Client::new();
        client.session.start(0, given, Vec::new());
        assert_eq!(client.actions(), [Action::FetchToken]);
        assert_eq!(client.session.wake_at(), None, "the answer wakes it");
        client.session.token(50, Ok(token("fetched")));
        assert_eq!(client.actions(), [Action::Open { generation: 1, token: "fetched".into() }]);
    };
    check(None);
    check(Some(Token { token: "old".into(), lives_ms: 0 }));
    check(Some(Token { token: "old".into(), lives_ms: TOKEN_MARGIN }));
}

#[test]
fn the_link_is_live_with_the_connect_frame() {
    let mut client = Client::opening();
    client.session.opened(client.now, client.generation);
    assert_eq!(client.session.link(), &Link::Connecting, "an open socket is not enough");
    client.hear(connect(TOKEN_LIFE));
    assert_eq!(client.session.link(), &Link::Live);
    assert_eq!(names(&client.actions()), ["link", "deliver"]);
}

#[test]
fn a_new_connection_resumes_what_is_watched_and_sends_what_waits() {
    let mut client = Client::opening();
    let thread = ThreadId::new();
    let commands = [say("one"), say("two"), say("three")];
    client.session.subscribe(thread, Some((EPOCH.to_owned(), 4)));
    for command in &commands {
        client.session.command(client.now, command.clone());
    }
    assert_eq!(client.sent(), [], "nothing goes out before the link is live");
    client.greet();
    let sent = client.sent();
    let wanted = p::Subscribe { after_seq: Some(4), epoch: Some(EPOCH.to_owned()) };
    assert_eq!(sent[0].message, ClientMessage::Subscribe(wanted));
    assert_eq!(sent[0].thread_id, Some(thread));
    assert_eq!(sent[1..], commands, "in the order they were given");
}

#[test]
fn what_subscribe_asks_for() {
    let check = |at: Option<(String, u64)>, expected: p::Subscribe| {
        let mut client = Client::live();
        client.session.subscribe(ThreadId::new(), at);
        assert_eq!(client.subscribes()[0].message, ClientMessage::Subscribe(expected));
    };
    check(None, p::Subscribe { after_seq: None, epoch: None });
    check(Some((String::new(), 0)), p::Subscribe { after_seq: Some(0), epoch: None });
    check(Some((EPOCH.to_owned(), 7)), p::Subscribe { after_seq: Some(7), epoch: Some(EPOCH.to_owned()) });
}

#[test]
fn pauses_double_up_to_a_ceiling_and_are_jittered() {
    let ceilings = [500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000, 30_000, 30_000];
    let mut widest = [0; 11];
    for seed in 0..200 {
        let mut client = Client { session: Session::new(seed, limits()), ..Client::new() };
        client.session.start(client.now, Some(token("t")), Vec::new());
        client.actions();
        for (attempt, ceiling) in ceilings.into_iter().enumerate() {
            client.close(1006);
            let pause = client.sit_out();
            assert!((ceiling / 10..=ceiling).contains(&pause), "attempt {attempt}: {pause} ms");
            widest[attempt] = pause.max(widest[attempt]);
            client.session.token(client.now, Ok(token("t")));
            assert!(client.actions().iter().any(|action| matches!(action, Action::Open { .. })), "attempt {attempt}");
        }
    }
    for (widest, ceiling) in widest.into_iter().zip(ceilings) {
        assert!(widest > ceiling * 9 / 10, "the whole range is used: {widest} of {ceiling} ms");
    }
}

#[test]
fn a_pause_is_random_so_that_clients_do_not_come_back_in_step() {
    let pause = |seed| {
        let mut client = Client { session: Session::new(seed, limits()), ..Client::opening() };
        client.session.start(client.now, Some(token("t")), Vec::new());
        client.actions();
        client.close(4500);
        client.sit_out()
    };
    let pauses: std::collections::HashSet<_> = (0..50).map(pause).collect();
    assert!(pauses.len() > 25, "{pauses:?}");
}

/// The longest pause that the next failure could bring.
fn next_ceiling(mut client: Client) -> Millis {
    let failures = client.session.failures;
    client.close(4500);
    assert_eq!(client.session.failures, failures + 1);
    BACK_OFF_BASE << failures
}

#[test]
fn back_off_starts_over_once_it_works_again() {
    let failed_twice = |mut client: Client| {
        for _ in 0..2 {
            client.close(4500);
            client.sit_out();
            client.session.token(client.now, Ok(token("t")));
            client.actions();
        }
        client
    };
    // Nothing watched: the greeting is all there is.
    let mut client = failed_twice(Client::live());
    client.greet();
    assert_eq!(next_ceiling(client), 500);
    // A watched thread: the greeting is not enough, since the fault may be in what comes after.
    let (client, thread) = Client::watching(3);
    let mut client = failed_twice(client);
    client.greet();
    let asked = client.subscribes()[0].id;
    assert_eq!(client.session.failures, 2);
    client.hear(subscribed(thread, asked, p::SubscribeMode::Resumed));
    assert_eq!(next_ceiling(client), 500);
    let (client, _) = Client::watching(3);
    let mut client = failed_twice(client);
    client.greet();
    assert_eq!(next_ceiling(client), 2_000);
}

#[test]
fn people_hear_of_a_cut_and_later_that_nothing_answers() {
    let mut client = Client::live();
    client.close(1006);
    for attempt in 1..=4 {
        let retry_at = client.session.wake_at().expect("a next attempt");
        match client.session.link() {
            Link::Reconnecting { retry_at: at } => assert_eq!((*at, attempt <= UNREACHABLE_AFTER), (retry_at, true)),
            Link::Unreachable { retry_at: at, .. } => assert_eq!((*at, attempt > 2), (Some(retry_at), true)),
            other => panic!("{other:?}"),
        }
        client.sit_out();
        client.session.token(client.now, Ok(token("t")));
        client.actions();
        client.close(1006);
    }
    client.sit_out();
    client.session.token(client.now, Ok(token("t")));
    client.actions();
    client.greet();
    assert_eq!(client.session.link(), &Link::Live);
}

#[test]
fn a_restart_is_waited_for_at_random_within_what_the_server_says() {
    let pause = |seed, retry_after_ms: Option<u64>| {
        let mut client = Client { session: Session::new(seed, limits()), ..Client::new() };
        client.session.start(client.now, Some(token("t")), Vec::new());
        client.actions();
        client.greet();
        let goodbye = p::Disconnect { code: 1012, reason: "restart".into(), retry_after_ms };
        client.hear(from_server(ServerMessage::Disconnect(goodbye)));
        client.close(1012);
        let pause = client.sit_out();
        let actions = client.actions();
        assert!(matches!(actions.last(), Some(Action::Open { token, .. }) if token == "t"), "{actions:?}");
        assert_eq!(client.session.failures, 0, "a restart is no failure");
        pause
    };
    for (retry_after, spread) in [(None, 1_000), (Some(5_000), 5_000), (Some(0), 1)] {
        let pauses: Vec<_> = (0..100).map(|seed| pause(seed, retry_after)).collect();
        assert!(pauses.iter().all(|pause| *pause < spread), "{pauses:?}");
        assert!(pauses.iter().any(|pause| *pause >= spread / 2), "{pauses:?}");
        assert!(spread == 1 || pauses.iter().any(|pause| *pause < spread / 2), "{pauses:?}");
    }
}

#[test]
fn closes_that_a_retry_would_not_change_stop_the_session() {
    for code in [4400, 4403, 4409, 4413, 4429, 4477] {
        let mut client = Client::live();
        client.close(code);
        assert_eq!(names(&client.actions()), ["link"], "{code}");
        match client.session.link() {
            Link::Unreachable { reason, retry_at: None } => assert!(!reason.is_empty()),
            other => panic!("{code}: {other:?}"),
        }
        assert_eq!(client.session.wake_at(), None);
        client.pass(1_000_000);
        client.session.network(client.now, false);
        client.session.command(client.now, say("later"));
        assert_eq!(names(&client.actions()), ["outbox"], "{code}");
        // The user may still try.
        client.session.wake(client.now);
        assert_eq!(names(&client.actions()), ["link", "fetch"], "{code}");
        assert_eq!(client.session.link(), &Link::Connecting);
    }
}

#[test]
fn a_lost_network_ends_the_attempts_and_a_new_one_starts_them_at_once() {
    let check = |mut client: Client, expected: &[&str]| {
        client.session.network(client.now, false);
        assert_eq!(names(&client.actions()), expected);
        assert_eq!((client.session.link(), client.session.wake_at()), (&Link::Offline, None));
        client.session.network(client.now, false);
        client.pass(60_000);
        assert_eq!(client.actions(), []);
        client.session.network(client.now, true);
        assert_eq!(names(&client.actions()).last(), Some(&"open"));
        assert_eq!(client.session.link(), &Link::Connecting, "the device has a network again");
        client.greet();
        assert_eq!(client.session.link(), &Link::Live);
    };
    check(Client::live(), &["close", "link"]);
    check(Client::opening(), &["close", "link"]);
    let mut waiting = Client::live();
    waiting.close(4500);
    waiting.actions();
    check(waiting, &["link"]);
}

#[test]
fn waking_up_skips_the_pause() {
    let mut client = Client::live();
    client.close(4500);
    client.actions();
    client.session.wake(client.now);
    assert_eq!(names(&client.actions()), ["open"]);
    // Awake and well: nothing to do.
    client.greet();
    client.actions();
    client.session.wake(client.now);
    assert_eq!(client.actions(), []);
}

#[test]
fn what_an_old_socket_says_changes_nothing() {
    let (mut client, thread) = Client::watching(3);
    client.session.command(client.now, say("hello"));
    let command = client.sent()[0].id;
    let old = client.generation;
    client.close(4500);
    client.sit_out();
    client.actions();
    assert_ne!(client.generation, old);
    let before = (client.session.link().clone(), client.session.wake_at());
    for frame in [
        connect(TOKEN_LIFE),
        heartbeat(),
        event(thread, EPOCH, 4),
        snapshot(thread, EPOCH, 90),
        ack(command),
        from_server(ServerMessage::ThreadDeleted(p::ThreadDeleted { id: thread })),
    ] {
        client.session.frame(client.now + 1, old, frame);
    }
    client.session.opened(client.now + 1, old);
    for code in [1000, 1006, 1012, 4401, 4403, 4500] {
        client.session.closed(client.now + 1, old, code);
    }
    assert_eq!(client.actions(), []);
    assert_eq!((client.session.link().clone(), client.session.wake_at()), before);
    assert_eq!(client.session.cursor(thread), Some((EPOCH, 3)));
    assert_eq!(client.session.outbox().count(), 1);
}

#[test]
fn a_normal_end_is_not_undone_until_the_user_asks() {
    for code in [1000, 1001] {
        let mut client = Client::live();
        let generation = client.generation;
        client.session.closed(client.now, generation, code);
        client.actions();
        assert!(matches!(client.session.link(), Link::Unreachable { retry_at: None, .. }), "{code}");
        assert_eq!(client.session.wake_at(), None, "{code}");
        client.session.wake(client.now + 1);
        assert!(!client.actions().is_empty(), "the user may ask for it: {code}");
    }
}

#[test]
fn a_server_that_restarts_is_asked_for_often() {
    let mut client = Client::live();
    let generation = client.generation;
    client.session.closed(client.now, generation, 1012);
    client.actions();
    let (start, mut tries) = (client.now, 0);
    while client.now < start + 20_000 {
        let at = client.session.wake_at().expect("it comes back");
        assert!(at <= client.now + RESTART_PAUSE.max(OPEN_TIMEOUT), "after {tries} tries it waits until {at}");
        client.now = at;
        client.session.tick(at);
        client.session.token(at, Ok(Token { token: "t".to_owned(), lives_ms: TOKEN_LIFE }));
        for action in client.actions() {
            if let Action::Open { generation, .. } = action {
                client.session.closed(client.now, generation, 1006);
                tries += 1;
            }
        }
        client.actions();
    }
    assert!(tries > 12, "{tries} tries in 20 s");
}
