//! The tool engine: `tool_executing` before and `tool_completed` after every call, whatever happens between.

use std::{
    panic::AssertUnwindSafe,
    pin::pin,
    sync::Arc,
    time::{Duration, Instant},
};

use futures::FutureExt as _;
use netra_ws::{
    emitter::EmitError,
    model::{Author, Object, ToolCall, ToolStatus},
    payload::{AgentProgress, ToolCompleted, ToolExecuting},
};
use serde_json::{Value, json};
use tokio::time::timeout;

use super::{
    KnownTool, Note, Notes, SharedTool, ToolCaller, ToolFailure, ToolPolicy, ToolSource, ToolSpec, Word,
    asking::OpenQuestion, names,
};
use crate::server::{
    agent::{Asked, Halt, RunContext},
    store::{SharedStore, questions::Verdict},
};

/// How long one call may take.
const CALL_TIMEOUT: Duration = Duration::from_mins(1);

/// The longest result that is kept, in bytes of JSON; a longer one is cut and says so.
const MAX_RESULT: usize = 64 * 1024;

/// A call that a model asked for.
#[derive(Clone, Debug)]
pub struct ToolRequest {
    /// The model's id of the call.
    pub id: String,
    /// The tool's name.
    pub tool: String,
    /// The arguments; an error when the model wrote something that is no JSON object.
    pub arguments: Result<Object, String>,
}

/// How a call ended.
#[derive(Clone, Debug)]
pub struct ToolOutcome {
    /// How.
    pub status: ToolStatus,
    /// What the model is told.
    pub result: Value,
}

/// Calls tools on behalf of runs.
pub struct ToolEngine {
    /// Those that are always there. Each with its description, which is made once: a thousand runs would hold a thousand.
    tools: Vec<KnownTool>,
    /// Where others come and go.
    sources: Vec<Arc<dyn ToolSource>>,
    policy: ToolPolicy,
    /// Knows what people decided.
    store: SharedStore,
}

/// Why a call could not be made at all.
#[derive(Debug)]
pub enum ToolStop {
    /// The run ends.
    Halted(Halt),
    /// Its events can no longer be written.
    Emit(EmitError),
}

impl ToolEngine {
    /// An engine with these tools.
    pub fn new(tools: Vec<SharedTool>, policy: ToolPolicy, store: SharedStore) -> Self {
        Self { tools: tools.into_iter().map(KnownTool::new).collect(), sources: Vec::new(), policy, store }
    }

    pub(super) fn store(&self) -> &SharedStore {
        &self.store
    }

    /// Which calls are made, asked about, and refused.
    pub fn policy(&self) -> &ToolPolicy {
        &self.policy
    }

    /// Whether there is a tool of this name that the run's agent may use.
    pub fn has(&self, context: &RunContext, name: &str) -> bool {
        self.tool(name).is_some() && context.allows_tool(name)
    }

    /// The same with tools that come and go.
    #[must_use]
    pub fn with(mut self, source: Arc<dyn ToolSource>) -> Self {
        self.sources.push(source);
        self
    }

    /// The tools that an agent may use now; those that are always there when it names none.
    pub fn specs(&self, allowed: Option<&[String]>) -> Vec<Arc<ToolSpec>> {
        let offered = self.sources.iter().flat_map(|source| source.offered());
        let specs = self.tools.iter().map(|tool| tool.spec.clone()).chain(offered);
        specs.filter(|spec| names::allows(allowed, &spec.name)).collect()
    }

    /// Waits until it is known of all tools that an agent names whether they are there.
    pub async fn settled(&self, allowed: Option<&[String]>) {
        for source in &self.sources {
            source.settled(allowed.unwrap_or_default()).await;
        }
    }

    fn tool(&self, name: &str) -> Option<KnownTool> {
        let fixed = self.tools.iter().find(|tool| tool.spec.name == name).cloned();
        fixed.or_else(|| self.sources.iter().find_map(|source| source.find(name)))
    }

    /// The name as logs and traces show it: a model may ask for any name, which is its user's matter.
    pub(crate) fn known<'a>(&self, name: &'a str) -> &'a str {
        self.tool(name).map_or("unknown", |_| name)
    }

    /// Calls a tool and tells the thread about it. `number` counts the run's calls: models reuse their ids, events must not.
    pub async fn call(&self, context: &RunContext, number: u32, request: ToolRequest) -> Result<ToolOutcome, ToolStop> {
        let started = Instant::now();
        let tool_call_id = format!("{}-{number}", context.run_id());
        begin(context, &tool_call_id, &request, None).await?;
        self.finish(context, tool_call_id, request, started, None).await
    }

    /// Tells of a call that is not made, and why.
    pub async fn refuse(
        &self,
        context: &RunContext,
        number: u32,
        request: ToolRequest,
        status: ToolStatus,
        why: &str,
    ) -> Result<ToolOutcome, ToolStop> {
        let tool_call_id = format!("{}-{number}", context.run_id());
        begin(context, &tool_call_id, &request, None).await?;
        let outcome = ToolOutcome { status, result: json!({ "error": why }) };
        self.complete(context, tool_call_id, request.tool, &outcome, 0, None).await?;
        Ok(outcome)
    }

    /// Makes a call that a person allowed.
    pub async fn allowed(
        &self,
        context: &RunContext,
        call: &ToolCall,
        by: Option<Author>,
    ) -> Result<ToolOutcome, ToolStop> {
        let request = request_of(call);
        begin(context, &call.tool_call_id, &request, by.clone()).await?;
        self.finish(context, call.tool_call_id.clone(), request, Instant::now(), by).await
    }

    /// Ends a call that nobody allowed.
    pub async fn deny(
        &self,
        context: &RunContext,
        tool_call_id: String,
        tool: String,
        why: String,
        by: Option<Author>,
    ) -> Result<ToolOutcome, ToolStop> {
        let outcome = ToolOutcome { status: ToolStatus::Denied, result: json!({ "error": why }) };
        self.complete(context, tool_call_id, tool, &outcome, 0, by).await?;
        Ok(outcome)
    }

    /// A question of the agent's own was answered.
    pub async fn answered(
        &self,
        context: &RunContext,
        tool_call_id: String,
        asked: Asked,
        result: Value,
        by: Option<Author>,
    ) -> Result<(), ToolStop> {
        let request = ToolRequest { id: tool_call_id.clone(), tool: asked.name, arguments: Ok(asked.arguments) };
        begin(context, &tool_call_id, &request, by.clone()).await?;
        let outcome = ToolOutcome { status: ToolStatus::Ok, result };
        self.complete(context, tool_call_id, request.tool, &outcome, 0, by).await
    }

    /// Ends a call that another agent worked on.
    pub async fn complete_child(
        &self,
        context: &RunContext,
        call: &ToolCall,
        outcome: ToolOutcome,
        duration_ms: u64,
    ) -> Result<ToolOutcome, ToolStop> {
        let outcome = ToolOutcome { result: bounded(outcome.result), ..outcome };
        let (id, tool) = (call.tool_call_id.clone(), call.tool.clone());
        self.complete(context, id, tool, &outcome, duration_ms, call.decided_by.clone()).await?;
        Ok(outcome)
    }

    /// Ends a call that another process began: done again if that does no harm, else the model is told that it was cut off.
    pub async fn resume(&self, context: &RunContext, call: &ToolCall) -> Result<ToolOutcome, ToolStop> {
        let (request, by) = (request_of(call), call.decided_by.clone());
        self.settled(Some(std::slice::from_ref(&call.tool))).await;
        if self.tool(&call.tool).is_some_and(|tool| tool.spec.idempotent) {
            return self.finish(context, call.tool_call_id.clone(), request, Instant::now(), by).await;
        }
        let result =
            json!({ "error": "the server stopped while the tool worked; it may or may not have had its effect" });
        let outcome = ToolOutcome { status: ToolStatus::Interrupted, result };
        self.complete(context, call.tool_call_id.clone(), request.tool, &outcome, 0, by).await?;
        Ok(outcome)
    }

    /// Runs the tool unless the run ends first, and tells the thread.
    #[tracing::instrument(name = "tool", skip_all, fields(tool = self.known(&request.tool)))]
    async fn finish(
        &self,
        context: &RunContext,
        tool_call_id: String,
        request: ToolRequest,
        started: Instant,
        by: Option<Author>,
    ) -> Result<ToolOutcome, ToolStop> {
        let (notes, mut noted) = Notes::new(Some(context.run_id()));
        let notes = Arc::new(notes);
        // A question of the tool's that a person has yet to answer, and how many there were.
        let (mut open, mut asked) = (None::<OpenQuestion>, 0);
        // While it is open, nobody works.
        let mut waits = None;
        let (outcome, halted) = {
            let mut work = pin!(self.run(context, &request, notes));
            loop {
                let word = tokio::select! {
                    biased;
                    halt = context.halted() => {
                        if halt == Halt::Lost {
                            // The call stays open: the next process repeats it, or says that it was cut off.
                            return Err(ToolStop::Halted(halt));
                        }
                        let result = json!({ "error": "the run ended before the tool did" });
                        break (ToolOutcome { status: ToolStatus::Interrupted, result }, Some(halt));
                    }
                    (verdict, by) = OpenQuestion::decided(open.as_ref(), self, context) => Heard::Decided(verdict, by),
                    Some(word) = noted.recv(), if open.is_none() => Heard::Word(word),
                    outcome = &mut work => break (outcome, None),
                };
                // Outside of what may be dropped: an event that was begun is finished.
                match word {
                    Heard::Word(Word::Note(Note { message, fraction })) => {
                        let event = AgentProgress { agent: context.agent().to_owned(), message, fraction };
                        context.emitter().agent_progress(event).await.map_err(ToolStop::Emit)?;
                    }
                    Heard::Word(Word::Question(asking)) => {
                        asked += 1;
                        open = Some(self.pose(context, &tool_call_id, &request.tool, asked, asking).await?);
                        waits = Some(context.waits_for_a_person());
                    }
                    Heard::Decided(verdict, by) => {
                        drop(waits.take());
                        if let Some(open) = open.take() {
                            self.close(context, open, verdict, by).await?;
                        }
                    }
                }
            }
        };
        let outcome = self.with_question_closed(context, open, outcome).await?;
        let duration_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.complete(context, tool_call_id, request.tool, &outcome, duration_ms, by).await?;
        halted.map_or(Ok(outcome), |halt| Err(ToolStop::Halted(halt)))
    }

    async fn complete(
        &self,
        context: &RunContext,
        tool_call_id: String,
        tool: String,
        outcome: &ToolOutcome,
        duration_ms: u64,
        decided_by: Option<Author>,
    ) -> Result<(), ToolStop> {
        tracing::info!(run_id = %context.run_id(), tool = self.known(&tool), status = ?outcome.status, duration_ms, "tool completed");
        let (status, result) = (outcome.status, outcome.result.clone());
        let event = ToolCompleted { tool_call_id, tool, status, result, duration_ms, decided_by };
        context.emitter().tool_completed(event).await.map_err(ToolStop::Emit)
    }

    async fn run(&self, context: &RunContext, request: &ToolRequest, notes: Arc<Notes>) -> ToolOutcome {
        let failed = |message: String| ToolOutcome { status: ToolStatus::Error, result: json!({ "error": message }) };
        let Ok(arguments) = &request.arguments else {
            return failed("the arguments are not a JSON object".to_owned());
        };
        let found = self.tool(&request.tool);
        let Some(KnownTool { tool, .. }) = found.filter(|_| context.allows_tool(&request.tool)) else {
            return failed(format!("there is no tool called {:?}", request.tool));
        };
        let caller = ToolCaller { user_id: context.user_id(), thread_id: context.thread_id() };
        let work = AssertUnwindSafe(tool.work(caller, arguments, &notes)).catch_unwind();
        let done = if tool.keeps_time() { Ok(work.await) } else { timeout(CALL_TIMEOUT, work).await };
        match done {
            Ok(Ok(Ok(result))) => ToolOutcome { status: ToolStatus::Ok, result: bounded(result) },
            Ok(Ok(Err(ToolFailure::Failed(result)))) => {
                ToolOutcome { status: ToolStatus::Error, result: bounded(result) }
            }
            Ok(Ok(Err(ToolFailure::Interrupted(why)))) => {
                ToolOutcome { status: ToolStatus::Interrupted, result: json!({ "error": why }) }
            }
            Ok(Err(_)) => failed("the tool stopped on a fault of its own".to_owned()),
            Err(_) => failed(format!("no answer within {} s", CALL_TIMEOUT.as_secs())),
        }
    }
}

/// What happens while a tool works.
enum Heard {
    Word(Word),
    Decided(Verdict, Option<Author>),
}

async fn begin(
    context: &RunContext,
    tool_call_id: &str,
    request: &ToolRequest,
    decided_by: Option<Author>,
) -> Result<(), ToolStop> {
    let arguments = match &request.arguments {
        Ok(arguments) => arguments.clone(),
        Err(raw) => Object::from_iter([("unreadable".to_owned(), Value::String(raw.clone()))]),
    };
    let (tool_call_id, tool) = (tool_call_id.to_owned(), request.tool.clone());
    let event = ToolExecuting { tool_call_id, tool, agent: context.agent().to_owned(), arguments, decided_by };
    context.emitter().tool_executing(event).await.map_err(ToolStop::Emit)
}

fn request_of(call: &ToolCall) -> ToolRequest {
    ToolRequest { id: call.tool_call_id.clone(), tool: call.tool.clone(), arguments: Ok(call.arguments.clone()) }
}

/// A result that is too long says so, and how it begins.
pub(crate) fn bounded(result: Value) -> Value {
    let text = result.to_string();
    if text.len() <= MAX_RESULT {
        return result;
    }
    let end = text.floor_char_boundary(MAX_RESULT);
    json!({ "cut": true, "bytes": text.len(), "start": text[..end] })
}
