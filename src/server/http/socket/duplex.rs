//! A connection: its two halves over one socket, its greeting and its goodbye.

use std::{net::SocketAddr, time::Duration};

use axum::extract::ws::{CloseFrame, Message, WebSocket};
use futures::{
    SinkExt, StreamExt,
    stream::{SplitSink, SplitStream},
};
use netra_ws::{
    CloseCode, Timestamp,
    connection::{Connection, Peer},
    frame::Frame,
    message::ServerMessage,
    payload as p,
};
use tokio::time::{Instant, timeout};
use tracing::Instrument;

use super::{
    inbound, presence,
    writer::{self, End},
};
use crate::server::{
    metrics::metrics,
    state::{AppState, VERSION},
};

/// How long the other side has to answer a close.
const CLOSE_DEADLINE: Duration = Duration::from_secs(2);

/// How long a goodbye may take when the user lost the right to the connection, or does not read.
const CUT_DEADLINE: Duration = Duration::from_millis(400);

/// How long a client is asked to wait before it comes back after a restart; it picks a random part of it.
const RESTART_SPREAD_MS: u64 = 1_000;

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
    let _presences = presence::Presences { state: &state, peer };
    greet(&state, peer);
    let end = tokio::select! {
        end = writer::write(&state, peer, &mut sink) => end,
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
    peer.tell(Frame::new(ServerMessage::Connect(p::Connect {
        connection_id: peer.id,
        user: peer.user.clone(),
        token_expires_at: peer.token_expires_at(),
        server_version: VERSION.to_owned(),
        limits: state.config.limits,
    })));
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
