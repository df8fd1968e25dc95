//! What an agent holds of its run. It is the only way to an emitter, so that no agent can tell of things in a wrong order.

mod observe;

use std::{future::Future, sync::Arc, time::Duration};

use async_trait::async_trait;
use netra_ws::{ErrorCode, ThreadId, emitter::EmitError, model::Usage};

use super::{
    Halt, RunContext,
    answer::Answer,
    kept,
    model::{ChatMessage, Replay, Source, Takes},
    offers::Offers,
    recovery::Progress,
};
use crate::server::{
    store::SharedStore,
    tool::{Rule, ToolEngine, ToolRequest, ToolSpec},
};

pub use observe::Observed;

/// Something that answers.
#[async_trait]
pub trait Agent: Send + Sync + 'static {
    /// The name of the model that it asks, if it asks one.
    fn model(&self) -> Option<&str>;

    /// What its model is given beside text; absent where it asks none.
    fn takes(&self) -> Option<Takes> {
        None
    }

    /// Who sends its turns; absent where it asks no model.
    fn source(&self) -> Option<&Source> {
        None
    }

    /// Whether it calls tools of its own, which are only observed here, and which nobody here can call again.
    fn calls_by_itself(&self) -> bool {
        false
    }

    /// What it offers beside its answers, as far as it has said: commands and modes.
    fn offers(&self) -> Offers {
        Offers::default()
    }

    /// The thread is no more: what the agent has of it goes.
    fn forget(&self, _thread: ThreadId) {}

    /// Threads of which the agent has something.
    fn threads(&self) -> Vec<ThreadId> {
        Vec::new()
    }

    /// Ends what the agent has running: the server ends.
    async fn close(&self) {}

    /// Works on a run until its answer is complete. A run that another process began is worked on from where it stands.
    async fn run(&self, run: &mut RunHandle<'_>) -> Result<(), Leave>;

    /// A title for a conversation that began with this question and this answer, if the agent gives titles.
    async fn title(&self, _question: &str, _answer: &str) -> Option<String> {
        None
    }
}

/// Why an agent left its run before it was done. Every one of a handle's methods may say so; an agent passes it on with `?`.
#[derive(Debug)]
pub enum Leave {
    /// There is nothing to do until a person decides or another agent is done. The run was given back with that word; whoever takes
    /// it up begins anew with what is finished by then.
    Waiting,
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

impl Leave {
    /// The agent could not finish, for a reason that people can do something about.
    pub fn failed(message: impl Into<String>) -> Self {
        Self::Failed { code: ErrorCode::AgentFailed, message: message.into(), retryable: true }
    }
}

impl From<EmitError> for Leave {
    fn from(error: EmitError) -> Self {
        Self::Silenced(error)
    }
}

/// A run in an agent's hands.
pub struct RunHandle<'a> {
    pub(super) context: &'a RunContext,
    pub(super) tools: &'a ToolEngine,
    pub(super) store: &'a SharedStore,
    /// Has somebody look for runs of the thread that can be worked on.
    pub(super) schedule: &'a (dyn Fn() + Send + Sync),
    conversation: Vec<ChatMessage>,
    pub(super) finished: Vec<ChatMessage>,
    observed: observe::Observations,
    pub(super) answer: Answer,
    /// Questions asked so far, in this process.
    pub(super) asked: u32,
}

impl<'a> RunHandle<'a> {
    pub(super) fn new(
        context: &'a RunContext,
        tools: &'a ToolEngine,
        store: &'a SharedStore,
        schedule: &'a (dyn Fn() + Send + Sync),
        progress: &Progress,
    ) -> Self {
        let answer = Answer::new(context, progress);
        let (conversation, finished, observed) = (Vec::new(), Vec::new(), observe::Observations::default());
        Self { context, tools, store, schedule, conversation, finished, observed, answer, asked: 0 }
    }

    pub(super) fn set_conversation(&mut self, conversation: Vec<ChatMessage>) {
        self.conversation = conversation;
    }

    /// Brings a run that was cut off, or waited, back to the end of its last finished step: open calls end, and text of a step that
    /// did not finish is discarded.
    pub(super) async fn take_up(&mut self, progress: &Progress) -> Result<(), Leave> {
        self.finished = progress.turns();
        self.resume_calls(progress).await?;
        self.answer.rewind(&progress.kept).await?;
        Ok(())
    }

    /// The thread up to the message to answer, which is the last.
    pub fn conversation(&self) -> &[ChatMessage] {
        &self.conversation
    }

    /// The steps that earlier processes finished: what was said, and each call with its result.
    pub fn finished(&self) -> &[ChatMessage] {
        &self.finished
    }

    /// The tools that the agent may call now.
    pub fn tools(&self) -> Vec<Arc<ToolSpec>> {
        let tools = self.tools.specs(self.context.listed.tools.as_deref()).into_iter();
        let offered = tools.chain(self.context.listed.sub_agents.iter().cloned());
        // What would be refused anyway is not offered.
        offered.filter(|tool| self.context.rule(self.tools.policy(), &tool.name) != Rule::Deny).collect()
    }

    /// The same, once it is known which of those that it names are there.
    pub async fn settled_tools(&self) -> Result<Vec<Arc<ToolSpec>>, Leave> {
        self.outside(self.tools.settled(self.context.listed.tools.as_deref())).await?;
        Ok(self.tools())
    }

    /// Begins the next step. Its text stands apart from that of the step before.
    pub fn begin_step(&mut self) {
        self.answer.begin_step();
    }

    /// The number of the step, from 1.
    pub fn step(&self) -> u32 {
        self.answer.step()
    }

    /// What was said so far, of all steps.
    pub fn text(&self) -> &str {
        self.answer.text()
    }

    /// What was said in this step.
    pub fn step_text(&self) -> &str {
        self.answer.step_text()
    }

    /// Whether anything was said in this step.
    pub fn said_now(&self) -> bool {
        self.answer.now.said
    }

    /// Whether anything was thought in this step.
    pub fn thought_now(&self) -> bool {
        self.answer.now.thought
    }

    /// A piece of a thought.
    pub async fn think(&mut self, thought: String) -> Result<(), Leave> {
        Ok(self.answer.think(thought).await?)
    }

    /// A piece of the answer.
    pub async fn say(&mut self, text: String) -> Result<(), Leave> {
        Ok(self.answer.say(text).await?)
    }

    /// What was said in this step turns out to be a thought.
    pub async fn unsay(&mut self) -> Result<(), Leave> {
        Ok(self.answer.unsay().await?)
    }

    /// A word on how far the agent is, or about its model, beside the answer.
    pub async fn note(&mut self, message: String, fraction: Option<f64>) -> Result<(), Leave> {
        Ok(self.answer.note(message, fraction).await?)
    }

    /// Keeps a turn as its server wants to see it again, for whoever takes the run up and for later runs of the thread: before its
    /// calls are made, or behind the last of them. Where that fails, the turn is told as its words alone.
    pub(super) async fn keep_turn(&self, source: &Source, calls: &[ToolRequest], replay: &Replay) {
        if calls.is_empty() && self.answer.calls == 0 {
            // Words alone tell all of it.
            return;
        }
        let run = self.context.run_id();
        let turn = kept::kept(run, self.answer.calls + 1, calls, self.text().len(), replay);
        if let Err(error) = self.store.keep_turn(self.context.fence, source.as_bytes(), &turn).await {
            tracing::warn!(run_id = %run, %error, "what the model wants to see again could not be kept");
        }
    }

    /// Waits for something outside, unless the run ends first. Nothing of the run may be told meanwhile: an event that was begun
    /// is finished.
    pub async fn outside<T>(&self, waiting: impl Future<Output = T> + Send) -> Result<T, Leave> {
        tokio::select! {
            biased;
            halt = self.context.halted() => Err(Leave::Halted(halt)),
            done = waiting => Ok(done),
        }
    }

    /// Waits, unless the run ends first.
    pub async fn pause(&self, time: Duration) -> Result<(), Leave> {
        self.outside(tokio::time::sleep(time)).await
    }

    /// Counts tokens.
    pub fn add_usage(&mut self, usage: Usage) {
        let used = self.answer.usage.get_or_insert_default();
        *used += usage;
        self.context.emitter().used(*used);
    }

    /// The tokens counted so far.
    pub fn usage(&self) -> Option<Usage> {
        self.answer.usage
    }

    /// Ends the last step. A model that showed no thought is said to have shown none.
    pub async fn end_step(&mut self) -> Result<(), Leave> {
        Ok(self.answer.ensure_thought().await?)
    }
}
