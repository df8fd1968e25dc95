//! The outbox: what is sent, sent again, settled or taken back.

use super::*;

fn waiting(client: &Client) -> Vec<(FrameId, bool)> {
    client.session.outbox().map(|queued| (queued.frame.id, queued.is_sent())).collect()
}

#[test]
fn a_command_waits_for_its_answer() {
    let mut client = Client::live();
    let command = say("hello");
    client.session.command(client.now, command.clone());
    assert_eq!(client.sent(), std::slice::from_ref(&command));
    assert_eq!(waiting(&client), [(command.id, true)]);
    client.hear(ack(FrameId::new()));
    assert_eq!((client.actions(), waiting(&client).len()), (vec![], 1), "another's answer");
    client.hear(ack(command.id));
    let settled = Action::Settled { id: command.id, outcome: Ok(p::Ack::default()) };
    assert_eq!(client.actions(), [Action::OutboxChanged, settled]);
    assert_eq!(waiting(&client), []);
    client.hear(ack(command.id));
    assert_eq!(client.actions(), [], "answered once");
}

#[test]
fn a_refused_command_is_settled_with_its_error() {
    for code in [ErrorCode::NotFound, ErrorCode::IdConflict, ErrorCode::InvalidPayload, ErrorCode::Internal] {
        let mut client = Client::live();
        let command = say("hello");
        client.session.command(client.now, command.clone());
        client.actions();
        client.hear(refusal_of(command.id, code, None));
        let outcome = Err(p::ErrorMessage::new(code, "no"));
        assert_eq!(client.actions(), [Action::OutboxChanged, Action::Settled { id: command.id, outcome }]);
        assert_eq!(waiting(&client), []);
    }
    // An error that answers nothing settles nothing.
    let mut client = Client::live();
    client.session.command(client.now, say("hello"));
    client.actions();
    let error = p::ErrorMessage::new(ErrorCode::Internal, "no");
    client.hear(from_server(ServerMessage::ErrorMessage(error)));
    assert_eq!((client.actions(), waiting(&client).len()), (vec![], 1));
}

#[test]
fn a_command_that_no_socket_would_survive_is_refused_here() {
    let mut client = Client::live();
    let (large, small) = (say(&"x".repeat(limits().max_frame_bytes)), say("hello"));
    client.session.command(client.now, large.clone());
    let outcome = Err(p::ErrorMessage::new(ErrorCode::FrameTooLarge, "this message is too large for the server"));
    let settled = Action::Settled { id: large.id, outcome };
    assert_eq!(client.actions(), [Action::OutboxChanged, Action::OutboxChanged, settled]);
    client.session.command(client.now, small.clone());
    assert_eq!(client.sent(), std::slice::from_ref(&small), "what fits still goes out");
    assert_eq!(waiting(&client), [(small.id, true)]);
}

#[test]
fn a_command_that_comes_too_fast_is_kept_and_sent_after_the_pause() {
    let mut client = Client::live();
    let (first, second, third) = (say("one"), say("two"), say("three"));
    client.session.command(client.now, first.clone());
    client.session.command(client.now, second.clone());
    client.actions();
    client.hear(refusal_of(first.id, ErrorCode::RateLimited, Some(700)));
    client.session.command(client.now, third.clone());
    assert_eq!(client.sent(), [], "the pause holds for all");
    assert_eq!(waiting(&client), [(first.id, false), (second.id, true), (third.id, false)]);
    client.pass(699);
    assert_eq!(client.sent(), []);
    client.pass(1);
    assert_eq!(client.sent(), [first, third]);
    client.pass(10_000);
    assert_eq!(client.sent(), [], "sent once");
}

#[test]
fn a_pause_without_a_length_ends_too() {
    let mut client = Client::live();
    let command = say("one");
    for retry_after_ms in [None, Some(0)] {
        client.session.command(client.now, command.clone());
        client.actions();
        client.hear(refusal_of(command.id, ErrorCode::RateLimited, retry_after_ms));
        client.pass(1_000);
        assert_eq!(client.sent(), std::slice::from_ref(&command));
        client.hear(ack(command.id));
    }
}

#[test]
fn what_was_not_answered_goes_out_again_on_the_next_socket() {
    let mut client = Client::live();
    let commands = [say("one"), say("two"), say("three")];
    client.session.command(client.now, commands[0].clone());
    client.session.command(client.now, commands[1].clone());
    client.hear(ack(commands[0].id));
    client.actions();
    client.close(4500);
    client.session.command(client.now, commands[2].clone());
    assert_eq!(client.sent(), []);
    client.sit_out();
    client.actions();
    client.greet();
    assert_eq!(client.sent(), commands[1..], "with the same ids: the server knows a repetition");
}

#[test]
fn a_pause_for_the_rate_ends_with_its_socket() {
    let mut client = Client::live();
    let command = say("one");
    client.session.command(client.now, command.clone());
    client.hear(refusal_of(command.id, ErrorCode::RateLimited, Some(60_000)));
    client.close(4500);
    client.sit_out();
    client.actions();
    client.greet();
    assert_eq!(client.sent(), [command]);
}

#[test]
fn commands_kept_from_before_go_out_first() {
    let mut client = Client::new();
    let kept = [say("one"), say("two")];
    client.session.start(client.now, Some(token("t")), kept.to_vec());
    let new = say("three");
    client.session.command(client.now, new.clone());
    client.actions();
    client.greet();
    assert_eq!(client.sent(), [kept[0].clone(), kept[1].clone(), new]);
}

#[test]
fn a_command_can_be_taken_back() {
    let mut client = Client::opening();
    let (one, two) = (say("one"), say("two"));
    client.session.command(client.now, one.clone());
    client.session.command(client.now, two.clone());
    client.actions();
    client.session.withdraw(one.id);
    assert_eq!(client.actions(), [Action::OutboxChanged]);
    client.greet();
    assert_eq!(client.sent(), [two]);
}
