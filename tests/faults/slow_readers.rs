//! Readers that do not read, beside one that does.

use std::time::{Duration, Instant};

use futures::{SinkExt, StreamExt, future::join_all};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{Message, client::IntoClientRequest, http::HeaderValue},
};

use crate::{
    narrow,
    oracle::{Log, Sum, check},
    proxy::{Proxy, Way},
    stage::{Feed, Stage, alone, telling},
    support::frame::on,
};

const READERS: usize = 200;
const THREADS: usize = 3;

/// Readers that come back, besides.
const RETURNING: u64 = 3;

/// A full queue is one of a megabyte, or a write that takes too long: 10 s for each 128 KB that its first frame begins, and an
/// answer here, told whole at its end, is 200 KB. Then the goodbye takes a second, and a busy machine may add as much again.
const BOUND: Duration = Duration::from_secs(2 * 10 + 1 + 20);

/// Kilobytes by which the server may grow: a full queue for each reader, and half as much again around it.
const GROWTH_KB: u64 = READERS as u64 * 1_536;

/// A socket that watches threads and never reads again.
async fn deaf(stage: &Stage, token: &str, threads: &[netra_ws::ThreadId]) -> WebSocketStream<TcpStream> {
    let server = stage.server.host().parse().expect("an address");
    let stream = narrow::connect(server, 4_096).await.expect("a connection");
    let mut request = format!("ws://{}/ws", stage.server.host()).into_client_request().expect("a request");
    let protocols = HeaderValue::from_str(&format!("netra.v1, jwt.{token}")).expect("a header value");
    request.headers_mut().insert("sec-websocket-protocol", protocols);
    let (mut socket, _) = client_async(request, stream).await.expect("the socket opens");
    for thread in threads {
        let ask = on(&thread.to_string(), "subscribe", json!({ "after_seq": 0 })).to_string();
        socket.send(Message::text(ask)).await.expect("sent");
    }
    let first = socket.next().await.expect("a frame").expect("a frame");
    let first: Value = serde_json::from_str(first.to_text().expect("text")).expect("JSON");
    assert_eq!(first["type"], "connect", "{first}");
    socket
}

/// R14, R15, R21: each is closed in its bound, memory stays in its bound, and the one that reads does not notice.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readers_that_do_not_read_harm_nobody() {
    let _machine = alone().await;
    let stage = Stage::new(&[]).await;
    let healthy = stage.healthy().await;
    let mut threads = Vec::new();
    for _ in 0..THREADS {
        threads.push(stage.thread().await);
    }
    for thread in &threads {
        healthy.follow(*thread);
    }
    let feed = Feed::new(&healthy, &threads, telling(40, 25, 5_000));
    feed.during(Duration::from_secs(3)).await;
    let (alone_p99, before) = {
        let book = healthy.book();
        (book.p99_after(0), book.delays.len())
    };

    let rss = stage.rss_kb();
    let logged = stage.server.log().len();
    let mut returning = Vec::new();
    for seed in 0..RETURNING {
        let proxy = Proxy::narrow(stage.server.host()).await;
        let client = stage.client(&proxy.base, seed).await;
        for thread in &threads {
            client.follow(*thread);
        }
        client.wait(Duration::from_secs(5), "a live link", crate::client::Book::is_live).await;
        proxy.newest().expect("a connection").hole(Way::Down, true);
        returning.push((client, proxy));
    }
    let token = stage.user.token().await;
    let deaf = join_all((0..READERS).map(|_| deaf(&stage, &token, &threads))).await;

    let (start, mut most, expected) = (Instant::now(), 0, READERS + returning.len());
    let took = feed
        .until(|| {
            most = most.max(stage.rss_kb().saturating_sub(rss));
            let log = &stage.server.log()[logged..];
            let closed = log.lines().filter(|l| l.contains("disconnected") && l.contains("code=4508")).count();
            assert!(start.elapsed() < BOUND, "{closed} of {expected} are closed after {BOUND:?}");
            (closed == expected).then(|| start.elapsed())
        })
        .await;
    let beside_p99 = healthy.book().p99_after(before);
    let during = healthy.book().delays.len() - before;

    for (_, proxy) in &returning {
        for link in proxy.links() {
            link.hole(Way::Down, false);
        }
    }
    feed.during(Duration::from_secs(1)).await;
    feed.rest(Duration::from_secs(20)).await;
    let mut logs = Vec::new();
    for thread in &threads {
        logs.push(Log::read(&stage.user, *thread).await);
    }
    let mut sum = Sum::default();
    check(&healthy, &logs, &mut sum).await;
    for (client, _) in &returning {
        check(client, &logs, &mut sum).await;
        let book = client.book();
        assert_eq!((book.losses(), book.connects, book.snapshots), (1, 2, 0), "closed once, resumed once: {book}");
    }
    drop(deaf);
    println!(
        "{expected} deaf readers closed after {:.1} s; the healthy one: {during} events beside them, p99 {beside_p99} ms \
         ({alone_p99} ms alone), lost 0; the server grew by {} MB; resumed {RETURNING}, lost {}, duplicated {}",
        took.as_secs_f64(),
        most / 1024,
        sum.lost,
        sum.duplicated,
    );
    healthy.was_never_lost();
    assert!(beside_p99 < 2_000, "a slow reader delays another: p99 {beside_p99} ms, {alone_p99} ms alone");
    assert!(most < GROWTH_KB, "the server grew by {most} kB");
}
