//! The bridge between people's commands and agents: what a command does, whatever way it came.

use std::sync::Arc;

use netra_ws::{
    CommandId, ErrorCode, RunId, ThreadId, UserId,
    emitter::EmitterPool,
    log::{Accept, Accepted, LogError},
    model::AttachmentRef,
    payload::{Ack, Decision, Regenerate, StartAgent, ToolApproval, UserMessage},
};
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::{
    Engine, Registry,
    title::{self, made_title},
};
use crate::server::{
    announcer::Announcer,
    attachments::Attachments,
    error::ApiError,
    quotas::Admissions,
    store::{Deed, Recorded, SharedStore, questions::Decided, taking_part::Standing},
    whence,
};

/// The longest title, in characters.
pub(crate) const MAX_TITLE: usize = 200;

/// Carries commands to the log and to the engine.
#[derive(Clone)]
pub struct Bridge {
    store: SharedStore,
    registry: Arc<Registry>,
    emitters: EmitterPool,
    engine: Engine,
    announcer: Announcer,
    admissions: Admissions,
    attachments: Attachments,
}

impl Bridge {
    /// A bridge between these.
    pub fn new(
        store: SharedStore,
        registry: Arc<Registry>,
        emitters: EmitterPool,
        engine: Engine,
        announcer: Announcer,
        admissions: Admissions,
        attachments: Attachments,
    ) -> Self {
        Self { store, registry, emitters, engine, announcer, admissions, attachments }
    }

    /// A person's message to a thread.
    pub async fn user_message(
        &self,
        user: UserId,
        command: CommandId,
        thread: ThreadId,
        message: UserMessage,
    ) -> Result<Ack, ApiError> {
        let found = self.store.thread(user, thread).await?.ok_or_else(ApiError::not_found)?;
        let agent = self.named(user, message.agent.as_deref().or(Some(&found.agent))).await;
        self.accept(user, command, "user_message", Some(thread), None, agent, message).await
    }

    /// Starts an agent, in a new thread when none is named.
    pub async fn start_agent(
        &self,
        user: UserId,
        command: CommandId,
        thread: Option<ThreadId>,
        start: StartAgent,
    ) -> Result<Ack, ApiError> {
        let agent = self.named(user, start.agent.as_deref()).await;
        let given = start.title.as_deref().map(str::trim).filter(|title| !title.is_empty());
        let message = UserMessage {
            content: start.content,
            agent: start.agent,
            attachments: start.attachments,
            ..UserMessage::default()
        };
        self.accept(user, command, "start_agent", thread, given, agent, message).await
    }

    /// The agent of this name; the first that the user may use when none is named.
    async fn named(&self, user: UserId, agent: Option<&str>) -> Result<String, ApiError> {
        if agent.is_none() && !self.registry.is_for_everyone() {
            let account = self.store.account(user).await?.ok_or_else(ApiError::not_found)?;
            let first = self.registry.first_for(account.role, account.email.as_deref());
            return first.map(|agent| agent.name.clone()).ok_or_else(|| {
                ApiError::new(ErrorCode::Forbidden, "no agent of this server is for you; ask whoever runs it")
            });
        }
        Ok(self.registry.require(agent)?.name.clone())
    }

    #[allow(clippy::too_many_arguments)]
    async fn accept(
        &self,
        user_id: UserId,
        command_id: CommandId,
        kind: &str,
        thread_id: Option<ThreadId>,
        given: Option<&str>,
        agent: Result<String, ApiError>,
        mut message: UserMessage,
    ) -> Result<Ack, ApiError> {
        if message.content.trim().is_empty() && message.attachments.is_empty() {
            return Err(ApiError::new(ErrorCode::InvalidPayload, "`content` is empty"));
        }
        let digest = digest(&(kind, thread_id, given, &message))?;
        let admitted = match agent {
            Ok(agent) => self.admit(user_id, thread_id, &agent).await.map(|standing| (agent, standing)),
            Err(unknown) => Err(unknown),
        };
        let (agent, standing) = match admitted {
            Ok(admitted) => admitted,
            // A resend of what was accepted gets its answer, also when the agent is no longer there or a quota is used up.
            Err(refusal) if refusal.code == ErrorCode::NotFound => return Err(refusal),
            Err(refusal) => {
                return self.store.earlier_answer(user_id, command_id, &digest).await?.ok_or(refusal);
            }
        };
        if let Some(thread) = thread_id.filter(|_| standing.invited) {
            // Whoever speaks takes part.
            self.store.accept_invitation(thread, user_id).await?;
        }
        if !message.attachments.is_empty() {
            // A resend names files that were sent with the first.
            if let Some(earlier) = self.store.earlier_answer(user_id, command_id, &digest).await? {
                return Ok(earlier);
            }
            message.attachments = self.attachments.resolve(user_id, thread_id, &message.attachments).await?;
        }
        let title =
            given.map_or_else(|| made_title(first_words(&message)), |title| title.chars().take(MAX_TITLE).collect());
        let accept = Accept { user_id, command_id, digest, thread_id, title, agent, message };
        // In a task of its own: a connection that goes away between commit and hand-over must not lose the run.
        let this = self.clone();
        let done = tokio::spawn(async move {
            let accepted = this.emitters.accept(accept).await?;
            this.hand_over(&accepted).await;
            Ok::<_, ApiError>(accepted.ack)
        });
        done.await.map_err(|error| ApiError::internal(&error))?
    }

    /// What the user is in the thread, if this agent may work for them there now.
    async fn admit(&self, user: UserId, thread: Option<ThreadId>, agent: &str) -> Result<Standing, ApiError> {
        let standing = self.admissions.admit(user, thread).await?;
        let listed = self.registry.require(Some(agent))?;
        // Its address is looked up only where the configuration names addresses.
        let address = if listed.users.names_addresses() { self.store.address_of(user).await? } else { None };
        if listed.users.holds(standing.role, address.as_deref()) {
            return Ok(standing);
        }
        Err(ApiError::new(ErrorCode::Forbidden, format!("{} is not for you; choose another agent", listed.title)))
    }

    async fn hand_over(&self, accepted: &Accepted) {
        if let Some((thread, made)) = &accepted.thread {
            self.announcer.thread(thread.clone(), *made).await;
            self.engine.schedule(thread.id);
        }
    }

    /// The answer to a command that joins or leaves a thread's room: the first one again for a resend. An id that was used for
    /// another command is refused.
    pub async fn room_command(
        &self,
        user_id: UserId,
        command_id: CommandId,
        kind: &str,
        thread_id: ThreadId,
    ) -> Result<Ack, ApiError> {
        let digest = digest(&(kind, thread_id))?;
        if let Some(earlier) = self.store.earlier_answer(user_id, command_id, &digest).await? {
            return Ok(earlier);
        }
        let ack = Ack { thread_id: Some(thread_id), ..Ack::default() };
        // Leaving a thread that is gone, or not the user's, changes nothing and keeps nothing.
        if self.store.thread(user_id, thread_id).await?.is_none() {
            return Ok(ack);
        }
        let command = Recorded { user_id, command_id, digest: &digest, thread_id, ack: &ack };
        match self.store.record_command(command).await {
            // A room needs no store: one that cannot write now does not keep anyone out.
            Err(LogError::Refused(error) | LogError::Store(error)) => {
                tracing::warn!(%error, kind, "the command is not kept; a resend will be carried out again");
                Ok(ack)
            }
            recorded => Ok(recorded?),
        }
    }

    /// Has a message of a person answered once more.
    pub async fn regenerate(
        &self,
        user_id: UserId,
        command_id: CommandId,
        thread: Option<ThreadId>,
        again: Regenerate,
    ) -> Result<Ack, ApiError> {
        let digest = digest(&("regenerate", &again))?;
        let found = self.store.find_asked(user_id, again.message_id, thread).await?;
        let (thread_id, first) = found.ok_or_else(ApiError::not_found)?;
        let admitted = match self.registry.require(again.agent.as_deref().or(Some(&first))) {
            Ok(listed) => self.admit(user_id, Some(thread_id), &listed.name).await.map(|_| listed.name.clone()),
            Err(unknown) => Err(unknown),
        };
        let agent = match admitted {
            Ok(agent) => agent,
            Err(refusal) => return self.store.earlier_answer(user_id, command_id, &digest).await?.ok_or(refusal),
        };
        let run_id = RunId::new();
        let ack = Ack {
            thread_id: Some(thread_id),
            message_id: Some(again.message_id),
            run_id: Some(run_id),
            ..Ack::default()
        };
        // In a task of its own, as in `accept`: what is recorded is to be done.
        let this = self.clone();
        let done = tokio::spawn(async move {
            let command = Recorded { user_id, command_id, digest: &digest, thread_id, ack: &ack };
            let ack = this.store.record_run(run_id, again.message_id, &agent, command).await?;
            if !ack.duplicate {
                this.announcer.thread_as_stored(thread_id).await;
                this.engine.schedule(thread_id);
            }
            Ok(ack)
        });
        done.await.map_err(|error| ApiError::internal(&error))?
    }

    /// Decides on a call that waits for a person.
    pub async fn tool_approval(
        &self,
        user_id: UserId,
        command_id: CommandId,
        decision: ToolApproval,
    ) -> Result<Ack, ApiError> {
        let digest = digest(&("tool_approval", &decision))?;
        let unknown = || ApiError::new(ErrorCode::NotFound, "no tool call of yours waits for a decision");
        let found = self.store.find_question(user_id, &decision.tool_call_id).await?;
        let Some((thread_id, run_id)) = found else {
            // A resend gets its answer, also where the thread can no longer be read.
            return self.store.earlier_answer(user_id, command_id, &digest).await?.ok_or_else(unknown);
        };
        let ack = Ack { thread_id: Some(thread_id), run_id: Some(run_id), ..Ack::default() };
        // In a task of its own, as in `accept`: what is decided is to be carried out.
        let (this, address) = (self.clone(), whence::address());
        let done = tokio::spawn(async move {
            let command = Recorded { user_id, command_id, digest: &digest, thread_id, ack: &ack };
            match this.store.decide(command, &decision).await? {
                Decided::Refused(code, why) => Err(ApiError::new(code, why)),
                // It was carried out when it came first.
                Decided::Done(ack) if ack.duplicate => Ok(ack),
                Decided::Done(ack) => {
                    this.engine.schedule(thread_id);
                    this.note_decision(user_id, &decision, address).await;
                    this.announcer.thread_as_stored(thread_id).await;
                    Ok(ack)
                }
            }
        });
        done.await.map_err(|error| ApiError::internal(&error))?
    }

    async fn note_decision(&self, user_id: UserId, decision: &ToolApproval, address: Option<String>) {
        let action = match decision.decision {
            Decision::Approve => "approval.allowed",
            Decision::Deny => "approval.denied",
        };
        tracing::info!(%user_id, tool_call_id = decision.tool_call_id, action, "a person decided");
        let subject = Some(decision.tool_call_id.clone());
        if let Err(error) = self.store.note(Deed { actor: Some(user_id), action, subject, address }).await {
            tracing::error!(%error, "a decision is not in the audit log");
        }
    }

    /// Stops a run in a thread that the user may write in. Stopping one that has ended changes nothing.
    pub async fn stop_agent(&self, user_id: UserId, command_id: CommandId, run: RunId) -> Result<Ack, ApiError> {
        let (thread_id, active) = self.store.find_run(user_id, run).await?.ok_or_else(ApiError::not_found)?;
        let standing = self.store.standing(user_id, Some(thread_id)).await?.ok_or_else(ApiError::not_found)?;
        if !standing.may_write() {
            let problem = "you may read this conversation and not stop what works in it";
            return Err(ApiError::new(ErrorCode::Forbidden, problem));
        }
        let ack = Ack { thread_id: Some(thread_id), run_id: Some(run), ..Ack::default() };
        let digest = digest(&("stop_agent", run))?;
        // In a task of its own, as in `accept`: what is recorded is to be done.
        let this = self.clone();
        let done = tokio::spawn(async move {
            let command = Recorded { user_id, command_id, digest: &digest, thread_id, ack: &ack };
            let (ack, stopped) = this.store.record_stop(run, command).await?;
            if active {
                for run in stopped {
                    this.engine.stop(run);
                }
                this.engine.schedule(thread_id);
            }
            Ok(ack)
        });
        done.await.map_err(|error| ApiError::internal(&error))?
    }
}

fn first_words(message: &UserMessage) -> &str {
    let file = message.attachments.first().and_then(|file| match file {
        AttachmentRef::Told(file) => Some(file.name.as_str()),
        AttachmentRef::Id(_) => None,
    });
    title::first_words(&message.content, file)
}

/// Tells a resend of a command from another command under the same id.
fn digest(body: &impl Serialize) -> Result<Vec<u8>, ApiError> {
    let body = serde_json::to_vec(body).map_err(|error| ApiError::internal(&error))?;
    Ok(Sha256::digest(&body).to_vec())
}
