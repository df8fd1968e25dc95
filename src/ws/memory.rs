//! An event log in memory: the guarantees of [`EventLog`] with a map and a lock. For tests, and for whoever needs no disk.

mod runs;

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;

use crate::{
    branch::MAX_BRANCHES,
    conformance::Subject,
    frame::{EventFrame, Frame, StoredEvent},
    id::{CommandId, FrameId, MessageId, RunId, ThreadId, UserId},
    log::{
        Accept, Accepted, Admission, Append, Entry, EventLog, Fence, Head, LogError, LogPage, NewEvent, PageLimit,
        Stored,
    },
    message::Event,
    model::{RunStatus, Thread},
    payload::{Ack, ThreadSnapshot},
    shared::Shared,
    state::ThreadState,
    time::Timestamp,
};
use runs::Runs;

pub use runs::{Claimed, Ruling, Verdict};

/// Messages in a snapshot.
const SNAPSHOT_MESSAGES: usize = 200;

/// The log. Everything happens under one lock, so every call is a transaction.
#[derive(Default)]
pub struct MemoryLog {
    tables: Mutex<Tables>,
}

#[derive(Default)]
struct Tables {
    threads: HashMap<ThreadId, Kept>,
    commands: HashMap<(UserId, CommandId), (Vec<u8>, Ack)>,
}

struct Kept {
    user_id: UserId,
    thread: Thread,
    epoch: String,
    trimmed_seq: u64,
    events: Vec<StoredEvent>,
    /// What trimmed events came to.
    base: ThreadState,
    /// What all events came to.
    now: ThreadState,
    /// Every event that ever was, trimmed or not.
    ids: Vec<FrameId>,
    runs: Runs,
    /// Of messages.
    message_ids: HashSet<MessageId>,
}

impl MemoryLog {
    /// An empty log.
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    fn tables(&self) -> MutexGuard<'_, Tables> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes an empty thread of a user.
    pub fn thread(&self, user: UserId) -> ThreadId {
        self.tables().add_thread(ThreadId::new(), user, "a thread", "guide")
    }

    /// Claims a run, a new one too; the claim before it is void.
    ///
    /// # Panics
    /// The log has no such thread.
    pub fn claim(&self, thread: ThreadId, run_id: RunId) -> Fence {
        let mut tables = self.tables();
        tables.threads.get_mut(&thread).expect("a thread of this log").runs.claim(run_id)
    }

    /// Claims the thread's next run, for a process that works on these.
    pub fn claim_next(&self, thread: ThreadId, working: &[RunId]) -> Option<Claimed> {
        self.tables().threads.get_mut(&thread)?.runs.claim_next(working)
    }

    /// A person decides whether a call may be made: the first decision counts, and its command may come again.
    ///
    /// # Panics
    /// Nobody asked this in the thread.
    pub fn decide(&self, thread: ThreadId, user: UserId, command: CommandId, call: &str, approve: bool) -> Ruling {
        let mut tables = self.tables();
        if tables.commands.contains_key(&(user, command)) {
            return Ruling::Counts;
        }
        let kept = tables.threads.get_mut(&thread).expect("a thread of this log");
        let ruling = kept.runs.decide(call, approve).expect("a question of this thread");
        if ruling == Ruling::Counts {
            let ack = Ack { thread_id: Some(thread), message_id: None, run_id: None, seq: None, duplicate: false };
            tables.commands.insert((user, command), (vec![u8::from(approve)], ack));
        }
        ruling
    }

    /// The time to decide on a call is over.
    pub fn expire(&self, thread: ThreadId, call: &str) {
        if let Some(kept) = self.tables().threads.get_mut(&thread) {
            kept.runs.expire(call);
        }
    }

    /// A run and all that work for it are to stop; which those are.
    pub fn stop(&self, thread: ThreadId, run: RunId) -> Vec<RunId> {
        self.tables().threads.get_mut(&thread).map(|kept| kept.runs.stop(run)).unwrap_or_default()
    }

    /// What became of the questions of a run.
    pub fn verdicts(&self, thread: ThreadId, run: RunId) -> Vec<(String, Verdict)> {
        self.tables().threads.get(&thread).map(|kept| kept.runs.verdicts(run)).unwrap_or_default()
    }

    /// The calls of a run that other runs answer, who does, and how they ended.
    pub fn children(&self, thread: ThreadId, run: RunId) -> Vec<(String, RunId, Option<RunStatus>)> {
        self.tables().threads.get(&thread).map(|kept| kept.runs.children(run)).unwrap_or_default()
    }

    /// Deletes a thread.
    pub fn delete(&self, thread: ThreadId) {
        self.tables().threads.remove(&thread);
    }

    /// Forgets the events up to `seq`.
    ///
    /// # Panics
    /// The log has no such thread.
    pub fn trim(&self, thread: ThreadId, seq: u64) {
        let mut tables = self.tables();
        let kept = tables.threads.get_mut(&thread).expect("a thread of this log");
        for event in kept.events.iter().filter(|event| event.seq <= seq) {
            kept.base.apply_event(&event.decode().expect("what was stored can be read"));
        }
        kept.events.retain(|event| event.seq > seq);
        kept.trimmed_seq = kept.trimmed_seq.max(seq);
    }

    /// Every event of a thread.
    ///
    /// # Panics
    /// The log has no such thread.
    pub fn events(&self, thread: ThreadId) -> Vec<StoredEvent> {
        self.tables().threads[&thread].events.clone()
    }

    /// The event at a place, trimmed or not.
    ///
    /// # Panics
    /// The log has no such thread.
    pub fn id_at(&self, thread: ThreadId, seq: u64) -> Option<FrameId> {
        let at = usize::try_from(seq).ok()?.checked_sub(1)?;
        self.tables().threads[&thread].ids.get(at).copied()
    }

    /// The newest event of a thread.
    ///
    /// # Panics
    /// The log has no such thread.
    pub fn head_of(&self, thread: ThreadId) -> u64 {
        self.tables().threads[&thread].thread.head_seq
    }

    /// The thread's state as its events tell it.
    ///
    /// # Panics
    /// The log has no such thread.
    pub fn folded(&self, thread: ThreadId) -> ThreadState {
        self.tables().threads[&thread].fold()
    }
}

impl Tables {
    fn add_thread(&mut self, id: ThreadId, user_id: UserId, title: &str, agent: &str) -> ThreadId {
        let at = Timestamp::now();
        let thread = Thread {
            id,
            title: title.to_owned(),
            agent: agent.to_owned(),
            owner_id: user_id,
            shared: false,
            pinned: false,
            archived: false,
            running: false,
            waiting: false,
            head_seq: 0,
            version: 0,
            created_at: at,
            updated_at: at,
        };
        let epoch = format!("{:08x}", fastrand::u32(..));
        let (events, ids, message_ids, runs) = <(Vec<_>, Vec<_>, HashSet<_>, Runs)>::default();
        let base = ThreadState { epoch: epoch.clone(), ..ThreadState::default() };
        let (now, trimmed_seq) = (base.clone(), 0);
        let kept = Kept { user_id, thread, epoch, trimmed_seq, events, base, now, ids, runs, message_ids };
        self.threads.insert(id, kept);
        id
    }

    fn of_user(&self, user: UserId, thread: ThreadId) -> Result<&Kept, LogError> {
        self.threads.get(&thread).filter(|kept| kept.user_id == user).ok_or(LogError::NotFound)
    }
}

impl Kept {
    fn store(&mut self, run_id: Option<RunId>, event: &NewEvent) -> StoredEvent {
        self.thread.head_seq += 1;
        self.thread.version += 1;
        let stored = event.stored(self.thread.id, run_id, &self.epoch, self.thread.head_seq);
        self.now.apply_event(&EventFrame {
            ts: Some(stored.ts),
            thread_id: Some(stored.thread_id),
            run_id,
            epoch: Some(stored.epoch.clone()),
            seq: Some(stored.seq),
            ..Frame::new(event.event.clone())
        });
        self.events.push(stored.clone());
        self.ids.push(stored.id);
        stored
    }

    /// Events that were committed in an attempt whose outcome was not known.
    fn stored_before(&self, events: &[NewEvent]) -> Option<Vec<StoredEvent>> {
        let first = events.first()?;
        let at = self.events.iter().rposition(|stored| stored.id == first.id)?;
        Some(self.events[at..].iter().take(events.len()).cloned().collect())
    }

    fn fold(&self) -> ThreadState {
        let mut state = ThreadState { thread: Some(self.thread.clone()), ..self.base.clone() };
        for event in &self.events {
            state.apply_event(&event.decode().expect("what was stored can be read"));
        }
        state
    }
}

impl Tables {
    fn append(&mut self, append: &Append, repeated: bool) -> Result<Vec<StoredEvent>, LogError> {
        let kept = self.threads.get_mut(&append.thread_id).ok_or(LogError::NotFound)?;
        if repeated && let Some(stored) = kept.stored_before(&append.events) {
            return Ok(stored);
        }
        if repeated && append.events.is_empty() && kept.runs.was_left(append.fence) {
            return Ok(Vec::new());
        }
        kept.runs.check(append.fence)?;
        let answers = append.events.iter().filter_map(|event| match &event.event {
            Event::AgentResponse(answer) if !append.nested => Some(answer.message_id),
            _ => None,
        });
        for id in answers {
            if !kept.message_ids.insert(id) {
                return Err(LogError::refused("the thread has a message of this id"));
            }
        }
        let stored = append.events.iter().map(|event| kept.store(Some(append.fence.run_id), event)).collect();
        kept.runs.take_in(append);
        Ok(stored)
    }

    fn accept(&mut self, admission: &Admission) -> Result<Accepted, LogError> {
        let command = &admission.command;
        let key = (command.user_id, command.command_id);
        match self.commands.get(&key) {
            Some((digest, _)) if *digest != command.digest => return Err(LogError::IdConflict),
            Some((_, ack)) if ack.run_id == Some(admission.run_id) => return self.accepted_before(ack, command),
            Some((_, ack)) => {
                let ack = Ack { duplicate: true, ..ack.clone() };
                return Ok(Accepted { ack, thread: None, events: Vec::new() });
            }
            None => {}
        }
        let thread_id = match command.thread_id {
            Some(id) => self.of_user(command.user_id, id)?.thread.id,
            None => self.add_thread(admission.new_thread, command.user_id, &command.title, &command.agent),
        };
        let kept = self.threads.get_mut(&thread_id).ok_or(LogError::NotFound)?;
        let run_id = admission.run_id;
        if let Some(parent) = command.message.parent_id {
            if !parent.is_beginning() && !kept.message_ids.contains(&parent) {
                return Err(LogError::ParentGone);
            }
            if kept.now.messages.iter().filter(|message| message.parent_id == Some(parent)).count() >= MAX_BRANCHES {
                return Err(LogError::TooManyBranches);
            }
        }
        // An answer has its run's id, which is known before the answer is.
        let is_runs = kept.runs.has(command.command_id.uuid());
        if is_runs || !kept.message_ids.insert(command.command_id.into()) {
            return Err(LogError::IdConflict);
        }
        kept.runs.add(run_id);
        let message = admission.message(None);
        let event =
            kept.store(None, &NewEvent::at(admission.event_id, admission.ts, message).map_err(LogError::store)?);
        let thread = kept.thread.clone();
        let ack = admission.ack(event.seq);
        self.commands.insert(key, (command.digest.clone(), ack.clone()));
        Ok(Accepted { ack, thread: Some((thread, command.thread_id.is_none())), events: vec![event] })
    }

    /// What this very attempt became when its outcome was not known.
    fn accepted_before(&self, ack: &Ack, command: &Accept) -> Result<Accepted, LogError> {
        let kept = ack.thread_id.and_then(|id| self.threads.get(&id)).ok_or(LogError::NotFound)?;
        let events = kept.events.iter().filter(|event| Some(event.seq) == ack.seq).cloned().collect();
        let thread = Some((kept.thread.clone(), command.thread_id.is_none()));
        Ok(Accepted { ack: ack.clone(), thread, events })
    }
}

#[async_trait]
impl EventLog for MemoryLog {
    async fn commit(&self, entries: &[Entry], repeated: bool) -> Result<Vec<Result<Stored, LogError>>, LogError> {
        let mut tables = self.tables();
        let commit = |entry: &Entry| match entry {
            Entry::Append(append) => tables.append(append, repeated).map(Stored::Events),
            Entry::Accept(admission) => tables.accept(admission).map(|accepted| Stored::Accepted(Box::new(accepted))),
        };
        Ok(entries.iter().map(commit).collect())
    }

    async fn head(&self, user: UserId, thread: ThreadId) -> Result<Head, LogError> {
        let tables = self.tables();
        let kept = tables.of_user(user, thread)?;
        Ok(Head { epoch: kept.epoch.clone(), head_seq: kept.thread.head_seq, trimmed_seq: kept.trimmed_seq })
    }

    async fn read(&self, thread: ThreadId, after_seq: u64, limit: PageLimit) -> Result<LogPage, LogError> {
        let tables = self.tables();
        let kept = tables.threads.get(&thread).ok_or(LogError::NotFound)?;
        let mut bytes = 0;
        let events = kept.events.iter().filter(|event| event.seq > after_seq).take(limit.events).take_while(|event| {
            let more = bytes < limit.bytes;
            bytes += event.payload.get().len();
            more
        });
        let events = events.cloned().collect();
        Ok(LogPage { epoch: kept.epoch.clone(), head_seq: kept.thread.head_seq, events })
    }

    async fn snapshot(&self, user: UserId, thread: ThreadId) -> Result<ThreadSnapshot, LogError> {
        let tables = self.tables();
        let kept = tables.of_user(user, thread)?;
        let ThreadState { epoch: _, seq, messages, runs, .. } = kept.now.clone();
        let earlier = messages.len().saturating_sub(SNAPSHOT_MESSAGES);
        let messages: Vec<_> = messages.into_iter().skip(earlier).map(Shared::into_inner).collect();
        Ok(ThreadSnapshot {
            as_of_seq: seq,
            epoch: kept.epoch.clone(),
            thread: kept.thread.clone(),
            earlier_cursor: messages.first().filter(|_| earlier > 0).map(|message| message.seq.to_string()),
            messages,
            runs: runs.into_iter().map(Shared::into_inner).collect(),
        })
    }
}

#[async_trait]
impl Subject for MemoryLog {
    fn log(&self) -> &dyn EventLog {
        self
    }

    async fn user(&self) -> UserId {
        UserId::new()
    }

    async fn claim(&self, thread: ThreadId, run: RunId) -> Fence {
        Self::claim(self, thread, run)
    }

    async fn delete(&self, _: UserId, thread: ThreadId) {
        Self::delete(self, thread);
    }
}

#[cfg(test)]
#[path = "memory_tests.rs"]
mod tests;
