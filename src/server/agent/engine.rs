//! The execution engine: claims runs, works on them one after another per thread, and ends each with one terminal event.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use netra_ws::{
    ErrorCode, RunId, ThreadId,
    emitter::{EmitError, EmitterPool},
    payload::{AgentCompleted, AgentStarted, CompletedStatus},
};
use tokio::{
    sync::watch,
    time::{Instant, MissedTickBehavior, interval},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    Agent, Halt, Registry, RunContext, conversation,
    recovery::{self, Progress},
    turns::{self, Answer, Outcome},
};
use crate::server::{
    announcer::Announcer,
    store::{ClaimedRun, SharedStore},
    tool::ToolEngine,
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
    registry: Arc<Registry>,
    tools: ToolEngine,
    store: SharedStore,
    emitters: EmitterPool,
    announcer: Announcer,
    stops: Mutex<Stops>,
    tasks: TaskTracker,
    closing: CancellationToken,
}

/// How runs of this process are told to end.
#[derive(Default)]
struct Stops {
    working: HashMap<RunId, watch::Sender<Option<Halt>>>,
    /// Stopped before they began.
    early: HashMap<RunId, Instant>,
    /// Threads that this process works on, and whether there may be more to do than was seen. A process never claims what it
    /// works on itself, whatever a clock that was set says about its leases.
    threads: HashMap<ThreadId, bool>,
}

/// Takes the thread out again, whatever ends the work.
struct AtWork<'a> {
    shared: &'a Shared,
    thread: ThreadId,
    /// It was taken out already, and another may have put it in again.
    given_up: bool,
}

impl Drop for AtWork<'_> {
    fn drop(&mut self) {
        if !self.given_up {
            self.shared.stops().threads.remove(&self.thread);
        }
    }
}

/// What the engine is made of.
pub struct EngineParts {
    /// How long a lease lasts without renewal.
    pub lease: Duration,
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
}

impl Engine {
    /// An engine that works when it is told to.
    pub fn new(parts: EngineParts) -> Self {
        Self {
            shared: Arc::new(Shared {
                owner: uuid::Uuid::now_v7().to_string(),
                lease: parts.lease,
                registry: parts.registry,
                tools: parts.tools,
                store: parts.store,
                emitters: parts.emitters,
                announcer: parts.announcer,
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
            loop {
                tokio::select! {
                    () = engine.shared.closing.cancelled() => return,
                    _ = ticks.tick() => {}
                }
                match engine.shared.store.threads_with_work(engine.shared.lease).await {
                    Ok(threads) => threads.into_iter().for_each(|thread| engine.schedule(thread)),
                    Err(error) => tracing::error!(%error, "the look for unfinished runs failed"),
                }
            }
        });
    }

    /// The thread has a new run; it is worked on once those before it have ended.
    pub fn schedule(&self, thread: ThreadId) {
        if self.shared.closing.is_cancelled() {
            return;
        }
        let shared = self.shared.clone();
        self.shared.tasks.spawn(async move { shared.work(thread).await });
    }

    /// Ends a run. One that waits ends as soon as its turn comes.
    pub fn stop(&self, run: RunId) {
        let mut stops = self.shared.stops();
        match stops.working.get(&run) {
            Some(halt) => halt.send_modify(|halt| _ = halt.get_or_insert(Halt::Stopped)),
            None => {
                // A run that waits longer than this finds its stop in the store.
                stops.early.retain(|_, at| at.elapsed() < EARLY_STOP);
                stops.early.insert(run, Instant::now());
            }
        }
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
            for halt in stops.working.values() {
                halt.send_modify(|halt| _ = halt.get_or_insert(Halt::Lost));
            }
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

    /// Works on the thread's runs until there are none.
    async fn work(&self, thread: ThreadId) {
        if !self.enter(thread) {
            return;
        }
        let mut at_work = AtWork { shared: self, thread, given_up: false };
        while !self.closing.is_cancelled() {
            match self.store.claim_run(thread, &self.owner, self.lease).await {
                Ok(Some(run)) => self.execute(run).await,
                // Whoever scheduled more meanwhile relies on this loop.
                Ok(None) if self.take_more(thread) => {}
                Ok(None) => {
                    at_work.given_up = true;
                    return;
                }
                Err(error) => {
                    tracing::error!(%error, thread_id = %thread, "a run could not be claimed");
                    return;
                }
            }
        }
    }

    /// Takes the thread, unless it is worked on here; then that work is told that there is more.
    fn enter(&self, thread: ThreadId) -> bool {
        match self.stops().threads.entry(thread) {
            Entry::Occupied(mut more) => {
                more.insert(true);
                false
            }
            Entry::Vacant(free) => {
                free.insert(false);
                true
            }
        }
    }

    /// Whether more was scheduled since the last look. If not, the thread is given up, under the same lock.
    fn take_more(&self, thread: ThreadId) -> bool {
        let mut stops = self.stops();
        let more = stops.threads.get_mut(&thread).is_some_and(std::mem::take);
        if !more {
            stops.threads.remove(&thread);
        }
        more
    }

    /// One run, from its first event to its last.
    #[tracing::instrument(name = "run", skip_all, fields(run_id = %run.fence.run_id, thread_id = %run.thread_id, user_id = %run.user_id, agent = run.agent))]
    async fn execute(&self, run: ClaimedRun) {
        let run_id = run.fence.run_id;
        let (halt, halted) = watch::channel(None);
        {
            let mut stops = self.stops();
            if stops.early.remove(&run_id).is_some() || run.stopped {
                halt.send_replace(Some(Halt::Stopped));
            }
            stops.working.insert(run_id, halt);
        }
        let done = CancellationToken::new();
        let outcome = tokio::join!(self.keep_lease(&run, &done), async {
            let _done = done.clone().drop_guard();
            self.answer(&run, halted).await
        });
        self.stops().working.remove(&run_id);
        if let Err(EmitError::Store) = outcome.1 {
            // The store refused an event for good; the lease runs out and the sweep takes the run up again.
            tracing::error!("the run's events could not be stored");
        }
        self.announcer.thread_as_stored(run.thread_id).await;
    }

    /// Renews the lease until the run is done; a lease that is lost ends the run.
    async fn keep_lease(&self, run: &ClaimedRun, done: &CancellationToken) {
        let mut ticks = interval(self.lease / 3);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        ticks.tick().await;
        loop {
            tokio::select! {
                () = done.cancelled() => return,
                _ = ticks.tick() => {}
            }
            match self.store.renew_lease(run.fence, self.lease).await {
                Ok(true) => {}
                Ok(false) => {
                    if let Some(halt) = self.stops().working.get(&run.fence.run_id) {
                        halt.send_modify(|halt| _ = halt.get_or_insert(Halt::Lost));
                    }
                    return;
                }
                Err(error) => tracing::warn!(%error, "the lease could not be renewed"),
            }
        }
    }

    async fn answer(&self, run: &ClaimedRun, halted: watch::Receiver<Option<Halt>>) -> Result<(), EmitError> {
        let emitter = self.emitters.emitter(run.thread_id, run.fence);
        let started = Instant::now();
        let progress = Progress::read(&self.store, run).await.map_err(|error| {
            tracing::error!(%error, "the run's events could not be read");
            EmitError::Store
        })?;
        let agent = self.registry.find(Some(&run.agent));
        let iteration = progress.iterations + 1;
        emitter
            .agent_started(AgentStarted {
                agent: run.agent.clone(),
                answers: run.message_id,
                parent_run_id: None,
                model: agent.as_ref().and_then(|agent| agent.provider.model().map(str::to_owned)),
                iteration,
            })
            .await?;
        tracing::info!(iteration, "run started");
        let Some(agent) = agent else {
            let message = format!("there is no agent called {:?} any more", run.agent);
            return emitter.agent_error(&run.agent, ErrorCode::AgentUnknown, message, false).await;
        };
        let context = context_of(run, agent, emitter.clone(), halted);
        let mut answer = Answer::new(&context, &progress);
        let outcome = self.work_on(run, &context, &progress, &mut answer).await;
        let duration_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        let completed = |status| AgentCompleted { agent: run.agent.clone(), status, duration_ms, usage: answer.usage };
        match outcome {
            Outcome::Completed => {
                answer.seal().await?;
                tracing::info!(duration_ms, outcome = "completed", "run ended");
                emitter.agent_completed(completed(CompletedStatus::Completed)).await
            }
            Outcome::Halted(Halt::Stopped) => {
                answer.seal().await?;
                tracing::info!(duration_ms, outcome = "stopped", "run ended");
                emitter.agent_completed(completed(CompletedStatus::Stopped)).await
            }
            Outcome::Halted(Halt::TimedOut) => {
                answer.seal().await?;
                let message = format!("the run took longer than {} s", context.agent.max_time.as_secs());
                tracing::warn!(duration_ms, outcome = "failed", code = %ErrorCode::AgentFailed, message, "run ended");
                emitter.agent_error(&run.agent, ErrorCode::AgentFailed, message, true).await
            }
            Outcome::Halted(Halt::Lost) => {
                tracing::warn!(duration_ms, outcome = "handed over", "run ended here");
                if let Err(error) = self.store.release_lease(run.fence).await {
                    tracing::warn!(%error, "the lease could not be given back");
                }
                Ok(())
            }
            Outcome::Failed { code, message, retryable } => {
                answer.seal().await?;
                tracing::warn!(duration_ms, outcome = "failed", %code, message, "run ended");
                emitter.agent_error(&run.agent, code, message, retryable).await
            }
            Outcome::Silenced(error) => Err(error),
        }
    }

    /// Takes the run up where it stands, and takes turns.
    async fn work_on(
        &self,
        run: &ClaimedRun,
        context: &RunContext,
        progress: &Progress,
        answer: &mut Answer,
    ) -> Outcome {
        if progress.answered {
            // A stop keeps what was said as the answer, too.
            return if run.stopped { Outcome::Halted(Halt::Stopped) } else { Outcome::Completed };
        }
        let mut messages = match conversation::read(&self.store, run).await {
            Ok(messages) => messages,
            Err(error) => {
                tracing::error!(%error, "the conversation could not be read");
                let message = "the conversation could not be read".to_owned();
                return Outcome::Failed { code: ErrorCode::Internal, message, retryable: true };
            }
        };
        if progress.iterations > 0 {
            let taken_up = turns::take_up(context, &self.tools, progress, answer).await;
            match taken_up {
                Ok(done) => messages.extend(done),
                Err(outcome) => return outcome,
            }
        }
        if progress.is_hopeless() {
            let (code, message) = recovery::too_often(run.fence.run_id);
            return Outcome::Failed { code, message, retryable: true };
        }
        turns::run(context, &self.tools, messages, answer).await
    }
}

/// What the run knows of itself.
fn context_of(
    run: &ClaimedRun,
    agent: Arc<Agent>,
    emitter: netra_ws::emitter::Emitter,
    halt: watch::Receiver<Option<Halt>>,
) -> RunContext {
    RunContext {
        user_id: run.user_id,
        thread_id: run.thread_id,
        run_id: run.fence.run_id,
        deadline: Instant::now() + agent.max_time,
        agent,
        emitter,
        halt,
    }
}
