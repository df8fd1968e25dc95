//! What goes wrong beneath a server: a log that takes its time, fails and does not say what it did, and a bus that loses and
//! mixes up. The log notes what was committed, so that there is a truth which no store has a part in.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use tokio::time::sleep;

use super::{Ground, Totals, count};
use crate::{
    bus::{Bus, Delivery, Sink},
    frame::StoredEvent,
    id::{FrameId, RunId, ThreadId, UserId},
    log::{Entry, EventLog, Head, LogError, LogPage, PageLimit, Stored},
    manager::Manager,
    message::Event,
    model::Run,
    payload::ThreadSnapshot,
    shared::Shared,
    state::{Applied, ThreadState},
};

/// A thread as what was committed tells it.
#[derive(Default)]
pub(super) struct Kept {
    pub(super) state: ThreadState,
    ids: Vec<FrameId>,
    /// Runs that were asked for and have not ended, oldest first.
    pub(super) unfinished: Vec<RunId>,
}

/// Everything that was committed.
#[derive(Default)]
pub(super) struct Record {
    threads: HashMap<ThreadId, Kept>,
}

impl Record {
    pub(super) fn thread(&self, thread: ThreadId) -> &Kept {
        &self.threads[&thread]
    }

    pub(super) fn head(&self, thread: ThreadId) -> u64 {
        self.thread(thread).state.seq
    }

    pub(super) fn id_at(&self, thread: ThreadId, seq: u64) -> Option<FrameId> {
        let at = usize::try_from(seq).ok()?.checked_sub(1)?;
        self.thread(thread).ids.get(at).copied()
    }

    /// A run as its events tell it.
    pub(super) fn run(&self, thread: ThreadId, run: RunId) -> Option<Run> {
        self.thread(thread).state.run(run).cloned()
    }

    fn note(&mut self, stored: &StoredEvent) {
        let kept = self.threads.entry(stored.thread_id).or_default();
        let place = usize::try_from(stored.seq).expect("small");
        if place <= kept.ids.len() {
            assert_eq!(kept.ids[place - 1], stored.id, "what was committed once stays");
            return;
        }
        assert_eq!(place, kept.ids.len() + 1, "numbers are dense");
        kept.ids.push(stored.id);
        let event = stored.decode().expect("what was stored can be read");
        if let Some(run) = stored.run_id.and_then(|id| kept.state.runs.iter().find(|run| run.run_id == id)) {
            check_order(run, &kept.state.runs, &event.message);
        }
        match &event.message {
            Event::ThreadMessage(message) => kept.unfinished.extend(message.answered_by),
            ended if ended.is_terminal() => kept.unfinished.retain(|run| Some(*run) != stored.run_id),
            _ => {}
        }
        assert_ne!(kept.state.apply_event(&event), Applied::Gap, "one epoch, no hole");
    }
}

/// What the order of a run's events promises: a call begins once and ends once, a run ends once, after its calls and after the
/// runs that work for it, and nothing follows.
fn check_order(run: &Run, all: &[Shared<Run>], next: &Event) {
    assert!(!run.has_ended(), "nothing follows the end of a run: {next:?}");
    let call = |id: &String| run.tools().find(|call| call.tool_call_id == *id);
    match next {
        Event::ToolApprovalRequired(asked) => assert!(call(&asked.tool_call_id).is_none(), "nobody is asked twice"),
        Event::ToolExecuting(begun) => {
            let waited = call(&begun.tool_call_id).is_none_or(|call| call.approval_expires_at.is_some());
            assert!(waited, "a call begins once");
        }
        Event::ToolCompleted(done) => {
            assert!(call(&done.tool_call_id).is_some_and(|call| call.status.is_none()), "what began ends once");
        }
        ended if ended.is_terminal() => {
            assert!(run.tools().all(|call| call.status.is_some()), "the calls of a run end before it");
            let below = all.iter().filter(|other| other.parent_run_id == Some(run.run_id));
            assert!(below.clone().all(|run| run.has_ended()), "those that work for a run end before it");
        }
        _ => {}
    }
}

/// What may fail next.
enum Fault {
    Before,
    After,
    OfTheStore(super::StoreFault),
}

pub(super) struct FaultyLog {
    ground: Arc<dyn Ground>,
    random: Mutex<fastrand::Rng>,
    failed_in_a_row: AtomicUsize,
    record: Mutex<Record>,
    totals: Arc<Totals>,
}

impl FaultyLog {
    pub(super) fn new(ground: Arc<dyn Ground>, random: fastrand::Rng, totals: Arc<Totals>) -> Self {
        let (random, failed_in_a_row, record) = (Mutex::new(random), AtomicUsize::new(0), Mutex::default());
        Self { ground, random, failed_in_a_row, record, totals }
    }

    pub(super) fn record(&self) -> MutexGuard<'_, Record> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn random(&self) -> MutexGuard<'_, fastrand::Rng> {
        self.random.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One attempt in sixteen fails, and never three in a row: a store that is down for long is another story.
    fn fault(&self) -> Option<Fault> {
        let own = self.ground.faults();
        let mut random = self.random();
        let fault = match random.usize(0..32 + own.len()) {
            0 => Fault::Before,
            1 => Fault::After,
            at => Fault::OfTheStore(*own.get(at.checked_sub(32)?)?),
        };
        drop(random);
        (self.failed_in_a_row.fetch_add(1, Ordering::Relaxed) < 2).then_some(fault)
    }

    async fn dawdle(&self) {
        let pause = self.random().u64(0..6);
        match pause {
            0..3 => {}
            3..5 => tokio::task::yield_now().await,
            _ => sleep(Duration::from_millis(pause)).await,
        }
    }

    async fn store(&self, entries: &[Entry], repeated: bool) -> Result<Vec<Result<Stored, LogError>>, LogError> {
        let outcomes = self.ground.log().commit(entries, repeated).await?;
        let mut record = self.record();
        for event in outcomes.iter().flatten().flat_map(Stored::events) {
            record.note(event);
        }
        drop(record);
        Ok(outcomes)
    }

    /// Reads fail, too, but seldom: each costs a client its connection.
    fn unreadable(&self) -> Result<(), LogError> {
        if self.random().u8(0..100) > 0 {
            return Ok(());
        }
        count(&self.totals.unread);
        Err(LogError::store("a read failed"))
    }
}

#[async_trait]
impl EventLog for FaultyLog {
    async fn commit(&self, entries: &[Entry], repeated: bool) -> Result<Vec<Result<Stored, LogError>>, LogError> {
        self.dawdle().await;
        let outcomes = match self.fault() {
            None => {
                let outcomes = self.store(entries, repeated).await;
                self.failed_in_a_row.store(0, Ordering::Relaxed);
                outcomes
            }
            Some(Fault::Before) => Err(LogError::store("failed before the commit")),
            Some(Fault::After) => match self.store(entries, repeated).await {
                Ok(_) => {
                    count(&self.totals.unclear);
                    self.dawdle().await;
                    return Err(LogError::store("failed after the commit"));
                }
                failed @ Err(_) => failed,
            },
            Some(Fault::OfTheStore(fault)) => {
                self.ground.hurt(fault).await;
                let outcomes = self.store(entries, repeated).await;
                self.ground.mend().await;
                outcomes
            }
        };
        if outcomes.is_err() {
            count(&self.totals.failed);
        }
        self.dawdle().await;
        outcomes
    }

    async fn head(&self, user: UserId, thread: ThreadId) -> Result<Head, LogError> {
        self.unreadable()?;
        let head = self.ground.log().head(user, thread).await;
        self.dawdle().await;
        head
    }

    async fn read(&self, thread: ThreadId, after_seq: u64, limit: PageLimit) -> Result<LogPage, LogError> {
        self.unreadable()?;
        self.dawdle().await;
        // Short pages, so that live events overtake a replay.
        let page = self.ground.log().read(thread, after_seq, PageLimit::events(limit.events.min(3))).await;
        self.dawdle().await;
        page
    }

    async fn snapshot(&self, user: UserId, thread: ThreadId) -> Result<ThreadSnapshot, LogError> {
        self.unreadable()?;
        let snapshot = self.ground.log().snapshot(user, thread).await;
        self.dawdle().await;
        snapshot
    }
}

/// A bus that holds some deliveries back until later ones went by, and, if it is lossy, loses some.
pub(super) struct FaultyBus {
    sink: Manager,
    pub(super) lossy: bool,
    held: Mutex<Held>,
}

struct Held {
    random: fastrand::Rng,
    deliveries: Vec<Delivery>,
    good: bool,
}

impl FaultyBus {
    pub(super) fn new(manager: Manager, lossy: bool, random: fastrand::Rng) -> Self {
        let held = Mutex::new(Held { random, deliveries: Vec::new(), good: false });
        Self { sink: manager, lossy, held }
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn deliver(&self, due: &[Delivery]) {
        for delivery in due {
            self.sink.deliver(delivery);
        }
    }

    /// Loses and holds nothing any more.
    pub(super) fn heal(&self) {
        let due = {
            let mut held = self.held();
            held.good = true;
            std::mem::take(&mut held.deliveries)
        };
        self.deliver(&due);
    }
}

impl Bus for FaultyBus {
    fn publish(&self, delivery: Delivery) {
        let due = {
            let mut held = self.held();
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
