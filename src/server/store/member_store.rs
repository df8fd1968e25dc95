//! Members: who besides its owner may read a thread.

use async_trait::async_trait;
use netra_ws::{
    ThreadId, UserId,
    model::{Member, Thread},
};

use super::StoreError;

/// Keeps who may read a thread.
///
/// # Guarantees
/// Each call is one transaction. Whoever was removed reads nothing after the call returned: every read of a thread asks in
/// its own transaction. Who reads a thread is part of what it is, and its `version` grows with it.
#[async_trait]
pub trait MemberStore: Send + Sync {
    /// The thread's members, its owner first.
    async fn members(&self, thread: ThreadId) -> Result<Vec<Member>, StoreError>;
    /// Ends a membership or takes an invitation back, with what the user set for themselves; `false` when the user is no member.
    async fn remove_member(&self, thread: ThreadId, user: UserId) -> Result<bool, StoreError>;
    /// The thread as each of those has it who take part, its owner first, all at one moment.
    async fn for_readers(&self, thread: ThreadId) -> Result<Vec<(UserId, Thread)>, StoreError>;
    /// Everyone who may read the thread, those invited among them.
    async fn audience(&self, thread: ThreadId) -> Result<Vec<UserId>, StoreError>;
}
