//! The handshake (§2): refusals before the upgrade, their log lines, and the first frame.

use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::{
    Message,
    protocol::{CloseFrame, frame::coding::CloseCode},
};

use crate::support::{
    PATIENCE,
    handshake::Handshake,
    server::{Server, Setup},
    socket::Socket,
    user::User,
};

/// A handshake that is refused with this status and code, and with one warning in the log that says why, to whom, from
/// where, and holds no token.
pub(crate) async fn check_refused(server: &Server, name: &str, attempt: &Handshake, status: u16, code: &str) {
    let from = server.log().len();
    let answer = attempt.send(server).await;
    assert_eq!(answer.error(), (status, code.to_owned()), "{name}");

    let what = format!("{name}: a warning with {code}");
    let log = server.logged(from, &what, |log| warnings(log, code).next().is_some()).await;
    assert_eq!(warnings(&log, code).count(), 1, "{name}: one warning: {log}");
    let line = warnings(&log, code).next().expect("a warning");
    assert!(line.contains("127.0.0.1:"), "{name}: no peer in {line}");
    if let Some(origin) = &attempt.origin {
        assert!(line.contains(origin.as_str()), "{name}: no origin in {line}");
    }
    for token in tokens_of(attempt) {
        assert!(!log.contains(&token), "{name}: the log holds the token");
    }
}

fn warnings<'a>(log: &'a str, code: &'a str) -> impl Iterator<Item = &'a str> {
    log.lines().filter(move |line| line.contains("WARN") && line.contains(code))
}

/// The token of an attempt, and its signature alone.
fn tokens_of(attempt: &Handshake) -> Vec<String> {
    let in_protocols = attempt.protocols.split("jwt.").nth(1);
    let in_query = attempt.query.split_once('=').map(|(_, value)| value);
    let found = [in_protocols, in_query, attempt.bearer.as_deref()].into_iter().flatten().filter(|t| t.len() > 20);
    found.flat_map(|t| [t.to_owned(), t.rsplit('.').next().unwrap_or(t).to_owned()]).filter(|t| t.len() > 20).collect()
}

#[tokio::test]
async fn refusals_name_their_reason_and_are_logged() {
    let server = Setup::new().start().await;
    let token = User::dev(&server).await.token().await;
    let good = Handshake::with_token(&token);
    let protocols = |protocols: &str| Handshake { protocols: protocols.into(), ..Handshake::default() };
    let query = |key: &str| Handshake { query: format!("?{key}={token}"), ..good.clone() };
    let cases = [
        ("no token", protocols("netra.v1"), 401, "unauthenticated"),
        ("an empty token", protocols("netra.v1, jwt."), 401, "unauthenticated"),
        ("a token that is none", protocols("netra.v1, jwt.a.b.c"), 401, "unauthenticated"),
        ("no protocol at all", protocols(""), 400, "unsupported_protocol"),
        ("a token alone", protocols(&format!("jwt.{token}")), 400, "unsupported_protocol"),
        ("another protocol", protocols(&format!("chat.v9, jwt.{token}")), 400, "unsupported_protocol"),
        ("a longer name", protocols(&format!("netra.v10, jwt.{token}")), 400, "unsupported_protocol"),
        (
            "a bearer without the protocol",
            Handshake { bearer: Some(token.clone()), ..Handshake::default() },
            400,
            "unsupported_protocol",
        ),
        ("token in the query", query("token"), 400, "token_in_query"),
        ("jwt in the query", query("jwt"), 400, "token_in_query"),
        ("access_token in the query", query("access_token"), 400, "token_in_query"),
        (
            "a query and nothing else",
            Handshake { protocols: "netra.v1".into(), ..query("token") },
            400,
            "token_in_query",
        ),
    ];
    for (name, attempt, status, code) in cases {
        check_refused(&server, name, &attempt, status, code).await;
    }
    assert_eq!(good.send(&server).await.status, 101, "the token was good all along");
}

#[tokio::test]
async fn an_origin_is_matched_exactly_or_not_at_all() {
    let allowed = ["https://chat.example", "https://other.example:8443"];
    let server = Setup::new().set("NETRA_ALLOWED_ORIGINS", allowed.join(",")).start().await;
    let token = User::dev(&server).await.token().await;
    let from = |origin: &str| Handshake { origin: Some(origin.into()), ..Handshake::with_token(&token) };
    for origin in allowed {
        assert_eq!(from(origin).send(&server).await.status, 101, "{origin}");
    }
    assert_eq!(Handshake::with_token(&token).send(&server).await.status, 101, "a program sends no origin");
    let refused = [
        "null",
        "https://evil.example",
        "http://chat.example",
        "https://chat.example.evil.example",
        "https://chat.example:444",
        "https://other.example",
        "https://chat.example/",
        "https://chat.example@evil.example",
    ];
    for origin in refused {
        check_refused(&server, origin, &from(origin), 403, "origin_not_allowed").await;
    }
}

#[tokio::test]
async fn the_own_origin_is_allowed_without_a_list() {
    let server = Setup::new().start().await;
    let token = User::dev(&server).await.token().await;
    let from = |origin: &str| Handshake { origin: Some(origin.into()), ..Handshake::with_token(&token) };
    assert_eq!(from(&server.base).send(&server).await.status, 101);
    for origin in ["null", "http://127.0.0.1:1", "https://evil.example"] {
        check_refused(&server, origin, &from(origin), 403, "origin_not_allowed").await;
    }
}

#[tokio::test]
async fn programs_may_send_the_token_in_a_header() {
    let server = Setup::new().start().await;
    let user = User::dev(&server).await;
    let bearer = format!("Bearer {}", user.token().await);
    let headers = [("sec-websocket-protocol", "netra.v1"), ("authorization", bearer.as_str())];
    let socket = Socket::open_with(&server.base, &headers).await;
    assert_eq!(socket.protocol, "netra.v1");
    assert_eq!(socket.frames()[0]["payload"]["user"]["id"], user.id.as_str());
    socket.alive().await;
}

#[tokio::test]
async fn connect_is_the_first_frame_and_says_who_and_what() {
    let server = Setup::new().start().await;
    let user = User::register(&server).await;
    let me = user.get("/api/me").await.ok();
    let config = user.get("/api/config").await.ok();
    let socket = user.connect().await;
    assert_eq!(socket.protocol, "netra.v1", "netra.v1 is echoed, and the token is not");

    let connect = socket.frames().remove(0);
    assert_eq!(connect["type"], "connect");
    let payload = &connect["payload"];
    assert!(payload["connection_id"].as_str().is_some_and(|id| !id.is_empty()), "{payload}");
    for field in ["id", "name", "role"] {
        assert_eq!(payload["user"][field], me["user"][field], "user.{field}");
        assert!(payload["user"][field].is_string(), "user.{field}");
    }
    assert_eq!(payload["server_version"], config["version"]);
    let expires = payload["token_expires_at"].as_str().and_then(|t| t.parse::<jiff::Timestamp>().ok());
    let left = expires.expect("token_expires_at is a time").duration_since(jiff::Timestamp::now()).as_secs();
    assert!((1..=300).contains(&left), "the token has {left} s left");
    let limits = [
        "heartbeat_interval_ms",
        "heartbeat_timeout_ms",
        "max_frame_bytes",
        "max_subscriptions",
        "commands_per_minute",
    ];
    for limit in limits {
        assert!(payload[limit].is_u64(), "{limit} in {payload}");
        assert_eq!(payload[limit], config["ws"][limit], "{limit}");
    }
    assert_ne!(payload["connection_id"], user.connect().await.frames()[0]["payload"]["connection_id"]);
}

#[tokio::test]
async fn too_many_handshakes_of_one_user_are_refused() {
    let server = Setup::new().set("NETRA_HANDSHAKES_PER_MINUTE", 5).start().await;
    let (user, other) = (User::dev(&server).await, User::register(&server).await);
    let attempt = Handshake::with_token(&user.token().await);
    for n in 1..=5 {
        assert_eq!(attempt.send(&server).await.status, 101, "handshake {n}");
    }
    check_refused(&server, "the sixth", &attempt, 429, "rate_limited").await;
    other.connect().await.alive().await;
}

#[tokio::test]
async fn the_ws_token_needs_a_session_and_lives_five_minutes_at_most() {
    let server = Setup::new().start().await;
    let visitor = User::visitor(&server);
    assert_eq!(visitor.post("/api/auth/ws-token", json!({})).await.error(), (401, "unauthenticated".into()));
    let user = User::dev(&server).await;
    let answer: Value = user.post("/api/auth/ws-token", json!({})).await.ok();
    let expires = answer["expires_at"].as_str().and_then(|t| t.parse::<jiff::Timestamp>().ok());
    let left = expires.expect("expires_at is a time").duration_since(jiff::Timestamp::now()).as_secs();
    assert!((200..=300).contains(&left), "{left} s");
}

#[tokio::test]
async fn a_clients_close_is_answered() {
    let server = Setup::new().start().await;
    let socket = User::dev(&server).await.connect().await;
    let close = CloseFrame { code: CloseCode::Normal, reason: "".into() };
    assert!(socket.raw(Message::Close(Some(close))).await);
    assert_eq!(socket.closed(PATIENCE).await, 1000, "RFC 6455, 5.5.1");
}
