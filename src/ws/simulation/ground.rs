//! What a history is played on: a log, and what a store does beside it.

use async_trait::async_trait;

use crate::{
    conformance::Subject,
    id::{CommandId, RunId, ThreadId, UserId},
    memory::{Claimed, MemoryLog, Ruling, Verdict},
    model::RunStatus,
};

/// A store that a history is played on.
#[async_trait]
pub trait Ground: Subject + 'static {
    /// Forgets what may be forgotten of the thread's events up to `seq`.
    async fn trim(&self, thread: ThreadId, seq: u64);

    /// Claims the thread's next run that is none of these, for a lease that is over as it begins.
    async fn claim_next(&self, thread: ThreadId, working: &[RunId]) -> Option<Claimed>;

    /// A person decides whether a call may be made.
    async fn decide(&self, thread: ThreadId, user: UserId, command: CommandId, call: &str, approve: bool) -> Ruling;

    /// The time to decide on a call is over, and whoever waits is woken.
    async fn expire(&self, thread: ThreadId, call: &str);

    /// A run and all that work for it are to stop; which those are.
    async fn stop(&self, thread: ThreadId, run: RunId) -> Vec<RunId>;

    /// What became of the questions of a run, by call.
    async fn verdicts(&self, thread: ThreadId, run: RunId) -> Vec<(String, Verdict)>;

    /// The calls of a run that other runs answer, which do, and how they ended.
    async fn children(&self, thread: ThreadId, run: RunId) -> Vec<(String, RunId, Option<RunStatus>)>;

    /// The faults of its own that this store can be made to have.
    fn faults(&self) -> &'static [StoreFault] {
        &[]
    }

    /// Has the fault from now on.
    async fn hurt(&self, _fault: StoreFault) {}

    /// Has no fault any more.
    async fn mend(&self) {}
}

/// What goes wrong in a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreFault {
    /// Another process writes.
    Busy,
    /// There is no room.
    Full,
}

#[async_trait]
impl Ground for MemoryLog {
    async fn trim(&self, thread: ThreadId, seq: u64) {
        Self::trim(self, thread, seq);
    }

    async fn claim_next(&self, thread: ThreadId, working: &[RunId]) -> Option<Claimed> {
        Self::claim_next(self, thread, working)
    }

    async fn decide(&self, thread: ThreadId, user: UserId, command: CommandId, call: &str, approve: bool) -> Ruling {
        Self::decide(self, thread, user, command, call, approve)
    }

    async fn expire(&self, thread: ThreadId, call: &str) {
        Self::expire(self, thread, call);
    }

    async fn stop(&self, thread: ThreadId, run: RunId) -> Vec<RunId> {
        Self::stop(self, thread, run)
    }

    async fn verdicts(&self, thread: ThreadId, run: RunId) -> Vec<(String, Verdict)> {
        Self::verdicts(self, thread, run)
    }

    async fn children(&self, thread: ThreadId, run: RunId) -> Vec<(String, RunId, Option<RunStatus>)> {
        Self::children(self, thread, run)
    }
}
