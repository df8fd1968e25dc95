//! A connection: a reader and a writer over one socket, heartbeats, the token's end, and the goodbye.

use std::{net::SocketAddr, pin::pin, sync::Arc, time::Duration};

use axum::extract::ws::{CloseFrame, Message, WebSocket};
use futures::{
    SinkExt, StreamExt,
    stream::{SplitSink, SplitStream},
};
use netra_ws::{
    CloseCode, Timestamp,
    connection::{Connection, Next, Peer},
    frame::{Frame, ServerFrame},
    message::ServerMessage,
    payload as p,
};
use tokio::time::{Instant, sleep_until, timeout};
use tracing::Instrument;

use super::{inbound, rest::Rest, rooms, subscribe};
use crate::server::{
    metrics::metrics,
    state::{AppState, VERSION},
};

/// How long one write may take before the reader counts as gone; a larger frame than [`BATCH_BYTES`] gets as long for each
/// part of that size. A reader that keeps to 13 KB a second thus gets the largest snapshot.
const WRITE_DEADLINE: Duration = Duration::from_secs(10);

/// How long the other side has to answer a close.
const CLOSE_DEADLINE: Duration = Duration::from_secs(2);

/// How long a client is asked to wait before it comes back after a restart; it picks a random part of it.
const RESTART_SPREAD_MS: u64 = 1_000;

/// Frames written before the buffer is flushed.
const BATCH: usize = 64;

/// Bytes written before the buffer is flushed, a single frame aside.
const BATCH_BYTES: usize = 128 * 1024;

/// How long a goodbye may take when the user lost the right to the connection, or does not read.
const CUT_DEADLINE: Duration = Duration::from_millis(400);

/// How the writer ended.
enum End {
    /// The server closes.
    Close(CloseCode),
    /// The socket failed.
    Gone,
}

/// Serves a connection until it ends.
// No async function: it would hold its arguments a second time, for as long as the connection lives.
pub(super) fn run(
    state: AppState,
    socket: WebSocket,
    connection: Connection,
    address: SocketAddr,
) -> impl Future<Output = ()> {
    let peer = connection.peer();
    let span = tracing::info_span!("connection", connection_id = %peer.id, user_id = %peer.user.id, peer = %address);
    let (sink, stream) = socket.split();
    serve(state, sink, stream, connection).instrument(span)
}

async fn serve(
    state: AppState,
    mut sink: SplitSink<WebSocket, Message>,
    mut stream: SplitStream<WebSocket>,
    connection: Connection,
) {
    let peer = connection.peer();
    tracing::info!("connected");
    let started = Instant::now();
    let _presences = rooms::Presences { state: &state, peer };
    greet(&state, peer);
    let end = tokio::select! {
        end = write(&state, peer, &mut sink) => end,
        () = inbound::read(&state, peer, &mut stream) => End::Gone,
        code = peer.outbound.cut_off() => End::Close(code),
    };
    let code = match end {
        End::Gone => None,
        End::Close(code) => {
            let patience = match code {
                CloseCode::Unauthenticated | CloseCode::SlowConsumer => CUT_DEADLINE,
                _ => CLOSE_DEADLINE,
            };
            Box::pin(say_goodbye(&mut sink, code, patience)).await;
            // What the other side still sends is read and dropped: closing over unread bytes would reset the connection and
            // take the close frame with it.
            let _ = timeout(patience, async { while let Some(Ok(_)) = stream.next().await {} }).await;
            Some(code.as_u16())
        }
    };
    metrics().closed(code);
    tracing::info!(code, connected_ms = started.elapsed().as_millis(), "disconnected");
}

fn greet(state: &AppState, peer: &Peer) {
    answer(
        peer,
        Frame::new(ServerMessage::Connect(p::Connect {
            connection_id: peer.id,
            user: peer.user.clone(),
            token_expires_at: peer.token_expires_at(),
            server_version: VERSION.to_owned(),
            limits: state.config.limits,
        })),
    );
}

/// Queues an ephemeral frame, stamped with the server's clock.
pub(super) fn answer(peer: &Peer, mut frame: ServerFrame) {
    frame.ts = Some(Timestamp::now());
    match frame.encode() {
        // A connection that is closing misses it.
        Ok(text) => _ = peer.outbound.push(text.into()),
        Err(error) => tracing::error!(%error, "a frame does not encode"),
    }
}

/// Sends what is queued, and keeps time.
async fn write(state: &AppState, peer: &Arc<Peer>, sink: &mut SplitSink<WebSocket, Message>) -> End {
    let mut clock = Clock::new(state, peer);
    let mut rest = Rest::new(Instant::now());
    // One timer that stays: a new one for each frame costs a tenth of all that a fan-out does.
    let mut token_ends = peer.token_expires_at();
    let mut due = pin!(sleep_until(clock.deadline()));
    loop {
        let next = tokio::select! {
            biased;
            next = peer.outbound.next() => Some(next),
            () = due.as_mut() => None,
        };
        let Some(next) = next else {
            if let Some(code) = clock.tick() {
                return End::Close(code);
            }
            due.as_mut().reset(clock.deadline());
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
                let sent = timeout(WRITE_DEADLINE * parts, send(peer, sink, frame)).await;
                let now = Instant::now();
                rest.begin(now);
                // A queue that never runs empty must not lengthen the token's life. A heartbeat would wait in it, and the
                // answer come late for no fault of the reader's: that the writes succeed is sign enough of life.
                if now >= due.deadline() && clock.token_is_over(now) {
                    return End::Close(CloseCode::Unauthenticated);
                }
                // The answer to a renewal passes here.
                if token_ends != peer.token_expires_at() {
                    token_ends = peer.token_expires_at();
                    due.as_mut().reset(clock.deadline());
                }
                match sent {
                    Ok(Ok(None)) => {}
                    Ok(Ok(Some(Next::Close(code)))) => return End::Close(code),
                    Ok(Ok(Some(Next::Repair(thread)))) => subscribe::repair(state, peer, thread),
                    Ok(Ok(Some(Next::Frame(_))) | Err(_)) => return End::Gone,
                    Err(_) => {
                        tracing::warn!(code = CloseCode::SlowConsumer.as_u16(), "a write took too long");
                        return End::Close(CloseCode::SlowConsumer);
                    }
                }
            }
            Next::Repair(thread) => subscribe::repair(state, peer, thread),
            Next::Close(code) => return End::Close(code),
        }
    }
}

/// Sends a frame and those queued behind it, then flushes. Gives back what was queued that is no frame.
async fn send(
    peer: &Peer,
    sink: &mut SplitSink<WebSocket, Message>,
    first: netra_ws::bus::Encoded,
) -> Result<Option<Next>, axum::Error> {
    metrics().sent(&first);
    let mut bytes = first.len();
    sink.feed(Message::text(&*first)).await?;
    for _ in 1..BATCH {
        if bytes >= BATCH_BYTES {
            break;
        }
        match peer.outbound.try_next() {
            Some(Next::Frame(frame)) => {
                metrics().sent(&frame);
                bytes += frame.len();
                sink.feed(Message::text(&*frame)).await?;
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

async fn say_goodbye(sink: &mut SplitSink<WebSocket, Message>, code: CloseCode, patience: Duration) {
    let retry_after_ms = matches!(code, CloseCode::ServiceRestart).then_some(RESTART_SPREAD_MS);
    let reason = code.reason().to_owned();
    let mut frame =
        Frame::new(ServerMessage::Disconnect(p::Disconnect { code: code.as_u16(), reason, retry_after_ms }));
    frame.ts = Some(Timestamp::now());
    let close = CloseFrame { code: code.as_u16(), reason: code.reason().into() };
    let farewell = async {
        if let Ok(text) = frame.encode() {
            metrics().sent(&text.as_str().into());
            sink.feed(Message::text(text)).await?;
        }
        sink.send(Message::Close(Some(close))).await
    };
    // The other side may be gone already; then there is nobody to tell.
    let _ = timeout(patience, farewell).await;
}

/// A connection's deadlines: the next heartbeat, its answer, and the token's end.
struct Clock<'a> {
    peer: &'a Peer,
    interval: Duration,
    patience: Duration,
    grace: Duration,
    next_heartbeat: Instant,
    answer_due: Option<Instant>,
}

impl<'a> Clock<'a> {
    fn new(state: &AppState, peer: &'a Peer) -> Self {
        let interval = Duration::from_millis(state.config.limits.heartbeat_interval_ms);
        Self {
            peer,
            interval,
            patience: Duration::from_millis(state.config.limits.heartbeat_timeout_ms),
            grace: state.config.ws_token_grace,
            next_heartbeat: Instant::now() + jittered(interval),
            answer_due: None,
        }
    }

    fn token_end(&self) -> Instant {
        let left = self.peer.token_expires_at().millis_since(Timestamp::now());
        let over = Timestamp::now().millis_since(self.peer.token_expires_at());
        (Instant::now() + self.grace + Duration::from_millis(left))
            .checked_sub(Duration::from_millis(over))
            .unwrap_or_else(Instant::now)
    }

    fn deadline(&self) -> Instant {
        let end = self.token_end().min(self.next_heartbeat);
        self.answer_due.map_or(end, |due| due.min(end))
    }

    fn token_is_over(&self, now: Instant) -> bool {
        let over = now >= self.token_end();
        if over {
            tracing::info!("the token's life is over");
        }
        over
    }

    /// Does what is due; a code when the connection is to close.
    fn tick(&mut self) -> Option<CloseCode> {
        let now = Instant::now();
        if self.token_is_over(now) {
            return Some(CloseCode::Unauthenticated);
        }
        if self.answer_due.is_some_and(|due| now >= due) {
            self.answer_due = None;
            if self.peer.awaits_heartbeat() {
                tracing::info!("no heartbeat_ack in time");
                return Some(CloseCode::HeartbeatTimeout);
            }
        }
        if now >= self.next_heartbeat {
            self.next_heartbeat = now + jittered(self.interval);
            if !self.peer.awaits_heartbeat() {
                let frame = Frame::new(ServerMessage::Heartbeat(p::Empty {}));
                self.peer.expect_heartbeat(frame.id);
                self.answer_due = Some(now + self.patience);
                answer(self.peer, frame);
            }
        }
        None
    }
}

/// The interval give or take a fifth, so that connections made together do not beat together.
fn jittered(interval: Duration) -> Duration {
    interval.mul_f64(fastrand::f64().mul_add(0.4, 0.8))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn future_size<A, B, C, D, F>(_: fn(A, B, C, D) -> F) -> usize {
        size_of::<F>()
    }

    /// Thousands of connections wait at once, each in this future.
    #[test]
    fn a_connection_that_waits_is_small() {
        let size = future_size(run);
        println!("{size} bytes");
        assert!(size <= 2_048, "{size} bytes");
    }
}
