//! The answer as it grows: its text, its thoughts, and the events that tell of them.

use netra_ws::{
    MessageId,
    emitter::{EmitError, Emitter},
    model::{Step, Usage},
    payload::{AgentProgress, AgentResponse, AgentThinking},
};

use super::{RunContext, recovery::Progress};

/// What came in the step under way.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Now {
    /// Anything was thought.
    pub(super) thought: bool,
    /// Anything was said.
    pub(super) said: bool,
}

/// What a run has said.
pub(super) struct Answer {
    emitter: Emitter,
    agent: String,
    message_id: MessageId,
    text: String,
    /// Where this step's text begins.
    step_start: usize,
    /// What goes between the text of an earlier step and this one's.
    separator: &'static str,
    step: u32,
    total_steps: u32,
    has_thought: bool,
    pub(super) now: Now,
    /// Tools called so far.
    pub(super) calls: u32,
    /// The whole answer is in the log already, or never will be.
    sealed: bool,
    pub(super) usage: Option<Usage>,
}

impl Answer {
    /// An answer that goes on from where the run stands.
    pub(super) fn new(context: &RunContext, progress: &Progress) -> Self {
        Self {
            emitter: context.emitter().clone(),
            agent: context.agent().to_owned(),
            // The run's id: from the moment that anyone can see it, no message of the thread can take it.
            message_id: progress.message_id().unwrap_or_else(|| context.run_id().uuid().into()),
            text: progress.run.text.clone(),
            step_start: 0,
            separator: "",
            step: progress.steps,
            total_steps: context.listed.max_steps,
            has_thought: progress.run.steps.iter().any(|step| matches!(step, Step::Thinking { .. })),
            now: Now::default(),
            calls: u32::try_from(progress.run.tools().count()).unwrap_or(u32::MAX),
            sealed: progress.answered,
            usage: progress.usage,
        }
    }

    pub(super) fn begin_step(&mut self) {
        self.step += 1;
        self.step_start = self.text.len();
        self.separator = if self.text.is_empty() { "" } else { "\n\n" };
        self.now = Now::default();
    }

    /// What is written next stands apart.
    pub(super) fn begin_paragraph(&mut self) {
        self.separator = if self.text.is_empty() { "" } else { "\n\n" };
    }

    pub(super) fn step(&self) -> u32 {
        self.step
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// What was said in this step.
    pub(super) fn step_text(&self) -> &str {
        self.text[self.step_start..].trim_start_matches('\n')
    }

    pub(super) async fn think(&mut self, thought: String) -> Result<(), EmitError> {
        self.now.thought = true;
        self.show_thought(thought).await
    }

    async fn show_thought(&mut self, thought: String) -> Result<(), EmitError> {
        self.has_thought = true;
        let (agent, step) = (self.agent.clone(), Some(self.step));
        let total_steps = Some(self.total_steps);
        self.emitter.agent_thinking(AgentThinking { agent, thought, step, total_steps }).await
    }

    /// Every run tells that the agent thought, so that the five critical events always come. A model that keeps its thoughts to
    /// itself is given no words: the thought is empty, and pages show none.
    pub(super) async fn ensure_thought(&mut self) -> Result<(), EmitError> {
        if self.has_thought {
            return Ok(());
        }
        self.show_thought(String::new()).await
    }

    pub(super) async fn say(&mut self, text: String) -> Result<(), EmitError> {
        self.ensure_thought().await?;
        self.now.said = true;
        let separator = std::mem::take(&mut self.separator);
        self.write(format!("{separator}{text}")).await
    }

    /// What was said in this step turns out to be a thought.
    pub(super) async fn unsay(&mut self) -> Result<(), EmitError> {
        let thought = self.step_text().to_owned();
        let kept = self.text[..self.step_start].to_owned();
        self.rewind(&kept).await?;
        self.separator = if self.text.is_empty() { "" } else { "\n\n" };
        self.now.said = false;
        self.think(thought).await
    }

    pub(super) async fn note(&mut self, message: String, fraction: Option<f64>) -> Result<(), EmitError> {
        let agent = self.agent.clone();
        self.emitter.agent_progress(AgentProgress { agent, message, fraction }).await
    }

    /// Throws away what was written after the last finished step.
    pub(super) async fn rewind(&mut self, kept: &str) -> Result<(), EmitError> {
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

    /// Does without the message: it may be what the store refuses. What was written stays with the run.
    pub(super) fn give_up_sealing(&mut self) {
        self.sealed = true;
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
