//! The execution engine: claims runs, works on those for people one after another per thread and on those for runs at once, and ends
//! each with one terminal event.

mod answer;
mod naming;
mod stops;
mod work;

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use netra_ws::{RunId, ThreadId, Timestamp, UserId, emitter::EmitterPool};
use tokio::{
    sync::Notify,
    time::{Instant, MissedTickBehavior, interval},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use stops::Stops;

use super::{Halt, Registry};
use crate::server::{
    announcer::Announcer,
    attachments::Attachments,
    quotas::Admissions,
    store::{SharedStore, Wakes},
    tool::ToolEngine,
    turns::Turns,
};

/// How long a stop is remembered for a run that is not worked on.
const EARLY_STOP: Duration = Duration::from_mins(10);

/// How often threads are looked through for work that nobody does, at the least; a third of a lease when that is shorter.
const SWEEP: Duration = Duration::from_secs(5);

/// A cheap handle on the engine.
#[derive(Clone)]
pub struct Engine {
    shared: Arc<Shared>,
}

struct Shared {
    /// Names this process in leases.
    owner: String,
    lease: Duration,
    /// The runs of each user that are worked on.
    turns: Turns<UserId>,
    admissions: Admissions,
    registry: Arc<Registry>,
    tools: ToolEngine,
    store: SharedStore,
    emitters: EmitterPool,
    announcer: Announcer,
    attachments: Attachments,
    stops: Mutex<Stops>,
    tasks: TaskTracker,
    closing: CancellationToken,
    /// Somebody should look through the store for work.
    look: Notify,
    this: Weak<Shared>,
}

/// What the engine is made of.
pub struct EngineParts {
    /// How long a lease lasts without renewal.
    pub lease: Duration,
    /// How many runs of each user are worked on at a time.
    pub admissions: Admissions,
    /// The agents.
    pub registry: Arc<Registry>,
    /// The tools.
    pub tools: ToolEngine,
    /// Where runs are claimed.
    pub store: SharedStore,
    /// Where events go.
    pub emitters: EmitterPool,
    /// Where changes of threads are told.
    pub announcer: Announcer,
    /// The files of messages.
    pub attachments: Attachments,
}

impl Engine {
    /// An engine that works when it is told to.
    pub fn new(parts: EngineParts) -> Self {
        Self {
            shared: Arc::new_cyclic(|this| Shared {
                this: this.clone(),
                look: Notify::new(),
                owner: uuid::Uuid::now_v7().to_string(),
                lease: parts.lease,
                // Those that wait are in the store, where their number is bounded.
                turns: Turns::new(1, usize::MAX),
                admissions: parts.admissions,
                registry: parts.registry,
                tools: parts.tools,
                store: parts.store,
                emitters: parts.emitters,
                announcer: parts.announcer,
                attachments: parts.attachments,
                stops: Mutex::default(),
                tasks: TaskTracker::new(),
                closing: CancellationToken::new(),
            }),
        }
    }

    /// Looks for work that a dead process left behind, now and from time to time.
    pub fn start(&self) {
        let engine = self.clone();
        self.shared.tasks.spawn(async move {
            let mut ticks = interval(SWEEP.min(engine.shared.lease / 3));
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            // How long until the next question is over.
            let mut next = None;
            loop {
                let deadline = async {
                    match next {
                        Some(at) => tokio::time::sleep(at).await,
                        None => std::future::pending().await,
                    }
                };
                tokio::select! {
                    () = engine.shared.closing.cancelled() => return,
                    _ = ticks.tick() => {}
                    () = engine.shared.look.notified() => {}
                    () = deadline => {}
                }
                next = engine.wake().await;
                match engine.shared.store.threads_with_work(engine.shared.lease).await {
                    Ok(threads) => threads.into_iter().for_each(|thread| engine.schedule(thread)),
                    Err(error) => tracing::error!(%error, "the look for unfinished runs failed"),
                }
            }
        });
    }

    /// Wakes the runs whose questions are over; how long until the next one is.
    async fn wake(&self) -> Option<Duration> {
        match self.shared.store.wake_due().await {
            Ok(Wakes { threads, next }) => {
                for thread in threads {
                    self.schedule(thread);
                }
                next.map(|at| Duration::from_millis(at.millis_since(Timestamp::now())))
            }
            Err(error) => {
                tracing::error!(%error, "the look for questions that are over failed");
                None
            }
        }
    }

    /// The thread has a new run; it is worked on once those before it have ended.
    pub fn schedule(&self, thread: ThreadId) {
        if self.shared.closing.is_cancelled() {
            return;
        }
        self.shared.schedule(thread);
    }

    /// Ends a run. One that waits ends as soon as its turn comes.
    pub fn stop(&self, run: RunId) {
        let mut stops = self.shared.stops();
        match stops.working.get(&run) {
            Some(working) => working.halt(Halt::Stopped),
            None => {
                // A run that waits longer than this finds its stop in the store.
                stops.early.retain(|_, at| at.elapsed() < EARLY_STOP);
                stops.early.insert(run, Instant::now());
                // One that waited was woken by that.
                self.shared.look.notify_one();
            }
        }
    }

    /// The thread was deleted: what works in it ends at once, and asks its model nothing more.
    pub fn forget(&self, thread: ThreadId) {
        {
            let stops = self.shared.stops();
            let of_thread = stops.working.values().filter(|working| working.thread == thread);
            of_thread.for_each(|working| working.halt(Halt::Lost));
        }
        self.shared.registry.forget(thread);
    }

    /// Takes on no more runs, and waits for those under way, at most `patience`. Runs that take longer are given back to be
    /// taken up by the next process.
    pub async fn drain(&self, patience: Duration) {
        self.shared.closing.cancel();
        self.shared.tasks.close();
        if tokio::time::timeout(patience, self.shared.tasks.wait()).await.is_ok() {
            return;
        }
        let left = {
            let stops = self.shared.stops();
            stops.working.values().for_each(|working| working.halt(Halt::Lost));
            stops.working.len()
        };
        tracing::warn!(runs = left, "runs did not end in time; they go on in the next process");
        let _ = tokio::time::timeout(Duration::from_secs(2), self.shared.tasks.wait()).await;
    }
}

impl Shared {
    fn stops(&self) -> MutexGuard<'_, Stops> {
        self.stops.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
