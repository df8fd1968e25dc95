//! Subscribing: where a cursor stands, what comes first, and the replay.

use std::sync::Arc;

use netra_ws::{
    FrameId, ThreadId, Timestamp,
    connection::Peer,
    frame::Frame,
    log::{EventLog, Head, LogError},
    message::ServerMessage,
    payload::{Subscribe, SubscribeMode, Subscribed},
    subscription::Subscription,
};
use tracing::Instrument;

use super::connection::answer;
use crate::server::{error::ApiError, metrics::metrics, state::AppState};

/// Answers `subscribe` and starts the replay beside the reader, which goes on.
pub(super) async fn subscribe(
    state: &AppState,
    peer: &Arc<Peer>,
    id: FrameId,
    thread: ThreadId,
    wanted: Subscribe,
) -> Result<(), ApiError> {
    let revocations = state.manager.revocations();
    let head = state.store.head(peer.user.id, thread).await?;
    if let Some(after) = resumable(&wanted, &head) {
        let subscription = state.manager.subscribe(peer, thread, after)?;
        still_readable(state, peer, thread, revocations).await?;
        confirm(peer, id, thread, &head, SubscribeMode::Resumed);
        replay(state, subscription);
        return Ok(());
    }
    let snapshot = state.store.snapshot(peer.user.id, thread).await?;
    let head = Head { epoch: snapshot.epoch.clone(), head_seq: snapshot.as_of_seq, trimmed_seq: 0 };
    let subscription = state.manager.subscribe(peer, thread, snapshot.as_of_seq)?;
    still_readable(state, peer, thread, revocations).await?;
    confirm(peer, id, thread, &head, SubscribeMode::Snapshot);
    let mut frame = Frame::new(ServerMessage::ThreadSnapshot(snapshot)).in_thread(thread);
    frame.ts = Some(Timestamp::now());
    let text = frame.encode().map_err(|error| ApiError::internal(&error))?;
    let state = state.clone();
    tokio::spawn(
        async move {
            if subscription.push(text.into()).await.is_ok() {
                replay(&state, subscription);
            }
        }
        .in_current_span(),
    );
    Ok(())
}

/// Access that was taken away between the check and the subscription ends the subscription.
async fn still_readable(
    state: &AppState,
    peer: &Arc<Peer>,
    thread: ThreadId,
    revocations: u64,
) -> Result<(), ApiError> {
    if state.manager.revocations() == revocations {
        return Ok(());
    }
    let readable = state.store.head(peer.user.id, thread).await;
    if readable.is_err() {
        state.manager.unsubscribe(peer, thread);
    }
    readable.map(drop).map_err(ApiError::from)
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

fn confirm(peer: &Peer, id: FrameId, thread: ThreadId, head: &Head, mode: SubscribeMode) {
    metrics().subscribed(mode);
    let subscribed = Subscribed { epoch: head.epoch.clone(), head_seq: head.head_seq, mode };
    answer(peer, Frame::new(ServerMessage::Subscribed(subscribed)).in_thread(thread).answering(id));
}

fn replay(state: &AppState, subscription: Arc<Subscription>) {
    let store = state.store.clone();
    tokio::spawn(
        async move {
            let log: &dyn EventLog = &*store;
            let Err(error) = subscription.replay(log).await else { return };
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

/// The live stream of a thread has a hole: what is missing is read from the log.
pub(super) fn repair(state: &AppState, peer: &Arc<Peer>, thread: ThreadId) {
    if let Some(subscription) = peer.subscription(thread) {
        metrics().gap();
        tracing::info!(thread_id = %thread, "a hole in the live stream is read from the log");
        replay(state, subscription);
    }
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
