//! Finding threads and messages by what stands in them. A trait of its own, for search is a matter of each database's dialect.

use async_trait::async_trait;
use netra_ws::{ThreadId, Timestamp, UserId, model::Thread};

use super::{StoreError, ThreadPlace};

/// Lists and finds.
///
/// # Guarantees
/// Nothing is found that the user may not read, as of the moment that is read. What is found is what was committed before the
/// call. A search has an end in time ([`StoreError::TooSlow`]) and takes nothing that other calls wait for.
#[async_trait]
pub trait Finder: Send + Sync {
    /// Threads that the user owns or is a member of: pinned first, then the newest.
    async fn threads(&self, user: UserId, query: &ThreadQuery) -> Result<Vec<Thread>, StoreError>;
    /// Of each of these threads that the user may read, what stands around the words in the newest message that holds them.
    async fn search_excerpts(
        &self,
        user: UserId,
        query: &str,
        threads: &[ThreadId],
    ) -> Result<Vec<(ThreadId, String)>, StoreError>;
    /// The user's messages that match, best first.
    async fn search_messages(&self, user: UserId, query: &str, limit: usize) -> Result<Vec<Found>, StoreError>;
}

/// Which threads to list.
#[derive(Clone, Debug, Default)]
pub struct ThreadQuery {
    /// Words in the title or in a message.
    pub text: Option<String>,
    /// Archived ones instead of the others.
    pub archived: bool,
    /// At most so many.
    pub limit: usize,
    /// Those behind this place.
    pub after: Option<ThreadPlace>,
}

/// A message that matched a search.
#[derive(Clone, Debug)]
pub struct Found {
    /// Its thread.
    pub thread_id: ThreadId,
    /// The thread's title.
    pub title: String,
    /// The part that matched.
    pub excerpt: String,
    /// When it was said.
    pub created_at: Timestamp,
}
