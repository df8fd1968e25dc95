//! The writing half of a connection: what is queued goes out in batches, and what is due in time.

use std::{pin::pin, sync::Arc};

use axum::extract::ws::{Message, WebSocket};
use futures::{SinkExt, stream::SplitSink};
use netra_ws::{
    CloseCode, ThreadId,
    bus::Encoded,
    connection::{Next, Peer},
    frame::ServerFrame,
};
use tokio::time::{Instant, sleep_until, timeout};

use super::{
    deadlines::{BATCH_BYTES, Deadlines, Due, WRITE_DEADLINE},
    rest::Rest,
};
use crate::server::{metrics::metrics, state::AppState};

/// Frames written before the buffer is flushed. As for [`BATCH_BYTES`], a single large frame goes out whole.
const BATCH: usize = 64;

/// How the writer ended.
pub(super) enum End {
    /// The server closes.
    Close(CloseCode),
    /// The socket failed.
    Gone,
}

/// Sends what is queued, and keeps time.
pub(super) async fn write(state: &AppState, peer: &Arc<Peer>, sink: &mut SplitSink<WebSocket, Message>) -> End {
    let mut clock = Deadlines::new(state, peer);
    let mut rest = Rest::new(Instant::now());
    // One timer that stays: a new one for each frame costs a tenth of all that a fan-out does.
    let mut token_ends = peer.token_expires_at();
    let mut due = pin!(sleep_until(clock.next()));
    loop {
        let next = tokio::select! {
            biased;
            next = peer.outbound.next() => Some(next),
            () = due.as_mut() => None,
        };
        let Some(next) = next else {
            if let Some(end) = keep_time(&mut clock, sink).await {
                return end;
            }
            due.as_mut().reset(clock.next());
            continue;
        };
        match next {
            Next::Frame(frame) => {
                let (frames, bytes) = peer.outbound.depth();
                // A full batch has nothing to wait for.
                if frames < BATCH && bytes < BATCH_BYTES {
                    rest.end().await;
                }
                let parts = u32::try_from(frame.len() / BATCH_BYTES).unwrap_or(u32::MAX).saturating_add(1);
                let sent = timeout(WRITE_DEADLINE * parts, send(peer, sink, frame, &mut clock)).await;
                let now = Instant::now();
                rest.begin(now);
                // A queue that never runs empty must lengthen neither the token's life nor that of a client who can read and not
                // be heard.
                if now >= due.deadline() && matches!(sent, Ok(Ok(_))) {
                    if let Some(end) = keep_time(&mut clock, sink).await {
                        return end;
                    }
                    due.as_mut().reset(clock.next());
                }
                // The answer to a renewal passes here.
                if token_ends != peer.token_expires_at() {
                    token_ends = peer.token_expires_at();
                    due.as_mut().reset(clock.next());
                }
                match sent {
                    Ok(Ok(None)) => {}
                    Ok(Ok(Some(Next::Close(code)))) => return End::Close(code),
                    Ok(Ok(Some(Next::Repair(thread)))) => repair(state, peer, thread),
                    Ok(Ok(Some(Next::Frame(_))) | Err(_)) => return End::Gone,
                    Err(_) => return stalled(),
                }
            }
            Next::Repair(thread) => repair(state, peer, thread),
            Next::Close(code) => return End::Close(code),
        }
    }
}

/// Does what is due; how the connection ends, if that is due.
async fn keep_time(clock: &mut Deadlines<'_>, sink: &mut SplitSink<WebSocket, Message>) -> Option<End> {
    match clock.tick() {
        Due::Nothing => None,
        Due::Close(code) => Some(End::Close(code)),
        // Not by way of the queue: patience begins when it was written out.
        Due::Heartbeat(frame) => match timeout(WRITE_DEADLINE, beat(sink, &frame)).await {
            Ok(Ok(())) => {
                clock.beaten(Instant::now());
                None
            }
            Ok(Err(_)) => Some(End::Gone),
            Err(_) => Some(stalled()),
        },
    }
}

/// The live stream of a thread has a hole: what is missing is read from the log.
fn repair(state: &AppState, peer: &Arc<Peer>, thread: ThreadId) {
    if state.manager.repair(&state.log(), peer, thread) {
        metrics().gap();
    }
}

fn stalled() -> End {
    tracing::warn!(code = CloseCode::SlowConsumer.as_u16(), "a write took too long");
    End::Close(CloseCode::SlowConsumer)
}

/// Writes a heartbeat out.
async fn beat(sink: &mut SplitSink<WebSocket, Message>, frame: &ServerFrame) -> Result<(), axum::Error> {
    let text = frame.encode().map_err(axum::Error::new)?;
    metrics().sent(&text.as_str().into());
    sink.send(Message::text(text)).await
}

/// Sends a frame and those queued behind it, then flushes. Gives back what was queued that is no frame.
async fn send(
    peer: &Peer,
    sink: &mut SplitSink<WebSocket, Message>,
    first: Encoded,
    clock: &mut Deadlines<'_>,
) -> Result<Option<Next>, axum::Error> {
    let mut bytes = first.len();
    feed(sink, &first, clock).await?;
    for _ in 1..BATCH {
        if bytes >= BATCH_BYTES {
            break;
        }
        match peer.outbound.try_next() {
            Some(Next::Frame(frame)) => {
                bytes += frame.len();
                feed(sink, &frame, clock).await?;
            }
            Some(other) => {
                sink.flush().await?;
                return Ok(Some(other));
            }
            None => break,
        }
    }
    sink.flush().await?;
    Ok(None)
}

/// Writes a frame, and behind it a mark when one is due.
async fn feed(
    sink: &mut SplitSink<WebSocket, Message>,
    frame: &Encoded,
    clock: &mut Deadlines<'_>,
) -> Result<(), axum::Error> {
    metrics().sent(frame);
    sink.feed(Message::text(&**frame)).await?;
    if let Some(mark) = clock.wrote(frame.len()) {
        sink.feed(Message::Ping(mark.to_vec().into())).await?;
    }
    Ok(())
}
