//! Agents that others run and that are spoken to over HTTP: what they say, think and call becomes the same events as any agent's.
//!
//! - `asking`: questions to people, and their answers;
//! - `read`: protocols, from bytes to what is said;
//! - `request`: what a protocol's request holds; `peer`: one exchange with its limits;
//! - [`check`]: whether such an agent answers.

mod asking;
pub mod check;
mod peer;
pub(in crate::server::agent) mod read;
mod request;

use std::{collections::HashMap, time::Duration};

use async_trait::async_trait;
use netra_ws::{
    ErrorCode,
    model::{ToolStatus, Usage},
};

use super::{
    Agent, Leave, Observed, RunHandle,
    model::{Again, ChatMessage, ModelError, Replay, Source, Takes},
};
use crate::server::{
    config::RemoteConfig,
    tool::{ToolOutcome, ToolRequest},
};
use asking::Pending;
use peer::Peer;
use read::{Outcome, Said};
use request::Asked;

/// Pauses before an agent is asked again; only while nothing came of it.
const PAUSES: [Duration; 2] = [Duration::from_millis(400), Duration::from_millis(1_500)];

/// What is said of a run that cannot go on.
const CANNOT_GO_ON: &str =
    "the server stopped while the agent worked; it had called tools, and asking it again might do their work twice";

/// An agent behind AG-UI or LangChain's events.
pub(super) struct Remote {
    peer: Peer,
    source: Source,
}

/// The calls that are open, by the agent's ids.
pub(super) type OpenCalls = HashMap<String, Observed>;

impl Remote {
    /// The agent of a configuration.
    pub(super) fn new(config: &RemoteConfig, http: &reqwest::Client) -> Self {
        let source = Source::new(&config.url, config.protocol.name());
        Self { peer: Peer::new(config.clone(), http.clone()), source }
    }

    /// What was done before a process ended, where the agent is to be told; nothing where it is asked anew.
    async fn done(&self, run: &mut RunHandle<'_>) -> Result<Vec<ChatMessage>, Leave> {
        let done = run.finished().to_vec();
        let repeatable = &self.peer.config().idempotent_tools;
        let may_repeat = done.iter().all(|message| match message {
            ChatMessage::Tool { name, .. } => repeatable.contains(name),
            ChatMessage::Assistant { .. } | ChatMessage::User { .. } => true,
        });
        if done.is_empty() || may_repeat {
            run.start_over().await?;
            return Ok(Vec::new());
        }
        if !self.peer.config().can_be_told() {
            let message = CANNOT_GO_ON.to_owned();
            return Err(Leave::Failed { code: ErrorCode::RunInterrupted, message, retryable: true });
        }
        Ok(done)
    }

    /// Asks the agent once and shows what it says, to the end of its run; gives what people are asked before it goes on.
    async fn ask(&self, run: &mut RunHandle<'_>, asked: &Asked<'_>, heard: &mut bool) -> Result<Option<Pending>, Stop> {
        let mut exchange = run.outside(self.peer.open(asked)).await??;
        let mut open = OpenCalls::new();
        loop {
            let said = run.outside(exchange.next()).await?;
            *heard = exchange.has_spoken();
            let Some(said) = said? else { break };
            for said in said {
                show(run, Some(&self.source), &mut open, said).await?;
            }
        }
        let mut reader = exchange.into_reader();
        let kept = reader.kept();
        let pending = match reader.interrupts() {
            [] => None,
            asked => Some(Pending::new(kept.clone(), asked, run.questions_asked())),
        };
        if let Some(pending) = &pending {
            // The question is the run's last word for now: what waits for it is told anew behind the answer.
            run.suspend_observed().await.map_err(Leave::from)?;
            run.keep_end(&self.source, &Replay(pending.kept.clone())).await;
        } else if !kept.is_null() {
            run.keep_end(&self.source, &Replay(kept)).await;
        }
        Ok(pending)
    }

    /// Asks the agent, again while nothing came of it.
    async fn ask_patiently(&self, run: &mut RunHandle<'_>, asked: &Asked<'_>) -> Result<Option<Pending>, Leave> {
        let mut pauses = PAUSES.into_iter();
        let mut earlier: Option<ModelError> = None;
        loop {
            let mut heard = false;
            let error = match self.ask(run, asked, &mut heard).await {
                Ok(pending) => return Ok(pending),
                Err(Stop::Leave(leave)) => return Err(leave),
                Err(Stop::Error(error)) if error.again == Again::NotAsked => {
                    return Err(earlier.unwrap_or(error).into());
                }
                Err(Stop::Error(error)) => error,
            };
            let pause = match (error.again, pauses.next()) {
                _ if heard => return Err(error.into()),
                (Again::No | Again::NotAsked, _) | (_, None) => return Err(error.into()),
                (Again::After(wanted), Some(pause)) => wanted.max(pause),
                (Again::Soon, Some(pause)) => pause.mul_f64(0.75 + fastrand::f64() / 2.0),
            };
            tracing::warn!(%error, retry_in_ms = pause.as_millis(), "agent refused");
            earlier = Some(error);
            run.pause(pause).await?;
        }
    }
}

/// Shows what an agent says. `source` is who wants to see its messages again, if somebody does.
pub(super) async fn show(
    run: &mut RunHandle<'_>,
    source: Option<&Source>,
    open: &mut OpenCalls,
    said: Said,
) -> Result<(), Leave> {
    match said {
        Said::Thought(thought) => run.think(thought).await,
        Said::Message => {
            run.begin_paragraph();
            Ok(())
        }
        Said::Text(text) => run.say(text).await,
        Said::Note { message, fraction } => run.note(message, fraction).await,
        Said::Begun(call) => {
            let request = ToolRequest { id: call.id.clone(), tool: call.tool, arguments: call.arguments };
            if let Some(source) = source {
                let replay = Replay(serde_json::json!({ "message": call.message }));
                run.keep_turn(source, std::slice::from_ref(&request), &replay).await;
            }
            open.insert(call.id, run.observe(request).await?);
            Ok(())
        }
        Said::Ended { id, outcome } => {
            let Some(observed) = open.remove(&id) else { return Ok(()) };
            let (status, result) = match outcome {
                Outcome::Ok(result) => (ToolStatus::Ok, result),
                Outcome::Failed(result) => (ToolStatus::Error, serde_json::json!({ "error": result })),
            };
            observed.complete(ToolOutcome { status, result }).await
        }
        Said::Used(tokens) => {
            run.add_usage(Usage {
                prompt_tokens: tokens.input,
                completion_tokens: tokens.output,
                total_tokens: tokens.input.saturating_add(tokens.output),
                ..Usage::default()
            });
            Ok(())
        }
    }
}

/// Why an agent is no longer listened to.
enum Stop {
    /// The run ends.
    Leave(Leave),
    /// The exchange failed.
    Error(ModelError),
}

impl From<Leave> for Stop {
    fn from(leave: Leave) -> Self {
        Self::Leave(leave)
    }
}

impl From<ModelError> for Stop {
    fn from(error: ModelError) -> Self {
        Self::Error(error)
    }
}

#[async_trait]
impl Agent for Remote {
    fn model(&self) -> Option<&str> {
        None
    }

    fn takes(&self) -> Option<Takes> {
        Some(self.peer.config().takes)
    }

    fn source(&self) -> Option<&Source> {
        Some(&self.source)
    }

    fn calls_by_itself(&self) -> bool {
        true
    }

    async fn run(&self, run: &mut RunHandle<'_>) -> Result<(), Leave> {
        // A run that waited for people goes on where its agent asked them.
        let mut pending = Pending::of(run.kept_end(&self.source).await);
        let done = if pending.is_some() { Vec::new() } else { self.done(run).await? };
        let conversation = run.conversation().to_vec();
        let context = run.context();
        let (thread, run_id) = (context.thread_id().to_string(), context.run_id().to_string());
        let question = context.asked().map_or_else(|| run_id.clone(), |asked| asked.to_string());
        run.begin_step();
        loop {
            let answers = match &pending {
                Some(pending) => pending.answers(run).await?,
                None => Vec::new(),
            };
            let kept = pending.map(|pending| pending.kept).unwrap_or_default();
            // To the agent it is another run.
            let name = if answers.is_empty() { run_id.clone() } else { format!("{run_id}-{}", run.questions_asked()) };
            let asked = Asked {
                thread: &thread,
                run: &name,
                question: &question,
                conversation: &conversation,
                done: &done,
                kept: &kept,
                answers: &answers,
            };
            pending = self.ask_patiently(run, &asked).await?;
            if pending.is_none() {
                break;
            }
        }
        run.end_step().await?;
        if run.text().is_empty() && !run.has_called() && !run.thought_now() {
            return Err(Leave::failed("the agent ended its run without a word; try again, or ask in another way"));
        }
        Ok(())
    }
}
