//! One message, several answers: each a run, the newest of which later turns are told (R12).

use serde_json::{Value, json};

use crate::support::{
    frame::{error_code, frame},
    provider::{Provider, text},
    rules::{Run, acked, check_run, ended, payloads, say, start_run},
    script::Reply,
    server::Setup,
    user::User,
};

#[tokio::test]
async fn a_message_is_answered_once_more() {
    let provider = Provider::start(|request| {
        let told: Vec<String> = request.messages().iter().map(text).collect();
        Reply::text(&format!("answer to {}", told.join(" | ")))
    })
    .await;
    let server = Setup::new().assistant(&provider).start().await;
    let (user, stranger) = (User::dev(&server).await, User::register(&server).await);
    let socket = user.connect().await;
    let first = start_run(&socket, "assistant", "one").await;
    ended(&socket, &first).await;
    let asked = socket.wait("the message", |f| f["type"] == "thread_message").await["payload"]["message_id"].clone();
    let again = frame("regenerate", json!({ "message_id": asked }));
    let ack = socket.call(again.clone()).await;
    assert_eq!((&ack["payload"]["message_id"], acked(&ack, "thread_id")), (&asked, first.thread.clone()), "{ack}");
    let second = Run { thread: first.thread.clone(), id: acked(&ack, "run_id") };
    assert_ne!(first.id, second.id);
    ended(&socket, &second).await;
    check_run(&socket.frames(), &second);
    for run in [&first, &second] {
        assert_eq!(payloads(&socket.frames(), run, "agent_started")[0]["answers"], asked, "variants of one answer");
    }
    let resend = socket.call(again.clone()).await;
    assert_eq!(
        (acked(&resend, "run_id"), &resend["payload"]["duplicate"]),
        (second.id.clone(), &json!(true)),
        "{resend}"
    );
    let messages = user.get(&format!("/api/threads/{}/messages", first.thread)).await.ok();
    assert_eq!(messages["messages"].as_array().map(Vec::len), Some(3), "{messages}");

    // A later turn is told the newest answer, and not both.
    let third = say(&socket, &first.thread, "two").await;
    ended(&socket, &third).await;
    let last = provider.requests().last().expect("asked").messages().len();
    assert_eq!(last, 3, "question, answer, question");

    for (wrong, code) in [
        (frame("regenerate", json!({ "message_id": "seven" })), "invalid_payload"),
        (frame("regenerate", json!({ "message_id": uuid::Uuid::now_v7() })), "not_found"),
        (frame("regenerate", json!({ "message_id": asked, "agent": "nobody" })), "agent_unknown"),
    ] {
        let refused: Value = socket.call(wrong).await;
        assert_eq!(error_code(&refused), code, "{refused}");
    }
    let other = stranger.connect().await;
    let not_theirs = other.call(frame("regenerate", json!({ "message_id": asked }))).await;
    assert_eq!(error_code(&not_theirs), "not_found", "{not_theirs}");
}
