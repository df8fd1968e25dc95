//! Subscribing: where a cursor stands, what comes first, who replays, and how a hole is closed.

use std::sync::Arc;

use tracing::Instrument;

use crate::{
    connection::Peer,
    error::ErrorCode,
    frame::Frame,
    id::{FrameId, ThreadId},
    log::{Head, LogError, SharedLog},
    manager::Manager,
    message::ServerMessage,
    payload::{Subscribe, SubscribeMode, Subscribed},
    subscription::Subscription,
};

/// Why a thread cannot be watched.
#[derive(Clone, Debug, thiserror::Error)]
pub enum WatchError {
    /// The log refused: no such thread for this user, or the store failed.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The manager refused: too many subscriptions, or the connection is gone.
    #[error("{}", .0.description())]
    Manager(ErrorCode),
}

impl Manager {
    /// Answers `subscribe`, the frame `id`, and starts what follows beside the caller: a snapshot or the events after the
    /// cursor, then what is live.
    ///
    /// # Errors
    /// The user may not read the thread, the store failed, or the connection may watch no more. Nothing was answered.
    pub async fn watch(
        &self,
        log: &SharedLog,
        peer: &Arc<Peer>,
        id: FrameId,
        thread: ThreadId,
        wanted: &Subscribe,
    ) -> Result<SubscribeMode, WatchError> {
        let revocations = self.revocations();
        let head = log.head(peer.user.id, thread).await?;
        let after = resumable(wanted, &head);
        let subscription = self.subscribe(peer, thread, after.unwrap_or(head.head_seq)).map_err(WatchError::Manager)?;
        // Access that was taken away between the check and the subscription ends the subscription.
        if self.revocations() != revocations
            && let Err(error) = log.head(peer.user.id, thread).await
        {
            self.unsubscribe(peer, thread);
            return Err(error.into());
        }
        let mode = if after.is_some() { SubscribeMode::Resumed } else { SubscribeMode::Snapshot };
        let subscribed = Subscribed { epoch: head.epoch, head_seq: head.head_seq, mode };
        peer.tell(Frame::new(ServerMessage::Subscribed(subscribed)).in_thread(thread).answering(id));
        send(log.clone(), subscription, mode);
        Ok(mode)
    }

    /// The live stream of a thread has a hole ([`Next::Repair`](crate::connection::Next::Repair)): what is missing is read
    /// from the log. `false` when the peer no longer watches the thread.
    pub fn repair(&self, log: &SharedLog, peer: &Peer, thread: ThreadId) -> bool {
        let Some(subscription) = peer.subscription(thread) else { return false };
        tracing::info!(thread_id = %thread, "a hole in the live stream is read from the log");
        send(log.clone(), subscription, SubscribeMode::Resumed);
        true
    }
}

/// The event to go on after, or nothing when only a snapshot is sure to be right.
fn resumable(wanted: &Subscribe, head: &Head) -> Option<u64> {
    let after = u64::try_from(wanted.after_seq?).ok()?;
    let known = match &wanted.epoch {
        Some(epoch) => *epoch == head.epoch,
        None => after == 0,
    };
    (known && after <= head.head_seq && after >= head.trimmed_seq).then_some(after)
}

/// Starts what a subscription sends before it is live.
fn send(log: SharedLog, subscription: Arc<Subscription>, mode: SubscribeMode) {
    tokio::spawn(
        async move {
            let sent = match mode {
                SubscribeMode::Snapshot => subscription.show(&*log).await,
                SubscribeMode::Resumed | SubscribeMode::Unknown(_) => subscription.replay(&*log).await,
            };
            let Err(error) = sent else { return };
            if let LogError::NotFound = error {
                // The thread is gone; the client hears of that by `thread_deleted`.
                subscription.close();
            } else {
                // The client comes back with its cursor.
                tracing::warn!(%error, thread_id = %subscription.thread_id, "replay failed");
                subscription.fail();
            }
        }
        .in_current_span(),
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_a_cursor_stands() {
        let head = Head { epoch: "0000aaaa".to_owned(), head_seq: 10, trimmed_seq: 4 };
        let check = |after_seq: Option<i64>, epoch: Option<&str>, expected: Option<u64>| {
            let wanted = Subscribe { after_seq, epoch: epoch.map(str::to_owned) };
            assert_eq!(resumable(&wanted, &head), expected, "{wanted:?}");
        };
        check(None, None, None);
        check(Some(7), Some("0000aaaa"), Some(7));
        check(Some(10), Some("0000aaaa"), Some(10));
        check(Some(4), Some("0000aaaa"), Some(4));
        check(Some(3), Some("0000aaaa"), None);
        check(Some(11), Some("0000aaaa"), None);
        check(Some(7), Some("0000bbbb"), None);
        check(Some(7), None, None);
        check(Some(0), None, None);
        check(Some(-1), Some("0000aaaa"), None);
        check(Some(i64::MAX), Some("0000aaaa"), None);
        let whole = Head { trimmed_seq: 0, ..head };
        assert_eq!(resumable(&Subscribe { after_seq: Some(0), epoch: None }, &whole), Some(0));
    }
}
