//! Limits of one connection: frame size, commands a minute, subscriptions (§1, §6).

use serde_json::json;
use tokio_tungstenite::tungstenite::Message;

use crate::support::{
    PATIENCE,
    frame::{error_code, frame, on},
    server::Setup,
    socket::Socket,
    user::User,
};

/// A ping of exactly this many bytes.
fn ping_of(bytes: usize) -> String {
    let mut ping = frame("ping", json!({ "nonce": "n" }));
    ping["padding"] = json!("");
    let short = bytes - ping.to_string().len();
    ping["padding"] = json!("x".repeat(short));
    let text = ping.to_string();
    assert_eq!(text.len(), bytes);
    text
}

#[tokio::test]
async fn a_frame_may_be_as_large_as_the_limit_and_no_larger() {
    let limit = 2_048;
    let server = Setup::new().set("NETRA_MAX_FRAME_BYTES", limit).start().await;
    let user = User::dev(&server).await;
    // The last is larger than what the server reads of one frame.
    for (bytes, fits) in [(limit, true), (limit + 1, false), (limit * 40, false), (3 << 20, false)] {
        for binary in [false, true] {
            let socket = user.connect().await;
            let (from, logged) = (socket.count(), server.log().len());
            let text = ping_of(bytes);
            let message = if binary { Message::binary(text.into_bytes()) } else { Message::text(text) };
            // A frame that is not read whole may meet a socket that closes under it.
            socket.raw(message).await;
            let code = if binary { "unsupported_frame" } else { "pong" };
            let code = if fits { code } else { "frame_too_large" };
            let answer = |f: &serde_json::Value| f["type"] == "pong" || f["type"] == "error_message";
            let answer = socket.wait_for(from, PATIENCE, "an answer", answer).await;
            let got = answer["payload"]["code"].as_str().unwrap_or("pong");
            assert_eq!(got, code, "{bytes} bytes, binary: {binary}");
            if fits {
                socket.alive().await;
            } else {
                socket.closed_with(4413, PATIENCE).await;
                server.logged(logged, "the refusal", |line| line.contains("frame_too_large")).await;
            }
        }
    }
}

#[tokio::test]
async fn too_many_commands_are_refused_and_not_acted_on() {
    let server = Setup::new().set("NETRA_COMMANDS_PER_MINUTE", 5).start().await;
    let user = User::dev(&server).await;
    let socket = user.connect().await;
    for _ in 0..20 {
        socket.send(&frame("heartbeat_ack", json!({}))).await;
    }
    for n in 1..=5 {
        let answer = socket.call(frame("ping", json!({}))).await;
        assert_eq!(answer["type"], "pong", "heartbeat_ack is free, and this is command {n}");
    }
    let answer = socket.call(frame("start_agent", json!({ "content": "hello" }))).await;
    assert_eq!(error_code(&answer), "rate_limited");
    assert_eq!(answer["payload"]["retryable"], true);
    let wait = answer["payload"]["retry_after_ms"].as_u64().expect("retry_after_ms");
    assert!((1..=60_000).contains(&wait), "{wait} ms");
    assert_eq!(user.get("/api/threads").await.ok()["threads"], json!([]), "the refused command made a thread");
    user.connect().await.alive().await;
}

/// More connections are not more commands.
#[tokio::test]
async fn a_users_connections_share_what_four_may() {
    let server = Setup::new().set("NETRA_COMMANDS_PER_MINUTE", 5).start().await;
    let user = User::dev(&server).await;
    let mut answered = 0;
    for _ in 0..6 {
        let socket = user.connect().await;
        for _ in 0..5 {
            answered += usize::from(socket.call(frame("ping", json!({}))).await["type"] == "pong");
        }
    }
    assert!((20..=22).contains(&answered), "{answered} of 30");
    User::register(&server).await.connect().await.alive().await;
}

#[tokio::test]
async fn the_hundredth_refusal_in_a_minute_closes() {
    let server = Setup::new().set("NETRA_COMMANDS_PER_MINUTE", 5).start().await;
    let socket = User::dev(&server).await.connect().await;
    for _ in 0..5 + 100 {
        socket.send(&frame("ping", json!({}))).await;
    }
    socket.closed_with(4429, PATIENCE).await;
    let refusals = socket.frames().iter().filter(|f| f["payload"]["code"] == "rate_limited").count();
    assert!((99..=100).contains(&refusals), "{refusals} refusals before the close");
}

#[tokio::test]
async fn a_connection_watches_a_bounded_number_of_threads() {
    let server = Setup::new().set("NETRA_MAX_SUBSCRIPTIONS", 3).start().await;
    let user = User::dev(&server).await;
    assert_eq!(user.get("/api/config").await.ok()["ws"]["max_subscriptions"], 3);
    let socket = user.connect().await;
    let mut threads = Vec::new();
    for n in 0..4 {
        let thread = user.thread(&format!("thread {n}")).await;
        threads.push(thread["id"].as_str().expect("id").to_owned());
    }
    for thread in &threads[..3] {
        let answer = socket.call(on(thread, "subscribe", json!({}))).await;
        assert_eq!(answer["type"], "subscribed", "{answer}");
    }
    let again = socket.call(on(&threads[0], "subscribe", json!({}))).await;
    assert_eq!(again["type"], "subscribed", "a thread already watched takes no other place: {again}");
    let answer = socket.call(on(&threads[3], "subscribe", json!({}))).await;
    assert_eq!(error_code(&answer), "too_many_subscriptions");

    assert_eq!(socket.call(on(&threads[1], "unsubscribe", json!({}))).await["type"], "unsubscribed");
    let answer = socket.call(on(&threads[3], "subscribe", json!({}))).await;
    assert_eq!(answer["type"], "subscribed", "a place came free: {answer}");
}

/// Shells allow a process 1,024 open files, which is no limit that anyone chose for a chat.
#[tokio::test]
async fn more_connections_open_than_the_shell_allows_files() {
    let server = Setup::new().shell_allows_files(128).start().await;
    let mut sockets = Vec::new();
    for _ in 0..4 {
        let token = User::register(&server).await.token().await;
        for _ in 0..50 {
            sockets.push(Socket::open(&server.base, &token).await);
        }
    }
    for socket in &sockets {
        socket.alive().await;
    }
    assert!(server.log().contains("open_files="), "{}", server.log());
}
