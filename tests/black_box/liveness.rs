//! Heartbeats, tokens that run out, and sign-outs that reach the socket (§6).

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::time::sleep;

use crate::support::{
    PATIENCE,
    frame::{error_code, frame},
    server::{Server, Setup},
    socket::Socket,
    user::User,
};

async fn beating() -> Server {
    Setup::new().set("NETRA_HEARTBEAT_INTERVAL_MS", 300).set("NETRA_HEARTBEAT_TIMEOUT_MS", 300).start().await
}

fn heartbeats(socket: &Socket) -> usize {
    socket.frames().iter().filter(|f| f["type"] == "heartbeat").count()
}

#[tokio::test]
async fn a_heartbeat_nobody_answers_closes() {
    let server = beating().await;
    let socket = User::dev(&server).await.connect().await;
    socket.ignore_heartbeats();
    let opened = Instant::now();
    socket.closed_with(4501, Duration::from_secs(3)).await;
    let took = opened.elapsed();
    assert!(took > Duration::from_millis(400), "an interval and a timeout must pass first: {took:?}");
    assert!(heartbeats(&socket) >= 1, "it was asked");
}

#[tokio::test]
async fn commands_do_not_answer_a_heartbeat() {
    let server = beating().await;
    let socket = User::dev(&server).await.connect().await;
    socket.ignore_heartbeats();
    for _ in 0..40 {
        let ping = frame("ping", json!({})).to_string();
        if !socket.raw(tokio_tungstenite::tungstenite::Message::text(ping)).await {
            break;
        }
        sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(socket.closed(Duration::from_secs(3)).await, 4501, "only heartbeat_ack answers a heartbeat");
}

#[tokio::test]
async fn answered_heartbeats_keep_the_socket() {
    let server = beating().await;
    let socket = User::dev(&server).await.connect().await;
    sleep(Duration::from_secs(2)).await;
    socket.alive().await;
    let beats = heartbeats(&socket);
    // Two seconds hold 5.5 to 8.3 intervals of 300 ms, give or take a fifth; a slow machine may miss some.
    assert!((4..=9).contains(&beats), "{beats} heartbeats in two seconds");
}

#[tokio::test]
async fn a_fresh_token_is_taken_in_band() {
    let server = Setup::new().start().await;
    let (user, other) = (User::dev(&server).await, User::register(&server).await);
    let socket = user.connect().await;
    let first = socket.frames()[0]["payload"]["token_expires_at"].clone();
    sleep(Duration::from_millis(1_100)).await;
    let answer = socket.call(frame("authenticate", json!({ "token": user.token().await }))).await;
    assert_eq!(answer["type"], "authenticated", "{answer}");
    let second = answer["payload"]["token_expires_at"].clone();
    assert!(second.as_str() > first.as_str(), "{first} then {second}");

    let foreign = other.token().await;
    for (token, code) in [(foreign.as_str(), "forbidden"), ("a.b.c", "unauthenticated"), ("", "unauthenticated")] {
        let answer = socket.call(frame("authenticate", json!({ "token": token }))).await;
        assert_eq!(error_code(&answer), code, "{token:?}");
        socket.alive().await;
    }
    socket.call(frame("start_agent", json!({ "content": "What is 1 + 1?" }))).await;
    let count = async |user: &User| user.get("/api/threads").await.ok()["threads"].as_array().map_or(0, Vec::len);
    assert_eq!((count(&user).await, count(&other).await), (1, 0), "the connection is still the first user's");
    assert!(!server.log().contains(&foreign), "a refused token is in the log");
}

/// How long until the token of a new connection expires.
fn left(socket: &Socket) -> Duration {
    let expires = socket.frames()[0]["payload"]["token_expires_at"].as_str().and_then(|t| t.parse().ok());
    let expires: jiff::Timestamp = expires.expect("token_expires_at is a time");
    expires.duration_since(jiff::Timestamp::now()).try_into().expect("the token is still good")
}

#[tokio::test]
async fn a_token_that_runs_out_closes_after_the_grace() {
    let server = Setup::new().set("NETRA_WS_TOKEN_TTL_S", 2).set("NETRA_WS_TOKEN_GRACE_S", 2).start().await;
    let user = User::dev(&server).await;
    let (lapsing, renewed) = (user.connect().await, user.connect().await);
    let expiry = Instant::now() + left(&lapsing);
    sleep(left(&lapsing) + Duration::from_millis(300)).await;
    lapsing.alive().await;
    let answer = renewed.call(frame("authenticate", json!({ "token": user.token().await }))).await;
    assert_eq!(answer["type"], "authenticated", "in the grace: {answer}");

    lapsing.closed_with(4401, Duration::from_secs(4)).await;
    let took = expiry.elapsed();
    assert!(took > Duration::from_millis(1_800), "the grace is two seconds, and the close came after {took:?}");
    renewed.alive().await;
    renewed.closed_with(4401, Duration::from_secs(6)).await;
}

#[tokio::test]
async fn a_sign_out_closes_the_sockets_of_the_user_alone() {
    let server = Setup::new().start().await;
    let (user, other) = (User::register(&server).await, User::register(&server).await);
    let (one, two, theirs) = (user.connect().await, user.connect().await, other.connect().await);
    let asked = Instant::now();
    let logout = user.post("/api/auth/logout", json!({})).await;
    assert!((200..300).contains(&logout.status), "{}", logout.status);
    for socket in [&one, &two] {
        socket.closed_with(4401, PATIENCE).await;
    }
    let took = asked.elapsed();
    assert!(took < Duration::from_secs(1), "{took:?}");
    theirs.alive().await;
    assert_eq!(user.get("/api/me").await.error(), (401, "unauthenticated".into()));
    let again: Value = other.get("/api/me").await.ok();
    assert_eq!(again["user"]["id"], other.id.as_str());
}

#[tokio::test]
async fn a_store_that_is_busy_costs_nobody_the_connection() {
    let server = beating().await;
    let socket = User::dev(&server).await.connect().await;
    let file = server.home().path().join("data/netra.db");
    let url = format!("sqlite:{}", file.display());
    let mut other = <sqlx::SqliteConnection as sqlx::Connection>::connect(&url).await.expect("the database");
    sqlx::query("BEGIN IMMEDIATE").execute(&mut other).await.expect("the writer's place");
    // Behind the command that waits, the answers to heartbeats wait, too.
    let asked = frame("start_agent", json!({ "content": "What is 6 times 7?" }));
    socket.send(&asked).await;
    sleep(Duration::from_secs(3)).await;
    sqlx::query("ROLLBACK").execute(&mut other).await.expect("given back");
    let ack = socket.wait("the ack", |f| f["reply_to"] == asked["id"]).await;
    assert_eq!(ack["type"], "ack", "{ack}");
    socket.alive().await;
    // And who does not answer is found out all the same.
    socket.ignore_heartbeats();
    socket.closed_with(4501, Duration::from_secs(3)).await;
}
