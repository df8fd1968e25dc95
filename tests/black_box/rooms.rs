//! Rooms belong to shared threads. No thread is shared yet, so there is none to enter, and saying so is an error like any.

use serde_json::json;

use crate::support::{frame::error_code, frame::frame, server::Setup, user::User};

#[tokio::test]
async fn a_room_that_does_not_exist_cannot_be_used() {
    let server = Setup::new().start().await;
    let socket = User::dev(&server).await.connect().await;
    for (kind, payload, code) in [
        ("join_room", json!({ "room": "kitchen" }), "not_found"),
        ("leave_room", json!({ "room": "kitchen" }), "not_found"),
        ("room_message", json!({ "room": "kitchen", "body": {} }), "not_found"),
        ("room_message", json!({ "room": "kitchen", "body": "hello" }), "invalid_payload"),
        ("join_room", json!({}), "invalid_payload"),
    ] {
        let answer = socket.call(frame(kind, payload.clone())).await;
        assert_eq!(error_code(&answer), code, "{kind} {payload}: {answer}");
    }
}
