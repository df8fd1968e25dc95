//! Heartbeats, silence, and waking at the right time.

use super::*;

#[test]
fn a_heartbeat_is_answered_at_once() {
    let mut client = Client::live();
    let beat = heartbeat();
    let id = beat.id;
    client.hear(beat);
    let sent = client.sent();
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0].message, ClientMessage::HeartbeatAck(p::Empty {}));
    assert_eq!(sent[0].reply_to, Some(id));
}

#[test]
fn silence_means_that_the_socket_is_dead() {
    let mut client = Client::live();
    client.pass(SILENCE);
    assert_eq!(client.actions(), [], "just in time");
    client.pass(1);
    assert_eq!(names(&client.actions()), ["close", "link"]);
    assert!(matches!(client.session.link(), Link::Reconnecting { .. }));
}

#[test]
fn whatever_is_heard_ends_the_silence() {
    let (client, thread) = Client::watching(3);
    let mut client = client;
    for frame in [heartbeat(), event(thread, EPOCH, 4), ack(FrameId::new()), heartbeat()] {
        client.pass(SILENCE);
        client.hear(frame);
    }
    client.pass(SILENCE);
    assert_eq!(client.session.link(), &Link::Live);
}

#[test]
fn the_servers_numbers_count() {
    let mut client = Client::opening();
    let mut greeting = connect(TOKEN_LIFE);
    if let ServerMessage::Connect(connect) = &mut greeting.message {
        connect.limits.heartbeat_interval_ms = 1_000;
        connect.limits.heartbeat_timeout_ms = 500;
    }
    client.hear(greeting);
    assert_eq!(client.session.wake_at(), Some(client.now + 2_001));
    client.pass(2_000);
    assert_eq!(client.session.link(), &Link::Live);
    client.pass(1);
    assert_ne!(client.session.link(), &Link::Live);
}

#[test]
fn silence_is_noticed_before_a_send() {
    let mut client = Client::live();
    client.now += SILENCE + 1;
    client.session.command(client.now, say("hello"));
    let actions = client.actions();
    assert_eq!(names(&actions), ["outbox", "close", "link"], "nothing is sent into a dead socket");
    client.sit_out();
    client.actions();
    client.greet();
    assert_eq!(client.sent().len(), 1, "it goes out on the next one");
}

#[test]
fn silence_is_noticed_on_waking_up_and_repaired_at_once() {
    let mut client = Client::live();
    client.now += 3_600_000;
    client.session.wake(client.now);
    assert_eq!(names(&client.actions()), ["close", "link", "fetch"]);
    let mut client = Client::live();
    client.now += SILENCE + 1;
    client.session.network(client.now, true);
    assert_eq!(names(&client.actions()), ["close", "link", "open"]);
}

#[test]
fn a_handshake_takes_ten_seconds_at_most() {
    let mut client = Client::opening();
    client.session.opened(client.now, client.generation);
    client.pass(OPEN_TIMEOUT - 1);
    assert_eq!(client.actions(), []);
    client.pass(1);
    assert_eq!(names(&client.actions()), ["close", "link"]);
    client.sit_out();
    assert_eq!(names(&client.actions()), ["open"]);
}

/// Ticks at the moment that the session names, as its owner does, and counts the ticks until `until`.
fn run_until(client: &mut Client, until: Millis) -> usize {
    let mut ticks = 0;
    while let Some(wake_at) = client.session.wake_at().filter(|at| *at <= until) {
        assert!(wake_at >= client.now, "the moment has not passed yet: {wake_at} at {}", client.now);
        client.now = wake_at;
        client.session.tick(client.now);
        let actions = client.actions();
        assert_ne!(client.session.wake_at(), Some(wake_at), "a tick makes progress: {actions:?}");
        for action in actions {
            if action == Action::FetchToken {
                client.now += 20;
                client.session.token(client.now, Ok(token("fetched")));
            }
        }
        client.actions();
        ticks += 1;
        assert!(ticks < 10_000, "the session does not spin");
    }
    ticks
}

#[test]
fn a_client_that_sleeps_until_it_is_needed_gets_everything_done() {
    let hour = 3_600_000;
    // A server that never answers: an attempt each half minute or so.
    let ticks = run_until(&mut Client::opening(), hour);
    assert!((100..1_000).contains(&ticks), "{ticks}");
    // A socket that falls silent, and a pause for the rate.
    let (mut client, _) = Client::watching(3);
    let command = say("hello");
    client.session.command(client.now, command.clone());
    client.actions();
    client.hear(refusal_of(command.id, ErrorCode::RateLimited, Some(700)));
    assert_eq!(client.session.wake_at(), Some(client.now + 700));
    run_until(&mut client, hour);
    // Nothing to wait for.
    assert_eq!(Client::new().session.wake_at(), None);
}

#[test]
fn absurd_numbers_do_not_break_the_clock() {
    let mut client = Client::new();
    client.session.start(client.now, Some(Token { token: "t".into(), lives_ms: u64::MAX }), Vec::new());
    client.actions();
    client.session.token(client.now, Ok(Token { token: "t".into(), lives_ms: u64::MAX }));
    client.actions();
    let mut greeting = connect(u64::MAX / 2);
    if let ServerMessage::Connect(connect) = &mut greeting.message {
        connect.limits.heartbeat_interval_ms = u64::MAX;
        connect.limits.heartbeat_timeout_ms = u64::MAX;
    }
    client.hear(greeting);
    let command = say("hello");
    client.session.command(client.now, command.clone());
    client.hear(refusal_of(command.id, ErrorCode::RateLimited, Some(u64::MAX)));
    client.session.tick(client.now);
    let goodbye = p::Disconnect { code: 1012, reason: String::new(), retry_after_ms: Some(u64::MAX) };
    client.hear(from_server(ServerMessage::Disconnect(goodbye)));
    client.close(1012);
    assert!(client.session.wake_at().is_some());
}
