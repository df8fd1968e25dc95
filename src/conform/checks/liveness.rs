//! Heartbeats, which take as long as the server's interval.

use std::time::Duration;

use netra_ws::{ServerFrame, message::ServerMessage};

use crate::conform::{Check, Target, Verdict, check, peer::Peer};

pub(super) fn checks() -> Vec<Check> {
    vec![
        check!("liveness", "heartbeats come, and answered ones keep the link", answered),
        check!("liveness", "an unanswered heartbeat closes with 4501", unanswered),
    ]
}

/// The longest pause between heartbeats, and some for the way.
fn interval(target: &Target) -> Duration {
    Duration::from_millis(target.discovery.ws.limits.heartbeat_interval_ms).mul_f64(1.2) + Duration::from_secs(2)
}

fn beats(frame: &ServerFrame) -> bool {
    matches!(frame.message, ServerMessage::Heartbeat(_))
}

async fn answered(target: &Target) -> Verdict {
    let mut peer = Peer::open(target).await?;
    for _ in 0..2 {
        let from = peer.heard.len();
        peer.until_from(from, interval(target), "a heartbeat", beats).await?;
    }
    peer.alive().await?;
    Ok(String::new())
}

async fn unanswered(target: &Target) -> Verdict {
    let mut peer = Peer::open(target).await?;
    peer.answers_heartbeats = false;
    peer.until_from(0, interval(target), "a heartbeat", beats).await?;
    let timeout = Duration::from_millis(target.discovery.ws.limits.heartbeat_timeout_ms);
    match peer.closed(timeout + Duration::from_secs(3)).await? {
        4501 => Ok(String::new()),
        code => Err(format!("closed with {code} instead of 4501")),
    }
}
