//! Tokens: fetched, refreshed in band, refused, and gone with the user.

use super::{super::link::BACK_OFF_MAX, *};

#[test]
fn a_token_is_refreshed_in_band_at_four_fifths_of_its_life() {
    let mut client = Client::live();
    let mut fetched_after = 0;
    let connected = client.now;
    while client.session.link() == &Link::Live && fetched_after == 0 {
        client.hear(heartbeat());
        client.actions();
        client.pass(1_000);
        if client.actions().contains(&Action::FetchToken) {
            fetched_after = client.now - connected;
        }
    }
    assert_eq!(fetched_after, TOKEN_LIFE / 5 * 4);
    client.pass(1_000);
    assert_eq!(client.actions(), [], "asked once");
    client.session.token(client.now, Ok(token("second")));
    let sent = client.sent();
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0].message, ClientMessage::Authenticate(p::Authenticate { token: "second".into() }));
    assert_eq!(client.session.link(), &Link::Live);
    // And again before the second one ends.
    client.hear(heartbeat());
    client.now += TOKEN_LIFE / 5 * 4 - 1;
    client.hear(heartbeat());
    client.actions();
    client.pass(0);
    assert_eq!(client.actions(), []);
    client.pass(1);
    assert_eq!(client.actions(), [Action::FetchToken]);
}

#[test]
fn a_refresh_is_timed_by_the_servers_clock_alone() {
    let check = |life: Millis, expected: Millis| {
        let mut client = Client::opening();
        client.hear(connect(life));
        assert_eq!(client.session.refresh_at, Some(client.now + expected));
    };
    check(300_000, 240_000);
    check(60_000, 48_000);
    check(0, 0);
}

#[test]
fn a_refresh_that_fails_is_tried_again_soon() {
    let mut client = Client::opening();
    client.hear(connect(10_000));
    client.actions();
    client.pass(8_000);
    assert_eq!(client.actions(), [Action::FetchToken]);
    client.session.token(client.now, Err(TokenError::Unreachable("503".into())));
    assert_eq!(client.actions(), [], "the link still works");
    assert_eq!(client.session.link(), &Link::Live);
    client.pass(4_999);
    assert_eq!(client.actions(), [], "soon is not at once");
    client.pass(1);
    assert_eq!(client.actions(), [Action::FetchToken]);
}

#[test]
fn a_refreshed_token_serves_the_next_connection() {
    let mut client = Client::opening();
    client.hear(connect(10_000));
    client.pass(8_000);
    client.session.token(client.now, Ok(token("second")));
    client.actions();
    client.close(4500);
    client.sit_out();
    assert!(client.actions().contains(&Action::Open { generation: 3, token: "second".into() }));
}

#[test]
fn a_refresh_that_ends_after_the_cut_opens_nothing_twice() {
    let mut client = Client::opening();
    client.hear(connect(10_000));
    client.pass(8_000);
    client.actions();
    client.close(4500);
    client.session.token(client.now, Ok(token("late")));
    assert_eq!(names(&client.actions()), ["link"], "the pause goes on");
    client.sit_out();
    let opened: Vec<_> = client.actions().into_iter().filter(|action| matches!(action, Action::Open { .. })).collect();
    assert_eq!(opened, [Action::Open { generation: 3, token: "late".into() }]);
    client.session.token(client.now, Ok(token("later")));
    assert_eq!(client.actions(), []);
}

#[test]
fn an_expired_token_is_replaced_and_the_link_made_again() {
    let mut client = Client::live();
    client.close(4401);
    assert_eq!(names(&client.actions()), ["link"], "not without a pause");
    client.sit_out();
    assert_eq!(names(&client.actions()), ["fetch"]);
    client.session.token(client.now, Ok(token("second")));
    assert!(matches!(&client.actions()[..], [Action::Open { token, .. }] if token == "second"));
    client.greet();
    assert_eq!(client.session.link(), &Link::Live);
}

#[test]
fn a_server_that_greets_and_refuses_every_token_is_asked_less_and_less_often() {
    let mut client = Client::live();
    let mut pauses = Vec::new();
    for number in 0..8 {
        client.close(4401);
        let until = client.session.wake_at().expect("a pause");
        pauses.push(until - client.now);
        client.sit_out();
        client.actions();
        client.session.token(client.now, Ok(token(&number.to_string())));
        client.actions();
        client.greet();
        assert_eq!(client.session.link(), &Link::Live);
    }
    for (pause, failures) in pauses.iter().zip(0..) {
        let ceiling = (BACK_OFF_BASE << failures.min(6)).min(BACK_OFF_MAX);
        assert!((ceiling / 10..=ceiling).contains(pause), "the greeting in between proves nothing: {pauses:?}");
    }
    // Much later, on a link that lived, it is another fault.
    for number in 0..40 {
        client.pass(15_000);
        client.hear(heartbeat());
        if client.actions().contains(&Action::FetchToken) {
            client.session.token(client.now, Ok(token(&format!("fresh {number}"))));
            client.actions();
        }
    }
    assert_eq!(client.session.link(), &Link::Live);
    client.close(4401);
    let pause = client.session.wake_at().expect("a pause") - client.now;
    assert!((BACK_OFF_BASE / 10..=BACK_OFF_BASE).contains(&pause), "{pause}");
}

#[test]
fn a_handshake_that_fails_is_not_tried_again_with_the_same_token() {
    let mut client = Client::opening();
    client.close(1006);
    client.actions();
    client.sit_out();
    assert_eq!(client.actions(), [Action::FetchToken]);
    // A cut of a link that worked says nothing against its token.
    let mut client = Client::live();
    client.close(1006);
    client.actions();
    client.sit_out();
    assert!(matches!(&client.actions()[..], [Action::Open { token, .. }] if token == "first"));
}

#[test]
fn a_server_that_gives_no_token_is_tried_again() {
    let mut client = Client::new();
    client.session.start(client.now, None, Vec::new());
    client.actions();
    client.session.token(client.now, Err(TokenError::Unreachable("it does not answer".into())));
    match client.session.link() {
        Link::Unreachable { reason, retry_at: Some(_) } => assert_eq!(reason, "it does not answer"),
        other => panic!("{other:?}"),
    }
    client.actions();
    client.sit_out();
    assert_eq!(client.actions(), [Action::FetchToken]);
}

#[test]
fn a_user_who_is_signed_out_elsewhere_is_signed_out_here() {
    // At the start, after 4401, and at a refresh in band.
    let mut fetching = Client::new();
    fetching.session.start(0, None, Vec::new());
    let mut expired = Client::live();
    expired.close(4401);
    expired.sit_out();
    let mut refreshing = Client::opening();
    refreshing.hear(connect(10_000));
    refreshing.pass(8_000);
    for (mut client, expected) in [(fetching, &["link"][..]), (expired, &["link"]), (refreshing, &["close", "link"])] {
        client.actions();
        client.session.token(client.now, Err(TokenError::SignedOut));
        assert_eq!(names(&client.actions()), expected);
        assert_eq!(client.session.link(), &Link::SignedOut);
        assert_eq!(client.session.wake_at(), None);
    }
}

#[test]
fn signing_out_is_final() {
    let (mut client, thread) = Client::watching(3);
    let old = client.generation;
    client.session.sign_out();
    assert_eq!(names(&client.actions()), ["close", "link"]);
    client.session.wake(client.now);
    client.session.network(client.now, false);
    client.session.network(client.now, true);
    client.session.command(client.now, say("hello"));
    client.session.token(client.now, Ok(token("late")));
    client.session.frame(client.now, old, event(thread, EPOCH, 4));
    client.pass(1_000_000);
    assert_eq!(names(&client.actions()), ["outbox"]);
    assert_eq!(client.session.link(), &Link::SignedOut);
}
