//! Runs that wait for a worker, and the leases of those that have one.

use std::time::Duration;

use async_trait::async_trait;
use netra_ws::{MessageId, RunId, ThreadId, Timestamp, UserId, log::Fence, model::Usage};

use super::StoreError;

/// Hands out runs.
///
/// # Guarantees
/// A run has one owner at a time: claiming it looks for the run and takes it in one transaction, and makes every fence before
/// void, which the log checks in the transaction of each append. Of a thread's runs that work for people, only the oldest that
/// has not ended is handed out, and none while it waits; those that work for other runs are handed out all at once. Leases end by the store's clock; one that ends later than any can, because a clock was set back, is over.
#[async_trait]
pub trait RunQueue: Send + Sync {
    /// Claims the thread's next run, if none is being worked on.
    async fn claim_run(
        &self,
        thread: ThreadId,
        owner: &str,
        lease: Duration,
    ) -> Result<Option<ClaimedRun>, StoreError> {
        self.claim_another(thread, owner, lease, &[]).await
    }
    /// The same for a process that works on these runs: it never claims what it works on itself, whatever a clock that was set
    /// says about its leases.
    async fn claim_another(
        &self,
        thread: ThreadId,
        owner: &str,
        lease: Duration,
        working: &[RunId],
    ) -> Result<Option<ClaimedRun>, StoreError>;
    /// Keeps a run for another lease; `false` when it is no longer ours.
    async fn renew_lease(&self, fence: Fence, lease: Duration) -> Result<bool, StoreError>;
    /// Gives a run back, so that any process can claim it at once.
    async fn release_lease(&self, fence: Fence) -> Result<(), StoreError>;
    /// Threads with runs that wait for a worker or whose worker is gone. A hint: claiming decides.
    async fn threads_with_work(&self, lease: Duration) -> Result<Vec<ThreadId>, StoreError>;
    /// Makes the runs claimable whose deadline has passed while they waited.
    async fn wake_due(&self) -> Result<Wakes, StoreError>;
    /// The run's thread and whether the run has yet to end, if the user may read it.
    async fn find_run(&self, user: UserId, run: RunId) -> Result<Option<(ThreadId, bool)>, StoreError>;
}

/// A run to work on.
#[derive(Clone, Debug)]
pub struct ClaimedRun {
    /// Proof of owning it.
    pub fence: Fence,
    /// Its thread.
    pub thread_id: ThreadId,
    /// For whom: whoever wrote the message, so that tools show nobody else's data.
    pub user_id: UserId,
    /// The message to answer.
    pub message_id: Option<MessageId>,
    /// Who answers.
    pub agent: String,
    /// The event that started it, when a worker before this one got that far.
    pub start_seq: Option<u64>,
    /// Its user stopped it, perhaps in another process's time.
    pub stopped: bool,
    /// What it has used so far.
    pub usage: Option<Usage>,
    /// For which run it works, if it works for one.
    pub nested: Option<Nested>,
    /// It waited, and what it waited for has happened: nobody lost it.
    pub woken: bool,
    /// How long processes had worked on it when it last waited, and the newest event of its thread then.
    pub worked: Option<(Duration, u64)>,
}

/// What a run that works for another was asked.
#[derive(Clone, Debug)]
pub struct Nested {
    /// By which run.
    pub parent: RunId,
    /// The call that it answers.
    pub tool_call_id: String,
    /// What it was asked.
    pub task: String,
    /// How many runs stand above it.
    pub depth: u32,
}

/// What deadlines came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wakes {
    /// Threads with runs that were woken.
    pub threads: Vec<ThreadId>,
    /// When the next deadline passes.
    pub next: Option<Timestamp>,
}
