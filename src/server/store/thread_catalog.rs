//! The catalogue of threads: whose each is, what it is called, and what its readers made of it for themselves.

use async_trait::async_trait;
use netra_ws::{ThreadId, UserId, model::Thread};

use super::StoreError;

/// Keeps threads, apart from what was said in them.
///
/// # Guarantees
/// Each call is one transaction, and one that names a user asks in it whether that user may. A thread's `version` grows with each change, so that of
/// two words about a thread the later is known. A read sees what was committed before it began.
#[async_trait]
pub trait ThreadCatalog: Send + Sync {
    /// Makes an empty thread.
    async fn add_thread(&self, user: UserId, title: &str, agent: &str) -> Result<Thread, StoreError>;
    /// The thread, if the user owns it or is a member.
    async fn thread(&self, user: UserId, id: ThreadId) -> Result<Option<Thread>, StoreError>;
    /// Changes title and agent, if the thread is the user's own, and what the user set for themselves; `None` when the user may
    /// not read it.
    async fn change_thread(
        &self,
        user: UserId,
        id: ThreadId,
        change: &ThreadChange,
    ) -> Result<Option<Thread>, StoreError>;
    /// Gives a thread a title, if it still has the one that it is thought to have.
    async fn retitle(&self, id: ThreadId, from: &str, to: &str) -> Result<bool, StoreError>;
    /// Removes a thread; `false` when it is not the user's own. When the call returns nobody reaches the thread any more, and
    /// none of its runs is taken up; what belonged to it goes later, in slices.
    async fn remove_thread(&self, user: UserId, id: ThreadId) -> Result<bool, StoreError>;
}

/// What to change; what is absent stays.
#[derive(Clone, Debug, Default)]
pub struct ThreadChange {
    /// The new title.
    pub title: Option<String>,
    /// Kept on top or not, by this user.
    pub pinned: Option<bool>,
    /// Put away or not, by this user.
    pub archived: Option<bool>,
    /// The agent that answers.
    pub agent: Option<String>,
}
