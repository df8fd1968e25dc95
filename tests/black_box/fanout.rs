//! Thread frames that go to every connection of the user, and titles that make themselves (§4).

use serde_json::{Value, json};

use crate::support::{
    PATIENCE,
    frame::{check_envelope, frame},
    rules::acked,
    server::Setup,
    socket::Socket,
    user::User,
};

async fn next(socket: &Socket, kind: &str, thread: &str) -> Value {
    let wanted = |f: &Value| f["type"] == kind && f["payload"]["id"] == thread;
    socket.wait_for(0, PATIENCE, kind, wanted).await
}

#[tokio::test]
async fn every_socket_of_the_user_learns_of_threads_and_no_other_does() {
    let server = Setup::new().start().await;
    let (ada, eve) = (User::register(&server).await, User::register(&server).await);
    let (one, two, other) = (ada.connect().await, ada.connect().await, eve.connect().await);
    let ack = one.call(frame("start_agent", json!({ "content": "What is 6 times 7?" }))).await;
    let thread = acked(&ack, "thread_id");
    let path = format!("/api/threads/{thread}");
    for socket in [&one, &two] {
        let created = next(socket, "thread_created", &thread).await;
        check_envelope(&created);
        for field in ["title", "agent", "pinned", "archived", "head_seq", "created_at", "updated_at"] {
            assert!(!created["payload"][field].is_null(), "{field} in {created}");
        }
    }
    let renamed = ada.patch(&path, json!({ "title": "Six by seven", "pinned": true })).await.ok();
    assert_eq!((&renamed["title"], &renamed["pinned"]), (&json!("Six by seven"), &json!(true)));
    for socket in [&one, &two] {
        let wanted = |f: &Value| f["type"] == "thread_update" && f["payload"]["title"] == "Six by seven";
        let update = socket.wait("the new title", wanted).await;
        assert_eq!(
            (&update["payload"]["id"], &update["payload"]["pinned"]),
            (&json!(thread), &json!(true)),
            "{update}"
        );
    }
    assert_eq!(ada.delete(&path).await.status, 204);
    for socket in [&one, &two] {
        next(socket, "thread_deleted", &thread).await;
    }
    other.alive().await;
    let kinds: Vec<Value> = other.frames().iter().map(|f| f["type"].clone()).collect();
    assert_eq!(kinds, ["connect", "pong"], "another user was told");
}

#[tokio::test]
async fn a_thread_made_over_http_is_announced_too() {
    let server = Setup::new().start().await;
    let user = User::dev(&server).await;
    let socket = user.connect().await;
    let thread = user.thread("Plans").await;
    let created = next(&socket, "thread_created", thread["id"].as_str().expect("id")).await;
    assert_eq!(created["payload"], thread);
}

#[tokio::test]
async fn a_title_comes_from_the_first_message() {
    let server = Setup::new().start().await;
    let user = User::dev(&server).await;
    let socket = user.connect().await;
    let given = frame("start_agent", json!({ "content": "What is 1 + 1?", "title": "Small sums" }));
    let made = frame("start_agent", json!({ "content": "Where do pelicans sleep?" }));
    for (command, word) in [(given, "Small sums"), (made, "pelican")] {
        let thread = acked(&socket.call(command).await, "thread_id");
        let wanted = |f: &Value| {
            matches!(f["type"].as_str(), Some("thread_created" | "thread_update"))
                && f["payload"]["id"] == thread.as_str()
                && f["payload"]["title"].as_str().is_some_and(|t| t.contains(word))
        };
        socket.wait(word, wanted).await;
    }
}
