//! The event log: the truth that everything else shows. It numbers events inside the transaction that stores them.

use std::sync::Arc;

use async_trait::async_trait;

use crate::{
    frame::StoredEvent,
    id::{CommandId, RunId, ThreadId, UserId},
    message::ServerMessage,
    model::Thread,
    payload::{Ack, ThreadSnapshot, UserMessage},
};

/// Why the log refused.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// No such thread, or not this user's.
    #[error("no such thread")]
    NotFound,
    /// Another process owns the run now; nothing was written.
    #[error("the run has another owner")]
    Fenced,
    /// The command's id was used before, with another body.
    #[error("this id was used for another command")]
    IdConflict,
    /// The store failed.
    #[error("the store failed: {0}")]
    Store(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Proof of owning a run: the number its lease was claimed with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Fence {
    /// The run.
    pub run_id: RunId,
    /// Grows with every claim; an older one is refused.
    pub token: i64,
}

/// A durable event that has no place in the log yet.
#[derive(Clone, Debug)]
pub struct NewEvent {
    /// The thread.
    pub thread_id: ThreadId,
    /// Proof that the writer still owns the run.
    pub fence: Fence,
    /// The event.
    pub message: ServerMessage,
}

/// A person's command that adds a message and a run that answers it.
#[derive(Clone, Debug)]
pub struct Accept {
    /// Who.
    pub user_id: UserId,
    /// The command: the idempotency key, and the message's id.
    pub command_id: CommandId,
    /// A digest of the command's body, to tell a resend from a clash.
    pub digest: Vec<u8>,
    /// The thread; absent to make a new one.
    pub thread_id: Option<ThreadId>,
    /// The new thread's title.
    pub title: String,
    /// Who answers.
    pub agent: String,
    /// The message.
    pub message: UserMessage,
}

/// What a command became.
#[derive(Clone, Debug)]
pub struct Accepted {
    /// The answer to the client; the first one again for a resend.
    pub ack: Ack,
    /// The thread after the command, and whether the command made it. Absent for a resend.
    pub thread: Option<(Thread, bool)>,
    /// The events stored. Empty for a resend.
    pub events: Vec<StoredEvent>,
}

/// How much of a log is read at once.
#[derive(Clone, Copy, Debug)]
pub struct PageLimit {
    /// Events.
    pub events: usize,
    /// Bytes of payload. The event that crosses it is the page's last, so that a page is never empty for its sake.
    pub bytes: usize,
}

impl PageLimit {
    /// So many events, however large.
    pub const fn events(events: usize) -> Self {
        Self { events, bytes: usize::MAX }
    }
}

/// A part of a thread's log.
#[derive(Clone, Debug)]
pub struct Page {
    /// The log's epoch.
    pub epoch: String,
    /// The newest event of the log.
    pub head_seq: u64,
    /// Events in order. Empty when there is nothing after the cursor.
    pub events: Vec<StoredEvent>,
}

/// Where a cursor stands in a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// The log's epoch.
    pub epoch: String,
    /// The newest event.
    pub head_seq: u64,
    /// Everything up to this event may be missing; 0 when the log is whole.
    pub trimmed_seq: u64,
}

/// A log of events per thread.
///
/// # Guarantees
/// `seq` is dense from 1 within an epoch, and commit order is sequence order: a reader that saw `n` never finds a smaller
/// one appear later. What `append` and `accept` return is committed.
#[async_trait]
pub trait EventLog: Send + Sync + 'static {
    /// Appends events of one thread, in order, all or none.
    async fn append(&self, events: &[NewEvent]) -> Result<Vec<StoredEvent>, LogError>;

    /// Stores a person's message and the run that will answer it, once per `(user, command)`.
    async fn accept(&self, command: Accept) -> Result<Accepted, LogError>;

    /// Where the thread's log ends, if the user may read it.
    async fn head(&self, user: UserId, thread: ThreadId) -> Result<Head, LogError>;

    /// Reads up to `limit` events after `after_seq`.
    async fn read(&self, thread: ThreadId, after_seq: u64, limit: PageLimit) -> Result<Page, LogError>;

    /// The thread as it stands, read in one transaction.
    async fn snapshot(&self, user: UserId, thread: ThreadId) -> Result<ThreadSnapshot, LogError>;
}

/// A log behind a pointer.
pub type SharedLog = Arc<dyn EventLog>;
