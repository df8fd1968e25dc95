//! The event log: the truth that everything else shows. It numbers events inside the transaction that stores them.

use std::{fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use serde_json::value::RawValue;

use crate::{
    frame::StoredEvent,
    id::{CommandId, FrameId, RunId, ThreadId, UserId},
    message::{Event, FrameMessage as _},
    model::{Attachment, AttachmentRef, Author, MessageRole, Run, Thread, Usage},
    payload::{Ack, ThreadMessage, ThreadSnapshot, UserMessage},
    time::Timestamp,
};

/// Why the log refused.
#[derive(Clone, Debug, thiserror::Error)]
pub enum LogError {
    /// No such thread, or not this user's.
    #[error("no such thread")]
    NotFound,
    /// Another process owns the run now; nothing was written.
    #[error("the run has another owner")]
    Fenced,
    /// The command's id was used before, with another body, or names something else in the thread.
    #[error("this id was used for another command")]
    IdConflict,
    /// A file of the message is not there to be sent: removed, sent before, or someone else's.
    #[error("a file is not there")]
    AttachmentGone,
    /// The message that this one is to follow is not in the thread.
    #[error("the thread has no such message to follow")]
    ParentGone,
    /// As many as may be follow that message already, or answer it.
    #[error("no more branches may begin there")]
    TooManyBranches,
    /// The store works and takes none of it, however often it is tried: it does not go with what is kept.
    #[error("the store refused: {0}")]
    Refused(#[source] StoreFailure),
    /// The store failed.
    #[error("the store failed: {0}")]
    Store(#[source] StoreFailure),
}

/// What went wrong in the store, for all that waited for it.
#[derive(Clone, Debug)]
pub struct StoreFailure(Arc<dyn std::error::Error + Send + Sync>);

impl fmt::Display for StoreFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for StoreFailure {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        // The error itself, and not its source: whoever looks for a cause finds it.
        Some(&*self.0)
    }
}

impl LogError {
    /// The store failed with this.
    pub fn store(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Store(StoreFailure(Arc::from(error.into())))
    }

    /// The store refused for this reason, and will again.
    pub fn refused(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Refused(StoreFailure(Arc::from(error.into())))
    }
}

/// Proof of owning a run: the number its lease was claimed with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Fence {
    /// The run.
    pub run_id: RunId,
    /// Grows with every claim; an older one is refused.
    pub token: i64,
}

/// An event that has no place in the log yet. Its id and time are the emitter's, so that storing it again after an unclear
/// commit is known for what it is.
#[derive(Clone, Debug)]
pub struct NewEvent {
    /// The frame's id.
    pub id: FrameId,
    /// When it was emitted.
    pub ts: Timestamp,
    /// The event.
    pub event: Event,
    /// Its payload's JSON, written once.
    pub payload: Box<RawValue>,
}

impl NewEvent {
    /// An event that happens now.
    ///
    /// # Errors
    /// Its payload cannot be JSON, which no type here allows.
    pub fn new(event: Event) -> Result<Self, serde_json::Error> {
        Self::at(FrameId::new(), Timestamp::now(), event)
    }

    /// An event that was emitted then, under that id.
    ///
    /// # Errors
    /// Its payload cannot be JSON, which no type here allows.
    pub fn at(id: FrameId, ts: Timestamp, event: Event) -> Result<Self, serde_json::Error> {
        let payload = event.payload_text()?;
        Ok(Self { id, ts, event, payload })
    }

    /// The event with its place.
    pub fn stored(&self, thread_id: ThreadId, run_id: Option<RunId>, epoch: &str, seq: u64) -> StoredEvent {
        StoredEvent {
            id: self.id,
            ts: self.ts,
            thread_id,
            run_id,
            epoch: epoch.to_owned(),
            seq,
            name: self.event.info().name.to_owned(),
            payload: self.payload.clone(),
        }
    }
}

/// Events of one run, in order.
#[derive(Clone, Debug)]
pub struct Append {
    /// The thread.
    pub thread_id: ThreadId,
    /// Proof that the writer still owns the run.
    pub fence: Fence,
    /// The events. One that ends the run is the last.
    pub events: Vec<NewEvent>,
    /// The run as all its events tell it, when the last of these ends it: the log need not read them again.
    pub ended: Option<Box<Run>>,
    /// What the run has used so far, when that has changed.
    pub usage: Option<Usage>,
    /// Runs that these events begin for other agents.
    pub children: Vec<ChildRun>,
    /// The run has nothing to do after these events until something happens: its lease is given back.
    pub wait: Option<Wait>,
    /// Whether the run works for another, so that its answer is no message of the thread.
    pub nested: bool,
}

impl Append {
    /// Events of a run and nothing else.
    pub fn events(thread_id: ThreadId, fence: Fence, events: Vec<NewEvent>) -> Self {
        Self { thread_id, fence, events, ended: None, usage: None, children: Vec::new(), wait: None, nested: false }
    }
}

/// A run that answers a call of another run. It is made with the event that tells of the call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChildRun {
    /// The new run.
    pub run_id: RunId,
    /// The call that it answers.
    pub tool_call_id: String,
    /// Who works.
    pub agent: String,
    /// What it is asked.
    pub task: String,
}

/// A run waits: for a person to decide, or for the runs that work for it. It is waiting only while there is something to wait for;
/// a decision, a deadline, the end of a child and a stop make it claimable again, in the transaction that records them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wait {
    /// How long processes have worked on it so far.
    pub worked: Duration,
}

/// A person's command with the ids and the time of what it makes, which are given once, however often it is tried.
#[derive(Clone, Debug)]
pub struct Admission {
    /// The command.
    pub command: Accept,
    /// The thread, should it make one.
    pub new_thread: ThreadId,
    /// The run that will answer.
    pub run_id: RunId,
    /// The event that tells of the message.
    pub event_id: FrameId,
    /// When it came.
    pub ts: Timestamp,
}

impl Admission {
    /// The command, come now.
    pub fn new(command: Accept) -> Self {
        let (new_thread, run_id) = (ThreadId::new(), RunId::new());
        Self { command, new_thread, run_id, event_id: FrameId::new(), ts: Timestamp::now() }
    }

    /// The thread that the message goes to.
    pub fn thread_id(&self) -> ThreadId {
        self.command.thread_id.unwrap_or(self.new_thread)
    }

    /// The event that tells of the message.
    pub fn message(&self, author: Option<Author>) -> Event {
        Event::ThreadMessage(ThreadMessage {
            message_id: self.command.command_id.into(),
            role: MessageRole::User,
            content: self.command.message.content.clone(),
            answered_by: Some(self.run_id),
            agent: Some(self.command.agent.clone()),
            author,
            parent_id: self.command.message.parent_id,
            attachments: self.command.message.attachments.iter().filter_map(told).collect(),
        })
    }

    /// The answer to the client, once the event has its place.
    pub fn ack(&self, seq: u64) -> Ack {
        Ack {
            thread_id: Some(self.thread_id()),
            message_id: Some(self.command.command_id.into()),
            run_id: Some(self.run_id),
            seq: Some(seq),
            duplicate: false,
        }
    }
}

/// What is told of a file; who accepts a message has looked up what its client named by an id.
fn told(attachment: &AttachmentRef) -> Option<Attachment> {
    match attachment {
        AttachmentRef::Told(told) => Some(told.clone()),
        AttachmentRef::Id(_) => None,
    }
}

/// Something to commit.
#[derive(Clone, Debug)]
pub enum Entry {
    /// Events of a run.
    Append(Append),
    /// A person's message.
    Accept(Box<Admission>),
}

impl Entry {
    /// Events, and bytes of payload.
    pub(crate) fn size(&self) -> (usize, usize) {
        match self {
            Self::Append(append) => {
                (append.events.len(), append.events.iter().map(|event| event.payload.get().len()).sum())
            }
            Self::Accept(admission) => (1, admission.command.message.content.len()),
        }
    }

    /// Whether both are events of one run.
    pub(crate) fn is_of_run(&self, other: &Self) -> bool {
        matches!((self, other), (Self::Append(one), Self::Append(other)) if one.fence == other.fence)
    }
}

/// What an entry became.
#[derive(Clone, Debug)]
pub enum Stored {
    /// Events, with their places.
    Events(Vec<StoredEvent>),
    /// A person's message.
    Accepted(Box<Accepted>),
}

impl Stored {
    /// The events that were stored.
    pub fn events(&self) -> &[StoredEvent] {
        match self {
            Self::Events(events) => events,
            Self::Accepted(accepted) => &accepted.events,
        }
    }
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
pub struct LogPage {
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
/// one appear later. What `commit` returns as stored is committed.
#[async_trait]
pub trait EventLog: Send + Sync + 'static {
    /// Commits entries in one transaction and in their order, and says of each what became of it. An entry that is refused
    /// ([`LogError::Fenced`], [`LogError::NotFound`], [`LogError::IdConflict`]) leaves the others as they are.
    ///
    /// `repeated` says that these entries were tried before and the outcome is not known. Those that were committed then are
    /// found by their ids and given as stored; nothing is stored twice.
    ///
    /// # Errors
    /// The store failed: whether the transaction was committed is not known. Or it refused ([`LogError::Refused`]) some of the
    /// entries and does not say which: nothing was committed.
    async fn commit(&self, entries: &[Entry], repeated: bool) -> Result<Vec<Result<Stored, LogError>>, LogError>;

    /// Where the thread's log ends, if the user may read it.
    async fn head(&self, user: UserId, thread: ThreadId) -> Result<Head, LogError>;

    /// Reads up to `limit` events after `after_seq`.
    async fn read(&self, thread: ThreadId, after_seq: u64, limit: PageLimit) -> Result<LogPage, LogError>;

    /// The thread as it stands, read in one transaction.
    async fn snapshot(&self, user: UserId, thread: ThreadId) -> Result<ThreadSnapshot, LogError>;
}

/// Commits a single entry.
async fn commit_one(log: &(impl EventLog + ?Sized), entry: Entry) -> Result<Stored, LogError> {
    let outcomes = log.commit(&[entry], false).await?;
    outcomes.into_iter().next().unwrap_or_else(|| Err(LogError::store("the log did not answer")))
}

/// Commits events of one run in a transaction of their own.
///
/// # Errors
/// As [`EventLog::commit`].
pub async fn append(log: &(impl EventLog + ?Sized), append: Append) -> Result<Vec<StoredEvent>, LogError> {
    Ok(commit_one(log, Entry::Append(append)).await?.events().to_vec())
}

/// Commits a person's message in a transaction of its own.
///
/// # Errors
/// As [`EventLog::commit`].
pub async fn accept(log: &(impl EventLog + ?Sized), command: Accept) -> Result<Accepted, LogError> {
    match commit_one(log, Entry::Accept(Box::new(Admission::new(command)))).await? {
        Stored::Accepted(accepted) => Ok(*accepted),
        Stored::Events(_) => Err(LogError::store("the log took a message for events")),
    }
}

/// A log behind a pointer.
pub type SharedLog = Arc<dyn EventLog>;
