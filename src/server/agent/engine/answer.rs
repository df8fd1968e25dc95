//! One run, from its first event in this process to its last.

use std::{
    panic::AssertUnwindSafe,
    sync::{Arc, atomic::AtomicUsize},
    time::Duration,
};

use futures::FutureExt as _;
use netra_ws::{
    ErrorCode, Timestamp,
    emitter::{EmitError, Emitter},
    payload::{AgentCompleted, AgentStarted, CompletedStatus},
};
use tokio::{sync::watch, time::Instant};

use super::super::{
    Halt, Leave, Listed, RunContext, RunHandle,
    calling::settle,
    conversation,
    held::Held,
    model::ChatMessage,
    recovery::{self, Progress},
};
use super::{Shared, stops::Unstored};
use crate::server::{
    config::Audience,
    store::{ClaimedRun, Nested, StoreError},
    tool::Person,
};

/// What is said of a run whose events the store does not take.
const REFUSED: &str = "the server could not keep the answer as a message of its own; what was shown is kept";

/// What is said of a run whose events cannot be read back.
const UNREADABLE: &str = "the server cannot read what it kept of the run, and so cannot go on with it";

/// What is said of a run whose events could not be stored.
const UNSTORED: &str = "the server could not store the answer, as when its disk is full; what was shown is kept";

impl Shared {
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

    pub(super) async fn answer(
        &self,
        run: &ClaimedRun,
        halted: watch::Receiver<Option<Halt>>,
    ) -> Result<(), EmitError> {
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
        // One that was stopped while it waited for its turn is not worked on at all, and says so.
        let taken_back = progress.iterations == 0 && matches!(*halted.borrow(), Some(Halt::Stopped));
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
        let took = before.saturating_add(u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX));
        let duration_ms = if taken_back { 0 } else { took };
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
