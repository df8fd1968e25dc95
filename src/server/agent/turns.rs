//! A run's turns: ask the provider, call the tools it wants, ask again, until the answer is complete.

use async_trait::async_trait;
use netra_ws::{
    ErrorCode, MessageId,
    emitter::{EmitError, Emitter},
    model::{Step, Usage},
    payload::{AgentResponse, AgentThinking},
};

use tracing::Instrument as _;

use super::{
    Halt, RunContext,
    provider::{ChatMessage, Piece, ProviderError, TurnRequest, TurnSink},
    recovery::Progress,
};
use crate::server::tool::{ToolEngine, ToolStop};

/// How the turns ended.
#[derive(Debug)]
pub(super) enum Outcome {
    /// The answer is complete.
    Completed,
    /// The run was ended from outside.
    Halted(Halt),
    /// The agent failed.
    Failed {
        /// For programs.
        code: ErrorCode,
        /// For people.
        message: String,
        /// Whether asking again may help.
        retryable: bool,
    },
    /// Nothing more can be written.
    Silenced(EmitError),
}

impl From<EmitError> for Outcome {
    fn from(error: EmitError) -> Self {
        Self::Silenced(error)
    }
}

impl From<ProviderError> for Outcome {
    fn from(error: ProviderError) -> Self {
        match error {
            ProviderError::Upstream { code, message, retryable } => Self::Failed { code, message, retryable },
            ProviderError::Halted(halt) => Self::Halted(halt),
            ProviderError::Emit(error) => Self::Silenced(error),
        }
    }
}

impl From<ToolStop> for Outcome {
    fn from(stop: ToolStop) -> Self {
        match stop {
            ToolStop::Halted(halt) => Self::Halted(halt),
            ToolStop::Emit(error) => Self::Silenced(error),
        }
    }
}

/// The answer as it grows.
pub(super) struct Answer {
    emitter: Emitter,
    agent: String,
    message_id: MessageId,
    text: String,
    /// Where this turn's text begins.
    turn_start: usize,
    /// What goes between the text of an earlier turn and this one's.
    separator: &'static str,
    step: u32,
    total_steps: u32,
    model: Option<String>,
    has_thought: bool,
    /// Tools called so far.
    calls: u32,
    /// The whole answer is in the log already.
    sealed: bool,
    pub(super) usage: Option<Usage>,
}

impl Answer {
    /// An answer that goes on from where the run stands.
    pub(super) fn new(context: &RunContext, progress: &Progress) -> Self {
        Self {
            emitter: context.emitter().clone(),
            agent: context.agent().to_owned(),
            message_id: progress.message_id().unwrap_or_else(MessageId::new),
            text: progress.run.text.clone(),
            turn_start: 0,
            separator: "",
            step: 0,
            total_steps: context.agent.max_steps,
            model: context.agent.provider.model().map(str::to_owned),
            has_thought: progress.run.steps.iter().any(|step| matches!(step, Step::Thinking { .. })),
            calls: u32::try_from(progress.run.tools().count()).unwrap_or(u32::MAX),
            sealed: progress.answered,
            usage: None,
        }
    }

    fn begin_turn(&mut self) {
        self.step += 1;
        self.turn_start = self.text.len();
        self.separator = if self.text.is_empty() { "" } else { "\n\n" };
    }

    fn turn_text(&self) -> &str {
        self.text[self.turn_start..].trim_start_matches('\n')
    }

    async fn think(&mut self, thought: String) -> Result<(), EmitError> {
        self.has_thought = true;
        self.emitter
            .agent_thinking(AgentThinking {
                agent: self.agent.clone(),
                thought,
                step: Some(self.step),
                total_steps: Some(self.total_steps),
            })
            .await
    }

    /// Every run shows a thought. A model that keeps its own to itself is said to do so.
    async fn ensure_thought(&mut self) -> Result<(), EmitError> {
        if self.has_thought {
            return Ok(());
        }
        let who = self.model.clone().unwrap_or_else(|| self.agent.clone());
        self.think(format!("{who} answers without showing its reasoning.")).await
    }

    /// Throws away what was written after the last finished turn.
    async fn rewind(&mut self, kept: &str) -> Result<(), EmitError> {
        if self.text == kept {
            return Ok(());
        }
        self.emitter.reset_result(self.message_id).await?;
        self.text.clear();
        if kept.is_empty() { Ok(()) } else { self.write(kept.to_owned()).await }
    }

    async fn write(&mut self, delta: String) -> Result<(), EmitError> {
        let pos = u64::try_from(self.text.len()).unwrap_or(u64::MAX);
        self.emitter.partial_result(self.message_id, pos, delta.clone()).await?;
        self.text.push_str(&delta);
        Ok(())
    }

    /// Makes what was written a message, also when the run was stopped or failed: what people saw stays.
    pub(super) async fn seal(&self) -> Result<(), EmitError> {
        if self.text.is_empty() || self.sealed {
            return Ok(());
        }
        let response = AgentResponse { message_id: self.message_id, content: self.text.clone(), usage: self.usage };
        self.emitter.agent_response(response).await
    }
}

#[async_trait]
impl TurnSink for Answer {
    async fn piece(&mut self, piece: Piece) -> Result<(), EmitError> {
        match piece {
            Piece::Thinking(thought) => self.think(thought).await,
            Piece::Text(text) => {
                self.ensure_thought().await?;
                let separator = std::mem::take(&mut self.separator);
                self.write(format!("{separator}{text}")).await
            }
        }
    }
}

/// Brings a run that was cut off back to the end of its last finished step: open calls end, and text of a turn that did not
/// finish is discarded. Gives the finished turns as the model is shown them.
pub(super) async fn take_up(
    context: &RunContext,
    tools: &ToolEngine,
    progress: &Progress,
    answer: &mut Answer,
) -> Result<Vec<ChatMessage>, Outcome> {
    let mut turns = progress.turns();
    for call in progress.open_calls() {
        let outcome = tools.resume(context, call).await?;
        for turn in &mut turns {
            if let ChatMessage::Tool { id, result } = turn
                && *id == call.tool_call_id
            {
                *result = outcome.result.to_string();
            }
        }
    }
    answer.rewind(&progress.kept).await?;
    Ok(turns)
}

/// Takes turns until the answer is complete or something ends the run.
pub(super) async fn run(
    context: &RunContext,
    tools: &ToolEngine,
    mut messages: Vec<ChatMessage>,
    answer: &mut Answer,
) -> Outcome {
    match take_turns(context, tools, &mut messages, answer).await {
        Ok(()) => Outcome::Completed,
        Err(outcome) => outcome,
    }
}

async fn take_turns(
    context: &RunContext,
    tools: &ToolEngine,
    messages: &mut Vec<ChatMessage>,
    answer: &mut Answer,
) -> Result<(), Outcome> {
    let specs = tools.specs(context.agent.tools.as_deref());
    for _ in 0..context.agent.max_steps {
        answer.begin_turn();
        let request = TurnRequest { context, messages, tools: &specs };
        let asked = tracing::info_span!("model", model = context.agent.provider.model(), turn = answer.step);
        let turn = context.agent.provider.turn(request, answer).instrument(asked).await?;
        if let Some(usage) = turn.usage {
            *answer.usage.get_or_insert_default() += usage;
        }
        if turn.calls.is_empty() {
            answer.ensure_thought().await?;
            return Ok(());
        }
        answer.ensure_thought().await?;
        messages.push(ChatMessage::Assistant { text: answer.turn_text().to_owned(), calls: turn.calls.clone() });
        for call in turn.calls {
            let id = call.id.clone();
            answer.calls += 1;
            let outcome = tools.call(context, answer.calls, call).await?;
            messages.push(ChatMessage::Tool { id, result: outcome.result.to_string() });
        }
    }
    Err(Outcome::Failed {
        code: ErrorCode::AgentFailed,
        message: format!("no answer after {} turns", context.agent.max_steps),
        retryable: true,
    })
}
