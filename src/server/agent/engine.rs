//! The execution engine: claims runs, works on those for people one after another per thread and on those for runs at once, and ends
//! each with one terminal event.

use std::{
    collections::{HashMap, hash_map::Entry},
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak, atomic::AtomicUsize},
    time::Duration,
};

use futures::FutureExt as _;
use netra_ws::{
    ErrorCode, RunId, ThreadId, Timestamp, UserId,
    emitter::{EmitError, Emitter, EmitterPool},
    model::MessageRole,
    payload::{AgentCompleted, AgentStarted, CompletedStatus},
};
use tokio::{
    sync::{Notify, watch},
    time::{Instant, MissedTickBehavior, interval},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    Halt, Leave, Listed, Registry, RunContext, RunHandle,
    calling::settle,
    conversation,
    held::Held,
    model::ChatMessage,
    recovery::{self, Progress},
    title,
};
use crate::server::{
    announcer::Announcer,
    attachments::Attachments,
    config::Audience,
    quotas::Admissions,
    store::{ClaimedRun, Nested, SharedStore, StoreError, Wakes},
    tool::{Person, ToolEngine},
    turns::{TurnPermit, Turns},
};

/// How long a stop is remembered for a run that is not worked on.
const EARLY_STOP: Duration = Duration::from_mins(10);

/// How often threads are looked through for work that nobody does, at the least; a third of a lease when that is shorter.
const SWEEP: Duration = Duration::from_secs(5);

/// How many messages a conversation may have when its name comes: the first of them is looked for.
const FIRST_MESSAGES: usize = 20;

/// How long an agent may take to name a conversation.
const TITLE_PATIENCE: Duration = Duration::from_secs(30);

/// How long a store that fails is left alone before the next attempt to give a run back.
const STORE_PAUSE: Duration = Duration::from_secs(1);

/// What is said of a run whose events the store does not take.
const REFUSED: &str = "the server could not keep the answer as a message of its own; what was shown is kept";

/// What is said of a run whose events cannot be read back.
const UNREADABLE: &str = "the server cannot read what it kept of the run, and so cannot go on with it";

/// What is said of a run whose events could not be stored.
const UNSTORED: &str = "the server could not store the answer, as when its disk is full; what was shown is kept";

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

/// How runs of this process are told to end.
#[derive(Default)]
struct Stops {
    working: HashMap<RunId, Working>,
    /// Stopped before they began.
    early: HashMap<RunId, Instant>,
    /// Runs of which an event could not be stored: they end with an error as soon as one can.
    unstored: HashMap<RunId, Unstored>,
    /// Threads that are looked through for runs to work on, and whether there may be more than was seen.
    threads: HashMap<ThreadId, bool>,
}

/// A run of which an event is not in the log.
struct Unstored {
    thread: ThreadId,
    /// The store works and takes no such event, as against one that failed.
    refused: bool,
}

/// A run that this process works on.
struct Working {
    thread: ThreadId,
    halt: watch::Sender<Option<Halt>>,
}

impl Working {
    /// The first reason counts.
    fn halt(&self, why: Halt) {
        self.halt.send_modify(|halt| _ = halt.get_or_insert(why));
    }
}

impl Stops {
    /// The thread's runs that this process works on.
    fn of_thread(&self, thread: ThreadId) -> Vec<RunId> {
        self.working.iter().filter(|(_, working)| working.thread == thread).map(|(run, _)| *run).collect()
    }
}

/// A run that a task works on, until the task is over.
struct InHand<'a> {
    shared: &'a Shared,
    run: RunId,
}

impl Drop for InHand<'_> {
    fn drop(&mut self) {
        self.shared.stops().working.remove(&self.run);
    }
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

    /// Has the thread looked through.
    fn schedule(&self, thread: ThreadId) {
        if let Some(shared) = self.this.upgrade() {
            self.tasks.spawn(async move { shared.work(thread).await });
        }
    }

    /// Works on the thread's runs, each in a task of its own, until there are none that can be claimed.
    async fn work(&self, thread: ThreadId) {
        if !self.enter(thread) {
            return;
        }
        let mut at_work = AtWork { shared: self, thread, given_up: false };
        while !self.closing.is_cancelled() {
            let working: Vec<RunId> = self.stops().of_thread(thread);
            match self.store.claim_another(thread, &self.owner, self.lease, &working).await {
                Ok(Some(run)) => self.begin(run),
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
            if stops.of_thread(thread).is_empty() {
                // Its runs have ended, or others work on them.
                stops.unstored.retain(|_, run| run.thread != thread);
            }
        }
        more
    }

    /// Works on a run, in a task of its own.
    fn begin(&self, run: ClaimedRun) {
        let Some(shared) = self.this.upgrade() else { return };
        let (run_id, thread) = (run.fence.run_id, run.thread_id);
        let (halt, halted) = watch::channel(None);
        {
            let mut stops = self.stops();
            if stops.early.remove(&run_id).is_some() || run.stopped {
                halt.send_replace(Some(Halt::Stopped));
            }
            stops.working.insert(run_id, Working { thread, halt });
        }
        self.tasks.spawn(async move {
            {
                // Also when the task is dropped: the run can be claimed again.
                let _working = InHand { shared: &shared, run: run_id };
                shared.execute(run, halted).await;
            }
            if !shared.closing.is_cancelled() {
                shared.schedule(thread);
            }
        });
    }

    /// One run, from its first event here to its last.
    #[tracing::instrument(name = "run", skip_all, fields(run_id = %run.fence.run_id, thread_id = %run.thread_id, user_id = %run.user_id, agent = run.agent))]
    async fn execute(&self, run: ClaimedRun, halted: watch::Receiver<Option<Halt>>) {
        let run_id = run.fence.run_id;
        let has_left = self.has_left(&run).await;
        if has_left {
            tracing::info!("whoever asked has left the thread; the run ends");
        }
        if has_left && let Some(working) = self.stops().working.get(&run_id) {
            working.halt(Halt::Stopped);
        }
        let done = CancellationToken::new();
        let outcome = tokio::join!(self.keep_lease(&run, &done), async {
            let _done = done.clone().drop_guard();
            // A run that is ended while it waits for its user's others goes on to say so.
            let mut ended = halted.clone();
            let _turn = tokio::select! {
                turn = self.turn(run.user_id) => turn,
                _ = ended.wait_for(Option::is_some) => None,
            };
            self.answer(&run, halted).await
        });
        if let Err(error @ (EmitError::Store | EmitError::Refused)) = outcome.1 {
            let refused = error == EmitError::Refused;
            self.stops().unstored.insert(run_id, Unstored { thread: run.thread_id, refused });
        }
        if self.stops().unstored.contains_key(&run_id) {
            tracing::error!("the run's events could not be stored; it ends with an error once the store takes one");
            self.give_back(&run).await;
        }
        self.announcer.thread_as_stored(run.thread_id).await;
    }

    /// Waits until fewer of the user's runs are worked on than may be.
    async fn turn(&self, user: UserId) -> Option<TurnPermit> {
        match self.admissions.quota_of(user).await {
            Ok(quota) => self.turns.take_of(user, quota.runs_at_once).await.ok(),
            Err(error) => {
                tracing::warn!(%error, "the quotas of the run's user could not be looked up");
                self.turns.take(user).await.ok()
            }
        }
    }

    /// Gives the lease of a run back, as soon as the store takes that. Others of its thread wait behind it anyway, and it is not
    /// claimed again at once: what failed may fail again.
    async fn give_back(&self, run: &ClaimedRun) {
        let mut given_back = false;
        while !given_back {
            given_back = self.store.release_lease(run.fence).await.is_ok();
            tokio::select! {
                () = tokio::time::sleep(STORE_PAUSE) => {}
                () = self.closing.cancelled() => return,
            }
        }
    }

    /// Whether the run's user may no longer read the thread: nobody works, and no tool looks, for someone who has left.
    async fn has_left(&self, run: &ClaimedRun) -> bool {
        match self.store.thread(run.user_id, run.thread_id).await {
            Ok(thread) => thread.is_none(),
            Err(error) => {
                tracing::warn!(%error, "the run's user could not be looked up");
                false
            }
        }
    }

    /// Renews the lease until the run is done; a lease that is lost ends the run, as does a user who left the thread.
    async fn keep_lease(&self, run: &ClaimedRun, done: &CancellationToken) {
        let mut ticks = interval(self.lease / 3);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        ticks.tick().await;
        let mut renewed = Instant::now();
        loop {
            tokio::select! {
                () = done.cancelled() => return,
                _ = ticks.tick() => {}
            }
            match self.store.renew_lease(run.fence, self.lease).await {
                Ok(true) => {
                    renewed = Instant::now();
                    if self.has_left(run).await
                        && let Some(working) = self.stops().working.get(&run.fence.run_id)
                    {
                        working.halt(Halt::Stopped);
                    }
                }
                Ok(false) => {
                    if let Some(working) = self.stops().working.get(&run.fence.run_id) {
                        working.halt(Halt::Lost);
                    }
                    return;
                }
                Err(error) => {
                    tracing::warn!(%error, "the lease could not be renewed");
                    // By now it is over, and nothing that the agent says is stored: it need not go on.
                    if renewed.elapsed() >= self.lease {
                        let mut stops = self.stops();
                        stops.unstored.insert(run.fence.run_id, Unstored { thread: run.thread_id, refused: false });
                        if let Some(working) = stops.working.get(&run.fence.run_id) {
                            working.halt(Halt::Lost);
                        }
                        return;
                    }
                }
            }
        }
    }

    /// Leaves nothing of a run open that no agent can go on with; `false` while what works for it has yet to end.
    async fn settled_alone(
        &self,
        run: &ClaimedRun,
        emitter: &Emitter,
        worked: Duration,
        why: &str,
    ) -> Result<bool, EmitError> {
        match settle(emitter, &self.store, run.fence.run_id, true, worked, why).await {
            Ok(()) => Ok(true),
            Err(Leave::Waiting) => Ok(false),
            Err(Leave::Silenced(error)) => Err(error),
            Err(Leave::Halted(_) | Leave::Failed { .. }) => Err(EmitError::Store),
        }
    }

    /// What the tools' rules ask of the person; looked up only where they ask.
    async fn person_of(&self, run: &ClaimedRun) -> Result<Option<Person>, EmitError> {
        let unknown = |error: &StoreError| {
            tracing::error!(%error, "whom the run works for could not be read");
            EmitError::Store
        };
        let users = &self.tools.policy().users;
        if users.is_empty() {
            return Ok(None);
        }
        let standing = self.store.standing(run.user_id, None).await.map_err(|error| unknown(&error))?;
        let named = users.values().any(Audience::names_addresses);
        let address =
            if named { self.store.address_of(run.user_id).await.map_err(|error| unknown(&error))? } else { None };
        Ok(standing.map(|standing| Person { role: standing.role, address }))
    }

    async fn answer(&self, run: &ClaimedRun, halted: watch::Receiver<Option<Halt>>) -> Result<(), EmitError> {
        let started = Instant::now();
        let listed = self.registry.find(Some(&run.agent));
        let source = listed.as_ref().and_then(|listed| listed.agent.source());
        let progress = match Progress::read(&self.store, run, source).await {
            Ok(progress) => progress,
            Err(error) => {
                tracing::error!(%error, "the store did not give the run's events");
                return Err(EmitError::Store);
            }
        };
        let emitter = self.emitters.take_up(run.thread_id, run.fence, progress.run.clone());
        let worked = progress.worked;
        if let Some(damage) = &progress.damage {
            tracing::error!(damage, "the run's events could not be read");
            // They stay so: the run ends, and what comes after it in the thread is worked on.
            if !self.settled_alone(run, &emitter, worked, UNREADABLE).await? {
                return Ok(());
            }
            return emitter.agent_error(&run.agent, ErrorCode::Internal, UNREADABLE.to_owned(), true).await;
        }
        // What the run took in processes before this one counts, and the time between them too: people waited for it.
        let before = progress.run.started_at.map_or(0, |at| Timestamp::now().millis_since(at));
        if run.woken {
            tracing::info!("run woken");
        } else {
            let iteration = progress.iterations + 1;
            emitter
                .agent_started(AgentStarted {
                    agent: run.agent.clone(),
                    answers: run.message_id,
                    parent_run_id: run.nested.as_ref().map(|nested| nested.parent),
                    tool_call_id: run.nested.as_ref().map(|nested| nested.tool_call_id.clone()),
                    model: listed.as_ref().and_then(|listed| listed.agent.model().map(str::to_owned)),
                    iteration,
                })
                .await?;
            tracing::info!(iteration, "run started");
        }
        let Some(listed) = listed else {
            self.stops().unstored.remove(&run.fence.run_id);
            let why = "its agent is no longer there";
            if !self.settled_alone(run, &emitter, worked, why).await? {
                return Ok(());
            }
            let message = format!("there is no agent called {:?} any more", run.agent);
            return emitter.agent_error(&run.agent, ErrorCode::AgentUnknown, message, false).await;
        };
        let person = self.person_of(run).await?;
        let context = context_of(run, listed, person, emitter.clone(), halted, &progress);
        let schedule = || self.schedule(run.thread_id);
        let mut handle = RunHandle::new(&context, &self.tools, &self.store, &schedule, &progress);
        let outcome = contained(self.work_on(run, &context, &progress, &mut handle)).await;
        if !matches!(outcome, Err(Leave::Halted(Halt::Lost) | Leave::Waiting | Leave::Silenced(_))) {
            handle.close_observed().await?;
        }
        let outcome = settled(&handle, outcome).await;
        let answer = &handle.answer;
        // Of a run that waited, what nobody worked does not count.
        let before = if run.worked.is_some() { u64::try_from(worked.as_millis()).unwrap_or(u64::MAX) } else { before };
        let duration_ms = before.saturating_add(u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX));
        let completed = |status| AgentCompleted { agent: run.agent.clone(), status, duration_ms, usage: answer.usage };
        match outcome {
            Ok(()) => {
                answer.seal().await?;
                tracing::info!(duration_ms, outcome = "completed", "run ended");
                emitter.agent_completed(completed(CompletedStatus::Completed)).await?;
                self.title_later(run, &context.listed, &handle);
                Ok(())
            }
            Err(Leave::Halted(Halt::Stopped)) => {
                answer.seal().await?;
                tracing::info!(duration_ms, outcome = "stopped", "run ended");
                emitter.agent_completed(completed(CompletedStatus::Stopped)).await
            }
            Err(Leave::Halted(Halt::TimedOut)) => {
                answer.seal().await?;
                let message = format!("the run took longer than {} s", context.listed.max_time.as_secs());
                tracing::warn!(duration_ms, outcome = "failed", code = %ErrorCode::AgentFailed, reason = message, "run ended");
                emitter.agent_error(&run.agent, ErrorCode::AgentFailed, message, true).await
            }
            Err(Leave::Waiting) => {
                tracing::info!(duration_ms, outcome = "waiting", "run ended here");
                // Its deadline may be the next.
                self.look.notify_one();
                Ok(())
            }
            Err(Leave::Halted(Halt::Lost)) => {
                tracing::warn!(duration_ms, outcome = "handed over", "run ended here");
                if let Err(error) = self.store.release_lease(run.fence).await {
                    tracing::warn!(%error, "the lease could not be given back");
                }
                Ok(())
            }
            Err(Leave::Failed { code, message, retryable }) => {
                answer.seal().await?;
                tracing::warn!(duration_ms, outcome = "failed", %code, reason = message, "run ended");
                emitter.agent_error(&run.agent, code, message, retryable).await
            }
            Err(Leave::Silenced(error)) => Err(error),
        }
    }

    /// Has the agent name a conversation that is named after its first message. Nobody waits for that.
    fn title_later(&self, run: &ClaimedRun, listed: &Arc<Listed>, handle: &RunHandle<'_>) {
        let [ChatMessage::User { text: question, .. }] = handle.conversation() else { return };
        if run.nested.is_some() {
            return;
        }
        let (question, answer, thread) = (question.clone(), handle.text().to_owned(), run.thread_id);
        let (store, announcer, listed) = (self.store.clone(), self.announcer.clone(), listed.clone());
        let closing = self.closing.clone();
        self.tasks.spawn(async move {
            let titled = tokio::time::timeout(TITLE_PATIENCE, listed.agent.title(&question, &answer));
            // A process that ends waits for runs, and not for a title.
            let Some(Ok(Some(title))) = closing.run_until_cancelled(titled).await else { return };
            let first = match store.messages(thread, None, FIRST_MESSAGES).await {
                Ok(messages) => messages.into_iter().find(|message| message.role == MessageRole::User),
                Err(error) => return tracing::warn!(%error, thread_id = %thread, "the title could not be stored"),
            };
            // The model was told more than stands there: what is in its files.
            let Some(first) = first else { return };
            let file = first.attachments.first().map(|file| file.name.as_str());
            match store.retitle(thread, &title::made_title(title::first_words(&first.content, file)), &title).await {
                Ok(true) => announcer.thread_as_stored(thread).await,
                // A person gave it a name.
                Ok(false) => {}
                Err(error) => tracing::warn!(%error, thread_id = %thread, "the title could not be stored"),
            }
        });
    }

    /// Takes the run up where it stands, and hands it to its agent.
    async fn work_on(
        &self,
        run: &ClaimedRun,
        context: &RunContext,
        progress: &Progress,
        handle: &mut RunHandle<'_>,
    ) -> Result<(), Leave> {
        let unstored = self.stops().unstored.remove(&run.fence.run_id);
        if progress.answered {
            // A stop keeps what was said as the answer, too.
            return if run.stopped { Err(Leave::Halted(Halt::Stopped)) } else { Ok(()) };
        }
        if let Some(Unstored { refused, .. }) = unstored {
            if refused {
                handle.answer.give_up_sealing();
            }
            let message = if refused { REFUSED } else { UNSTORED }.to_owned();
            return Err(Leave::Failed { code: ErrorCode::Internal, message, retryable: true });
        }
        if progress.is_hopeless() {
            // A call that takes the process down with it must not be made once more.
            let (code, message) = recovery::too_often(run.fence.run_id);
            return Err(Leave::Failed { code, message, retryable: true });
        }
        if progress.iterations > 0 {
            handle.take_up(progress).await?;
        }
        if let Some(Nested { task, .. }) = &run.nested {
            handle.set_conversation(vec![ChatMessage::User { text: task.clone(), files: Vec::new() }]);
            return hand_over(context, handle).await;
        }
        handle.set_conversation(
            conversation::read(&*self.store, &self.attachments, run, &*context.listed.agent).await.map_err(
                |error| {
                    tracing::error!(%error, "the conversation could not be read");
                    let message = "the conversation could not be read".to_owned();
                    Leave::Failed { code: ErrorCode::Internal, message, retryable: true }
                },
            )?,
        );
        hand_over(context, handle).await
    }
}

/// Hands the run to its agent.
async fn hand_over(context: &RunContext, handle: &mut RunHandle<'_>) -> Result<(), Leave> {
    // An agent that waits for nothing would not hear of it.
    if let Some(halt) = *context.halt.borrow() {
        return Err(Leave::Halted(halt));
    }
    context.listed.agent.run(handle).await
}

/// A run that is about to end leaves nothing open: neither calls, nor runs that work for it.
async fn settled(handle: &RunHandle<'_>, outcome: Result<(), Leave>) -> Result<(), Leave> {
    let why = match &outcome {
        Err(Leave::Waiting | Leave::Halted(Halt::Lost) | Leave::Silenced(_)) => return outcome,
        Err(Leave::Halted(Halt::Stopped)) => "the run was stopped before this was done",
        Err(Leave::Halted(Halt::TimedOut)) => "the run took too long",
        Ok(()) | Err(Leave::Failed { .. }) => "the run ended before this was done",
    };
    let context = handle.context;
    let (run, has_children) = (context.run_id(), context.nested_runs() > 0);
    settle(context.emitter(), handle.store, run, has_children, context.worked(), why).await?;
    outcome
}

/// An agent, a model or a tool that panics ends its run at once: left to its lease, the run would be tried again and panic again.
/// The panic itself is in the log.
async fn contained(work: impl Future<Output = Result<(), Leave>>) -> Result<(), Leave> {
    let worked = AssertUnwindSafe(work).catch_unwind().await;
    worked
        .unwrap_or_else(|_| Err(Leave::failed("the agent stopped on a fault of its own, which is in the server's log")))
}

/// What the run knows of itself.
fn context_of(
    run: &ClaimedRun,
    listed: Arc<Listed>,
    person: Option<Person>,
    emitter: Emitter,
    halt: watch::Receiver<Option<Halt>>,
    progress: &Progress,
) -> RunContext {
    let worked = progress.worked;
    RunContext {
        user_id: run.user_id,
        thread_id: run.thread_id,
        fence: run.fence,
        asked: run.message_id,
        // Processes before this one had their part of the time.
        deadline: Instant::now() + listed.max_time.saturating_sub(worked),
        listed,
        person,
        emitter,
        halt,
        worked_before: worked,
        began: Instant::now(),
        held: Held::default(),
        depth: run.nested.as_ref().map_or(0, |nested| nested.depth),
        // Processes before this one may have begun some.
        children: AtomicUsize::new(usize::from(progress.iterations > 0)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_ends_the_run_and_not_the_worker() {
        let worked = contained(async { panic!("a fault in a model") }).await;
        let Err(Leave::Failed { code, message, retryable }) = worked else { panic!("{worked:?}") };
        assert_eq!((code, retryable), (ErrorCode::AgentFailed, true));
        assert!(!message.contains("a fault in a model"), "what it says is for the log: {message}");
        assert!(contained(async { Ok(()) }).await.is_ok());
    }
}
