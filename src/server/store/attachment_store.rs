//! What a store does for files that go with messages. Their bytes are kept elsewhere.

use async_trait::async_trait;
use netra_ws::{AttachmentId, ThreadId, Timestamp, UserId, model::Attachment};

use super::StoreError;

/// A file on its way.
#[derive(Clone, Debug)]
pub struct NewAttachment {
    /// Which.
    pub id: AttachmentId,
    /// Who sends it.
    pub user_id: UserId,
    /// Its name.
    pub name: String,
    /// How long it is said to be.
    pub bytes: u64,
}

/// A file that came whole.
#[derive(Clone, Debug)]
pub struct KeptAttachment {
    /// What is told of it.
    pub told: Attachment,
    /// The SHA-256 of its bytes.
    pub digest: Vec<u8>,
}

/// What one user's files may take.
#[derive(Clone, Copy, Debug)]
pub struct Room {
    /// In all.
    pub bytes: u64,
    /// Files that were not sent yet.
    pub unsent: u64,
}

/// Why a file is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoRoom {
    /// The user's files take as much as they may.
    Bytes,
    /// Too many files wait to be sent.
    Unsent,
}

/// Remembers files.
///
/// # Guarantees
/// Each call is one transaction. A file is sent once, in the transaction that accepts its message, and by who uploaded it; one that is
/// marked for removal is sent by nobody. Whatever has bytes has a row, until its bytes are gone.
#[async_trait]
pub trait AttachmentStore: Send + Sync {
    /// Keeps that a file is on its way, so that its bytes are never without a row.
    async fn begin_attachment(&self, new: &NewAttachment, room: Room) -> Result<Result<(), NoRoom>, StoreError>;
    /// The file came whole and is what `kept` says.
    async fn finish_attachment(
        &self,
        user: UserId,
        kept: &KeptAttachment,
        room: Room,
    ) -> Result<Result<(), NoRoom>, StoreError>;
    /// The file, if the user may read the thread that it was sent to, or uploaded it and has not sent it yet.
    async fn attachment(&self, user: UserId, id: AttachmentId) -> Result<Option<KeptAttachment>, StoreError>;
    /// Of these, in their order, those that a message of the user's to this thread may have: those that the user uploaded and has
    /// not sent yet, and those that were sent to the thread already, for a message that is said again.
    async fn sendable_attachments(
        &self,
        user: UserId,
        thread: Option<ThreadId>,
        ids: &[AttachmentId],
    ) -> Result<Vec<Attachment>, StoreError>;
    /// Marks a file that was not sent for removal; `false` when there is none.
    async fn discard_attachment(&self, user: UserId, id: AttachmentId) -> Result<bool, StoreError>;
    /// Files whose bytes can go: discarded ones, and those that were not sent since `before`; `limit` at most.
    async fn removable_attachments(&self, before: Timestamp, limit: usize) -> Result<Vec<AttachmentId>, StoreError>;
    /// Forgets a condemned file whose bytes are gone.
    async fn forget_attachment(&self, id: AttachmentId) -> Result<(), StoreError>;
    /// Marks files for removal whose bytes are about to go, so that nobody sends them any more; those that were not sent in the
    /// last moment.
    async fn condemn_attachments(&self, ids: &[AttachmentId]) -> Result<Vec<AttachmentId>, StoreError>;
}
