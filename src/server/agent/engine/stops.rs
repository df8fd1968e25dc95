//! How runs of this process are told to end, and what is remembered of those that could not be stored.

use std::collections::HashMap;

use netra_ws::{RunId, ThreadId};
use tokio::{sync::watch, time::Instant};

use super::{Halt, Shared};

/// How runs of this process are told to end.
#[derive(Default)]
pub(super) struct Stops {
    pub(super) working: HashMap<RunId, Working>,
    /// Stopped before they began.
    pub(super) early: HashMap<RunId, Instant>,
    /// Runs of which an event could not be stored: they end with an error as soon as one can.
    pub(super) unstored: HashMap<RunId, Unstored>,
    /// Threads that are looked through for runs to work on, and whether there may be more than was seen.
    pub(super) threads: HashMap<ThreadId, bool>,
}

/// A run of which an event is not in the log.
pub(super) struct Unstored {
    pub(super) thread: ThreadId,
    /// The store works and takes no such event, as against one that failed.
    pub(super) refused: bool,
}

/// A run that this process works on.
pub(super) struct Working {
    pub(super) thread: ThreadId,
    pub(super) halt: watch::Sender<Option<Halt>>,
}

impl Working {
    /// The first reason counts.
    pub(super) fn halt(&self, why: Halt) {
        self.halt.send_modify(|halt| _ = halt.get_or_insert(why));
    }
}

impl Stops {
    /// The thread's runs that this process works on.
    pub(super) fn of_thread(&self, thread: ThreadId) -> Vec<RunId> {
        self.working.iter().filter(|(_, working)| working.thread == thread).map(|(run, _)| *run).collect()
    }
}

/// A run that a task works on, until the task is over.
pub(super) struct InHand<'a> {
    pub(super) shared: &'a Shared,
    pub(super) run: RunId,
}

impl Drop for InHand<'_> {
    fn drop(&mut self) {
        self.shared.stops().working.remove(&self.run);
    }
}

/// Takes the thread out again, whatever ends the work.
pub(super) struct AtWork<'a> {
    pub(super) shared: &'a Shared,
    pub(super) thread: ThreadId,
    /// It was taken out already, and another may have put it in again.
    pub(super) given_up: bool,
}

impl Drop for AtWork<'_> {
    fn drop(&mut self) {
        if !self.given_up {
            self.shared.stops().threads.remove(&self.thread);
        }
    }
}
