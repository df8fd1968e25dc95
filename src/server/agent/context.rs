//! What a run knows of itself. It belongs to one user; an emitter made from it cannot address another.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use netra_ws::{MessageId, RunId, ThreadId, UserId, emitter::Emitter, log::Fence};
use tokio::{sync::watch, time::Instant};

use super::{
    Listed,
    held::{Held, Waits},
};
use crate::server::tool::{Person, Rule, ToolPolicy, names};

/// The shortest time until it is looked again whether a run has any left.
const SOON: Duration = Duration::from_millis(50);

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
    pub(super) asked: Option<MessageId>,
    pub(super) listed: Arc<Listed>,
    /// Whom it works for, where the tools' rules ask that.
    pub(super) person: Option<Person>,
    pub(super) emitter: Emitter,
    pub(super) halt: watch::Receiver<Option<Halt>>,
    pub(super) deadline: Instant,
    /// How long processes before this one worked on it, and since when this one does.
    pub(super) worked_before: Duration,
    pub(super) began: Instant,
    /// How long this one held it for people.
    pub(super) held: Held,
    /// How many runs stand above it.
    pub(super) depth: u32,
    /// Runs that were begun for it in this process, or may have been in one before.
    pub(super) children: AtomicUsize,
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

    /// The message that it answers.
    pub fn asked(&self) -> Option<MessageId> {
        self.asked
    }

    /// The agent's name.
    pub fn agent(&self) -> &str {
        &self.listed.name
    }

    /// Where its events go.
    pub fn emitter(&self) -> &Emitter {
        &self.emitter
    }

    /// How long processes have worked on it; waiting does not count.
    pub fn worked(&self) -> Duration {
        self.worked_before + self.began.elapsed().saturating_sub(self.held.total())
    }

    /// A person is waited for, until this is dropped, without giving the run back: the agent's time stands still.
    pub(crate) fn waits_for_a_person(&self) -> Waits<'_> {
        self.held.begin()
    }

    /// When the agent's time is over, if nobody is waited for from now on.
    fn deadline(&self) -> Instant {
        self.deadline + self.held.total()
    }

    /// How many runs stand above it.
    pub fn depth(&self) -> u32 {
        self.depth
    }

    /// Whether the agent may hand work to this one.
    pub fn has_sub_agent(&self, name: &str) -> bool {
        self.listed.sub_agents.iter().any(|agent| agent.name == name)
    }

    /// What is done about the agent's calls of a tool for this person.
    pub fn rule(&self, policy: &ToolPolicy, tool: &str) -> Rule {
        if !policy.is_for(self.person.as_ref(), tool) {
            return Rule::Deny;
        }
        policy.rule(&self.listed.rules, tool)
    }

    pub(super) fn count_nested_run(&self) {
        self.children.fetch_add(1, Ordering::Relaxed);
    }

    /// How many runs may work for it.
    pub(super) fn nested_runs(&self) -> usize {
        self.children.load(Ordering::Relaxed)
    }

    /// Whether the agent may use this tool.
    pub fn allows_tool(&self, tool: &str) -> bool {
        names::allows(self.listed.tools.as_deref(), tool)
    }

    /// Whether the run is to end early by now, and why.
    pub fn is_halted(&self) -> Option<Halt> {
        let late = Instant::now() >= self.deadline();
        self.halt.borrow().or(late.then_some(Halt::TimedOut))
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
        let late = async {
            // It moves on while a person is waited for.
            while Instant::now() < self.deadline() {
                tokio::time::sleep_until(self.deadline().max(Instant::now() + SOON)).await;
            }
        };
        tokio::select! {
            biased;
            reason = told => reason,
            () = late => Halt::TimedOut,
        }
    }
}
