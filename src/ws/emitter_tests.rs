use std::{
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    time::Duration,
};

use async_trait::async_trait;
use tokio::time::{Instant, sleep};

use super::*;
use crate::{
    bus::Delivery,
    committer::RETRY_PAUSES,
    id::{RunId, UserId},
    lane::MAX_JOINED,
    log::{Append, Entry, EventLog, Head, LogPage, PageLimit, Stored},
    memory::MemoryLog,
    payload::{CompletedStatus, ThreadSnapshot, UserMessage},
};

#[path = "emitter_tests/accept.rs"]
mod accept;
#[path = "emitter_tests/committer.rs"]
mod committer;
#[path = "emitter_tests/failures.rs"]
mod failures;
#[path = "emitter_tests/lanes.rs"]
mod lanes;
#[path = "emitter_tests/order.rs"]
mod order;

/// A bus that remembers, and makes sure that what it carries was committed before.
#[derive(Clone)]
struct Witness {
    log: Arc<MemoryLog>,
    seen: Arc<Mutex<Vec<(ThreadId, u64, Instant)>>>,
}

impl Bus for Witness {
    fn publish(&self, delivery: Delivery) {
        let Delivery::Events { thread_id, events } = delivery else { panic!("an emitter publishes events") };
        let committed = self.log.events(thread_id);
        for (seq, frame) in &*events {
            let stored = committed.iter().find(|event| event.seq == *seq).expect("committed before it is published");
            assert_eq!(**frame, *stored.encode().expect("encodes"));
            self.seen.lock().expect("no panic").push((thread_id, *seq, Instant::now()));
        }
    }
}

/// A log that can be slow, broken or fenced off for a while.
struct Moody {
    log: Arc<MemoryLog>,
    /// Commits that still fail.
    failures: AtomicUsize,
    /// Whether they fail after they were done.
    unclear: AtomicBool,
    /// Commits that were tried.
    attempts: AtomicUsize,
    /// How long a commit takes.
    slow: Mutex<Duration>,
    /// A thread that the store fails to take.
    poison: Mutex<Option<ThreadId>>,
    /// Whether it says that it never will.
    refuses: AtomicBool,
    /// The run that ended last.
    ended: Mutex<Option<Box<Run>>>,
}

#[async_trait]
impl EventLog for Moody {
    async fn commit(&self, entries: &[Entry], repeated: bool) -> Result<Vec<Result<Stored, LogError>>, LogError> {
        self.attempts.fetch_add(1, Ordering::Relaxed);
        let slow = *self.slow.lock().expect("no panic");
        sleep(slow).await;
        let poison = *self.poison.lock().expect("no panic");
        if entries.iter().any(|entry| matches!(entry, Entry::Append(append) if Some(append.thread_id) == poison)) {
            let why = "the disk does not like this thread";
            let refuses = self.refuses.load(Ordering::Relaxed);
            return Err(if refuses { LogError::refused(why) } else { LogError::store(why) });
        }
        if self.failures.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok() {
            let lost = self.unclear.load(Ordering::Relaxed);
            if lost {
                self.log.commit(entries, repeated).await?;
            }
            return Err(LogError::store(if lost { "the answer was lost" } else { "the disk is full" }));
        }
        for entry in entries {
            if let Entry::Append(Append { ended: Some(ended), .. }) = entry {
                *self.ended.lock().expect("no panic") = Some(ended.clone());
            }
        }
        self.log.commit(entries, repeated).await
    }

    async fn head(&self, user: UserId, thread: ThreadId) -> Result<Head, LogError> {
        self.log.head(user, thread).await
    }

    async fn read(&self, thread: ThreadId, after_seq: u64, limit: PageLimit) -> Result<LogPage, LogError> {
        self.log.read(thread, after_seq, limit).await
    }

    async fn snapshot(&self, user: UserId, thread: ThreadId) -> Result<ThreadSnapshot, LogError> {
        self.log.snapshot(user, thread).await
    }
}

/// A pool over a log and a bus that can be looked into.
struct Bench {
    log: Arc<MemoryLog>,
    moody: Arc<Moody>,
    bus: Witness,
    pool: EmitterPool,
    user: UserId,
}

impl Bench {
    fn new() -> Self {
        let log = MemoryLog::new();
        let moody = Arc::new(Moody {
            log: log.clone(),
            failures: AtomicUsize::new(0),
            unclear: AtomicBool::new(false),
            attempts: AtomicUsize::new(0),
            slow: Mutex::default(),
            poison: Mutex::default(),
            refuses: AtomicBool::new(false),
            ended: Mutex::default(),
        });
        let bus = Witness { log: log.clone(), seen: Arc::default() };
        let pool = EmitterPool::new(moody.clone(), Arc::new(bus.clone()));
        Self { log, moody, bus, pool, user: UserId::new() }
    }

    fn thread(&self) -> ThreadId {
        self.log.thread(self.user)
    }

    fn emitter(&self, thread: ThreadId) -> Emitter {
        self.pool.emitter(thread, self.log.claim(thread, RunId::new()))
    }

    /// What stands in the log, one short text an event.
    fn log(&self, thread: ThreadId) -> Vec<String> {
        let events = self.log.events(thread);
        events.iter().map(|event| told(&event.decode().expect("decodes").message)).collect()
    }

    fn published(&self, thread: ThreadId) -> Vec<u64> {
        let seen = self.bus.seen.lock().expect("no panic");
        seen.iter().filter(|(of, _, _)| *of == thread).map(|(_, seq, _)| *seq).collect()
    }
}

fn told(message: &Event) -> String {
    match message {
        Event::AgentThinking(event) => format!("think {}", event.thought),
        Event::PartialResult(event) if event.reset => format!("reset {}", event.delta),
        Event::PartialResult(event) => format!("write {} {}", event.pos, event.delta),
        Event::AgentProgress(event) => format!("progress {}", event.message),
        Event::ToolExecuting(event) => format!("call {}", event.tool_call_id),
        Event::ToolCompleted(event) => format!("return {}", event.tool_call_id),
        Event::AgentResponse(event) => format!("answer {}", event.content),
        Event::ThreadMessage(event) => format!("ask {}", event.content),
        other => crate::message::FrameMessage::info(other).name.to_owned(),
    }
}

fn thought(thought: &str) -> p::AgentThinking {
    p::AgentThinking { agent: "guide".into(), thought: thought.into(), step: Some(1), total_steps: None }
}

fn progress(message: &str) -> p::AgentProgress {
    p::AgentProgress { agent: "guide".into(), message: message.into(), fraction: None }
}

fn started() -> p::AgentStarted {
    p::AgentStarted {
        agent: "guide".into(),
        answers: None,
        parent_run_id: None,
        tool_call_id: None,
        model: None,
        iteration: 1,
    }
}

fn completed() -> p::AgentCompleted {
    p::AgentCompleted { agent: "guide".into(), status: CompletedStatus::Completed, duration_ms: 1, usage: None }
}
