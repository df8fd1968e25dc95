//! Claims the runs of a thread and works on each in a task of its own, for as long as its lease is kept.

use std::{collections::hash_map::Entry, time::Duration};

use netra_ws::{RunId, ThreadId, UserId, emitter::EmitError};
use tokio::{
    sync::watch,
    time::{Instant, MissedTickBehavior, interval},
};
use tokio_util::sync::CancellationToken;

use super::super::Halt;
use super::{
    Shared,
    stops::{AtWork, InHand, Unstored, Working},
};
use crate::server::{store::ClaimedRun, turns::TurnPermit};

/// How long a store that fails is left alone before the next attempt to give a run back.
const STORE_PAUSE: Duration = Duration::from_secs(1);

impl Shared {
    /// Has the thread looked through.
    pub(super) fn schedule(&self, thread: ThreadId) {
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
}
