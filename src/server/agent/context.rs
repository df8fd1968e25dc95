//! What a run knows of itself. It belongs to one user; an emitter made from it cannot address another.

use std::sync::Arc;

use netra_ws::{RunId, ThreadId, UserId, emitter::Emitter, log::Fence};
use tokio::{sync::watch, time::Instant};

use super::Listed;
use crate::server::tool::names;

/// Why a run ends before its agent is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Halt {
    /// The user stopped it.
    Stopped,
    /// It took longer than the agent may.
    TimedOut,
    /// Another process owns it now.
    Lost,
}

/// A run's identity, its emitter, and the way to end it.
pub struct RunContext {
    pub(super) user_id: UserId,
    pub(super) thread_id: ThreadId,
    pub(super) fence: Fence,
    pub(super) listed: Arc<Listed>,
    pub(super) emitter: Emitter,
    pub(super) halt: watch::Receiver<Option<Halt>>,
    pub(super) deadline: Instant,
}

impl RunContext {
    /// Whose run.
    pub fn user_id(&self) -> UserId {
        self.user_id
    }

    /// In which thread.
    pub fn thread_id(&self) -> ThreadId {
        self.thread_id
    }

    /// Which run.
    pub fn run_id(&self) -> RunId {
        self.fence.run_id
    }

    /// The agent's name.
    pub fn agent(&self) -> &str {
        &self.listed.name
    }

    /// Where its events go.
    pub fn emitter(&self) -> &Emitter {
        &self.emitter
    }

    /// Whether the agent may use this tool.
    pub fn allows_tool(&self, tool: &str) -> bool {
        names::allows(self.listed.tools.as_deref(), tool)
    }

    /// Resolves when the run is to end early. Waited for beside models and tools, never beside the emitter: an event that
    /// was begun is finished.
    pub async fn halted(&self) -> Halt {
        let mut halt = self.halt.clone();
        let told = async {
            match halt.wait_for(Option::is_some).await {
                Ok(reason) => reason.unwrap_or(Halt::Lost),
                // The engine is gone, and with it the lease.
                Err(_) => Halt::Lost,
            }
        };
        tokio::select! {
            biased;
            reason = told => reason,
            () = tokio::time::sleep_until(self.deadline) => Halt::TimedOut,
        }
    }
}
