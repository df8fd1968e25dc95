//! A repeated command id answers the first result; with another body it is a conflict (§4).

use serde_json::{Value, json};

use crate::support::{
    frame::{error_code, frame, on},
    provider::{Provider, always},
    rules::{Run, acked, check_run, ended, start_run},
    script::Reply,
    server::Setup,
    socket::Socket,
    user::User,
};

/// The acknowledgement of a repeated command: the first one, but for `duplicate`.
fn check_duplicate(first: &Value, again: &Value) {
    assert_eq!(first["payload"]["duplicate"], false, "{first}");
    let mut wanted = first["payload"].clone();
    wanted["duplicate"] = json!(true);
    assert_eq!(again["payload"], wanted, "{again}");
}

async fn messages_of(user: &User, thread: &str) -> Vec<Value> {
    let answer = user.get(&format!("/api/threads/{thread}/messages")).await.ok();
    let messages = answer["messages"].as_array().expect("messages").clone();
    messages.into_iter().filter(|m| m["role"] == "user").collect()
}

/// Sends the command twice on one socket, once on another, and once more after its run has ended.
async fn check_resend(user: &User, socket: &Socket, command: Value) -> Value {
    let first = socket.call(command.clone()).await;
    check_duplicate(&first, &socket.call(command.clone()).await);
    let other = user.connect().await;
    check_duplicate(&first, &other.call(command.clone()).await);
    let run = Run { thread: acked(&first, "thread_id"), id: acked(&first, "run_id") };
    other.call(on(&run.thread, "subscribe", json!({ "after_seq": 0 }))).await;
    ended(&other, &run).await;
    check_run(&other.frames(), &run);
    check_duplicate(&first, &user.connect().await.call(command).await);
    first
}

#[tokio::test]
async fn a_resent_command_is_carried_out_once() {
    let server = Setup::new().start().await;
    let user = User::dev(&server).await;
    let socket = user.connect().await;
    let started = check_resend(&user, &socket, frame("start_agent", json!({ "content": "What is 2 + 2?" }))).await;
    let thread = acked(&started, "thread_id");
    check_resend(&user, &socket, on(&thread, "user_message", json!({ "content": "And 3 + 3?" }))).await;

    assert_eq!(messages_of(&user, &thread).await.len(), 2);
    let threads = user.get("/api/threads").await.ok();
    assert_eq!(threads["threads"].as_array().map(Vec::len), Some(1), "{threads}");
    let watcher = user.connect().await;
    watcher.call(on(&thread, "subscribe", json!({ "after_seq": 0 }))).await;
    watcher.wait("the end of the log", |f| f["seq"] == threads["threads"][0]["head_seq"]).await;
    let runs = watcher.frames().iter().filter(|f| f["type"] == "agent_started").count();
    assert_eq!(runs, 2, "one run for each command");
}

#[tokio::test]
async fn two_sends_at_once_are_one_command() {
    let server = Setup::new().start().await;
    let user = User::dev(&server).await;
    let (a, b) = (user.connect().await, user.connect().await);
    let command = frame("start_agent", json!({ "content": "What is 2 + 2?" }));
    let (one, two) = tokio::join!(a.call(command.clone()), b.call(command));
    let (first, again) = if one["payload"]["duplicate"] == false { (one, two) } else { (two, one) };
    check_duplicate(&first, &again);
    assert_eq!(user.get("/api/threads").await.ok()["threads"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn an_id_with_another_body_is_a_conflict() {
    let server = Setup::new().start().await;
    let user = User::dev(&server).await;
    let socket = user.connect().await;
    let run = start_run(&socket, "guide", "What is 1 + 1?").await;
    ended(&socket, &run).await;
    let command = on(&run.thread, "user_message", json!({ "content": "first" }));
    assert_eq!(socket.call(command.clone()).await["type"], "ack");

    let mut other_text = command.clone();
    other_text["payload"]["content"] = json!("second");
    let mut other_type = frame("start_agent", json!({ "content": "first" }));
    other_type["id"] = command["id"].clone();
    for changed in [other_text, other_type] {
        let answer = socket.call(changed).await;
        assert_eq!(error_code(&answer), "id_conflict", "{answer}");
    }
    assert_eq!(messages_of(&user, &run.thread).await.len(), 2, "the conflicts stored nothing");
}

#[tokio::test]
async fn an_id_belongs_to_its_user() {
    let server = Setup::new().start().await;
    let (ada, bob) = (User::register(&server).await, User::register(&server).await);
    let command = frame("start_agent", json!({ "content": "What is 2 + 2?" }));
    let first = ada.connect().await.call(command.clone()).await;
    let other = bob.connect().await.call(command).await;
    assert_eq!(other["payload"]["duplicate"], false, "{other}");
    assert_ne!(acked(&first, "thread_id"), acked(&other, "thread_id"));
}

#[tokio::test]
async fn a_resent_stop_gets_the_first_answer_and_stops_nothing_else() {
    let server = Setup::new().start().await;
    let user = User::dev(&server).await;
    let socket = user.connect().await;
    let run = start_run(&socket, "guide", "What is 2 + 2?").await;
    let stop = on(&run.thread, "stop_agent", json!({ "run_id": run.id }));
    let first = socket.call(stop.clone()).await;
    assert_eq!(acked(&first, "run_id"), run.id);
    check_duplicate(&first, &socket.call(stop.clone()).await);
    check_duplicate(&first, &user.connect().await.call(stop.clone()).await);
    ended(&socket, &run).await;
    check_duplicate(&first, &socket.call(stop.clone()).await);

    let other = start_run(&socket, "guide", "What is 3 + 3?").await;
    let mut clash = stop;
    clash["payload"]["run_id"] = json!(other.id);
    assert_eq!(error_code(&socket.call(clash).await), "id_conflict");
    let end = ended(&socket, &other).await;
    assert_eq!(end["payload"]["status"], "completed", "a refused stop stops nothing");
}

#[tokio::test]
async fn a_resend_is_answered_when_its_agent_is_gone() {
    let provider = Provider::start(always(Reply::text("Here."))).await;
    let server = Setup::new().assistant(&provider).start().await;
    let user = User::dev(&server).await;
    let command = frame("start_agent", json!({ "agent": "assistant", "content": "Hello?" }));
    let socket = user.connect().await;
    let first = socket.call(command.clone()).await;
    let run = Run { thread: acked(&first, "thread_id"), id: acked(&first, "run_id") };
    socket.call(on(&run.thread, "subscribe", json!({ "after_seq": 0 }))).await;
    ended(&socket, &run).await;
    let home = server.home();
    drop(server);

    let server = Setup::at(home).start().await;
    let socket = user.moved(&server).connect().await;
    check_duplicate(&first, &socket.call(command).await);
    let other = frame("start_agent", json!({ "agent": "assistant", "content": "Hello?" }));
    assert_eq!(error_code(&socket.call(other).await), "agent_unknown");
}

#[tokio::test]
async fn an_id_that_another_message_has_is_a_conflict() {
    let server = Setup::new().start().await;
    let user = User::dev(&server).await;
    let socket = user.connect().await;
    let run = start_run(&socket, "guide", "What is 2 + 2?").await;
    ended(&socket, &run).await;
    let answered = socket.frames().into_iter().find(|f| f["type"] == "agent_response").expect("an answer");
    let mut command = on(&run.thread, "user_message", json!({ "content": "And 3 + 3?" }));
    command["id"] = answered["payload"]["message_id"].clone();
    assert_eq!(error_code(&socket.call(command).await), "id_conflict");
    socket.alive().await;
}
