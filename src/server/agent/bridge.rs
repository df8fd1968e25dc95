//! The bridge between people's commands and agents: what a command does, whatever way it came.

use std::sync::Arc;

use netra_ws::{
    CommandId, ErrorCode, RunId, ThreadId, UserId,
    emitter::EmitterPool,
    log::{Accept, Accepted},
    payload::{Ack, StartAgent, UserMessage},
};
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::{Engine, Registry};
use crate::server::{
    announcer::Announcer,
    error::ApiError,
    store::{Recorded, SharedStore},
};

/// The longest title, in characters.
pub(crate) const MAX_TITLE: usize = 200;

/// The longest title made from a message, in characters.
const MADE_TITLE: usize = 60;

/// Carries commands to the log and to the engine.
#[derive(Clone)]
pub struct Bridge {
    store: SharedStore,
    registry: Arc<Registry>,
    emitters: EmitterPool,
    engine: Engine,
    announcer: Announcer,
}

impl Bridge {
    /// A bridge between these.
    pub fn new(
        store: SharedStore,
        registry: Arc<Registry>,
        emitters: EmitterPool,
        engine: Engine,
        announcer: Announcer,
    ) -> Self {
        Self { store, registry, emitters, engine, announcer }
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
        let agent = self.named(message.agent.as_deref().or(Some(&found.agent)));
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
        let agent = self.named(start.agent.as_deref());
        let given = start.title.as_deref().map(str::trim).filter(|title| !title.is_empty());
        let message = UserMessage { content: start.content, agent: start.agent, ..UserMessage::default() };
        self.accept(user, command, "start_agent", thread, given, agent, message).await
    }

    fn named(&self, agent: Option<&str>) -> Result<String, ApiError> {
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
        message: UserMessage,
    ) -> Result<Ack, ApiError> {
        if message.content.trim().is_empty() {
            return Err(ApiError::new(ErrorCode::InvalidPayload, "`content` is empty"));
        }
        let digest = digest(&(kind, thread_id, given, &message))?;
        let agent = match agent {
            Ok(agent) => agent,
            // A resend of what was accepted gets its answer, also when the agent is no longer there.
            Err(unknown) => {
                return self.store.earlier_answer(user_id, command_id, &digest).await?.ok_or(unknown);
            }
        };
        let title = given.map_or_else(|| made_title(&message.content), |title| title.chars().take(MAX_TITLE).collect());
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

    async fn hand_over(&self, accepted: &Accepted) {
        if let Some((thread, made)) = &accepted.thread {
            self.announcer.thread(thread.clone(), *made).await;
            self.engine.schedule(thread.id);
        }
    }

    /// Stops a run that the user may read. Stopping one that has ended changes nothing.
    pub async fn stop_agent(&self, user_id: UserId, command_id: CommandId, run: RunId) -> Result<Ack, ApiError> {
        let (thread_id, active) = self.store.find_run(user_id, run).await?.ok_or_else(ApiError::not_found)?;
        let ack = Ack { thread_id: Some(thread_id), run_id: Some(run), ..Ack::default() };
        let digest = digest(&("stop_agent", run))?;
        // In a task of its own, as in `accept`: what is recorded is to be done.
        let this = self.clone();
        let done = tokio::spawn(async move {
            let command = Recorded { user_id, command_id, digest: &digest, thread_id, ack: &ack };
            let ack = this.store.record_stop(run, command).await?;
            if active {
                this.engine.stop(run);
            }
            Ok(ack)
        });
        done.await.map_err(|error| ApiError::internal(&error))?
    }
}

/// Tells a resend of a command from another command under the same id.
fn digest(body: &impl Serialize) -> Result<Vec<u8>, ApiError> {
    let body = serde_json::to_vec(body).map_err(|error| ApiError::internal(&error))?;
    Ok(Sha256::digest(&body).to_vec())
}

/// A title from a message: its first line, cut at a word.
fn made_title(content: &str) -> String {
    let line = content.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
    let line = line.trim_start_matches(['#', '>', '-', '*', ' ']);
    let words: String = line.split_whitespace().collect::<Vec<_>>().join(" ");
    if words.chars().count() <= MADE_TITLE {
        return words;
    }
    let cut: String = words.chars().take(MADE_TITLE).collect();
    let end = cut.rfind(' ').filter(|at| *at > MADE_TITLE / 2).unwrap_or(cut.len());
    format!("{}…", cut[..end].trim_end_matches([',', '.', ';', ':']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles_from_messages() {
        let check = |content: &str, title: &str| assert_eq!(made_title(content), title, "{content:?}");
        check("What is 2 + 2?", "What is 2 + 2?");
        check("\n\n  ## A   heading\nmore", "A heading");
        check(
            "Explain what happens between pressing Enter and seeing the first word of an answer",
            "Explain what happens between pressing Enter and seeing the…",
        );
        check(&"x".repeat(100), &format!("{}…", "x".repeat(60)));
        check("", "");
    }
}
