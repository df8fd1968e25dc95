//! Links by which anybody reads a conversation.

use async_trait::async_trait;
use netra_ws::{ThreadId, Timestamp, UserId};
use uuid::Uuid;

use super::StoreError;

/// Links that a conversation may have at a time.
pub const MAX_READ_ONLY_LINKS: usize = 20;

/// Keeps read-only links.
///
/// # Guarantees
/// A link leads somewhere while its time is not over, whoever made it owns the conversation, and that account is neither disabled
/// nor closed: each opening asks in one statement. What a link leads with is kept as its digest alone.
#[async_trait]
pub trait ReadOnlyLinks: Send + Sync {
    /// Makes a link to what stands in the conversation now. Nothing when the user does not own it; `Some(None)` when it has as many
    /// links as it may.
    async fn make_read_only_link(
        &self,
        owner: UserId,
        thread: ThreadId,
        digest: &[u8],
        expires_at: Timestamp,
    ) -> Result<Option<Option<ReadOnlyLink>>, StoreError>;
    /// The conversation's links that are good, the newest first.
    async fn read_only_links(&self, owner: UserId, thread: ThreadId) -> Result<Vec<ReadOnlyLink>, StoreError>;
    /// Takes a link back; whether there was one.
    async fn remove_read_only_link(&self, owner: UserId, thread: ThreadId, id: Uuid) -> Result<bool, StoreError>;
    /// Where a link leads.
    async fn open_read_only_link(&self, digest: &[u8]) -> Result<Option<Opened>, StoreError>;
}

/// A link.
#[derive(Clone, Debug, schemars::JsonSchema, serde::Serialize)]
pub struct ReadOnlyLink {
    /// Names it when it is to be taken back.
    pub id: Uuid,
    /// The event of the conversation up to which it leads.
    pub up_to_seq: u64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When its time is over.
    pub expires_at: Timestamp,
}

/// What a link leads to.
#[derive(Clone, Debug)]
pub struct Opened {
    /// The conversation.
    pub thread: ThreadId,
    /// Whose it is.
    pub owner: UserId,
    /// What they are called.
    pub owner_name: String,
    /// The link itself.
    pub link: ReadOnlyLink,
}
