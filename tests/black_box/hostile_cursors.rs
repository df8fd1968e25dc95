//! Cursors and acknowledgements that no honest client sends: each gets its answer, and nobody else notices (§5, §6, §8).

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use tokio_tungstenite::tungstenite::Message;

use crate::support::{
    PATIENCE,
    frame::{error_code, frame, on},
    rules::{Run, ended, start_run},
    server::{Server, Setup},
    socket::Socket,
    user::User,
};

async fn finished(server: &Server) -> (User, Socket, Run, Value) {
    let user = User::dev(server).await;
    let socket = user.connect().await;
    let run = start_run(&socket, "guide", "What is 6 times 7?").await;
    let end = ended(&socket, &run).await;
    (user, socket, run, end)
}

#[tokio::test]
async fn a_cursor_that_is_no_number_is_an_invalid_payload() {
    let server = Setup::new().start().await;
    let (_user, socket, run, _) = finished(&server).await;
    // `u64::MAX` is a number, but none that a cursor can be.
    let bad = [json!("2"), json!(1.5), json!([1]), json!({}), json!(true), json!(1e300), json!(u64::MAX)];
    for after_seq in bad {
        let answer = socket.call(on(&run.thread, "subscribe", json!({ "after_seq": after_seq }))).await;
        assert_eq!(error_code(&answer), "invalid_payload", "{after_seq}: {answer}");
    }
    let answer = socket.call(on(&run.thread, "subscribe", json!({ "epoch": 7 }))).await;
    assert_eq!(error_code(&answer), "invalid_payload", "{answer}");
    socket.alive().await;
    server.logged(0, "the reason", |log| log.contains("frame rejected") && log.contains("invalid_payload")).await;
}

#[tokio::test]
async fn a_cursor_from_nowhere_gets_a_snapshot_and_no_error_loop() {
    let server = Setup::new().start().await;
    let (_user, socket, run, end) = finished(&server).await;
    let (epoch, head) = (end["epoch"].clone(), end["seq"].as_i64().expect("seq"));
    let elsewhere = json!(if epoch == "00000000" { "11111111" } else { "00000000" });
    let numbers = [-1, i64::MIN, i64::MAX, head + 1].map(|after_seq| (after_seq, epoch.clone()));
    let epochs = [(head, elsewhere.clone()), (0, elsewhere), (head, json!("")), (head, json!("x".repeat(10_000)))];
    for (after_seq, epoch) in numbers.into_iter().chain(epochs) {
        let from = socket.count();
        let cursor = json!({ "after_seq": after_seq, "epoch": epoch });
        let answer = socket.call(on(&run.thread, "subscribe", cursor)).await;
        assert_eq!(answer["payload"]["mode"], "snapshot", "{after_seq} of {epoch}: {answer}");
        socket.wait_for(from, PATIENCE, "a snapshot", |f| f["type"] == "thread_snapshot").await;
        socket.alive().await;
        let later = &socket.frames()[from..];
        let errors = later.iter().filter(|f| f["type"] == "error_message").count();
        assert_eq!(errors, 0, "{later:?}");
    }
}

#[tokio::test]
async fn another_users_thread_is_one_that_does_not_exist() {
    let server = Setup::new().start().await;
    let (_user, _socket, run, end) = finished(&server).await;
    let stranger = User::register(&server).await.connect().await;
    let missing = "01931a5e-7c00-7000-8000-0000000000ff";
    for cursor in [json!({}), json!({ "after_seq": 0 }), json!({ "after_seq": 2, "epoch": end["epoch"] })] {
        let theirs = stranger.call(on(&run.thread, "subscribe", cursor.clone())).await;
        let nobodys = stranger.call(on(missing, "subscribe", cursor)).await;
        assert_eq!(error_code(&theirs), "not_found");
        assert_eq!(theirs["payload"], nobodys["payload"], "nothing tells them apart");
    }
}

/// Asks and asks until told to stop; how long the slowest answer took.
async fn slowest_answer(socket: &Socket, stop: &tokio_util::sync::CancellationToken) -> Duration {
    let mut slowest = Duration::ZERO;
    while !stop.is_cancelled() {
        let asked = Instant::now();
        socket.alive().await;
        slowest = slowest.max(asked.elapsed());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    slowest
}

#[tokio::test]
async fn a_storm_of_subscriptions_is_answered_then_refused_then_closed() {
    let server = Setup::new().set("NETRA_COMMANDS_PER_MINUTE", 3_000).start().await;
    let (user, socket, run, _) = finished(&server).await;
    let (own, other) = (user.connect().await, User::register(&server).await.connect().await);
    own.alive().await;
    let before = server.resident_kb();
    let over = tokio_util::sync::CancellationToken::new();
    let storm = async {
        let _over = over.clone().drop_guard();
        for _ in 0..5_000 {
            let subscribe = on(&run.thread, "subscribe", json!({ "after_seq": 0 }));
            if !socket.raw(Message::text(subscribe.to_string())).await {
                break;
            }
        }
        socket.closed_with(4429, PATIENCE).await;
    };
    let ((), slowest) = tokio::join!(storm, slowest_answer(&other, &over));
    let frames = socket.frames();
    let of = |kind: &str| frames.iter().filter(|f| f["type"] == kind).count();
    let refused: Vec<&Value> = frames.iter().filter(|f| f["payload"]["code"] == "rate_limited").collect();
    assert!((99..=100).contains(&refused.len()), "{} refusals before the close", refused.len());
    assert!(refused.iter().all(|f| f["payload"]["retry_after_ms"].as_u64().is_some_and(|wait| wait > 0)));
    assert!(of("subscribed") >= 2_900, "{} were answered", of("subscribed"));
    server.logged(0, "the reason", |log| log.contains("frame rejected") && log.contains("rate_limited")).await;
    own.alive().await;
    let grown = server.resident_kb().saturating_sub(before);
    println!(
        "{} subscriptions, {grown} KB more; the slowest answer to another user took {slowest:?}",
        of("subscribed")
    );
    assert!(grown < 64 * 1024, "the storm left {grown} KB behind");
    assert!(slowest < Duration::from_secs(2), "another user waited {slowest:?}");
}

/// Acknowledges until the socket is closed: a heartbeat that never was, the one that was answered before, none at all.
async fn acknowledge_falsely(socket: &Socket, answered: &Value) {
    for lie in [frame("ping", json!({}))["id"].clone(), answered.clone(), Value::Null].iter().cycle() {
        let mut ack = frame("heartbeat_ack", json!({}));
        if !lie.is_null() {
            ack["reply_to"] = lie.clone();
        }
        if !socket.raw(Message::text(ack.to_string())).await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn acknowledgements_of_heartbeats_that_never_were_keep_nothing_alive() {
    let server =
        Setup::new().set("NETRA_HEARTBEAT_INTERVAL_MS", 400).set("NETRA_HEARTBEAT_TIMEOUT_MS", 400).start().await;
    let user = User::dev(&server).await;
    let (liar, honest) = (user.connect().await, user.connect().await);
    let answered = liar.wait("a heartbeat", |f| f["type"] == "heartbeat").await["id"].clone();
    // The second one says that the answer to the first was taken.
    liar.wait("another", |f| f["type"] == "heartbeat" && f["id"] != answered).await;
    liar.ignore_heartbeats();
    let lies = tokio::time::timeout(Duration::from_secs(5), acknowledge_falsely(&liar, &answered)).await;
    assert!(lies.is_ok(), "false acknowledgements kept the connection alive");
    liar.closed_with(4501, PATIENCE).await;
    honest.alive().await;
}
