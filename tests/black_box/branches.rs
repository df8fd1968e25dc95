//! A conversation that branches: a message names what it follows, and a model is told the way that leads to it (R12).

use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{
    frame::{error_code, frame, on},
    provider::{Provider, text},
    rules::{Run, acked, ended, start_run},
    script::Reply,
    server::Setup,
    socket::Socket,
    user::User,
};

/// The most messages that may name one parent, and answers to one message.
const MOST: usize = 100;

/// Sends a message that follows this one, and waits for the answer; its id and its run.
async fn follow(socket: &Socket, thread: &str, content: &str, parent: &str) -> (String, Run) {
    let ack = socket.call(on(thread, "user_message", json!({ "content": content, "parent_id": parent }))).await;
    let run = Run { thread: thread.to_owned(), id: acked(&ack, "run_id") };
    ended(socket, &run).await;
    (acked(&ack, "message_id"), run)
}

async fn messages(user: &User, thread: &str) -> Vec<Value> {
    let page = user.get(&format!("/api/threads/{thread}/messages")).await.ok();
    page["messages"].as_array().cloned().unwrap_or_default()
}

/// The id of the message that says this.
async fn id_of(user: &User, thread: &str, content: &str) -> String {
    let found = messages(user, thread).await.into_iter().find(|message| message["content"] == content);
    found
        .and_then(|message| message["message_id"].as_str().map(str::to_owned))
        .unwrap_or_else(|| panic!("no {content}"))
}

#[tokio::test]
async fn a_model_is_told_the_way_to_the_message() {
    // Answers with what it was told, in brackets: the answer to "one" is "[one]".
    let provider = Provider::start(|request| {
        let told: Vec<String> = request.messages().iter().map(text).collect();
        Reply::text(&format!("[{}]", told.last().cloned().unwrap_or_default()))
    })
    .await;
    let server = Setup::new().assistant(&provider).start().await;
    let user = User::dev(&server).await;
    let socket = user.connect().await;
    let first = start_run(&socket, "assistant", "one").await;
    ended(&socket, &first).await;
    let thread = first.thread.clone();
    let one = id_of(&user, &thread, "one").await;
    let answer = id_of(&user, &thread, "[one]").await;
    let told = || -> Vec<String> {
        let last = provider.requests().pop().expect("asked");
        last.messages().iter().map(text).collect()
    };

    let (two, _) = follow(&socket, &thread, "two", &answer).await;
    assert_eq!(told(), ["one", "[one]", "two"]);
    // Said again in other words: the first try is not told.
    follow(&socket, &thread, "two again", &answer).await;
    assert_eq!(told(), ["one", "[one]", "two again"]);
    // The older branch goes on.
    follow(&socket, &thread, "three", &two).await;
    assert_eq!(told(), ["one", "[one]", "two", "[two]", "three"]);
    // The first message, written anew.
    let (anew, _) = follow(&socket, &thread, "one anew", &Uuid::nil().to_string()).await;
    assert_eq!(told(), ["one anew"]);
    // Without a parent a message follows the newest.
    let ack = socket.call(on(&thread, "user_message", json!({ "content": "four" }))).await;
    ended(&socket, &Run { thread: thread.clone(), id: acked(&ack, "run_id") }).await;
    assert_eq!(told(), ["one anew", "[one anew]", "four"]);

    // The answer that a message names is told, and not the newest.
    let ack = socket.call(frame("regenerate", json!({ "message_id": one }))).await;
    let again = Run { thread: thread.clone(), id: acked(&ack, "run_id") };
    ended(&socket, &again).await;
    assert_eq!(told(), ["one"], "what came later is not told");
    let answers: Vec<Value> = messages(&user, &thread).await;
    let answers: Vec<&Value> = answers.iter().filter(|message| message["content"] == "[one]").collect();
    assert_eq!(answers.len(), 2);
    follow(&socket, &thread, "five", answers[0]["message_id"].as_str().expect("an id")).await;
    assert_eq!(told(), ["one", "[one]", "five"]);

    // The log, the messages and a snapshot tell what each follows.
    let parents = |all: &[Value]| -> Vec<(String, Value)> {
        let asked = all.iter().filter(|message| message["role"] == "user");
        asked.map(|m| (m["content"].as_str().unwrap_or_default().to_owned(), m["parent_id"].clone())).collect()
    };
    let kept = parents(&messages(&user, &thread).await);
    let wanted = [
        ("one", Value::Null),
        ("two", json!(answer)),
        ("two again", json!(answer)),
        ("three", json!(two)),
        ("one anew", json!(Uuid::nil())),
        ("four", Value::Null),
        ("five", answers[0]["message_id"].clone()),
    ];
    assert_eq!(kept, wanted.map(|(content, parent)| (content.to_owned(), parent)));
    let told: Vec<Value> =
        socket.frames().iter().filter(|f| f["type"] == "thread_message").map(|f| f["payload"].clone()).collect();
    assert_eq!(parents(&told), kept);
    let other = user.connect().await;
    other.send(&on(&thread, "subscribe", json!({}))).await;
    let snapshot = other.wait("the snapshot", |f| f["type"] == "thread_snapshot").await;
    let all = snapshot["payload"]["messages"].as_array().cloned().unwrap_or_default();
    assert_eq!(parents(&all), kept);
    assert_ne!(anew, one);
}

#[tokio::test]
async fn what_cannot_be_followed_is_refused_and_nothing_is_lost() {
    let server = Setup::new().set("NETRA_QUEUED_RUNS", 1_000).start().await;
    let (user, stranger) = (User::dev(&server).await, User::register(&server).await);
    let (socket, elsewhere) = (user.connect().await, stranger.connect().await);
    let run = start_run(&socket, "guide", "2 + 2").await;
    ended(&socket, &run).await;
    let other = start_run(&socket, "guide", "3 + 3").await;
    ended(&socket, &other).await;
    let here = id_of(&user, &run.thread, "2 + 2").await;
    let there = id_of(&user, &other.thread, "3 + 3").await;
    let before = messages(&user, &run.thread).await.len();
    for (parent, code) in [
        (json!(there), "invalid_payload"),
        (json!(Uuid::now_v7()), "invalid_payload"),
        (json!("seven"), "invalid_payload"),
        (json!(7), "invalid_payload"),
    ] {
        let refused =
            socket.call(on(&run.thread, "user_message", json!({ "content": "no", "parent_id": parent }))).await;
        assert_eq!(error_code(&refused), code, "{refused}");
    }
    // A conversation that is not theirs, or no longer.
    let refused = elsewhere.call(on(&run.thread, "user_message", json!({ "content": "no", "parent_id": here }))).await;
    assert_eq!(error_code(&refused), "not_found", "{refused}");
    assert_eq!(messages(&user, &run.thread).await.len(), before, "nothing was added");

    // As many as may follow one message; the guide's answers queue, and nobody waits for them.
    let mut last = Value::Null;
    for number in 0..=MOST {
        last = socket
            .call(on(&run.thread, "user_message", json!({ "content": format!("{number}"), "parent_id": here })))
            .await;
        assert_eq!(last["type"] == "ack", number < MOST, "{number}: {last}");
    }
    assert_eq!(error_code(&last), "conflict", "{last}");
    for number in 0..MOST {
        last = socket.call(frame("regenerate", json!({ "message_id": here }))).await;
        assert_eq!(last["type"] == "ack", number < MOST - 1, "{number}: {last}");
    }
    assert_eq!(error_code(&last), "conflict", "{last}");
}
