//! What was said in a thread, as people and models read it.

use std::collections::HashMap;

use async_trait::async_trait;
use netra_ws::{
    MessageId, RunId, ThreadId, UserId,
    log::PageLimit,
    model::{Message, Run},
};

use super::StoreError;

/// Reads messages and runs.
///
/// # Guarantees
/// Messages and runs are written by the log, in the transaction of the events that tell of them. Each call reads one moment
/// of the log, so that a page's messages and runs fit together; one that names a user asks in the same transaction whether
/// that user may read.
#[async_trait]
pub trait HistoryStore: Send + Sync {
    /// Up to `limit` messages before the event `before_seq`, oldest first.
    async fn messages(
        &self,
        thread: ThreadId,
        before_seq: Option<u64>,
        limit: usize,
    ) -> Result<Vec<Message>, StoreError>;
    /// The same, and no more bytes of text than about so many: the message that crosses them is the last.
    async fn messages_within(
        &self,
        thread: ThreadId,
        before_seq: Option<u64>,
        limit: PageLimit,
    ) -> Result<Vec<Message>, StoreError>;
    /// Which message each of the thread's newest `limit` runs answers.
    async fn answered_messages(&self, thread: ThreadId, limit: usize) -> Result<HashMap<RunId, MessageId>, StoreError>;
    /// A page of the thread's history for people: the newest messages before the event `before_seq`, up to `limit` and about
    /// 256 KiB, oldest first, with the runs that they need, cut. `None` when the user may not read the thread.
    async fn history(
        &self,
        user: UserId,
        thread: ThreadId,
        before_seq: Option<u64>,
        limit: usize,
    ) -> Result<Option<History>, StoreError>;
    /// A run of the thread, whole; `None` when the user may not read it.
    async fn run(&self, user: UserId, thread: ThreadId, run: RunId) -> Result<Option<Run>, StoreError>;
}

/// A page of a thread's history.
#[derive(Clone, Debug)]
pub struct History {
    /// Oldest first.
    pub messages: Vec<Message>,
    /// Runs that answer or wrote one of the messages, in the order they were asked for.
    pub runs: Vec<Run>,
    /// Whether there are messages before these.
    pub earlier: bool,
}
