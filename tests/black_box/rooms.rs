//! Rooms: every thread is one for its members; presence and typing are shown and not kept (R10).

use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use crate::support::{
    PATIENCE,
    frame::{error_code, frame},
    server::Setup,
    socket::Socket,
    user::User,
};

fn said(frame: &Value, room: &str, body: &Value) -> bool {
    frame["type"] == "room_message" && frame["payload"]["room"] == room && &frame["payload"]["body"] == body
}

async fn join(socket: &Socket, room: &str) -> Vec<String> {
    let from = socket.count();
    let ack = socket.call(frame("join_room", json!({ "room": room }))).await;
    assert_eq!(ack["payload"]["thread_id"], room, "{ack}");
    let list = |f: &Value| f["type"] == "room_message" && f["payload"]["body"]["presence"] == "list";
    let list = socket.wait_for(from, PATIENCE, "who is there", list).await;
    let users = list["payload"]["body"]["users"].as_array().expect("users").clone();
    users.iter().map(|user| user["id"].as_str().expect("an id").to_owned()).collect()
}

/// Waits for what `user` did: `joined` or `left`.
async fn seen(socket: &Socket, from: usize, room: &str, user: &User, what: &str) {
    let body = json!({ "presence": what });
    let wanted = |f: &Value| said(f, room, &body) && f["payload"]["from"]["id"] == user.id.as_str();
    socket.wait_for(from, PATIENCE, what, wanted).await;
}

#[tokio::test]
async fn a_room_that_does_not_exist_cannot_be_used() {
    let server = Setup::new().start().await;
    let (dev, stranger) = (User::dev(&server).await, User::register(&server).await);
    let socket = dev.connect().await;
    let foreign = stranger.thread("Another's").await["id"].clone();
    for (kind, payload, code) in [
        ("join_room", json!({ "room": "kitchen" }), "not_found"),
        ("join_room", json!({ "room": foreign }), "not_found"),
        ("leave_room", json!({ "room": "kitchen" }), "not_found"),
        ("room_message", json!({ "room": "kitchen", "body": {} }), "not_found"),
        ("room_message", json!({ "room": foreign, "body": {} }), "not_found"),
        ("room_message", json!({ "room": "kitchen", "body": "hello" }), "invalid_payload"),
        ("join_room", json!({ "room": "x".repeat(50_000) }), "not_found"),
        ("join_room", json!({}), "invalid_payload"),
    ] {
        let answer = socket.call(frame(kind, payload.clone())).await;
        assert_eq!(error_code(&answer), code, "{kind} {payload}: {answer}");
        assert!(answer.to_string().len() < 1_000, "the name is not sent back whole");
    }
    let megabyte = frame("join_room", json!({ "room": "x".repeat(1 << 20) }));
    assert!(socket.raw(Message::text(megabyte.to_string())).await);
    socket.closed_with(4413, PATIENCE).await;
}

#[tokio::test]
async fn those_in_a_room_see_who_comes_speaks_and_goes() {
    let server = Setup::new().start().await;
    let (ada, bob) = (User::register(&server).await, User::register(&server).await);
    let room = ada.thread("Ours").await["id"].as_str().expect("an id").to_owned();
    let answer = ada.post(&format!("/api/threads/{room}/members"), json!({ "email": bob.email })).await;
    assert_eq!(answer.status, 201, "{}", answer.body);

    let first = ada.connect().await;
    assert_eq!(join(&first, &room).await, [ada.id.as_str()]);
    let second = bob.connect().await;
    assert_eq!(join(&second, &room).await, [ada.id.as_str(), bob.id.as_str()]);
    seen(&first, 0, &room, &bob, "joined").await;

    // Another tab of the same user changes nothing for others.
    let (tab, from) = (bob.connect().await, first.count());
    assert_eq!(join(&tab, &room).await.len(), 2);
    drop(tab.cut().await);
    second.send(&frame("room_message", json!({ "room": room, "body": { "typing": true } }))).await;
    for socket in [&first, &second] {
        let heard = socket.wait("typing", |f| said(f, &room, &json!({ "typing": true }))).await;
        assert_eq!(heard["payload"]["from"]["id"], bob.id.as_str(), "{heard}");
        assert!(heard["payload"]["from"].get("email").is_none(), "a room hears names, not addresses: {heard}");
    }
    let changes = first.frames()[from..].iter().filter(|f| f["payload"]["body"].get("presence").is_some()).count();
    assert_eq!(changes, 0, "a second tab came and went unseen");

    // A client cannot speak for the server.
    let forged = frame("room_message", json!({ "room": room, "body": { "presence": "left" } }));
    assert_eq!(error_code(&second.call(forged).await), "invalid_payload");

    // A connection that is lost leaves; so does one that says so.
    let from = first.count();
    drop(second.cut().await);
    seen(&first, from, &room, &bob, "left").await;
    let back = bob.connect().await;
    assert_eq!(join(&back, &room).await.len(), 2);
    let from = first.count();
    assert_eq!(back.call(frame("leave_room", json!({ "room": room }))).await["type"], "ack");
    seen(&first, from, &room, &bob, "left").await;
    let late = frame("room_message", json!({ "room": room, "body": {} }));
    assert_eq!(error_code(&back.call(late).await), "not_found", "whoever left is not heard");

    let log = ada.get(&format!("/api/threads/{room}/events?after_seq=0")).await.ok();
    assert_eq!(log["events"], json!([]), "nothing said in a room is kept");
}

#[tokio::test]
async fn a_command_id_says_one_thing_once_in_rooms_too() {
    let server = Setup::new().start().await;
    let user = User::register(&server).await;
    let (room, other) = (user.thread("One").await["id"].clone(), user.thread("Two").await["id"].clone());
    let socket = user.connect().await;
    let started = frame("start_agent", json!({ "content": "What is 6 times 7?" }));
    assert_eq!(socket.call(started.clone()).await["payload"]["duplicate"], false);
    let under = |id: &Value, kind: &str, room: &Value| {
        let mut frame = frame(kind, json!({ "room": room }));
        frame["id"] = id.clone();
        frame
    };
    assert_eq!(error_code(&again(&socket, under(&started["id"], "join_room", &room)).await), "id_conflict");
    let late = frame("room_message", json!({ "room": room, "body": {} }));
    assert_eq!(error_code(&socket.call(late).await), "not_found", "refused is not joined");

    let join = frame("join_room", json!({ "room": room }));
    assert_eq!(again(&socket, join.clone()).await["payload"], json!({ "thread_id": room, "duplicate": false }));
    assert_eq!(again(&socket, join.clone()).await["payload"], json!({ "thread_id": room, "duplicate": true }));
    for (kind, room) in [("join_room", &other), ("leave_room", &room)] {
        assert_eq!(error_code(&again(&socket, under(&join["id"], kind, room)).await), "id_conflict", "{kind}");
    }
    let mut taken = frame("start_agent", json!({ "content": "And 6 times 8?" }));
    taken["id"] = join["id"].clone();
    assert_eq!(error_code(&again(&socket, taken.clone()).await), "id_conflict");

    // The next process knows it, too, and has nobody in its rooms.
    let server = server.restart("TERM").await;
    let socket = user.moved(&server).connect().await;
    assert_eq!(error_code(&again(&socket, taken).await), "id_conflict");
    assert_eq!(again(&socket, join).await["payload"], json!({ "thread_id": room, "duplicate": true }));
    let spoken = frame("room_message", json!({ "room": room, "body": { "typing": true } }));
    socket.send(&spoken).await;
    socket.wait("what is said", |f| said(f, room.as_str().expect("an id"), &json!({ "typing": true }))).await;
}

/// Sends a frame whose id may have been used, and waits for what answers this time.
async fn again(socket: &Socket, frame: Value) -> Value {
    let from = socket.count();
    socket.send(&frame).await;
    socket.wait_for(from, PATIENCE, "an answer", |f| f["reply_to"] == frame["id"]).await
}
