//! What a client sends: decoded, counted, refused or passed on.

use std::{
    num::NonZeroU32,
    sync::Arc,
    time::{Duration, Instant},
};

use axum::extract::ws::{Message, WebSocket};
use futures::{StreamExt, stream::SplitStream};
use governor::{
    DefaultDirectRateLimiter, Quota,
    clock::{Clock, DefaultClock},
};
use netra_ws::{
    ClientFrame, CloseCode, ErrorCode, FrameError, FrameId, UserId,
    connection::Peer,
    message::{ClientMessage, FrameMessage as _},
    payload::ErrorMessage,
};
use tokio::time::timeout;

use super::{dispatch, reply::refuse};
use crate::server::{auth::KeyedLimit, mcp::server::socket::JsonRpc, metrics::metrics, state::AppState};

/// Frames up to this size are read whole, so that one over the limit can be answered before the close.
const READ_LIMIT: usize = 1 << 20;

/// How long the answer to a close may take.
const CLOSING: Duration = Duration::from_secs(2);

/// Malformed frames within [`MALFORMED_WINDOW`] that end a connection.
const MALFORMED_LIMIT: usize = 3;
const MALFORMED_WINDOW: Duration = Duration::from_secs(10);

/// Frames refused for their rate within [`REFUSED_WINDOW`] that end a connection.
const REFUSED_LIMIT: usize = 100;
const REFUSED_WINDOW: Duration = Duration::from_mins(1);

/// How many bytes of a frame are read at most.
pub(super) fn read_limit(state: &AppState) -> usize {
    READ_LIMIT.max(state.config.limits.max_frame_bytes * 2)
}

/// Reads until the socket ends. Once the connection is to close, nothing more is read: the writer ends it.
pub(super) async fn read(state: &AppState, peer: &Arc<Peer>, stream: &mut SplitStream<WebSocket>) {
    let mut inbound = Inbound::new(state, peer);
    let mut rpc = JsonRpc::new(state, peer);
    while let Some(message) = stream.next().await {
        if peer.outbound.is_closing() {
            return std::future::pending().await;
        }
        let text = match message {
            Ok(Message::Text(text)) => text,
            Ok(Message::Binary(bytes)) if bytes.len() > state.config.limits.max_frame_bytes => {
                inbound.too_large(bytes.len());
                continue;
            }
            Ok(Message::Binary(_)) => {
                let error = FrameError {
                    code: ErrorCode::UnsupportedFrame,
                    message: "the protocol is text; send JSON in a text frame".to_owned(),
                    reply_to: None,
                };
                inbound.bad_frame(&error);
                continue;
            }
            Ok(Message::Ping(_)) => continue,
            Ok(Message::Pong(mark)) => {
                // Others come unasked, and mean nothing.
                if let Ok(bytes) = <[u8; 8]>::try_from(&*mark) {
                    peer.mark_answered(u64::from_be_bytes(bytes));
                }
                continue;
            }
            Ok(Message::Close(_)) => {
                // The answer to it goes out with the next read.
                let _ = timeout(CLOSING, stream.next()).await;
                break;
            }
            Err(error) => {
                // Larger than what is read whole; the length is not known here.
                if error.to_string().contains("too long") {
                    inbound.too_large(read_limit(state));
                    return std::future::pending().await;
                }
                tracing::debug!(%error, "the socket failed");
                break;
            }
        };
        if text.len() > state.config.limits.max_frame_bytes {
            inbound.too_large(text.len());
            continue;
        }
        match ClientFrame::decode(&text) {
            Ok(frame) => {
                metrics().received(frame.message.info().name, text.len());
                if inbound.admit(&frame) {
                    // Boxed: what the largest command needs would else be held by every connection that waits for one.
                    peer.carry_out(Box::pin(dispatch::dispatch(state, peer, &mut rpc, frame))).await;
                }
            }
            Err(error) => inbound.bad_frame(&error),
        }
    }
}

/// The last moments of something, as many as matter.
struct Recent {
    limit: usize,
    window: Duration,
    moments: Vec<Instant>,
}

impl Recent {
    fn new(limit: usize, window: Duration) -> Self {
        Self { limit, window, moments: Vec::new() }
    }

    /// Counts one more; `true` when the limit is reached within the window.
    fn count(&mut self, now: Instant) -> bool {
        self.moments.retain(|moment| now.duration_since(*moment) < self.window);
        self.moments.push(now);
        self.moments.len() >= self.limit
    }
}

struct Inbound<'a> {
    peer: &'a Arc<Peer>,
    /// This connection's.
    bucket: DefaultDirectRateLimiter,
    /// That of all of the user's connections together.
    of_user: &'a KeyedLimit<UserId>,
    malformed: Recent,
    refused: Recent,
}

impl<'a> Inbound<'a> {
    fn new(state: &'a AppState, peer: &'a Arc<Peer>) -> Self {
        let rate = NonZeroU32::new(state.config.limits.commands_per_minute).unwrap_or(NonZeroU32::MIN);
        Self {
            peer,
            bucket: DefaultDirectRateLimiter::direct(Quota::per_minute(rate)),
            of_user: &state.commands,
            malformed: Recent::new(MALFORMED_LIMIT, MALFORMED_WINDOW),
            refused: Recent::new(REFUSED_LIMIT, REFUSED_WINDOW),
        }
    }

    /// Whether the frame may be acted on.
    fn admit(&mut self, frame: &ClientFrame) -> bool {
        matches!(frame.message, ClientMessage::HeartbeatAck(_)) || self.spend(Some(frame.id), frame.message.info().name)
    }

    fn spend(&mut self, reply_to: Option<FrameId>, kind: &str) -> bool {
        let wait = match self.bucket.check() {
            Ok(()) => self.of_user.spend(&self.peer.user.id),
            Err(refused) => {
                let wait = refused.wait_time_from(DefaultClock::default().now());
                Some(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX).max(1))
            }
        };
        let Some(wait) = wait else { return true };
        metrics().refused(ErrorCode::RateLimited);
        tracing::warn!(code = %ErrorCode::RateLimited, kind, retry_after_ms = wait, "frame rejected");
        let error = ErrorMessage {
            retry_after_ms: Some(wait),
            ..ErrorMessage::new(ErrorCode::RateLimited, "too many frames; wait a little")
        };
        refuse(self.peer, reply_to, error);
        if self.refused.count(Instant::now()) {
            self.peer.outbound.close(CloseCode::RateLimited);
        }
        false
    }

    /// Answers a frame of at least so many bytes, and closes.
    fn too_large(&self, bytes: usize) {
        metrics().rejected(ErrorCode::FrameTooLarge);
        tracing::warn!(code = %ErrorCode::FrameTooLarge, bytes, "frame rejected");
        let message = "the frame is larger than `max_frame_bytes`; `connect` says how large it may be";
        refuse(self.peer, None, ErrorMessage::new(ErrorCode::FrameTooLarge, message));
        self.peer.outbound.close(CloseCode::FrameTooLarge);
    }

    /// Answers a frame that could not be decoded.
    fn bad_frame(&mut self, error: &FrameError) {
        if !self.spend(error.reply_to, "undecodable") {
            return;
        }
        metrics().rejected(error.code);
        tracing::warn!(code = %error.code, reason = error.message, "frame rejected");
        refuse(self.peer, error.reply_to, ErrorMessage::new(error.code, error.message.clone()));
        if error.is_malformed() && self.malformed.count(Instant::now()) {
            self.peer.outbound.close(CloseCode::Malformed);
        }
    }
}
