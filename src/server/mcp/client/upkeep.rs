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
        // Until somebody signs in, trying again changes nothing.
        let waits = server.requests.missing().is_some();
        tokio::select! {
            () = sleep(back_off.pause(held)), if !waits => {}
            () = signed_in_or_out(&server) => back_off = BackOff::default(),
            () = closing.cancelled() => break,
        }
    }
    server.end();
}

/// Waits until somebody signs in at the server, or takes the connection back.
async fn signed_in_or_out(server: &McpServer) {
    match server.requests.sign_in() {
        Some(sign_in) => sign_in.changed.notified().await,
        None => std::future::pending().await,
    }
}

/// Connects, and asks what the server has.
async fn connect(server: &Arc<McpServer>) -> Result<Link, String> {
    if let Some(sign_in) = server.requests.sign_in() {
        sign_in.look().await?;
    }
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
            () = signed_in_or_out(server) => {
                return server.requests.missing().unwrap_or_else(|| "it was connected anew".to_owned());
            }
            () = sleep(ROUND), if asks => {}
        }
        match timeout(ANSWER, listing::list(&peer)).await {
            Ok(Ok(has)) => server.ready(link, has),
            // How it ended says more than what failed for that.
            Ok(Err(_)) if peer.is_transport_closed() => return link.broken().await,
            Ok(Err(why)) => return why,
            Err(_) => return format!("no answer within {} s", ANSWER.as_secs()),
        }
    }
}
