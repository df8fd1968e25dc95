//! Runs that are ended by somebody else than a reader of their conversation.

use async_trait::async_trait;
use netra_ws::{RunId, UserId};

use super::StoreError;

/// What a store does for them.
///
/// # Guarantees
/// Each call is one transaction, and what it says is to stop had not ended in it. A stop that was kept outlives the process: whoever
/// claims the run next reads it. No clock counts.
#[async_trait]
pub trait Stopping: Send + Sync {
    /// Keeps that every run that a user asked for and that has yet to end is to stop, and wakes those that wait; which those are.
    async fn stop_runs_of(&self, user: UserId) -> Result<Vec<RunId>, StoreError>;
    /// Keeps that a run is to stop, and all that work for it; which those are. None when it has ended.
    async fn stop_run(&self, run: RunId) -> Result<Vec<RunId>, StoreError>;
}
