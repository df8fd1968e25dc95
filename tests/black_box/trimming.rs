//! Deltas of finished runs are trimmed; nothing a person sees is lost, and cursors inside get a snapshot (§5, R14, R17).

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{
    PATIENCE,
    frame::on,
    provider::Provider,
    rules::{check_dense, check_run, ended, event, say, start_run},
    script::Stream,
    server::{Server, Setup},
    socket::Socket,
    user::User,
};

const DELTAS: [&str; 3] = ["agent_thinking", "agent_progress", "partial_result"];

fn answering() -> impl Fn(&crate::support::provider::Request) -> crate::support::script::Reply + Send + Sync {
    |_| {
        let stream = Stream::new().thinking("reasoning_content", "Let me see. ");
        stream.texts(20, "w{k} ", Duration::from_millis(30)).end("stop")
    }
}

async fn trimmed(server: &Server) {
    let end = tokio::time::Instant::now() + PATIENCE;
    while !server.log().contains("the log was trimmed") {
        assert!(tokio::time::Instant::now() < end, "nothing was trimmed\n{}", server.log());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn subscribe(socket: &Socket, thread: &str, cursor: Value) -> (Value, Value) {
    let from = socket.count();
    let answer = socket.call(on(thread, "subscribe", cursor)).await;
    let mode = answer["payload"]["mode"].clone();
    if mode != "snapshot" {
        return (mode, Value::Null);
    }
    let snapshot = socket.wait_for(from, PATIENCE, "a snapshot", |f| f["type"] == "thread_snapshot").await;
    (mode, snapshot["payload"].clone())
}

#[tokio::test]
async fn a_cursor_inside_the_trimmed_part_gets_a_snapshot_with_everything() {
    let provider = Provider::start(answering()).await;
    let server = Setup::new().assistant(&provider).set("NETRA_TRIM_AFTER_S", 2).start().await;
    let user = User::dev(&server).await;
    let first = user.connect().await;
    let run = start_run(&first, "assistant", "Count.").await;
    event(&first, &run, "partial_result").await;
    let end = ended(&first, &run).await;
    let (epoch, head) = (end["epoch"].clone(), end["seq"].as_u64().expect("seq"));
    let (_, before) = subscribe(&user.connect().await, &run.thread, json!({})).await;
    let path = format!("/api/threads/{}/events?limit=1000", run.thread);
    let whole = user.get(&path).await.ok();
    assert_eq!(whole["events"].as_array().map(Vec::len), usize::try_from(head).ok(), "the log is whole");
    assert!(whole.get("trimmed_seq").is_none(), "{whole}");

    trimmed(&server).await;
    let (_, after) = subscribe(&user.connect().await, &run.thread, json!({})).await;
    assert_eq!(after, before, "a snapshot says the same before and after");

    let rest = user.get(&path).await.ok();
    let events = rest["events"].as_array().expect("events");
    let gone = rest["trimmed_seq"].as_u64().expect("trimmed_seq");
    assert!(events.iter().all(|e| !DELTAS.contains(&e["type"].as_str().unwrap_or_default())), "{events:?}");
    let kept = |list: &Value| -> Vec<Value> {
        let list = list["events"].as_array().cloned().unwrap_or_default();
        list.into_iter().filter(|e| !DELTAS.contains(&e["type"].as_str().unwrap_or_default())).collect()
    };
    assert_eq!(kept(&rest), kept(&whole), "everything else is as it was");

    for (after_seq, wanted) in
        [(0, "snapshot"), (2, "snapshot"), (gone - 1, "snapshot"), (gone, "resumed"), (head, "resumed")]
    {
        let socket = user.connect().await;
        let (mode, snapshot) = subscribe(&socket, &run.thread, json!({ "after_seq": after_seq, "epoch": epoch })).await;
        assert_eq!(mode, wanted, "after {after_seq}, trimmed to {gone}, head {head}");
        let from = snapshot["as_of_seq"].as_u64().unwrap_or(after_seq) + 1;
        let next = say(&socket, &run.thread, "Again.").await;
        socket.wait_for(0, PATIENCE, "the next run", |f| f["run_id"] == next.id.as_str()).await;
        check_dense(&socket.frames(), &run.thread, from);
        first.send(&on(&run.thread, "stop_agent", json!({ "run_id": next.id }))).await;
        ended(&first, &next).await;
    }
}

#[tokio::test]
async fn a_run_that_goes_on_keeps_its_deltas() {
    let provider = Provider::start(|request| match request.prompt().as_str() {
        "Long." => Stream::new().texts(300, "w{k} ", Duration::from_millis(20)).end("stop"),
        _ => Stream::new().texts(3, "v{k} ", Duration::from_millis(30)).end("stop"),
    })
    .await;
    let server = Setup::new().assistant(&provider).set("NETRA_TRIM_AFTER_S", 1).start().await;
    let user = User::dev(&server).await;
    let socket = user.connect().await;
    let short = start_run(&socket, "assistant", "Short.").await;
    ended(&socket, &short).await;
    let long = say(&socket, &short.thread, "Long.").await;
    event(&socket, &long, "partial_result").await;
    trimmed(&server).await;
    ended(&socket, &long).await;
    check_dense(&socket.frames(), &short.thread, 1);
    check_run(&socket.frames(), &long);
}

#[tokio::test]
async fn zero_keeps_the_log_whole() {
    let server = Setup::new().set("NETRA_TRIM_AFTER_S", 0).start().await;
    let user = User::dev(&server).await;
    let socket = user.connect().await;
    let run = start_run(&socket, "guide", "What is 6 times 7?").await;
    let head = ended(&socket, &run).await["seq"].as_u64();
    tokio::time::sleep(Duration::from_secs(3)).await;
    let log = user.get(&format!("/api/threads/{}/events", run.thread)).await.ok();
    assert_eq!(log["events"].as_array().map(|events| events.len() as u64), head);
}
