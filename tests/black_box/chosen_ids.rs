//! Ids that clients choose, in a thread where the server makes some, too.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{
    frame::{error_code, frame, on},
    provider::Provider,
    rules::{Run, acked, answer_of, check_dense, check_run, ended, event, events_of, payloads, start_run},
    script::{Stream, numbered},
    server::{Server, Setup},
    socket::Socket,
    user::User,
};

const WORDS: usize = 200;

/// A run in its middle, and the id under which its answer is shown.
async fn streaming() -> (Provider, Server, User, Socket, Run, String) {
    let provider =
        Provider::start(|_| Stream::new().texts(WORDS, "w{k} ", Duration::from_millis(10)).end("stop")).await;
    let server = Setup::new().assistant(&provider).start().await;
    let user = User::dev(&server).await;
    let socket = user.connect().await;
    let run = start_run(&socket, "assistant", "Tell a story.").await;
    let piece = event(&socket, &run, "partial_result").await;
    let answer = piece["payload"]["message_id"].as_str().expect("a message id").to_owned();
    (provider, server, user, socket, run, answer)
}

fn under(id: &str, run: &Run) -> Value {
    let mut message = on(&run.thread, "user_message", json!({ "content": "Mine.", "agent": "guide" }));
    message["id"] = json!(id);
    message
}

#[tokio::test]
async fn a_message_cannot_take_the_id_of_an_answer() {
    let (_provider, _server, _user, socket, run, answer) = streaming().await;
    for id in [&answer, &run.id] {
        let refused = socket.call(under(id, &run)).await;
        assert_eq!(error_code(&refused), "id_conflict", "{refused}");
    }
    let end = ended(&socket, &run).await;
    assert_eq!(end["payload"]["status"], "completed", "{end}");
    check_run(&socket.frames(), &run);
    assert_eq!(answer_of(&socket.frames(), &run).whole, numbered(WORDS, "w{k} "));
    // Nor afterwards, when it is a message.
    let refused = socket.call(under(&answer, &run)).await;
    assert_eq!(error_code(&refused), "id_conflict", "{refused}");
    // Elsewhere it is an id as any other.
    let ack = socket.call(frame("start_agent", json!({ "agent": "guide", "content": "Elsewhere?" }))).await;
    let elsewhere = Run { thread: acked(&ack, "thread_id"), id: acked(&ack, "run_id") };
    let ack = socket.call(under(&answer, &elsewhere)).await;
    assert_eq!(acked(&ack, "message_id"), answer);
}

/// What no client can bring about, but a fault can: the store refuses one run's answer. Nobody else waits for it.
#[tokio::test]
async fn an_answer_that_the_store_refuses_ends_its_run_and_holds_up_nobody() {
    let (_provider, server, user, socket, run, answer) = streaming().await;
    let url = format!("sqlite:{}", server.home().path().join("data/netra.db").display());
    let mut database = <sqlx::SqliteConnection as sqlx::Connection>::connect(&url).await.expect("the database");
    let uuid = |id: &str| id.parse::<uuid::Uuid>().expect("an id");
    sqlx::query(
        "INSERT INTO messages (thread_id, id, seq, role, content, created_at) VALUES (?, ?, 0, 'user', 'In the way.', 0)",
    )
    .bind(uuid(&run.thread))
    .bind(uuid(&answer))
    .execute(&mut database)
    .await
    .expect("a message that is in the way");

    let end = ended(&socket, &run).await;
    assert_eq!((&end["type"], &end["payload"]["code"]), (&json!("agent_error"), &json!("internal")), "{end}");
    assert!(end["payload"]["message"].as_str().is_some_and(|why| why.contains("what was shown is kept")), "{end}");
    let frames = socket.frames();
    check_run(&frames, &run);
    check_dense(&frames, &run.thread, 1);
    assert_eq!(payloads(&frames, &run, "agent_response").len(), 0);
    let starts = payloads(&frames, &run, "agent_started").len();
    assert_eq!(starts, 2, "it is taken up once, to say so: {:?}", events_of(&frames, &run).last());
    let log = server.log();
    assert!(log.contains("the store refused"), "{log}");
    assert!(!log.contains("a commit failed"), "it was tried again, and others waited: {log}");
    // What was shown is there for whoever comes later.
    let other = user.connect().await;
    other.call(on(&run.thread, "subscribe", json!({}))).await;
    let snapshot = other.wait("the thread", |f| f["type"] == "thread_snapshot").await;
    let shown: String = payloads(&frames, &run, "partial_result")
        .iter()
        .filter_map(|piece| piece["delta"].as_str())
        .collect::<Vec<_>>()
        .concat();
    let kept =
        snapshot["payload"]["runs"].as_array().expect("runs").iter().find(|kept| kept["run_id"] == run.id.as_str());
    assert_eq!(kept.map(|kept| &kept["text"]), Some(&json!(shown)), "{snapshot}");
}
