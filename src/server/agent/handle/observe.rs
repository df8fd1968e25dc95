//! Calls that a remote agent makes itself: nothing of ours runs, and yet each begins once and ends once in the log.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use netra_ws::{
    RunId,
    emitter::{EmitError, Emitter},
    model::{Object, ToolCall, ToolStatus},
    payload::{ToolCompleted, ToolExecuting},
};
use serde_json::{Value, json};

use super::{Leave, RunContext, RunHandle, kept};
use crate::server::{
    agent::model::{Replay, Source},
    tool::{ToolOutcome, ToolRequest, bounded},
};

/// What is said of a call that the run's end found open.
const CUT_OFF: &str = "the run ended before the agent told what the tool returned";

/// What is said of a call whose agent asks a person.
const SUSPENDED: &str = "the agent asks a person first; what becomes of the call is told behind the answer";

/// What is said of a call that a process left open.
const UNKNOWN: &str = "the server stopped while the agent's tool worked; it may or may not have had its effect";

/// A call in the log that has not ended.
#[derive(Debug)]
struct Open {
    id: String,
    tool: String,
    since: Instant,
}

/// The calls of a run that are observed and open. A call that is let go of stays here until the run's end closes it.
#[derive(Clone, Debug, Default)]
pub(super) struct Observations(Arc<Mutex<Vec<Open>>>);

impl Observations {
    fn open(&self, id: String, tool: String) {
        self.lock().push(Open { id, tool, since: Instant::now() });
    }

    fn take(&self, id: &str) -> Option<Open> {
        let mut open = self.lock();
        let at = open.iter().position(|open| open.id == id)?;
        Some(open.remove(at))
    }

    fn take_all(&self) -> Vec<Open> {
        std::mem::take(&mut *self.lock())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Open>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A call of a remote agent that has begun. One that is dropped is told as interrupted when the run ends.
#[must_use = "a call that nobody completes is told as interrupted"]
pub struct Observed {
    id: String,
    run: RunId,
    open: Observations,
    emitter: Emitter,
}

impl Observed {
    /// The call ended.
    pub async fn complete(self, outcome: ToolOutcome) -> Result<(), Leave> {
        if let Some(open) = self.open.take(&self.id) {
            tell(&self.emitter, self.run, open, outcome.status, bounded(outcome.result)).await?;
        }
        Ok(())
    }
}

impl RunHandle<'_> {
    /// A remote agent calls a tool of its own. Any number of calls may be open at the same time.
    pub async fn observe(&mut self, request: ToolRequest) -> Result<Observed, Leave> {
        self.answer.ensure_thought().await?;
        self.answer.calls += 1;
        let id = format!("{}-{}", self.context.run_id(), self.answer.calls);
        let arguments = match request.arguments {
            Ok(arguments) => short(arguments),
            Err(raw) => short(Object::from_iter([("unreadable".to_owned(), Value::String(raw))])),
        };
        let (tool_call_id, tool, agent) = (id.clone(), request.tool.clone(), self.context.agent().to_owned());
        self.context
            .emitter()
            .tool_executing(ToolExecuting { tool_call_id, tool, agent, arguments, decided_by: None })
            .await?;
        self.observed.open(id.clone(), request.tool);
        let (open, emitter) = (self.observed.clone(), self.context.emitter().clone());
        Ok(Observed { id, run: self.context.run_id(), open, emitter })
    }

    /// Ends the observed calls that are open: the run ends.
    pub(in crate::server::agent) async fn close_observed(&mut self) -> Result<(), EmitError> {
        self.end_observed(CUT_OFF).await
    }

    /// Ends the observed calls that are open: their agent waits for a person.
    pub(in crate::server::agent) async fn suspend_observed(&mut self) -> Result<(), EmitError> {
        self.end_observed(SUSPENDED).await
    }

    async fn end_observed(&mut self, why: &str) -> Result<(), EmitError> {
        for open in self.observed.take_all() {
            let result = json!({ "error": why });
            tell(self.context.emitter(), self.context.run_id(), open, ToolStatus::Interrupted, result).await?;
        }
        Ok(())
    }

    /// Ends a call of a remote agent that another process left open.
    pub(in crate::server::agent) async fn interrupt(&self, call: &ToolCall) -> Result<ToolOutcome, EmitError> {
        let (id, tool) = (call.tool_call_id.clone(), call.tool.clone());
        let (status, result) = (ToolStatus::Interrupted, json!({ "error": UNKNOWN }));
        let open = Open { id, tool, since: Instant::now() };
        tell(self.context.emitter(), self.context.run_id(), open, status, result.clone()).await?;
        Ok(ToolOutcome { status, result })
    }

    /// Keeps what the agent wants to see again in the next run of the thread, behind the last of its calls.
    pub(in crate::server::agent) async fn keep_end(&self, source: &Source, replay: &Replay) {
        let run = self.context.run_id();
        let turn = kept::kept(run, self.answer.calls + 1, &[], self.text().len(), replay);
        if let Err(error) = self.store.keep_turn(self.context.fence, source.as_bytes(), &turn).await {
            tracing::warn!(run_id = %run, %error, "what the agent wants to see again could not be kept");
        }
    }

    /// What was kept of this run behind its last call; `null` when that is nothing.
    pub(in crate::server::agent) async fn kept_end(&self, source: &Source) -> Value {
        match kept::KeptTurns::read(&**self.store, self.context.run_id(), source).await {
            Ok(turns) => turns.end().0,
            Err(error) => {
                tracing::warn!(run_id = %self.context.run_id(), %error, "what the agent wants to see again could not be read");
                Value::Null
            }
        }
    }

    /// So many questions were asked before those that are asked next.
    pub(in crate::server::agent) fn skip_questions(&mut self, asked: u32) {
        self.asked = asked;
    }

    /// How many questions were asked so far.
    pub(in crate::server::agent) fn questions_asked(&self) -> u32 {
        self.asked
    }

    /// Discards what was said: the agent is asked anew.
    pub(in crate::server::agent) async fn start_over(&mut self) -> Result<(), Leave> {
        Ok(self.answer.rewind("").await?)
    }

    /// Whether the run has called anything.
    pub(in crate::server::agent) fn has_called(&self) -> bool {
        self.answer.calls > 0
    }

    /// What is said next stands apart from what was said before.
    pub(in crate::server::agent) fn begin_paragraph(&mut self) {
        self.answer.begin_paragraph();
    }

    /// What the run knows of itself.
    pub(in crate::server::agent) fn context(&self) -> &RunContext {
        self.context
    }
}

async fn tell(emitter: &Emitter, run: RunId, open: Open, status: ToolStatus, result: Value) -> Result<(), EmitError> {
    let Open { id: tool_call_id, tool, since } = open;
    let duration_ms = u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX);
    // The tool's name is the remote agent's and its user's matter.
    tracing::info!(run_id = %run, tool = "remote", ?status, duration_ms, "tool completed");
    emitter.tool_completed(ToolCompleted { tool_call_id, tool, status, result, duration_ms, decided_by: None }).await
}

/// Arguments that are too long say so, and how they begin.
fn short(arguments: Object) -> Object {
    match bounded(json!(arguments)) {
        Value::Object(fields) => fields.into_iter().collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => arguments,
    }
}
