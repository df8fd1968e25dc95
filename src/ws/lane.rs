//! A lane: one thread's events, in the order they were emitted.
//!
//! Pieces of text that come faster than the committer's roll-up are joined, so that a fast model costs few events; the first
//! piece of a burst never waits. What was joined is folded into its run and handed to the committer, and published once it
//! is committed.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, timeout_at},
};

use crate::{
    bus::{Bus, Delivery, Encoded},
    committer::{Committer, ROLL_UP},
    emitter::EmitError,
    id::{FrameId, ThreadId},
    log::{Accepted, Admission, Append, ChildRun, Entry, Fence, LogError, NewEvent, Stored, Wait},
    message::Event,
    model::{Run, Usage},
    time::Timestamp,
};

/// Events that may wait in a lane; an agent that emits faster waits.
pub(crate) const DEPTH: usize = 256;

/// The longest text that joined pieces may become, in bytes.
pub(crate) const MAX_JOINED: usize = 16 * 1024;

/// The way into a lane. The lane ends with the last of them.
pub(crate) struct Lane {
    pub(crate) jobs: mpsc::Sender<Job>,
}

/// What goes through a lane.
pub(crate) enum Job {
    /// An event of a run.
    Event(Box<EventJob>),
    /// A run waits.
    Wait(Box<WaitJob>),
    /// A person's message.
    Accept(Box<Admission>, oneshot::Sender<Result<Accepted, LogError>>),
}

/// An event on its way, and who waits for it.
pub(crate) struct EventJob {
    pub(crate) id: FrameId,
    pub(crate) ts: Timestamp,
    pub(crate) fence: Fence,
    /// The run as the events before this one tell it.
    pub(crate) run: Arc<Mutex<Run>>,
    /// What the run has used, if that has changed since the event before this one.
    pub(crate) usage: Option<Usage>,
    pub(crate) event: Event,
    /// The run that it begins for another agent.
    pub(crate) child: Option<ChildRun>,
    /// The run waits after it.
    pub(crate) wait: Option<Wait>,
    pub(crate) done: Vec<oneshot::Sender<Result<(), EmitError>>>,
}

/// A run waits.
pub(crate) struct WaitJob {
    pub(crate) fence: Fence,
    pub(crate) wait: Wait,
    pub(crate) done: oneshot::Sender<Result<(), EmitError>>,
}

/// Who waits for an entry.
enum Waiting {
    Run(Fence, Vec<oneshot::Sender<Result<(), EmitError>>>),
    Person(oneshot::Sender<Result<Accepted, LogError>>),
}

/// Works through a lane's jobs.
pub(crate) struct Worker {
    thread_id: ThreadId,
    committer: Committer,
    bus: Arc<dyn Bus>,
    /// Runs whose events could not be committed: later ones would leave a hole.
    broken: HashMap<Fence, EmitError>,
}

impl Worker {
    pub(crate) fn new(thread_id: ThreadId, committer: Committer, bus: Arc<dyn Bus>) -> Self {
        Self { thread_id, committer, bus, broken: HashMap::new() }
    }

    /// Works until the lane's last handle is gone.
    pub(crate) async fn work(mut self, mut queue: mpsc::Receiver<Job>) {
        let mut last_commit = Instant::now().checked_sub(ROLL_UP).unwrap_or_else(Instant::now);
        while let Some(first) = queue.recv().await {
            let mut batch = vec![first];
            while batch.len() < DEPTH && batch.last().is_some_and(Job::is_piece) {
                match timeout_at(last_commit + self.committer.roll_up(), queue.recv()).await {
                    Ok(Some(job)) => batch.push(job),
                    Ok(None) | Err(_) => break,
                }
            }
            while batch.len() < DEPTH
                && let Ok(job) = queue.try_recv()
            {
                batch.push(job);
            }
            self.commit(join(batch)).await;
            last_commit = Instant::now();
        }
    }

    async fn commit(&mut self, jobs: Vec<Job>) {
        let (entries, waiting) = self.entries(jobs);
        if entries.is_empty() {
            return;
        }
        let outcomes = self.committer.commit(entries).await;
        self.publish(&outcomes);
        for (waiting, outcome) in waiting.into_iter().zip(outcomes) {
            match waiting {
                Waiting::Run(fence, done) => {
                    let outcome = outcome.map(drop).map_err(|error| EmitError::from(&error));
                    if let Err(error) = outcome {
                        self.broken.insert(fence, error);
                    }
                    answer(done, outcome);
                }
                Waiting::Person(done) => {
                    let accepted = outcome.and_then(|stored| match stored {
                        Stored::Accepted(accepted) => Ok(*accepted),
                        Stored::Events(_) => Err(LogError::store("the log took a message for events")),
                    });
                    // Whoever sent it no longer waits; it is committed and published all the same.
                    let _ = done.send(accepted);
                }
            }
        }
    }

    /// What goes to the committer: events of one run that follow each other are one entry.
    fn entries(&mut self, jobs: Vec<Job>) -> (Vec<Entry>, Vec<Waiting>) {
        let (mut entries, mut waiting): (Vec<Entry>, Vec<Waiting>) = (Vec::new(), Vec::new());
        for job in jobs {
            let job = match job {
                Job::Event(job) => *job,
                Job::Accept(admission, done) => {
                    entries.push(Entry::Accept(admission));
                    waiting.push(Waiting::Person(done));
                    continue;
                }
                Job::Wait(job) => {
                    self.wait(*job, &mut entries, &mut waiting);
                    continue;
                }
            };
            let fence = job.fence;
            if let Some(error) = self.broken.get(&fence) {
                answer(job.done, Err(*error));
                continue;
            }
            let ((ended, nested), usage) = (job.fold(), job.usage);
            let (child, wait) = (job.child, job.wait);
            let event = match NewEvent::at(job.id, job.ts, job.event) {
                Ok(event) => event,
                Err(error) => {
                    tracing::error!(%error, "an event does not encode");
                    self.broken.insert(fence, EmitError::Store);
                    answer(job.done, Err(EmitError::Store));
                    continue;
                }
            };
            match (entries.last_mut(), waiting.last_mut()) {
                (Some(Entry::Append(append)), Some(Waiting::Run(_, done))) if append.fence == fence => {
                    append.events.push(event);
                    append.ended = ended.or_else(|| append.ended.take());
                    append.usage = usage.or(append.usage);
                    append.children.extend(child);
                    append.wait = wait;
                    append.nested = nested;
                    done.extend(job.done);
                }
                _ => {
                    entries.push(Entry::Append(Append {
                        ended,
                        usage,
                        children: child.into_iter().collect(),
                        wait,
                        nested,
                        ..Append::events(self.thread_id, fence, vec![event])
                    }));
                    waiting.push(Waiting::Run(fence, job.done));
                }
            }
        }
        (entries, waiting)
    }

    /// A run waits after what it has emitted.
    fn wait(&self, job: WaitJob, entries: &mut Vec<Entry>, waiting: &mut Vec<Waiting>) {
        let WaitJob { fence, wait, done } = job;
        if let Some(error) = self.broken.get(&fence) {
            return answer(vec![done], Err(*error));
        }
        match (entries.last_mut(), waiting.last_mut()) {
            (Some(Entry::Append(append)), Some(Waiting::Run(_, dones))) if append.fence == fence => {
                append.wait = Some(wait);
                dones.push(done);
            }
            _ => {
                let events = Append::events(self.thread_id, fence, Vec::new());
                entries.push(Entry::Append(Append { wait: Some(wait), ..events }));
                waiting.push(Waiting::Run(fence, vec![done]));
            }
        }
    }

    /// Tells of what was committed, in the log's order.
    fn publish(&self, outcomes: &[Result<Stored, LogError>]) {
        let stored = outcomes.iter().flatten().flat_map(Stored::events);
        let encoded = stored.filter_map(|event| match event.encode() {
            Ok(frame) => Some((event.seq, Encoded::from(frame))),
            Err(error) => {
                // Watchers notice the hole and read the log.
                tracing::error!(%error, seq = event.seq, "an event does not encode");
                None
            }
        });
        let mut events: Vec<(u64, Encoded)> = encoded.collect();
        // Entries that had to be tried alone may have changed places.
        events.sort_unstable_by_key(|(seq, _)| *seq);
        if !events.is_empty() {
            self.bus.publish(Delivery::Events { thread_id: self.thread_id, events: events.into() });
        }
    }
}

impl From<&LogError> for EmitError {
    fn from(error: &LogError) -> Self {
        match error {
            LogError::Fenced => Self::Fenced,
            LogError::NotFound => Self::Gone,
            LogError::IdConflict | LogError::ParentGone | LogError::TooManyBranches | LogError::Refused(_) => {
                Self::Refused
            }
            LogError::AttachmentGone | LogError::Store(_) => Self::Store,
        }
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
        match self {
            Self::Event(job) => {
                job.done.is_empty() && matches!(job.event, Event::PartialResult(_) | Event::AgentThinking(_))
            }
            Self::Accept(..) | Self::Wait(_) => false,
        }
    }

    /// Takes `next` in if both are pieces of the same text; gives it back otherwise.
    fn absorb(&mut self, next: Self) -> Option<Self> {
        match (self, next) {
            (Self::Event(job), Self::Event(next)) => job.absorb(*next).map(|next| Self::Event(Box::new(next))),
            (_, next) => Some(next),
        }
    }
}

impl EventJob {
    fn absorb(&mut self, next: Self) -> Option<Self> {
        if self.fence != next.fence {
            return Some(next);
        }
        match (&mut self.event, &next.event) {
            (Event::PartialResult(text), Event::PartialResult(more))
                if !more.reset
                    && text.message_id == more.message_id
                    && text.delta.len() + more.delta.len() <= MAX_JOINED =>
            {
                text.delta.push_str(&more.delta);
            }
            (Event::AgentThinking(text), Event::AgentThinking(more))
                if text.step == more.step && text.thought.len() + more.thought.len() <= MAX_JOINED =>
            {
                text.thought.push_str(&more.thought);
            }
            _ => return Some(next),
        }
        self.done.extend(next.done);
        self.usage = next.usage.or(self.usage);
        None
    }

    /// Folds the event into its run, and gives the whole run when the event ends it, and whether it works for another.
    fn fold(&self) -> (Option<Box<Run>>, bool) {
        let mut run = self.run.lock().unwrap_or_else(PoisonError::into_inner);
        run.apply(&self.event, self.ts);
        (self.event.is_terminal().then(|| Box::new(run.clone())), run.is_nested())
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
