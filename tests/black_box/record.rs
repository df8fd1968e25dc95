//! Records frames for `schema/released/<version>`, once, when a version is released:
//! `NETRA_RECORD=schema/released/0.1.0/frames.jsonl cargo test --features ssr --test black_box record -- --ignored`, beside
//! copies of `schema/messages.schema.json` and `schema/openapi.json`.

use std::{fmt::Write as _, time::Duration};

use serde_json::{Value, json};

use crate::support::{
    frame::{frame, on},
    provider::Provider,
    rules::{Run, acked, ended, say},
    script::{Reply, Stream},
    server::Setup,
    socket::Socket,
    user::User,
};

/// A socket whose sent frames are kept, too.
struct Recorded {
    socket: Socket,
    sent: Vec<Value>,
}

impl Recorded {
    async fn call(&mut self, frame: Value) -> Value {
        self.sent.push(frame.clone());
        self.socket.call(frame).await
    }
}

fn write(out: &mut String, from: &str, frame: &Value) {
    writeln!(out, "{}", json!({ "from": from, "frame": frame })).expect("a string takes it");
}

#[tokio::test]
#[ignore = "writes the frames of a release; run once for each"]
async fn record() {
    let path = std::env::var("NETRA_RECORD").expect("NETRA_RECORD names the file");
    let story = || {
        Stream::new()
            .thinking("reasoning_content", "They want a story.")
            .texts(5, "word {k} ", Duration::from_millis(5))
            .end("stop")
    };
    let provider = Provider::start(move |request| {
        if request.prompt().contains("refused") {
            return Reply::error(401, "no such key");
        }
        if request.prompt().contains("endless") {
            return Stream::new().texts(500, "w{k} ", Duration::from_millis(20)).end("stop");
        }
        story()
    })
    .await;
    let server = Setup::new().assistant(&provider).set("NETRA_HEARTBEAT_INTERVAL_MS", 300).start().await;
    let (user, guest) = (User::register(&server).await, User::register(&server).await);
    let mut page = Recorded { socket: user.connect().await, sent: Vec::new() };

    let ack = page.call(frame("start_agent", json!({ "agent": "guide", "content": "What is 17.5 % of 2,480?" }))).await;
    let run = Run { thread: acked(&ack, "thread_id"), id: acked(&ack, "run_id") };
    page.call(on(&run.thread, "subscribe", json!({ "after_seq": 0 }))).await;
    ended(&page.socket, &run).await;
    let told = on(&run.thread, "user_message", json!({ "content": "Tell a story.", "agent": "assistant" }));
    let ack = page.call(told).await;
    ended(&page.socket, &Run { thread: run.thread.clone(), id: acked(&ack, "run_id") }).await;
    let ack =
        page.call(on(&run.thread, "user_message", json!({ "content": "An endless one.", "agent": "assistant" }))).await;
    let endless = acked(&ack, "run_id");
    page.socket.wait("words", |f| f["run_id"] == endless.as_str() && f["type"] == "partial_result").await;
    page.call(frame("stop_agent", json!({ "run_id": endless }))).await;
    ended(&page.socket, &Run { thread: run.thread.clone(), id: endless }).await;

    let told = on(&run.thread, "user_message", json!({ "content": "One that is refused.", "agent": "assistant" }));
    let ack = page.call(told).await;
    ended(&page.socket, &Run { thread: run.thread.clone(), id: acked(&ack, "run_id") }).await;

    user.post(&format!("/api/threads/{}/members", run.thread), json!({ "email": guest.email })).await;
    let theirs = guest.connect().await;
    theirs.call(frame("join_room", json!({ "room": run.thread }))).await;
    page.call(frame("join_room", json!({ "room": run.thread }))).await;
    let typing = frame("room_message", json!({ "room": run.thread, "body": { "typing": true } }));
    page.sent.push(typing.clone());
    page.socket.send(&typing).await;
    drop(theirs.cut().await);
    page.socket.wait("a farewell", |f| f["payload"]["body"]["presence"] == "left").await;
    page.call(frame("leave_room", json!({ "room": run.thread }))).await;
    user.post("/api/admin/broadcast", json!({ "message": "To all." })).await;
    user.post("/api/admin/broadcast", json!({ "message": "To one.", "email": user.email })).await;

    page.call(frame("ping", json!({ "nonce": "n" }))).await;
    page.call(frame("authenticate", json!({ "token": user.token().await }))).await;
    page.call(frame("jsonrpc_request", json!({ "jsonrpc": "2.0", "id": 1, "method": "ping" }))).await;
    page.call(on(&run.thread, "subscribe", json!({}))).await;
    page.socket.wait("a snapshot", |f| f["type"] == "thread_snapshot").await;
    page.call(on(&run.thread, "unsubscribe", json!({}))).await;
    page.call(frame("stop_agent", json!({ "run_id": uuid::Uuid::now_v7() }))).await;
    page.socket.wait("a heartbeat", |f| f["type"] == "heartbeat").await;
    let other = user.thread("Another").await["id"].as_str().expect("an id").to_owned();
    say(&page.socket, &other, "Hello?").await;
    user.delete(&format!("/api/threads/{other}")).await;
    page.socket.wait("its end", |f| f["type"] == "thread_deleted").await;
    server.signal("TERM");
    page.socket.wait("goodbye", |f| f["type"] == "disconnect").await;

    let mut out = String::new();
    for sent in &mut page.sent {
        if sent["type"] == "authenticate" {
            sent["payload"]["token"] = json!("not.a.token");
        }
        write(&mut out, "client", sent);
    }
    for heard in page.socket.frames() {
        write(&mut out, "server", &heard);
    }
    std::fs::write(&path, out).unwrap_or_else(|error| panic!("{path}: {error}"));
}
