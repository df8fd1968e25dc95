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
    /// The way that leads to a person's message: up to `limit` messages of people, the named one last, with the answers that
    /// count on it. Nothing when the thread has no such message.
    async fn path(&self, thread: ThreadId, message: MessageId, limit: usize) -> Result<Path, StoreError>;
    /// The person's message that this one is, or answers.
    async fn asked(&self, thread: ThreadId, message: MessageId) -> Result<Option<Asked>, StoreError>;
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

/// A way through a conversation.
#[derive(Clone, Debug, Default)]
pub struct Path {
    /// People's messages and the answers on the way, in the order in which they came.
    pub messages: Vec<Message>,
    /// Of the runs that answer them, those that are on the way: all, or the one that the next message follows.
    pub answers: HashMap<RunId, MessageId>,
}

/// A place in a conversation.
#[derive(Clone, Copy, Debug)]
pub struct Asked {
    /// The person's message.
    pub message: MessageId,
    /// The run whose answer was named.
    pub run: Option<RunId>,
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
