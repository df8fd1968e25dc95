//! The server's side of a history: a log that takes its time, a bus that loses and mixes up, agents, restarts.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use tokio::{task::JoinHandle, time::sleep};

use super::{Page, Totals, count};
use crate::{
    bus::{Bus, Delivery, Sink},
    connection::QueueLimits,
    emitter::{EmitError, Emitter, EmitterPool},
    frame::StoredEvent,
    id::{MessageId, RunId, ThreadId, UserId},
    log::{Accept, Accepted, EventLog, Head, LogError, NewEvent, Page as LogPage, PageLimit},
    manager::{Manager, ManagerLimits},
    memory::MemoryLog,
    model::{Role, User},
    payload::{self as p, ThreadSnapshot},
};

/// A log that takes a random while, so that tasks overtake each other.
pub(super) struct SlowLog {
    inner: Arc<MemoryLog>,
    random: Mutex<fastrand::Rng>,
}

impl SlowLog {
    async fn dawdle(&self) {
        let pause = self.random.lock().unwrap_or_else(PoisonError::into_inner).u64(0..6);
        match pause {
            0..3 => {}
            3..5 => tokio::task::yield_now().await,
            _ => sleep(Duration::from_millis(pause)).await,
        }
    }
}

#[async_trait]
impl EventLog for SlowLog {
    async fn append(&self, events: &[NewEvent]) -> Result<Vec<StoredEvent>, LogError> {
        self.dawdle().await;
        let stored = self.inner.append(events).await;
        self.dawdle().await;
        stored
    }
    async fn accept(&self, command: Accept) -> Result<Accepted, LogError> {
        self.dawdle().await;
        let accepted = self.inner.accept(command).await;
        self.dawdle().await;
        accepted
    }
    async fn head(&self, user: UserId, thread: ThreadId) -> Result<Head, LogError> {
        let head = self.inner.head(user, thread).await;
        self.dawdle().await;
        head
    }
    async fn read(&self, thread: ThreadId, after_seq: u64, limit: PageLimit) -> Result<LogPage, LogError> {
        self.dawdle().await;
        // Short pages, so that live events overtake a replay.
        let page = self.inner.read(thread, after_seq, PageLimit::events(limit.events.min(3))).await;
        self.dawdle().await;
        page
    }
    async fn snapshot(&self, user: UserId, thread: ThreadId) -> Result<ThreadSnapshot, LogError> {
        let snapshot = self.inner.snapshot(user, thread).await;
        self.dawdle().await;
        snapshot
    }
}

/// A bus that holds some deliveries back until later ones went by, and, if it is lossy, loses some.
struct BadBus {
    sink: OnceLock<Manager>,
    lossy: bool,
    state: Mutex<Held>,
}

struct Held {
    random: fastrand::Rng,
    deliveries: Vec<Delivery>,
    good: bool,
}

impl BadBus {
    fn state(&self) -> MutexGuard<'_, Held> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn deliver(&self, due: &[Delivery]) {
        for delivery in due {
            self.sink.get().expect("attached").deliver(delivery);
        }
    }
}

impl Bus for BadBus {
    fn publish(&self, delivery: Delivery) {
        let due = {
            let mut held = self.state();
            match held.random.u8(0..6) {
                _ if held.good => held.deliveries.push(delivery),
                0 if self.lossy => return,
                1 => return held.deliveries.push(delivery),
                2 => held.deliveries.insert(0, delivery),
                _ => held.deliveries.push(delivery),
            }
            std::mem::take(&mut held.deliveries)
        };
        self.deliver(&due);
    }
}

/// One process.
pub(super) struct Process {
    pub(super) manager: Manager,
    pub(super) pool: EmitterPool,
    bus: Arc<BadBus>,
}

/// Everything but the pages.
pub(super) struct World<'t> {
    pub(super) random: fastrand::Rng,
    pub(super) totals: &'t Totals,
    pub(super) log: Arc<MemoryLog>,
    pub(super) slow: Arc<SlowLog>,
    pub(super) process: Process,
    pub(super) users: [User; 2],
    pub(super) threads: HashMap<UserId, [ThreadId; 2]>,
    runs: HashMap<ThreadId, (RunId, Emitter)>,
    /// Agents of processes that died and do not know it.
    late: Vec<Emitter>,
}

impl<'t> World<'t> {
    pub(super) fn new(seed: u64, totals: &'t Totals) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let log = MemoryLog::new();
        let slow = Arc::new(SlowLog { inner: log.clone(), random: Mutex::new(random.fork()) });
        let users =
            ["Ada", "Bob"].map(|name| User { id: UserId::new(), name: name.into(), role: Role::User, email: None });
        let threads = users.iter().map(|user| (user.id, [log.thread(user.id), log.thread(user.id)])).collect();
        let process = process(&slow, seed.is_multiple_of(2), &mut random);
        Self { random, totals, log, slow, process, users, threads, runs: HashMap::new(), late: Vec::new() }
    }

    fn all_threads(&self) -> Vec<ThreadId> {
        self.users.iter().flat_map(|user| self.threads[&user.id]).collect()
    }

    /// Agents work a little.
    pub(super) async fn step(&mut self) {
        for thread in self.all_threads() {
            let (_, emitter) = self.runs.entry(thread).or_insert_with(|| {
                let run = RunId::new();
                (run, self.process.pool.emitter(thread, self.log.claim(thread, run)))
            });
            for _ in 0..self.random.usize(0..4) {
                let said = say(emitter, &mut self.random).await;
                assert!(said.is_ok(), "its own run: {said:?}");
            }
            if self.random.u8(0..12) == 0 {
                let done = p::AgentCompleted {
                    agent: "guide".into(),
                    status: p::CompletedStatus::Completed,
                    duration_ms: 1,
                    usage: None,
                };
                assert!(emitter.agent_completed(done).await.is_ok());
                self.runs.remove(&thread);
            }
            if self.random.u8(0..25) == 0 {
                let head = self.log.head_of(thread);
                self.log.trim(thread, self.random.u64(0..=head));
            }
        }
        if let Some(late) = self.late.pop() {
            let refused = say(&late, &mut self.random).await;
            assert_eq!(refused, Err(EmitError::Fenced), "a late owner writes nothing");
            count(&self.totals.fenced);
        }
        sleep(Duration::from_millis(self.random.u64(0..30))).await;
    }

    /// The process dies and another one takes its runs up.
    pub(super) fn restart(&mut self) {
        count(&self.totals.restarts);
        let next = process(&self.slow, self.process.bus.lossy, &mut self.random);
        let old = std::mem::replace(&mut self.process, next);
        for (thread, (run, emitter)) in &mut self.runs {
            let taken_up = self.process.pool.emitter(*thread, self.log.claim(*thread, *run));
            self.late.push(std::mem::replace(emitter, taken_up));
        }
        drop(old);
    }

    /// Nothing goes wrong any more.
    pub(super) fn heal(&mut self) {
        let held = {
            let mut held = self.process.bus.state();
            held.good = true;
            std::mem::take(&mut held.deliveries)
        };
        self.process.bus.deliver(&held);
    }

    /// Each thread gets a few more events, spread over the time in which pages come back. What a lossy bus lost before shows
    /// with the next of them; without losses there may be none.
    pub(super) fn last_words(&mut self) -> JoinHandle<()> {
        let mut random = self.random.fork();
        let least = usize::from(self.process.bus.lossy);
        let emitter = |thread| self.process.pool.emitter(thread, self.log.claim(thread, RunId::new()));
        let emitters: Vec<Emitter> = self.all_threads().into_iter().map(emitter).collect();
        tokio::spawn(async move {
            for _ in least..=random.usize(1..40) {
                sleep(Duration::from_millis(random.u64(0..60))).await;
                for emitter in &emitters {
                    if random.bool() {
                        assert!(tell(emitter, "one more").await.is_ok());
                    }
                }
            }
            for emitter in emitters.iter().take(least * emitters.len()) {
                assert!(tell(emitter, "the last").await.is_ok());
            }
        })
    }

    /// Every command is in the log once.
    pub(super) fn check(&self, pages: &[Page]) {
        for (user, threads) in &self.threads {
            for thread in threads {
                let truth = self.log.folded(*thread);
                let mut said: Vec<MessageId> = truth.messages.iter().map(|message| message.message_id).collect();
                let given = pages.iter().filter(|page| page.user.id == *user).flat_map(|page| &page.given);
                let mut given: Vec<MessageId> =
                    given.filter(|(to, _)| to == thread).map(|(_, id)| MessageId::from(*id)).collect();
                said.sort();
                given.sort();
                assert_eq!(said, given, "each command is stored once");
                self.totals.events.fetch_add(self.log.head_of(*thread), super::Ordering::Relaxed);
            }
        }
    }
}

fn process(slow: &Arc<SlowLog>, lossy: bool, random: &mut fastrand::Rng) -> Process {
    // Queues so small that a reader who dawdles is closed.
    let queue = QueueLimits { frames: 24, bytes: 1 << 20 };
    let manager = Manager::new(ManagerLimits { connections: 100, subscriptions: 10, queue });
    let held = Held { random: random.fork(), deliveries: Vec::new(), good: false };
    let bus = Arc::new(BadBus { sink: OnceLock::new(), lossy, state: Mutex::new(held) });
    assert!(bus.sink.set(manager.clone()).is_ok());
    let pool = EmitterPool::new(slow.clone(), bus.clone());
    Process { manager, pool, bus }
}

async fn tell(emitter: &Emitter, message: &str) -> Result<(), EmitError> {
    emitter.agent_progress(p::AgentProgress { agent: "guide".into(), message: message.into(), fraction: None }).await
}

async fn say(emitter: &Emitter, random: &mut fastrand::Rng) -> Result<(), EmitError> {
    if random.bool() {
        let thought =
            p::AgentThinking { agent: "guide".into(), thought: "Hm. ".into(), step: Some(1), total_steps: None };
        emitter.agent_thinking(thought).await?;
    }
    tell(emitter, "on it").await
}
