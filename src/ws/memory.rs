//! An event log in memory, for tests: the guarantees of [`EventLog`] with a map and a lock.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;

use crate::{
    frame::StoredEvent,
    id::{CommandId, FrameId, RunId, ThreadId, UserId},
    log::{Accept, Accepted, EventLog, Fence, Head, LogError, NewEvent, Page, PageLimit},
    message::{Message as _, ServerMessage},
    model::{MessageRole, Thread},
    payload::{Ack, ThreadMessage, ThreadSnapshot},
    state::ThreadState,
    time::Timestamp,
};

/// Messages in a snapshot.
const SNAPSHOT_MESSAGES: usize = 200;

/// The log. Everything happens under one lock, so every call is a transaction.
#[derive(Default)]
pub(crate) struct MemoryLog {
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
    /// Every event that ever was, trimmed or not.
    ids: Vec<FrameId>,
    fences: HashMap<RunId, i64>,
    ended: HashSet<RunId>,
}

impl MemoryLog {
    pub(crate) fn new() -> Arc<Self> {
        Arc::default()
    }

    fn tables(&self) -> MutexGuard<'_, Tables> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes an empty thread of a user.
    pub(crate) fn thread(&self, user: UserId) -> ThreadId {
        self.tables().add_thread(user, "a thread", "guide")
    }

    /// Claims a run, a new one too; the claim before it is void.
    pub(crate) fn claim(&self, thread: ThreadId, run_id: RunId) -> Fence {
        let mut tables = self.tables();
        let kept = tables.threads.get_mut(&thread).expect("a thread of this log");
        let token = kept.fences.entry(run_id).or_default();
        *token += 1;
        Fence { run_id, token: *token }
    }

    /// Deletes a thread.
    pub(crate) fn delete(&self, thread: ThreadId) {
        self.tables().threads.remove(&thread);
    }

    /// Forgets the events up to `seq`.
    pub(crate) fn trim(&self, thread: ThreadId, seq: u64) {
        let mut tables = self.tables();
        let kept = tables.threads.get_mut(&thread).expect("a thread of this log");
        for event in kept.events.iter().filter(|event| event.seq <= seq) {
            kept.base.apply(&event.decode().expect("what was stored can be read"));
        }
        kept.events.retain(|event| event.seq > seq);
        kept.trimmed_seq = kept.trimmed_seq.max(seq);
    }

    /// Every event of a thread.
    pub(crate) fn events(&self, thread: ThreadId) -> Vec<StoredEvent> {
        self.tables().threads[&thread].events.clone()
    }

    /// The event at a place, trimmed or not.
    pub(crate) fn id_at(&self, thread: ThreadId, seq: u64) -> Option<FrameId> {
        let at = usize::try_from(seq).ok()?.checked_sub(1)?;
        self.tables().threads[&thread].ids.get(at).copied()
    }

    /// The newest event of a thread.
    pub(crate) fn head_of(&self, thread: ThreadId) -> u64 {
        self.tables().threads[&thread].thread.head_seq
    }

    /// The thread's state as its events tell it.
    pub(crate) fn folded(&self, thread: ThreadId) -> ThreadState {
        self.tables().threads[&thread].fold()
    }
}

impl Tables {
    fn add_thread(&mut self, user_id: UserId, title: &str, agent: &str) -> ThreadId {
        let id = ThreadId::new();
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
            head_seq: 0,
            created_at: at,
            updated_at: at,
        };
        let epoch = format!("{:08x}", fastrand::u32(..));
        let (events, ids, fences, ended) = <(Vec<_>, Vec<_>, HashMap<_, _>, HashSet<_>)>::default();
        let base = ThreadState { epoch: epoch.clone(), ..ThreadState::default() };
        self.threads.insert(id, Kept { user_id, thread, epoch, trimmed_seq: 0, events, base, ids, fences, ended });
        id
    }

    fn of_user(&self, user: UserId, thread: ThreadId) -> Result<&Kept, LogError> {
        self.threads.get(&thread).filter(|kept| kept.user_id == user).ok_or(LogError::NotFound)
    }
}

impl Kept {
    fn check(&self, fence: Fence) -> Result<(), LogError> {
        match self.fences.get(&fence.run_id) {
            None => Err(LogError::NotFound),
            Some(token) if *token == fence.token && !self.ended.contains(&fence.run_id) => Ok(()),
            Some(_) => Err(LogError::Fenced),
        }
    }

    fn store(&mut self, run_id: Option<RunId>, message: &ServerMessage) -> StoredEvent {
        self.thread.head_seq += 1;
        let payload = message.payload().and_then(|payload| serde_json::value::to_raw_value(&payload));
        let event = StoredEvent {
            id: FrameId::new(),
            ts: Timestamp::now(),
            thread_id: self.thread.id,
            run_id,
            epoch: self.epoch.clone(),
            seq: self.thread.head_seq,
            name: message.info().name.to_owned(),
            payload: payload.expect("every payload is JSON"),
        };
        self.events.push(event.clone());
        self.ids.push(event.id);
        self.ended.extend(run_id.filter(|_| message.is_terminal()));
        event
    }

    fn fold(&self) -> ThreadState {
        let mut state = ThreadState { thread: Some(self.thread.clone()), ..self.base.clone() };
        for event in &self.events {
            state.apply(&event.decode().expect("what was stored can be read"));
        }
        state
    }
}

#[async_trait]
impl EventLog for MemoryLog {
    async fn append(&self, events: &[NewEvent]) -> Result<Vec<StoredEvent>, LogError> {
        let Some(first) = events.first() else { return Ok(Vec::new()) };
        let mut tables = self.tables();
        let kept = tables.threads.get_mut(&first.thread_id).ok_or(LogError::NotFound)?;
        assert!(events.iter().all(|event| event.thread_id == first.thread_id), "one append is about one thread");
        for event in events {
            kept.check(event.fence)?;
        }
        Ok(events.iter().map(|event| kept.store(Some(event.fence.run_id), &event.message)).collect())
    }

    async fn accept(&self, command: Accept) -> Result<Accepted, LogError> {
        let mut tables = self.tables();
        let key = (command.user_id, command.command_id);
        match tables.commands.get(&key) {
            Some((digest, _)) if *digest != command.digest => return Err(LogError::IdConflict),
            Some((_, ack)) => {
                let ack = Ack { duplicate: true, ..ack.clone() };
                return Ok(Accepted { ack, thread: None, events: Vec::new() });
            }
            None => {}
        }
        let thread_id = match command.thread_id {
            Some(id) => tables.of_user(command.user_id, id)?.thread.id,
            None => tables.add_thread(command.user_id, &command.title, &command.agent),
        };
        let kept = tables.threads.get_mut(&thread_id).ok_or(LogError::NotFound)?;
        let run_id = RunId::new();
        kept.fences.insert(run_id, 0);
        let event = kept.store(
            None,
            &ServerMessage::ThreadMessage(ThreadMessage {
                message_id: command.command_id.into(),
                role: MessageRole::User,
                content: command.message.content,
                answered_by: Some(run_id),
                agent: Some(command.agent),
                author: None,
                attachments: command.message.attachments,
            }),
        );
        let thread = kept.thread.clone();
        let ack = Ack {
            thread_id: Some(thread_id),
            message_id: Some(command.command_id.into()),
            run_id: Some(run_id),
            seq: Some(event.seq),
            duplicate: false,
        };
        tables.commands.insert(key, (command.digest, ack.clone()));
        Ok(Accepted { ack, thread: Some((thread, command.thread_id.is_none())), events: vec![event] })
    }

    async fn head(&self, user: UserId, thread: ThreadId) -> Result<Head, LogError> {
        let tables = self.tables();
        let kept = tables.of_user(user, thread)?;
        Ok(Head { epoch: kept.epoch.clone(), head_seq: kept.thread.head_seq, trimmed_seq: kept.trimmed_seq })
    }

    async fn read(&self, thread: ThreadId, after_seq: u64, limit: PageLimit) -> Result<Page, LogError> {
        let tables = self.tables();
        let kept = tables.threads.get(&thread).ok_or(LogError::NotFound)?;
        let mut bytes = 0;
        let events = kept.events.iter().filter(|event| event.seq > after_seq).take(limit.events).take_while(|event| {
            let more = bytes < limit.bytes;
            bytes += event.payload.get().len();
            more
        });
        let events = events.cloned().collect();
        Ok(Page { epoch: kept.epoch.clone(), head_seq: kept.thread.head_seq, events })
    }

    async fn snapshot(&self, user: UserId, thread: ThreadId) -> Result<ThreadSnapshot, LogError> {
        let tables = self.tables();
        let kept = tables.of_user(user, thread)?;
        let ThreadState { epoch: _, seq, mut messages, runs, .. } = kept.fold();
        let earlier = messages.len().saturating_sub(SNAPSHOT_MESSAGES);
        messages.drain(..earlier);
        Ok(ThreadSnapshot {
            as_of_seq: seq,
            epoch: kept.epoch.clone(),
            thread: kept.thread.clone(),
            earlier_cursor: messages.first().filter(|_| earlier > 0).map(|message| message.seq.to_string()),
            messages,
            runs,
        })
    }
}
