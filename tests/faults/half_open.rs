//! A connection that is open on both ends and carries nothing.

use std::time::{Duration, Instant};

use tokio::time::sleep;

use crate::{
    oracle::check_alone,
    proxy::Way,
    stage::{Feed, Stage, beside_others, telling},
};

const INTERVAL: u64 = 400;
const TIMEOUT: u64 = 400;

/// A client takes a socket for dead after 1.5 intervals and the timeout.
const CLIENT_BOUND: Duration = Duration::from_millis(INTERVAL * 3 / 2 + TIMEOUT);

/// The server asks after 1.2 intervals at the latest, and waits for the timeout.
const SERVER_PATIENCE: Duration = Duration::from_millis(INTERVAL * 6 / 5 + TIMEOUT);

/// Then it says goodbye, and hears out for 2 s what may still come.
const SERVER_BOUND: Duration = SERVER_PATIENCE.saturating_add(Duration::from_secs(2));

/// What a busy machine may add.
const SLACK: Duration = Duration::from_millis(800);

/// R14, R16: both sides notice in their own bounds, and nothing is lost.
#[tokio::test]
async fn both_sides_notice_a_half_open_socket() {
    let _machine = beside_others().await;
    let stage = Stage::beating(INTERVAL, TIMEOUT).await;
    let healthy = stage.healthy().await;
    let threads = [stage.thread().await];
    healthy.follow(threads[0]);
    let feed = Feed::new(&healthy, &threads, telling(60, 20, 20));
    for (what, holes) in [("both ways", &[Way::Up, Way::Down][..]), ("down", &[Way::Down]), ("up", &[Way::Up])] {
        let proxy = stage.proxy().await;
        let client = stage.client(&proxy.base, 7).await;
        client.follow(threads[0]);
        client.wait(Duration::from_secs(5), "a live link", crate::client::Book::is_live).await;
        feed.during(Duration::from_millis(500)).await;
        let link = proxy.newest().expect("a connection");
        let logged = stage.server.log().len();
        let struck = Instant::now();
        for way in holes {
            link.hole(*way, true);
        }
        let noticed = client.wait(Duration::from_secs(5), "a loss", |book| book.losses() == 1);
        let (noticed, ()) = tokio::join!(noticed, feed.during(Duration::from_secs(2)));
        // A client that is still heard of has to be told by the server, which closes; its close may come too late to count.
        let told = if holes.contains(&Way::Down) { Duration::ZERO } else { SERVER_PATIENCE };
        let bound = CLIENT_BOUND + told;
        {
            let book = client.book();
            assert_eq!(book.given_up + book.closes.get(&4501).copied().unwrap_or(0), 1, "{what}: {book}");
            assert!(book.given_up == 1 || !told.is_zero(), "{what}: {book}");
        }
        assert!(noticed < bound + SLACK, "{what}: noticed after {noticed:?}");
        let forgotten = if holes.contains(&Way::Up) {
            // The client is gone, but its FIN never came: the server finds out by itself.
            let forgot = |log: &str| log.contains("no heartbeat_ack in time") && log.contains("disconnected");
            while !forgot(&stage.server.log()[logged..]) {
                assert!(struck.elapsed() < SERVER_BOUND + SLACK, "{what}: the server still holds the connection");
                sleep(Duration::from_millis(20)).await;
            }
            format!("the server forgot it after {:?}", struck.elapsed())
        } else {
            "the server was told".to_owned()
        };
        client.wait(Duration::from_secs(5), "a live link", crate::client::Book::is_live).await;
        feed.during(Duration::from_millis(300)).await;
        feed.rest(Duration::from_secs(10)).await;
        check_alone(&client, &stage, threads[0]).await;
        println!("silent {what}: the client noticed after {noticed:?}, {forgotten}");
    }
    healthy.was_never_lost();
}
