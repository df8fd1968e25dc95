//! The body of a streamed answer, held to limits of silence and of size before it is read as events.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use bytes::Bytes;
use futures::{Stream, StreamExt, stream};
use tokio::time::timeout;

use super::super::ProviderError;

/// The most bytes that one event may have. A chunk of an answer has a few hundred; whole arguments of a tool come in one.
const MAX_EVENT: usize = 4 << 20;

/// Bytes that came since the last whole event.
#[derive(Default)]
pub(super) struct Unread(AtomicUsize);

impl Unread {
    /// An event was read.
    pub(super) fn clear(&self) {
        self.0.store(0, Ordering::Relaxed);
    }

    fn add(&self, bytes: usize) -> usize {
        self.0.fetch_add(bytes, Ordering::Relaxed) + bytes
    }
}

/// The body's bytes, as they come. Any byte is a sign of life, comments included: gateways send them while a request waits
/// in their queue. The errors are silence, an event without end, and what the network says.
pub(super) fn limited<E: std::error::Error + 'static>(
    body: impl Stream<Item = Result<Bytes, E>> + Send,
    stall: Duration,
    unread: &Unread,
) -> impl Stream<Item = Result<Bytes, ProviderError>> + Send {
    stream::unfold(Box::pin(body), move |mut body| async move {
        let item = match timeout(stall, body.next()).await {
            Err(_) => Err(silent(stall)),
            Ok(None) => return None,
            Ok(Some(Err(error))) => {
                Err(ProviderError::protocol(format!("the model's answer broke off: {}", super::plain(&error))))
            }
            Ok(Some(Ok(bytes))) if unread.add(bytes.len()) > MAX_EVENT => Err(ProviderError::protocol(format!(
                "the model's server sent more than {} MiB without the end of an event",
                MAX_EVENT >> 20
            ))),
            Ok(Some(Ok(bytes))) => Ok(bytes),
        };
        Some((item, body))
    })
}

/// Nothing came for too long.
pub(super) fn silent(stall: Duration) -> ProviderError {
    ProviderError::unavailable(format!("the model's server was silent for {} s", stall.as_secs()), true)
}
