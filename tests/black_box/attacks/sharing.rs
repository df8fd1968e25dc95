//! Members of a conversation, against each other.

use std::time::Duration;

use serde_json::json;

use crate::support::{
    frame::{frame, on},
    provider::{Provider, Request},
    rules::{ended, event, say, start_run},
    script::{Reply, Stream},
    server::{Server, Setup},
    user::User,
};

async fn shared(server: &Server) -> (User, User, String) {
    let (ada, bob) = (User::register(server).await, User::register(server).await);
    let thread = ada.thread("Ours").await["id"].as_str().expect("an id").to_owned();
    let added = ada.post(&format!("/api/threads/{thread}/members"), json!({ "email": bob.email })).await;
    assert_eq!(added.status, 201, "{}", added.body);
    bob.post(&format!("/api/invitations/{thread}"), json!({})).await.ok();
    (ada, bob, thread)
}

/// What a message in a shared conversation makes an agent look up in someone's own ones is read by everybody there.
#[tokio::test]
async fn nobodys_own_conversations_are_searched_where_others_listen() {
    let server = Setup::new().start().await;
    let (ada, bob, thread) = shared(&server).await;
    let socket = bob.connect().await;
    let secret = start_run(&socket, "guide", "My vault code is swordfish.").await;
    ended(&socket, &secret).await;
    let listening = ada.connect().await;
    listening.call(on(&thread, "subscribe", json!({ "after_seq": 0 }))).await;
    socket.call(on(&thread, "subscribe", json!({ "after_seq": 0 }))).await;
    let run = say(&socket, &thread, "Search my conversations for vault").await;
    ended(&socket, &run).await;
    ended(&listening, &run).await;
    let heard = json!(listening.frames()).to_string();
    assert!(heard.contains("others read this conversation"), "{heard}");
    assert!(!heard.contains("swordfish"), "{heard}");
    // Where nobody else listens it finds what there is.
    let alone = start_run(&socket, "guide", "Search my conversations for vault").await;
    ended(&socket, &alone).await;
    assert!(json!(socket.frames()).to_string().contains("swordfish"));
}

/// A run that waits for its turn ends when whoever asked has left: its tools would look for someone who is not there.
#[tokio::test]
async fn nobody_works_for_someone_who_left() {
    let script = |_: &Request| Stream::new().texts(100, "word ", Duration::from_millis(20)).end("stop");
    let provider = Provider::start(script).await;
    let server = Setup::new().assistant(&provider).start().await;
    let (ada, bob, thread) = shared(&server).await;
    ada.patch(&format!("/api/threads/{thread}"), json!({ "agent": "assistant" })).await.ok();
    let (owner, member) = (ada.connect().await, bob.connect().await);
    owner.call(on(&thread, "subscribe", json!({ "after_seq": 0 }))).await;
    let first = say(&owner, &thread, "Ada asks").await;
    event(&owner, &first, "partial_result").await;
    let waiting = say(&member, &thread, "Bob asks").await;
    assert_eq!(bob.delete(&format!("/api/threads/{thread}/members")).await.status, 204);
    let end = ended(&owner, &waiting).await;
    assert_eq!((&end["type"], &end["payload"]["status"]), (&json!("agent_completed"), &json!("stopped")), "{end}");
    assert_eq!(provider.requests().len(), 1, "the model was never asked for the one who left");
}

/// The model is told whose words are whose, so that one member's are not taken for another's.
#[tokio::test]
async fn a_model_is_told_who_wrote_what() {
    let provider = Provider::start(|_| Reply::text("Hello.")).await;
    let server = Setup::new().assistant(&provider).start().await;
    let (ada, bob, thread) = shared(&server).await;
    ada.patch(&format!("/api/threads/{thread}"), json!({ "agent": "assistant" })).await.ok();
    let (owner, member) = (ada.connect().await, bob.connect().await);
    owner.call(on(&thread, "subscribe", json!({ "after_seq": 0 }))).await;
    let first = say(&owner, &thread, "The first question").await;
    ended(&owner, &first).await;
    assert_eq!(provider.requests().last().expect("a request").prompt(), "The first question", "one writes alone");
    let second = say(&member, &thread, "The second question").await;
    ended(&owner, &second).await;
    let requests = provider.requests();
    let asked = requests.last().expect("a request");
    assert_eq!(asked.prompt(), "Ada: The second question");
    assert!(json!(asked.messages()).to_string().contains("Ada: The first question"), "{:?}", asked.messages());
}

#[tokio::test]
async fn members_learn_names_and_no_addresses() {
    let server = Setup::new().start().await;
    let (ada, bob, thread) = shared(&server).await;
    let path = format!("/api/threads/{thread}/members");
    let seen = bob.get(&path).await;
    assert!(!seen.body.contains(&ada.email) && seen.body.contains(&bob.email), "{}", seen.body);
    assert!(ada.get(&path).await.body.contains(&bob.email), "the owner names people by them");
}

/// Words in a room are dropped for who cannot keep up; they never cost anybody the socket.
#[tokio::test]
async fn a_flood_of_words_in_a_room_closes_nobody() {
    let server = Setup::new().set("NETRA_COMMANDS_PER_MINUTE", 100_000).start().await;
    let (ada, bob, thread) = shared(&server).await;
    let (victim, flood) = (ada.connect().await, bob.connect().await);
    for socket in [&victim, &flood] {
        socket.call(frame("join_room", json!({ "room": thread }))).await;
    }
    let body = json!({ "x": "y".repeat(60_000) });
    for _ in 0..100 {
        flood.send(&frame("room_message", json!({ "room": thread, "body": body }))).await;
    }
    flood.call(frame("ping", json!({}))).await;
    victim.alive().await;
}
