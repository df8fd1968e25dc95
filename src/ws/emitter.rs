//! The one emitter of durable events, and its pool: one ordered lane per active thread.
//!
//! A lane takes events in the order they were emitted, commits them to the log, and only then publishes them. Pieces of
//! text that come faster than one per [`ROLL_UP`] are joined, so that a fast model costs few commits; the first piece of a
//! burst never waits.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, Weak},
    time::Duration,
};

use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, sleep, timeout_at},
};

use crate::{
    bus::{Bus, Delivery, Encoded},
    error::ErrorCode,
    frame::StoredEvent,
    id::{MessageId, ThreadId},
    log::{Accept, Accepted, Fence, LogError, NewEvent, SharedLog},
    message::ServerMessage,
    payload as p,
};

/// How long a piece of text may wait for the next one.
pub const ROLL_UP: Duration = Duration::from_millis(25);

/// Events that may wait in a lane; an agent that emits faster waits.
const LANE_DEPTH: usize = 256;

/// The longest text that joined pieces may become, in bytes.
const MAX_JOINED: usize = 16 * 1024;

/// Pauses between attempts to commit while the store fails.
const RETRY_PAUSES: [Duration; 4] =
    [Duration::from_millis(20), Duration::from_millis(100), Duration::from_millis(500), Duration::from_secs(2)];

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
}

/// Makes emitters, and keeps events of one thread in one lane.
#[derive(Clone)]
pub struct EmitterPool {
    shared: Arc<Shared>,
}

struct Shared {
    log: SharedLog,
    bus: Arc<dyn Bus>,
    lanes: Mutex<HashMap<ThreadId, Weak<Lane>>>,
}

struct Lane {
    jobs: mpsc::Sender<Job>,
}

struct Job {
    event: NewEvent,
    done: Vec<oneshot::Sender<Result<(), EmitError>>>,
}

impl EmitterPool {
    /// A pool that commits to `log` and publishes on `bus`.
    pub fn new(log: SharedLog, bus: Arc<dyn Bus>) -> Self {
        Self { shared: Arc::new(Shared { log, bus, lanes: Mutex::default() }) }
    }

    /// The emitter of one run. It cannot address another thread or run.
    pub fn emitter(&self, thread_id: ThreadId, fence: Fence) -> Emitter {
        Emitter { thread_id, fence, lane: self.lane(thread_id) }
    }

    /// Records a person's message: committed once, then published.
    pub async fn accept(&self, command: Accept) -> Result<Accepted, LogError> {
        let accepted = self.shared.log.accept(command).await?;
        if let (Some(thread_id), false) = (accepted.ack.thread_id, accepted.events.is_empty()) {
            self.shared.publish(thread_id, &accepted.events);
        }
        Ok(accepted)
    }

    fn lane(&self, thread_id: ThreadId) -> Arc<Lane> {
        let mut lanes = self.shared.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(lane) = lanes.get(&thread_id).and_then(Weak::upgrade) {
            return lane;
        }
        lanes.retain(|_, lane| lane.strong_count() > 0);
        let (jobs, queue) = mpsc::channel(LANE_DEPTH);
        let lane = Arc::new(Lane { jobs });
        lanes.insert(thread_id, Arc::downgrade(&lane));
        tokio::spawn(self.shared.clone().work(queue));
        lane
    }
}

impl Shared {
    /// Runs a lane until its last emitter is gone.
    async fn work(self: Arc<Self>, mut queue: mpsc::Receiver<Job>) {
        let mut last_commit = Instant::now().checked_sub(ROLL_UP).unwrap_or_else(Instant::now);
        let mut broken: HashMap<Fence, EmitError> = HashMap::new();
        while let Some(first) = queue.recv().await {
            let mut batch = vec![first];
            while batch.len() < LANE_DEPTH && batch.iter().all(Job::is_piece) {
                match timeout_at(last_commit + ROLL_UP, queue.recv()).await {
                    Ok(Some(job)) => batch.push(job),
                    Ok(None) | Err(_) => break,
                }
            }
            while batch.len() < LANE_DEPTH
                && let Ok(job) = queue.try_recv()
            {
                batch.push(job);
            }
            self.commit(join(batch), &mut broken).await;
            last_commit = Instant::now();
        }
    }

    /// Commits a batch. A run whose events could not be committed is broken: later ones would leave a hole.
    async fn commit(&self, batch: Vec<Job>, broken: &mut HashMap<Fence, EmitError>) {
        let (events, done): (Vec<_>, Vec<_>) = batch
            .into_iter()
            .filter_map(|job| {
                if let Some(error) = broken.get(&job.event.fence) {
                    answer(job.done, Err(*error));
                    return None;
                }
                Some((job.event, job.done))
            })
            .unzip();
        let Some(thread_id) = events.first().map(|event| event.thread_id) else { return };
        let outcome = self.append(&events).await;
        match &outcome {
            Ok(stored) => self.publish(thread_id, stored),
            // All or none: a run that lost its fence must not take the events of another with it.
            Err(EmitError::Fenced | EmitError::Gone) if events.iter().any(|event| event.fence != events[0].fence) => {
                let mut jobs = events.into_iter().zip(done).map(|(event, done)| Job { event, done }).peekable();
                while let Some(first) = jobs.next() {
                    let fence = first.event.fence;
                    let mut part = vec![first];
                    part.extend(std::iter::from_fn(|| jobs.next_if(|job| job.event.fence == fence)));
                    Box::pin(self.commit(part, broken)).await;
                }
                return;
            }
            Err(error) => broken.extend(events.iter().map(|event| (event.fence, *error))),
        }
        let outcome = outcome.map(|_| ());
        for waiting in done {
            answer(waiting, outcome);
        }
    }

    async fn append(&self, events: &[NewEvent]) -> Result<Vec<StoredEvent>, EmitError> {
        let mut pauses = RETRY_PAUSES.into_iter();
        loop {
            match self.log.append(events).await {
                Ok(stored) => return Ok(stored),
                Err(LogError::Fenced) => return Err(EmitError::Fenced),
                Err(LogError::NotFound) => return Err(EmitError::Gone),
                Err(error @ (LogError::IdConflict | LogError::Store(_))) => match pauses.next() {
                    Some(pause) => {
                        tracing::warn!(%error, retry_in_ms = pause.as_millis(), "append failed");
                        sleep(pause).await;
                    }
                    None => {
                        tracing::error!(%error, events = events.len(), "append failed for good");
                        return Err(EmitError::Store);
                    }
                },
            }
        }
    }

    fn publish(&self, thread_id: ThreadId, stored: &[StoredEvent]) {
        let events: Vec<(u64, Encoded)> = stored
            .iter()
            .filter_map(|event| match event.encode() {
                Ok(frame) => Some((event.seq, frame.into())),
                Err(error) => {
                    // Watchers notice the hole and read the log.
                    tracing::error!(%error, seq = event.seq, "an event does not encode");
                    None
                }
            })
            .collect();
        self.bus.publish(Delivery::Events { thread_id, events: events.into() });
    }
}

fn answer(waiting: Vec<oneshot::Sender<Result<(), EmitError>>>, outcome: Result<(), EmitError>) {
    for done in waiting {
        // An agent that was cancelled no longer listens.
        let _ = done.send(outcome);
    }
}

impl Job {
    /// Whether it is a piece of text that can wait for the next one.
    fn is_piece(&self) -> bool {
        self.done.is_empty()
            && matches!(self.event.message, ServerMessage::PartialResult(_) | ServerMessage::AgentThinking(_))
    }

    /// Takes `next` in if both are pieces of the same text; gives it back otherwise.
    fn absorb(&mut self, next: Self) -> Option<Self> {
        if self.event.fence != next.event.fence {
            return Some(next);
        }
        match (&mut self.event.message, &next.event.message) {
            (ServerMessage::PartialResult(text), ServerMessage::PartialResult(more))
                if !more.reset
                    && text.message_id == more.message_id
                    && text.delta.len() + more.delta.len() <= MAX_JOINED =>
            {
                text.delta.push_str(&more.delta);
            }
            (ServerMessage::AgentThinking(text), ServerMessage::AgentThinking(more))
                if text.step == more.step && text.thought.len() + more.thought.len() <= MAX_JOINED =>
            {
                text.thought.push_str(&more.thought);
            }
            _ => return Some(next),
        }
        self.done.extend(next.done);
        None
    }
}

fn join(batch: Vec<Job>) -> Vec<Job> {
    let mut joined: Vec<Job> = Vec::with_capacity(batch.len());
    for job in batch {
        let rest = match joined.last_mut() {
            Some(last) => last.absorb(job),
            None => Some(job),
        };
        joined.extend(rest);
    }
    joined
}

/// Emits the durable events of one run. What it returns from is committed, except for pieces of text, which are committed in
/// order before the next event that is not one.
#[derive(Clone)]
pub struct Emitter {
    thread_id: ThreadId,
    fence: Fence,
    lane: Arc<Lane>,
}

impl Emitter {
    /// The agent begins.
    pub async fn agent_started(&self, event: p::AgentStarted) -> Result<(), EmitError> {
        self.commit(ServerMessage::AgentStarted(event)).await
    }

    /// The agent thinks a little further.
    pub async fn agent_thinking(&self, event: p::AgentThinking) -> Result<(), EmitError> {
        self.queue(ServerMessage::AgentThinking(event)).await
    }

    /// A tool begins.
    pub async fn tool_executing(&self, event: p::ToolExecuting) -> Result<(), EmitError> {
        self.commit(ServerMessage::ToolExecuting(event)).await
    }

    /// A tool call waits for a person.
    pub async fn tool_approval_required(&self, event: p::ToolApprovalRequired) -> Result<(), EmitError> {
        self.commit(ServerMessage::ToolApprovalRequired(event)).await
    }

    /// A tool ended.
    pub async fn tool_completed(&self, event: p::ToolCompleted) -> Result<(), EmitError> {
        self.commit(ServerMessage::ToolCompleted(event)).await
    }

    /// The agent says how far it is.
    pub async fn agent_progress(&self, event: p::AgentProgress) -> Result<(), EmitError> {
        self.commit(ServerMessage::AgentProgress(event)).await
    }

    /// A piece of the answer.
    pub async fn partial_result(&self, message_id: MessageId, pos: u64, delta: String) -> Result<(), EmitError> {
        self.queue(ServerMessage::PartialResult(p::PartialResult { message_id, pos, delta, reset: false })).await
    }

    /// Discards the answer so far.
    pub async fn reset_result(&self, message_id: MessageId) -> Result<(), EmitError> {
        let reset = p::PartialResult { message_id, pos: 0, delta: String::new(), reset: true };
        self.commit(ServerMessage::PartialResult(reset)).await
    }

    /// The whole answer.
    pub async fn agent_response(&self, event: p::AgentResponse) -> Result<(), EmitError> {
        self.commit(ServerMessage::AgentResponse(event)).await
    }

    /// The run ends.
    pub async fn agent_completed(&self, event: p::AgentCompleted) -> Result<(), EmitError> {
        self.commit(ServerMessage::AgentCompleted(event)).await
    }

    /// The run fails.
    pub async fn agent_error(
        &self,
        agent: &str,
        code: ErrorCode,
        message: String,
        retryable: bool,
    ) -> Result<(), EmitError> {
        self.commit(ServerMessage::AgentError(p::AgentError { agent: agent.to_owned(), code, message, retryable }))
            .await
    }

    fn event(&self, message: ServerMessage) -> NewEvent {
        NewEvent { thread_id: self.thread_id, fence: self.fence, message }
    }

    async fn queue(&self, message: ServerMessage) -> Result<(), EmitError> {
        let job = Job { event: self.event(message), done: Vec::new() };
        self.lane.jobs.send(job).await.map_err(|_| EmitError::Store)
    }

    async fn commit(&self, message: ServerMessage) -> Result<(), EmitError> {
        let (done, outcome) = oneshot::channel();
        let job = Job { event: self.event(message), done: vec![done] };
        self.lane.jobs.send(job).await.map_err(|_| EmitError::Store)?;
        outcome.await.unwrap_or(Err(EmitError::Store))
    }
}

#[cfg(test)]
#[path = "emitter_tests.rs"]
mod tests;
