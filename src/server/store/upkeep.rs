//! What keeps a store small and tells that it lives.

use async_trait::async_trait;
use netra_ws::Timestamp;

use super::StoreError;

/// Keeps house.
///
/// # Guarantees
/// What is removed goes in slices, each a transaction that holds writers up for milliseconds; a process that ends between two
/// leaves a store that is whole, and the next call goes on. Trimming never takes what a snapshot needs, and says in the
/// thread's `trimmed_seq`, in the same transaction, up to where events may be missing.
#[async_trait]
pub trait Upkeep: Send + Sync {
    /// Whether the database answers.
    async fn ping(&self) -> Result<(), StoreError>;
    /// Removes deltas of runs that ended before `before`, of `limit` runs at most; cursors inside then get a snapshot.
    async fn trim(&self, before: Timestamp, limit: usize) -> Result<Trimmed, StoreError>;
    /// Goes on with removing what belonged to deleted threads, should a process have ended before it was through.
    async fn bury(&self) -> Result<(), StoreError>;
}

/// What trimming removed.
#[derive(Clone, Copy, Debug, Default)]
pub struct Trimmed {
    /// Runs looked at.
    pub runs: usize,
    /// Events removed.
    pub events: usize,
}
