//! Rooms: what is said in one reaches those who are in it (§4).

use serde_json::{Value, json};

use crate::support::{PATIENCE, frame::error_code, frame::frame, server::Setup, socket::Socket, user::User};

async fn room(socket: &Socket, kind: &str, room: &str) {
    let ack = socket.call(frame(kind, json!({ "room": room }))).await;
    assert_eq!(ack["type"], "ack", "{ack}");
}

fn heard(socket: &Socket) -> Vec<Value> {
    socket.frames().iter().filter(|f| f["type"] == "room_message").map(|f| f["payload"].clone()).collect()
}

#[tokio::test]
async fn a_room_reaches_its_members_alone() {
    let server = Setup::new().start().await;
    let user = User::dev(&server).await;
    let (one, two, outside) = (user.connect().await, user.connect().await, user.connect().await);
    room(&one, "join_room", "kitchen").await;
    room(&two, "join_room", "kitchen").await;
    room(&outside, "join_room", "garden").await;
    let say = |n: u32| frame("room_message", json!({ "room": "kitchen", "body": { "n": n } }));
    one.send(&say(1)).await;
    let message = two.wait("the message", |f| f["type"] == "room_message").await;
    assert_eq!((&message["payload"]["room"], &message["payload"]["body"]), (&json!("kitchen"), &json!({ "n": 1 })));
    assert!(message["payload"]["from"].to_string().contains(&user.id), "{message}");

    room(&two, "leave_room", "kitchen").await;
    one.send(&say(2)).await;
    one.wait_for(0, PATIENCE, "the second", |f| f["payload"]["body"] == json!({ "n": 2 })).await;
    two.alive().await;
    outside.alive().await;
    assert_eq!(heard(&two).len(), 1, "{:?}", heard(&two));
    assert_eq!(heard(&outside), Vec::<Value>::new());
}

#[tokio::test]
async fn a_room_takes_objects_from_its_members() {
    let server = Setup::new().start().await;
    let socket = User::dev(&server).await.connect().await;
    room(&socket, "join_room", "kitchen").await;
    let text = socket.call(frame("room_message", json!({ "room": "kitchen", "body": "hello" }))).await;
    assert_eq!(error_code(&text), "invalid_payload", "a body is an object");
    let stranger = socket.call(frame("room_message", json!({ "room": "garden", "body": {} }))).await;
    assert!(["forbidden", "not_found"].contains(&error_code(&stranger)), "{stranger}");
}
