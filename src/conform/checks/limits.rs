//! Limits: what is too much is refused with a wait, and harms nobody.

use netra_ws::{
    ErrorCode, ServerFrame,
    frame::Frame,
    message::{ClientMessage, FrameMessage as _, ServerMessage},
    payload as p,
};

use crate::conform::{Check, Target, Verdict, check, peer::Peer};

pub(super) fn checks() -> Vec<Check> {
    vec![
        check!("limits", "a fresh token in `authenticate` is taken", fresh_token),
        check!("limits", "too many frames: rate_limited with a wait, then 4429", rate),
    ]
}

async fn fresh_token(target: &Target) -> Verdict {
    let mut peer = Peer::open(target).await?;
    let token = target.ws_token().await?;
    let answer = peer.call(Frame::new(ClientMessage::Authenticate(p::Authenticate { token }))).await?;
    match answer.message {
        ServerMessage::Authenticated(fresh) => Ok(format!("until {}", fresh.token_expires_at)),
        other => Err(format!("`{}` came instead of `authenticated`", other.info().name)),
    }
}

/// More than the bucket holds, and the refusals that close.
async fn rate(target: &Target) -> Verdict {
    let mut peer = Peer::open(target).await?;
    let most = target.discovery.ws.limits.commands_per_minute;
    if most > 20_000 {
        return Ok(format!("not tried: {most} frames a minute are allowed"));
    }
    let mut beside = Peer::open(target).await?;
    for _ in 0..most + 200 {
        // The server may close before the last.
        if peer.send(&Frame::new(ClientMessage::Ping(p::Ping::default()))).await.is_err() {
            break;
        }
    }
    let refused = |frame: &ServerFrame| matches!(&frame.message, ServerMessage::ErrorMessage(error) if error.code == ErrorCode::RateLimited);
    let first = peer.until("`rate_limited`", refused).await?;
    if let ServerMessage::ErrorMessage(error) = &first.message
        && error.retry_after_ms.is_none()
    {
        return Err("`rate_limited` does not say when to come back".to_owned());
    }
    let code = peer.closed(target.patience).await?;
    if code != 4429 {
        return Err(format!("closed with {code} instead of 4429"));
    }
    beside.alive().await.map_err(|fault| format!("another connection suffers: {fault}"))?;
    Ok(format!("after {most} frames"))
}
