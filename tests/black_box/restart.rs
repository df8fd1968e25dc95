//! What outlives the process: threads, logs, sessions, and runs that were cut off (R14, invariant 8).

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use serde_json::json;

use crate::support::{
    PATIENCE,
    frame::on,
    provider::Provider,
    rules::{Run, acked, check_answer, check_dense, check_run, ended, event, say, start_run},
    script::{Reply, Stream},
    server::Setup,
    user::User,
};

#[tokio::test]
async fn a_restart_changes_neither_history_nor_session() {
    let server = Setup::new().start().await;
    let user = User::register(&server).await;
    let socket = user.connect().await;
    let run = start_run(&socket, "guide", "What is 6 times 7?").await;
    ended(&socket, &run).await;
    let paths = ["", "/events", "/messages"].map(|rest| format!("/api/threads/{}{rest}", run.thread));
    let mut before = Vec::new();
    for path in &paths {
        before.push(user.get(path).await.ok());
    }
    let token = user.token().await;

    let server = server.restart("TERM").await;
    let user = user.moved(&server);
    for (path, before) in paths.iter().zip(before) {
        assert_eq!(user.get(path).await.ok(), before, "{path}");
    }
    // The generated secret is kept too: a token from before is still good.
    let socket = crate::support::socket::Socket::open(&server.base, &token).await;
    let subscribed = socket.call(on(&run.thread, "subscribe", json!({ "after_seq": 0 }))).await;
    assert_eq!(subscribed["payload"]["mode"], "resumed", "the epoch is the same: {subscribed}");
    ended(&socket, &run).await;
    check_run(&socket.frames(), &run);
    check_dense(&socket.frames(), &run.thread, 1);
}

#[tokio::test]
async fn a_killed_process_leaves_a_run_that_the_next_one_finishes() {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    // The first request never ends; it is the process that does.
    let provider = Provider::start(move |_| match count.fetch_add(1, Ordering::SeqCst) {
        0 => Stream::new().texts(3_000, "tick ", Duration::from_millis(10)).end("stop"),
        _ => Reply::text("Here is the answer."),
    })
    .await;
    let server = Setup::new().assistant(&provider).set("NETRA_RUN_LEASE_S", 1).start().await;
    let user = User::dev(&server).await;
    let socket = user.connect().await;
    let run = start_run(&socket, "assistant", "Tell me.").await;
    event(&socket, &run, "partial_result").await;
    let queued = socket.call(on(&run.thread, "user_message", json!({ "content": "And then?" }))).await;
    let queued = Run { thread: run.thread.clone(), id: acked(&queued, "run_id") };

    let server = server.restart("KILL").await;
    let user = user.moved(&server);
    let socket = user.connect().await;
    socket.call(on(&run.thread, "subscribe", json!({ "after_seq": 0 }))).await;
    for run in [&run, &queued] {
        let end = ended(&socket, run).await;
        assert_eq!(
            (&end["type"], &end["payload"]["status"]),
            (&json!("agent_completed"), &json!("completed")),
            "{end}"
        );
    }
    let frames = socket.frames();
    check_dense(&frames, &run.thread, 1);
    for run in [&run, &queued] {
        check_run(&frames, run);
        check_answer(&frames, run, "Here is the answer.");
    }
    let reset = frames.iter().any(|f| f["type"] == "partial_result" && f["payload"]["reset"] == true);
    assert!(reset, "the unfinished text was discarded in view");
    assert_eq!(asked.load(Ordering::SeqCst), 3, "cut off, again, and the queued one");
}

#[tokio::test]
async fn a_copy_that_is_put_back_is_noticed() {
    let mut server = Setup::new().start().await;
    let user = User::dev(&server).await;
    let socket = user.connect().await;
    let run = start_run(&socket, "guide", "What is 6 times 7?").await;
    ended(&socket, &run).await;
    let database = server.home().path().join("data").join("netra.db");
    let copy = server.home().path().join("copy.db");
    server.signal("TERM");
    assert_eq!(server.exit(PATIENCE).await, 0);
    std::fs::copy(&database, &copy).expect("a copy");

    let mut server = Setup::at(server.home()).start().await;
    let user = user.moved(&server);
    let socket = user.connect().await;
    let subscribed = socket.call(on(&run.thread, "subscribe", json!({ "after_seq": 0 }))).await;
    assert_eq!(subscribed["payload"]["mode"], "resumed", "an orderly restart changes nothing: {subscribed}");
    let epoch = subscribed["payload"]["epoch"].clone();
    let lost = say(&socket, &run.thread, "And 7 times 8?").await;
    let end = ended(&socket, &lost).await;
    server.signal("TERM");
    assert_eq!(server.exit(PATIENCE).await, 0);
    std::fs::copy(&copy, &database).expect("the copy is put back");

    let server = Setup::at(server.home()).start().await;
    let user = user.moved(&server);
    let socket = user.connect().await;
    // Other events take the places of those that were lost.
    let other = say(&socket, &run.thread, "And 8 times 9?").await;
    let cursor = json!({ "after_seq": end["seq"], "epoch": epoch });
    let subscribed = socket.call(on(&run.thread, "subscribe", cursor)).await;
    assert_eq!(subscribed["payload"]["mode"], "snapshot", "{subscribed}");
    assert_ne!(subscribed["payload"]["epoch"], epoch, "{subscribed}");
    let snapshot = socket.wait("a snapshot", |f| f["type"] == "thread_snapshot").await;
    assert!(!snapshot.to_string().contains("7 times 8"), "{snapshot}");
    if !snapshot["payload"]["runs"].to_string().contains("completed") {
        ended(&socket, &other).await;
    }
    assert!(server.log().contains("may have gone back"), "{}", server.log());
}
