//! `subscribe` without a usable cursor: a snapshot, then what comes after it (§5).

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{
    frame::{is_event_of, on},
    provider::Provider,
    rules::{Run, check_dense, check_run, ended, event, say, start_run},
    script::{Stream, numbered},
    server::{Server, Setup},
    socket::Socket,
    user::User,
};

/// Makes the payload of `subscribe` from the log's epoch and head.
type Cursor = fn(&str, u64) -> Value;

/// A thread with one run that has ended, and its cursor.
struct Done {
    user: User,
    run: Run,
    epoch: String,
    head: u64,
}

async fn done(server: &Server) -> Done {
    let user = User::dev(server).await;
    let socket = user.connect().await;
    let run = start_run(&socket, "guide", "What is 6 times 7?").await;
    let end = ended(&socket, &run).await;
    let epoch = end["epoch"].as_str().expect("epoch").to_owned();
    Done { user, run, epoch, head: end["seq"].as_u64().expect("seq") }
}

/// Subscribes and returns the answer and the snapshot that follows it.
async fn snapshot(socket: &Socket, thread: &str, cursor: Value) -> (Value, Value) {
    let from = socket.count();
    let subscribed = socket.call(on(thread, "subscribe", cursor)).await;
    assert_eq!(subscribed["type"], "subscribed", "{subscribed}");
    assert_eq!(subscribed["payload"]["mode"], "snapshot", "{subscribed}");
    let limit = crate::support::PATIENCE;
    let snapshot = socket.wait_for(from, limit, "a snapshot", |f| f["type"] == "thread_snapshot").await;
    assert_eq!(snapshot["thread_id"], thread);
    (subscribed["payload"].clone(), snapshot["payload"].clone())
}

#[tokio::test]
async fn a_snapshot_holds_the_thread_as_it_stands() {
    let server = Setup::new().start().await;
    let done = done(&server).await;
    let socket = done.user.connect().await;
    let (subscribed, snapshot) = snapshot(&socket, &done.run.thread, json!({})).await;
    assert_eq!((&subscribed["epoch"], &subscribed["head_seq"]), (&json!(done.epoch), &json!(done.head)));
    assert_eq!((&snapshot["epoch"], &snapshot["as_of_seq"]), (&json!(done.epoch), &json!(done.head)));

    let thread = &snapshot["thread"];
    assert_eq!(thread["id"], done.run.thread.as_str());
    let fields = ["title", "agent", "pinned", "archived", "head_seq", "created_at", "updated_at"];
    for field in fields {
        assert!(!thread[field].is_null(), "{field} in {thread}");
    }
    let messages = snapshot["messages"].as_array().expect("messages");
    let roles: Vec<&str> = messages.iter().filter_map(|m| m["role"].as_str()).collect();
    assert_eq!(roles, ["user", "assistant"], "{messages:?}");
    assert_eq!(messages[0]["content"], "What is 6 times 7?");
    assert!(messages[1]["content"].as_str().is_some_and(|c| c.contains("42")), "{messages:?}");
    let runs = snapshot["runs"].as_array().expect("runs");
    assert!(runs.len() == 1 && runs[0].to_string().contains(&done.run.id), "{runs:?}");
    assert!(snapshot.get("earlier_cursor").is_none(), "there is nothing earlier");

    let http = done.user.get(&format!("/api/threads/{}/messages", done.run.thread)).await.ok();
    assert_eq!(&http["messages"], &snapshot["messages"], "the history over HTTP is the same");
}

#[tokio::test]
async fn a_cursor_that_cannot_be_resumed_gets_a_snapshot() {
    let server = Setup::new().start().await;
    let mut done = done(&server).await;
    let cursors: [(&str, Cursor); 7] = [
        ("no cursor", |_, _| json!({})),
        ("another epoch", |_, _| json!({ "after_seq": 2, "epoch": "0badcafe" })),
        ("another epoch at the head", |_, head| json!({ "after_seq": head, "epoch": "0badcafe" })),
        ("an epoch that is none", |_, _| json!({ "after_seq": 2, "epoch": "yesterday" })),
        ("no epoch", |_, _| json!({ "after_seq": 2 })),
        ("one ahead of the head", |epoch, head| json!({ "after_seq": head + 1, "epoch": epoch })),
        ("far ahead of the head", |epoch, _| json!({ "after_seq": 9_000_000, "epoch": epoch })),
    ];
    for (name, cursor) in cursors {
        let socket = done.user.connect().await;
        let (_, payload) = snapshot(&socket, &done.run.thread, cursor(&done.epoch, done.head)).await;
        assert_eq!(payload["as_of_seq"], done.head, "{name}");
        let next = say(&socket, &done.run.thread, "And 6 times 8?").await;
        let end = ended(&socket, &next).await;
        check_dense(&socket.frames(), &done.run.thread, done.head + 1);
        check_run(&socket.frames(), &next);
        done.head = end["seq"].as_u64().expect("seq");
    }
}

#[tokio::test]
async fn a_snapshot_in_the_middle_of_a_run_joins_the_live_events() {
    let provider = Provider::start(|_| Stream::new().texts(60, "w{k} ", Duration::from_millis(10)).end("stop")).await;
    let server = Setup::new().assistant(&provider).start().await;
    let user = User::dev(&server).await;
    let (first, second) = (user.connect().await, user.connect().await);
    let run = start_run(&first, "assistant", "Count.").await;
    event(&first, &run, "partial_result").await;
    tokio::time::sleep(Duration::from_millis(150)).await;
    let (_, payload) = snapshot(&second, &run.thread, json!({})).await;
    ended(&first, &run).await;
    ended(&second, &run).await;

    let as_of = payload["as_of_seq"].as_u64().expect("as_of_seq");
    let frames = second.frames();
    let tail = check_dense(&frames, &run.thread, as_of + 1);
    assert!(!tail.is_empty(), "the snapshot came in the middle");
    let active = payload["runs"].as_array().and_then(|r| r.iter().find(|r| r["run_id"] == run.id.as_str()));
    let text = active.expect("the active run is in the snapshot")["text"].as_str().expect("its text").to_owned();
    assert!(text.starts_with("w0 "), "{text:?}");
    let mut folded = text;
    for piece in frames.iter().filter(|f| f["type"] == "partial_result").map(|f| &f["payload"]) {
        assert_eq!(piece["pos"].as_u64(), u64::try_from(folded.len()).ok(), "{piece}");
        folded.push_str(piece["delta"].as_str().expect("delta"));
    }
    assert_eq!(folded, numbered(60, "w{k} "), "the text so far and the rest are the answer");

    let of_thread = |frames: Vec<Value>| frames.into_iter().filter(|f| is_event_of(f, &run.thread)).collect::<Vec<_>>();
    let (all, rest) = (of_thread(first.frames()), of_thread(frames));
    assert_eq!(all[all.len() - rest.len()..], rest[..], "both sockets got the same events");
}
