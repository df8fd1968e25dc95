//! The one emitter of durable events, and its pool: one ordered lane per active thread, and one committer for all of them.
//!
//! An event is committed before anyone sees it: its lane takes it in the order it was emitted, the committer stores it with
//! what other lanes have, and only then is it published.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, Weak},
};

use tokio::sync::{mpsc, oneshot};

use crate::{
    bus::Bus,
    committer::Committer,
    error::ErrorCode,
    id::{FrameId, MessageId, ThreadId},
    lane::{DEPTH, EventJob, Job, Lane, WaitJob, Worker},
    log::{Accept, Accepted, Admission, ChildRun, Fence, LogError, SharedLog, Wait},
    message::Event,
    model::{Run, ToolCall, Usage},
    payload as p,
    time::Timestamp,
};

pub use crate::committer::{LONGEST_ROLL_UP, ROLL_UP};

/// Why an event did not become part of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EmitError {
    /// The run has another owner; this one must stop without a word.
    #[error("the run has another owner")]
    Fenced,
    /// The thread was deleted under the run.
    #[error("the thread is gone")]
    Gone,
    /// The store failed, repeatedly.
    #[error("the store failed")]
    Store,
    /// The store works and never takes it.
    #[error("the store refused")]
    Refused,
}

/// Makes emitters, and keeps events of one thread in one lane.
#[derive(Clone)]
pub struct EmitterPool {
    shared: Arc<Shared>,
}

struct Shared {
    committer: Committer,
    bus: Arc<dyn Bus>,
    lanes: Mutex<HashMap<ThreadId, Weak<Lane>>>,
}

impl EmitterPool {
    /// A pool that commits to `log` and publishes on `bus`. Must be called in a runtime: the committer is a task.
    pub fn new(log: SharedLog, bus: Arc<dyn Bus>) -> Self {
        Self { shared: Arc::new(Shared { committer: Committer::new(log), bus, lanes: Mutex::default() }) }
    }

    /// The emitter of a run that begins. It cannot address another thread or run.
    pub fn emitter(&self, thread_id: ThreadId, fence: Fence) -> Emitter {
        self.take_up(thread_id, fence, Run::queued(fence.run_id, String::new(), None))
    }

    /// The emitter of a run that goes on from where its events in the log left it.
    pub fn take_up(&self, thread_id: ThreadId, fence: Fence, run: Run) -> Emitter {
        Emitter { fence, run: Arc::new(Mutex::new(run)), usage: Arc::default(), lane: self.lane(thread_id) }
    }

    /// Records a person's message in the thread's order: committed once, then published.
    ///
    /// # Errors
    /// The thread is not the user's, the command's id was used for another, or the store failed for good.
    pub async fn accept(&self, command: Accept) -> Result<Accepted, LogError> {
        let admission = Box::new(Admission::new(command));
        let lane = self.lane(admission.thread_id());
        let (done, outcome) = oneshot::channel();
        let gone = || LogError::store("the thread's lane is gone");
        lane.jobs.send(Job::Accept(admission, done)).await.map_err(|_| gone())?;
        outcome.await.unwrap_or_else(|_| Err(gone()))
    }

    fn lane(&self, thread_id: ThreadId) -> Arc<Lane> {
        let mut lanes = self.shared.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(lane) = lanes.get(&thread_id).and_then(Weak::upgrade) {
            return lane;
        }
        lanes.retain(|_, lane| lane.strong_count() > 0);
        let (jobs, queue) = mpsc::channel(DEPTH);
        let lane = Arc::new(Lane { jobs });
        lanes.insert(thread_id, Arc::downgrade(&lane));
        let worker = Worker::new(thread_id, self.shared.committer.clone(), self.shared.bus.clone());
        tokio::spawn(worker.work(queue));
        lane
    }
}

/// Emits the durable events of one run. What it returns from is committed, except for pieces of text, which are committed in
/// order before the next event that is not one.
#[derive(Clone)]
pub struct Emitter {
    fence: Fence,
    /// Folded by the lane alone, event by event.
    run: Arc<Mutex<Run>>,
    /// What the run has used, until an event takes it along.
    usage: Arc<Mutex<Option<Usage>>>,
    lane: Arc<Lane>,
}

impl Emitter {
    /// The agent begins.
    pub async fn agent_started(&self, event: p::AgentStarted) -> Result<(), EmitError> {
        self.commit(Event::AgentStarted(event)).await
    }

    /// The agent thinks a little further.
    pub async fn agent_thinking(&self, event: p::AgentThinking) -> Result<(), EmitError> {
        self.queue(Event::AgentThinking(event)).await
    }

    /// A tool begins.
    pub async fn tool_executing(&self, event: p::ToolExecuting) -> Result<(), EmitError> {
        self.commit(Event::ToolExecuting(event)).await
    }

    /// A tool call waits for a person, and so does the run when there is nothing else to do.
    pub async fn tool_approval_required(
        &self,
        event: p::ToolApprovalRequired,
        wait: Option<Wait>,
    ) -> Result<(), EmitError> {
        self.commit_with(Event::ToolApprovalRequired(event), None, wait).await
    }

    /// Another agent begins to work on a call, as a run of its own.
    pub async fn hand_over(
        &self,
        event: p::ToolExecuting,
        child: ChildRun,
        wait: Option<Wait>,
    ) -> Result<(), EmitError> {
        self.commit_with(Event::ToolExecuting(event), Some(child), wait).await
    }

    /// The run has nothing to do until something happens. This emitter emits nothing more.
    pub async fn wait(&self, wait: Wait) -> Result<(), EmitError> {
        let (done, outcome) = oneshot::channel();
        let job = Job::Wait(Box::new(WaitJob { fence: self.fence, wait, done }));
        self.lane.jobs.send(job).await.map_err(|_| EmitError::Store)?;
        outcome.await.unwrap_or(Err(EmitError::Store))
    }

    /// A tool ended.
    pub async fn tool_completed(&self, event: p::ToolCompleted) -> Result<(), EmitError> {
        self.commit(Event::ToolCompleted(event)).await
    }

    /// The agent says how far it is.
    pub async fn agent_progress(&self, event: p::AgentProgress) -> Result<(), EmitError> {
        self.commit(Event::AgentProgress(event)).await
    }

    /// A piece of the answer.
    pub async fn partial_result(&self, message_id: MessageId, pos: u64, delta: String) -> Result<(), EmitError> {
        self.queue(Event::PartialResult(p::PartialResult { message_id, pos, delta, reset: false })).await
    }

    /// Discards the answer so far.
    pub async fn reset_result(&self, message_id: MessageId) -> Result<(), EmitError> {
        let reset = p::PartialResult { message_id, pos: 0, delta: String::new(), reset: true };
        self.commit(Event::PartialResult(reset)).await
    }

    /// The whole answer.
    pub async fn agent_response(&self, event: p::AgentResponse) -> Result<(), EmitError> {
        self.commit(Event::AgentResponse(event)).await
    }

    /// The run ends.
    pub async fn agent_completed(&self, event: p::AgentCompleted) -> Result<(), EmitError> {
        self.commit(Event::AgentCompleted(event)).await
    }

    /// The run fails.
    pub async fn agent_error(
        &self,
        agent: &str,
        code: ErrorCode,
        message: String,
        retryable: bool,
    ) -> Result<(), EmitError> {
        self.commit(Event::AgentError(p::AgentError { agent: agent.to_owned(), code, message, retryable })).await
    }

    /// The calls of the run that began, or wait for a person, and have not ended.
    pub fn open_calls(&self) -> Vec<ToolCall> {
        let run = self.run.lock().unwrap_or_else(PoisonError::into_inner);
        run.tools().filter(|call| call.status.is_none()).cloned().collect()
    }

    /// A call of the run as its events tell it.
    pub fn call(&self, tool_call_id: &str) -> Option<ToolCall> {
        let run = self.run.lock().unwrap_or_else(PoisonError::into_inner);
        run.tools().find(|call| call.tool_call_id == tool_call_id).cloned()
    }

    /// What the run has used so far; stored with the next event, for whoever takes the run up.
    pub fn used(&self, usage: Usage) {
        *self.usage.lock().unwrap_or_else(PoisonError::into_inner) = Some(usage);
    }

    fn job(&self, event: Event, done: Vec<oneshot::Sender<Result<(), EmitError>>>) -> Job {
        let (fence, run) = (self.fence, self.run.clone());
        let usage = self.usage.lock().unwrap_or_else(PoisonError::into_inner).take();
        let (child, wait) = (None, None);
        Job::Event(Box::new(EventJob {
            id: FrameId::new(),
            ts: Timestamp::now(),
            fence,
            run,
            usage,
            event,
            child,
            wait,
            done,
        }))
    }

    async fn queue(&self, event: Event) -> Result<(), EmitError> {
        self.lane.jobs.send(self.job(event, Vec::new())).await.map_err(|_| EmitError::Store)
    }

    async fn commit(&self, event: Event) -> Result<(), EmitError> {
        self.commit_with(event, None, None).await
    }

    async fn commit_with(&self, event: Event, child: Option<ChildRun>, wait: Option<Wait>) -> Result<(), EmitError> {
        let (done, outcome) = oneshot::channel();
        let mut job = self.job(event, vec![done]);
        if let Job::Event(job) = &mut job {
            (job.child, job.wait) = (child, wait);
        }
        self.lane.jobs.send(job).await.map_err(|_| EmitError::Store)?;
        outcome.await.unwrap_or(Err(EmitError::Store))
    }
}

#[cfg(test)]
#[path = "emitter_tests.rs"]
mod tests;
