//! Keeps a connection to a server: makes it, looks after it, and makes another when it breaks.

use std::{sync::Arc, time::Duration};

use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::{
    McpServer,
    away::BackOff,
    link::{self, Link},
    listing,
};
use crate::server::{config::McpPlace, metrics::metrics};

/// How often an address is asked whether it is still there: a program that ends is noticed at once.
const ROUND: Duration = Duration::from_secs(30);

/// How long it may take to say so.
const ANSWER: Duration = Duration::from_secs(10);

/// The pause after a change, so that many at once are one.
const CHANGES: Duration = Duration::from_millis(250);

/// Keeps a connection until told to stop.
pub(super) async fn keep(server: Arc<McpServer>, closing: CancellationToken) {
    let mut back_off = BackOff::default();
    loop {
        let connected = tokio::select! {
            connected = connect(&server) => connected,
            () = closing.cancelled() => break,
        };
        let held = match connected {
            Ok(mut link) => {
                let since = Instant::now();
                let why = tokio::select! {
                    why = look_after(&server, &mut link) => Some(why),
                    () = closing.cancelled() => None,
                };
                if let Some(why) = &why {
                    server.away(why.clone());
                }
                link.end().await;
                if why.is_none() {
                    break;
                }
                Some(since.elapsed())
            }
            Err(why) => {
                server.away(why);
                None
            }
        };
        metrics().mcp_restart(server.name());
        tokio::select! {
            () = sleep(back_off.pause(held)) => {}
            () = closing.cancelled() => break,
        }
    }
    server.end();
}

/// Connects, and asks what the server has.
async fn connect(server: &Arc<McpServer>) -> Result<Link, String> {
    let link = link::connect(server).await?;
    match listing::list(&link.peer).await {
        Ok(has) => {
            server.ready(&link, has);
            Ok(link)
        }
        Err(why) => {
            link.end().await;
            Err(why)
        }
    }
}

/// Follows what the server has, until the connection breaks; says why it did.
async fn look_after(server: &Arc<McpServer>, link: &mut Link) -> String {
    let heard = link.heard.clone();
    let peer = link.peer.clone();
    let asks = matches!(server.config.place, McpPlace::Address { .. });
    loop {
        tokio::select! {
            why = link.broken() => return why,
            () = heard.changed.notified() => sleep(CHANGES).await,
            () = server.suspected.notified() => {}
            () = sleep(ROUND), if asks => {}
        }
        match timeout(ANSWER, listing::list(&peer)).await {
            Ok(Ok(has)) => server.ready(link, has),
            Ok(Err(why)) => return why,
            Err(_) => return format!("no answer within {} s", ANSWER.as_secs()),
        }
    }
}
