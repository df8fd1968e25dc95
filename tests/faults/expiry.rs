//! Tokens at the edge of their life, 50 ms before and after.

use std::time::Duration;

use netra_ws::{ThreadId, Timestamp, session::Link};
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::{
    oracle::check_alone,
    stage::{Feed, Stage, beside_others, longer, telling},
    support::{
        frame::{error_code, frame},
        handshake::Handshake,
        socket::Socket,
    },
};

const EDGE: Duration = Duration::from_millis(50);

/// Times that a busy machine may miss an edge.
const TRIES: usize = 8;

/// A token, and when its life ends.
async fn token(stage: &Stage) -> (String, Timestamp) {
    let answer = stage.user.post("/api/auth/ws-token", json!({})).await.ok();
    let expires_at = serde_json::from_value(answer["expires_at"].clone()).expect("a time");
    (answer["token"].as_str().expect("a token").to_owned(), expires_at)
}

/// Sleeps until `offset` before a moment on the server's clock, which is ours.
async fn until(moment: Timestamp, before: Duration) {
    let left = Duration::from_millis(moment.millis_since(Timestamp::now()));
    sleep(left.saturating_sub(before)).await;
}

/// Sleeps until [`EDGE`] after a moment.
async fn past(moment: Timestamp) {
    until(moment, Duration::ZERO).await;
    sleep(EDGE).await;
}

/// What the handshake says to a token now: its status, and the error's code.
async fn handshake(stage: &Stage, token: &str) -> (u16, String) {
    let answer = Handshake::with_token(token).send(&stage.server).await;
    if answer.status == 101 { (101, String::new()) } else { answer.error() }
}

async fn authenticate(socket: &Socket, token: &str) -> Value {
    socket.call(frame("authenticate", json!({ "token": token }))).await
}

/// R9: a token opens a socket until its end and not after it.
#[tokio::test]
async fn a_token_opens_a_socket_to_its_last_moment() {
    let _machine = beside_others().await;
    let stage = Stage::new(&[("NETRA_WS_TOKEN_TTL_S", 2)]).await;
    for attempt in 0.. {
        let (token, end) = token(&stage).await;
        until(end, EDGE).await;
        let before = handshake(&stage, &token).await;
        let in_time = Timestamp::now() < end;
        past(end).await;
        let after = handshake(&stage, &token).await;
        assert_eq!(after, (401, "token_expired".into()), "after its end");
        if in_time {
            assert_eq!(before, (101, String::new()), "before its end");
            return;
        }
        assert!(attempt < TRIES, "the machine is too busy to be on time");
    }
}

/// R9: a connection lives on by a fresh token, before the old one's end, after it, and up to the end of the grace.
#[tokio::test]
async fn a_connection_can_be_renewed_to_the_end_of_the_grace() {
    let _machine = beside_others().await;
    let grace = Duration::from_secs(1);
    let stage = Stage::new(&[("NETRA_WS_TOKEN_TTL_S", 2), ("NETRA_WS_TOKEN_GRACE_S", grace.as_secs())]).await;
    for attempt in 0.. {
        let (old, end) = token(&stage).await;
        let open = async || Socket::open(&stage.server.base, &old).await;
        let (early, late, last, lapsing) = (open().await, open().await, open().await, open().await);
        until(end, EDGE).await;
        let fresh = stage.user.token().await;
        let renewed = authenticate(&early, &fresh).await;
        assert_eq!(renewed["type"], "authenticated", "50 ms before the end: {renewed}");
        past(end).await;
        let stale = authenticate(&late, &old).await;
        assert_eq!(error_code(&stale), "token_expired", "the old token 50 ms after its end: {stale}");
        let renewed = authenticate(&late, &stage.user.token().await).await;
        assert_eq!(renewed["type"], "authenticated", "50 ms after the end: {renewed}");
        let fresh = stage.user.token().await;
        until(end.plus(grace), EDGE).await;
        let on_time = last.raw(tokio_tungstenite::tungstenite::Message::text(
            frame("authenticate", json!({ "token": fresh })).to_string(),
        ));
        let on_time = on_time.await && Timestamp::now() < end.plus(grace / 2 + grace / 2);
        let closed = lapsing.closed(Duration::from_secs(2)).await;
        let over = Timestamp::now().millis_since(end.plus(grace));
        assert_eq!(closed, 4401, "the end of the grace");
        assert!(Timestamp::now() >= end.plus(grace), "closed before the end of the grace");
        if on_time {
            last.wait("authenticated", |f| f["type"] == "authenticated").await;
            last.alive().await;
            early.alive().await;
            late.alive().await;
            println!("closed {over} ms after the end of the grace");
            return;
        }
        assert!(attempt < TRIES, "the machine is too busy to be on time");
    }
}

/// R7, R9, R14: a link outlives its tokens.
#[tokio::test]
async fn a_session_lives_through_many_tokens() {
    let _machine = beside_others().await;
    let stage = Stage::new(&[("NETRA_WS_TOKEN_TTL_S", 3), ("NETRA_WS_TOKEN_GRACE_S", 0)]).await;
    let client = stage.healthy().await;
    let thread: [ThreadId; 1] = [stage.thread().await];
    client.follow(thread[0]);
    let feed = Feed::new(&client, &thread, telling(100, 25, 20));
    feed.during(Duration::from_secs(11) * u32::try_from(longer()).expect("small")).await;
    feed.rest(Duration::from_secs(10)).await;
    let log = check_alone(&client, &stage, thread[0]).await;
    let book = client.book();
    let links: Vec<&Link> = book.links.iter().map(|(_, link)| link).collect();
    assert_eq!(links, [&Link::Live], "{book}");
    assert_eq!((book.connects, book.losses(), book.gaps), (1, 0, 0), "{book}");
    assert!(book.tokens >= 4, "{} tokens in five lives", book.tokens);
    println!("{} tokens, {} events, one link", book.tokens, log.head());
}
