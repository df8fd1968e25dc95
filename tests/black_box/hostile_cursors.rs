//! Cursors and acknowledgements that no honest client sends: each gets its answer, and nobody else notices (§5, §6, §8).

use std::time::Duration;

use serde_json::{Value, json};

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
    for after_seq in [json!("2"), json!(1.5), json!([1]), json!({}), json!(true), json!(1e300)] {
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
    let epoch = end["epoch"].clone();
    for after_seq in [json!(-1), json!(i64::MIN), json!(i64::MAX), json!(end["seq"].as_u64().expect("seq") + 1)] {
        let from = socket.count();
        let cursor = json!({ "after_seq": after_seq, "epoch": epoch });
        let answer = socket.call(on(&run.thread, "subscribe", cursor)).await;
        assert_eq!(answer["payload"]["mode"], "snapshot", "{after_seq}: {answer}");
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

/// Kilobytes that the server's process holds.
fn resident(server: &Server) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.pid())).expect("a process");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("VmRSS");
    line.trim().trim_end_matches(" kB").parse().expect("kilobytes")
}

#[tokio::test]
async fn a_storm_of_subscriptions_is_answered_then_refused_then_closed() {
    let server = Setup::new().set("NETRA_COMMANDS_PER_MINUTE", 300).start().await;
    let (user, socket, run, _) = finished(&server).await;
    let calm = user.connect().await;
    calm.alive().await;
    let before = resident(&server);
    for _ in 0..5_000 {
        let storm = on(&run.thread, "subscribe", json!({ "after_seq": 0 }));
        if !socket.raw(tokio_tungstenite::tungstenite::Message::text(storm.to_string())).await {
            break;
        }
    }
    socket.closed_with(4429, PATIENCE).await;
    let frames = socket.frames();
    let refused: Vec<&Value> = frames.iter().filter(|f| f["payload"]["code"] == "rate_limited").collect();
    assert!((99..=100).contains(&refused.len()), "{} refusals before the close", refused.len());
    assert!(refused.iter().all(|f| f["payload"]["retry_after_ms"].as_u64().is_some_and(|wait| wait > 0)));
    calm.alive().await;
    let grown = resident(&server).saturating_sub(before);
    assert!(grown < 64 * 1024, "the storm left {grown} KB behind");
}

#[tokio::test]
async fn acknowledgements_of_heartbeats_that_never_were_keep_nothing_alive() {
    let server =
        Setup::new().set("NETRA_HEARTBEAT_INTERVAL_MS", 400).set("NETRA_HEARTBEAT_TIMEOUT_MS", 400).start().await;
    let socket = User::dev(&server).await.connect().await;
    socket.ignore_heartbeats();
    let liar = async {
        loop {
            let mut ack = frame("heartbeat_ack", json!({}));
            ack["reply_to"] = frame("ping", json!({}))["id"].clone();
            if !socket.raw(tokio_tungstenite::tungstenite::Message::text(ack.to_string())).await {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::select! {
        () = liar => {}
        () = tokio::time::sleep(Duration::from_secs(3)) => {}
    }
    socket.closed_with(4501, Duration::from_secs(2)).await;
}
