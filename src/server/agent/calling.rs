//! What a run calls and asks: tools of ours, which may have to be allowed, other agents, and people. A run that can do nothing but
//! wait leaves, and whoever takes it up next finds in the log and in the store what happened meanwhile.

use std::{collections::HashMap, time::Duration};

use futures::future::join_all;
use netra_ws::{
    ErrorCode, RunId, Timestamp,
    emitter::Emitter,
    log::{ChildRun, Wait},
    model::{Author, Choice, ChoiceKind, Object, Question, Run, RunStatus, ToolCall, ToolStatus},
    payload::{ToolApprovalRequired, ToolCompleted, ToolExecuting},
};
use serde_json::{Value, json};

use super::{Halt, Leave, RunHandle, model::ChatMessage, recovery::Progress};
use crate::server::{
    form,
    store::{
        SharedStore, StoreError,
        questions::{Child, KeptQuestion, Verdict},
    },
    tool::{Rule, ToolOutcome, ToolRequest, ToolStop},
};

/// How deep agents may hand work on: a run for a person, and three below it.
const MAX_DEPTH: u32 = 3;

/// How many runs may work for one run, one after another and at the same time.
const MAX_CHILDREN: usize = 16;

/// The longest question to a person, in bytes of JSON.
const MAX_QUESTION: usize = 32 << 10;

/// Something that an agent wants to know of a person.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    /// What the agent calls it.
    pub name: String,
    /// What it is about, as its card shows it.
    pub arguments: Object,
    /// The words, options and form.
    pub question: Question,
}

/// What is done about a call.
enum Plan {
    /// It is made.
    Call,
    /// A person decides first.
    Ask,
    /// Another agent works on it.
    HandOver { task: String },
    /// It is not made.
    Refuse { status: ToolStatus, why: String },
}

impl RunHandle<'_> {
    /// Calls tools, all at the same time; gives their outcomes in the order of the requests. Where a person has to decide, or
    /// another agent works, this leaves once the other calls have ended; the calls are among what is [finished](Self::finished)
    /// when the run is taken up again.
    pub async fn call(&mut self, requests: Vec<ToolRequest>) -> Result<Vec<ToolOutcome>, Leave> {
        self.answer.ensure_thought().await?;
        let mut planned = Vec::with_capacity(requests.len());
        let mut handed_over = 0;
        for request in requests {
            self.answer.calls += 1;
            let plan = self.plan(&request, handed_over).await?;
            handed_over += usize::from(matches!(plan, Plan::HandOver { .. }));
            planned.push((self.answer.calls, plan, request));
        }
        let waits = |plan: &Plan| matches!(plan, Plan::Ask | Plan::HandOver { .. });
        let waiting = planned.iter().filter(|(_, plan, _)| waits(plan)).count();
        let at_once = planned.len() - waiting;
        let mut told = 0;
        for (number, plan, request) in &planned {
            told += usize::from(waits(plan));
            // The last word of a run that has nothing else to do.
            let wait = (at_once == 0 && told == waiting).then(|| self.wait());
            match plan {
                Plan::Ask => self.require_approval(*number, request, wait).await?,
                Plan::HandOver { task } => {
                    let call = self.call_id(*number);
                    self.hand_over(call, request, task.clone(), None, wait).await?;
                }
                Plan::Call | Plan::Refuse { .. } => {}
            }
        }
        if handed_over > 0 && at_once > 0 {
            (self.schedule)();
        }
        let (context, tools) = (self.context, self.tools);
        let calls = planned.into_iter().filter(|(_, plan, _)| !waits(plan)).map(|(number, plan, request)| async move {
            match plan {
                Plan::Refuse { status, why } => tools.refuse(context, number, request, status, &why).await,
                Plan::Call | Plan::Ask | Plan::HandOver { .. } => tools.call(context, number, request).await,
            }
        });
        // All of them end, also when the run does: each has begun in the log.
        let outcomes = join_all(calls.collect::<Vec<_>>()).await;
        let outcomes = outcomes.into_iter().collect::<Result<_, _>>()?;
        if waiting == 0 {
            return Ok(outcomes);
        }
        if at_once > 0 {
            self.context.emitter().wait(self.wait()).await?;
        }
        Err(Leave::Waiting)
    }

    /// Asks a person, and leaves until somebody has decided or the time is over.
    pub async fn ask(&mut self, asked: Asked) -> Result<Verdict, Leave> {
        self.asked += 1;
        let call = format!("{}-q{}", self.context.run_id(), self.asked);
        if let Some(form) = &asked.question.form {
            form::check_form(form)
                .map_err(|wrong| Leave::failed(format!("the agent's form cannot be shown: {wrong}")))?;
        }
        let size = json!([asked.arguments, asked.question]).to_string().len();
        if size > MAX_QUESTION {
            return Err(Leave::failed(format!("the agent's question has {size} bytes, and may have {MAX_QUESTION}")));
        }
        let known = self.context.emitter().call(&call);
        let kept = match &known {
            None => None,
            Some(_) => self.questions().await?.into_iter().find(|question| question.tool_call_id == call),
        };
        let Some(kept) = kept else {
            let event = self.question(call, asked.name, asked.arguments, asked.question);
            self.context.emitter().tool_approval_required(event, Some(self.wait())).await?;
            return Err(Leave::Waiting);
        };
        if kept.verdict == Verdict::Open {
            self.context.emitter().wait(self.wait()).await?;
            return Err(Leave::Waiting);
        }
        if known.is_some_and(|call| call.status.is_none()) {
            let (context, tools) = (self.context, self.tools);
            match &kept.verdict {
                Verdict::Approved { option, answer } => {
                    let result = json!({ "option": option, "answer": answer });
                    tools.answered(context, call, asked, result, kept.decided_by).await?;
                }
                Verdict::Open | Verdict::Expired | Verdict::Denied { .. } => {
                    tools.deny(context, call, asked.name, why_denied(&kept.verdict), kept.decided_by).await?;
                }
            }
        }
        Ok(kept.verdict)
    }

    /// Ends the calls that began and did not end, as far as they can; leaves when something is still to be waited for.
    pub(super) async fn resume_calls(&mut self, progress: &Progress) -> Result<(), Leave> {
        self.close_questions_of_tools(progress).await?;
        let open: Vec<ToolCall> = progress.open_calls().filter(|call| !is_question(call)).cloned().collect();
        if open.is_empty() {
            return Ok(());
        }
        let questions = self.questions().await?;
        let children = self.children().await?;
        let (this, questions, children) = (&*self, &questions, &children);
        let resumed = join_all(open.iter().map(|call| this.resume(call, questions, children))).await;
        let (mut waits, mut ended) = (false, None);
        let mut results = HashMap::new();
        for (call, outcome) in open.iter().zip(resumed) {
            match outcome {
                Ok(Some(outcome)) => _ = results.insert(progress.id_for_model(call), outcome.result.to_string()),
                Ok(None) => waits = true,
                // Every call ends, also when the run does.
                Err(Leave::Halted(halt)) if halt != Halt::Lost => ended = Some(halt),
                Err(leave) => return Err(leave),
            }
        }
        if let Some(halt) = ended {
            return Err(Leave::Halted(halt));
        }
        if waits {
            // A run that is to end waits for nobody: what is open is settled.
            if let Some(halt) = self.context.is_halted() {
                return Err(Leave::Halted(halt));
            }
            self.context.emitter().wait(self.wait()).await?;
            return Err(Leave::Waiting);
        }
        for turn in &mut self.finished {
            if let ChatMessage::Tool { id, result, .. } = turn
                && let Some(known) = results.remove(id)
            {
                *result = known;
            }
        }
        Ok(())
    }

    /// Ends what tools asked in a process that is gone: a call that is made again asks again.
    async fn close_questions_of_tools(&self, progress: &Progress) -> Result<(), Leave> {
        let own = format!("{}-q", self.context.run_id());
        for call in progress.open_calls().filter(|call| is_question(call) && !call.tool_call_id.starts_with(&own)) {
            let why = "the server stopped while the tool waited for the answer".to_owned();
            self.tools.deny(self.context, call.tool_call_id.clone(), call.tool.clone(), why, None).await?;
        }
        Ok(())
    }

    /// What is done about a call.
    async fn plan(&self, request: &ToolRequest, handed_over: usize) -> Result<Plan, Leave> {
        if self.context.rule(self.tools.policy(), &request.tool) == Rule::Deny {
            let why = format!("this server's settings do not let this agent call {:?} for this person", request.tool);
            return Ok(Plan::Refuse { status: ToolStatus::Denied, why });
        }
        let task = match self.task(request, handed_over).await? {
            Some(Err(why)) => return Ok(Plan::Refuse { status: ToolStatus::Error, why }),
            Some(Ok(task)) => Some(task),
            None => None,
        };
        // What is no tool, or no call, is told so without asking anyone.
        let callable = task.is_some() || (self.tools.has(self.context, &request.tool) && request.arguments.is_ok());
        if callable && self.context.rule(self.tools.policy(), &request.tool) == Rule::Ask {
            let (thread, user) = (self.context.thread_id(), self.context.user_id());
            match self.store.consent(thread, user, &request.tool).await.map_err(|error| unread(&error))? {
                Some(true) => {}
                Some(false) => {
                    let why = "the person does not want this tool to be called in this conversation".to_owned();
                    return Ok(Plan::Refuse { status: ToolStatus::Denied, why });
                }
                None => return Ok(Plan::Ask),
            }
        }
        Ok(task.map_or(Plan::Call, |task| Plan::HandOver { task }))
    }

    /// What another agent is asked, when the call is for one; or why it is not asked.
    async fn task(&self, request: &ToolRequest, handed_over: usize) -> Result<Option<Result<String, String>>, Leave> {
        if !self.context.has_sub_agent(&request.tool) {
            return Ok(None);
        }
        let Ok(arguments) = &request.arguments else {
            return Ok(Some(Err("the arguments are not a JSON object".to_owned())));
        };
        let Some(task) = arguments.get("task").and_then(Value::as_str).filter(|task| !task.trim().is_empty()) else {
            return Ok(Some(Err("`task` is missing: say what is to be done, in words".to_owned())));
        };
        if self.context.depth() >= MAX_DEPTH {
            return Ok(Some(Err(format!("work is handed on {MAX_DEPTH} times at most; do it yourself"))));
        }
        if self.children().await?.len() + handed_over >= MAX_CHILDREN {
            return Ok(Some(Err(format!("{MAX_CHILDREN} others have worked for this run already; go on alone"))));
        }
        Ok(Some(Ok(task.to_owned())))
    }

    /// Takes up a call that began: `None` while it is to be waited for.
    async fn resume(
        &self,
        call: &ToolCall,
        questions: &[KeptQuestion],
        children: &[Child],
    ) -> Result<Option<ToolOutcome>, Leave> {
        let (context, tools) = (self.context, self.tools);
        if let Some(child) = children.iter().find(|child| child.tool_call_id == call.tool_call_id) {
            let Some(run) = &child.ended else { return Ok(None) };
            let took = run.duration_ms.unwrap_or_default();
            return Ok(Some(tools.complete_child(context, call, answer_of(run), took).await?));
        }
        if call.approval_expires_at.is_none() {
            // A remote agent's own call: nobody here can make it.
            if context.listed.agent.calls_by_itself() {
                return Ok(Some(self.interrupt(call).await?));
            }
            return Ok(Some(tools.resume(context, call).await?));
        }
        let kept = questions.iter().find(|question| question.tool_call_id == call.tool_call_id);
        let verdict = kept.map_or(&Verdict::Expired, |kept| &kept.verdict);
        let decided_by = kept.and_then(|kept| kept.decided_by.clone());
        match verdict {
            Verdict::Open => Ok(None),
            Verdict::Approved { .. } if context.has_sub_agent(&call.tool) => {
                let request = ToolRequest::of(call);
                match self.task(&request, 0).await? {
                    Some(Ok(task)) => {
                        self.hand_over(call.tool_call_id.clone(), &request, task, decided_by, None).await?;
                        Ok(None)
                    }
                    Some(Err(why)) => {
                        let id = call.tool_call_id.clone();
                        Ok(Some(tools.deny(context, id, call.tool.clone(), why, decided_by).await?))
                    }
                    None => Ok(Some(tools.resume(context, call).await?)),
                }
            }
            Verdict::Approved { .. } => Ok(Some(tools.allowed(context, call, decided_by).await?)),
            Verdict::Expired | Verdict::Denied { .. } => {
                let (id, tool) = (call.tool_call_id.clone(), call.tool.clone());
                Ok(Some(tools.deny(context, id, tool, why_denied(verdict), decided_by).await?))
            }
        }
    }

    async fn require_approval(&self, number: u32, request: &ToolRequest, wait: Option<Wait>) -> Result<(), Leave> {
        let arguments = request.arguments.clone().unwrap_or_default();
        let question = Question { message: None, options: options(), form: None };
        let event = self.question(self.call_id(number), request.tool.clone(), arguments, question);
        tracing::info!(run_id = %self.context.run_id(), tool = self.tools.known(&request.tool), "a person is asked");
        Ok(self.context.emitter().tool_approval_required(event, wait).await?)
    }

    async fn hand_over(
        &self,
        call: String,
        request: &ToolRequest,
        task: String,
        decided_by: Option<Author>,
        wait: Option<Wait>,
    ) -> Result<(), Leave> {
        let child = ChildRun { run_id: RunId::new(), tool_call_id: call.clone(), agent: request.tool.clone(), task };
        let event = ToolExecuting {
            tool_call_id: call,
            tool: request.tool.clone(),
            agent: self.context.agent().to_owned(),
            arguments: request.arguments.clone().unwrap_or_default(),
            decided_by,
        };
        self.context.count_nested_run();
        tracing::info!(run_id = %self.context.run_id(), child = %child.run_id, agent = child.agent, "work is handed over");
        Ok(self.context.emitter().hand_over(event, child, wait).await?)
    }

    fn question(&self, call: String, tool: String, arguments: Object, question: Question) -> ToolApprovalRequired {
        let Question { message, options, form } = question;
        ToolApprovalRequired {
            tool_call_id: call,
            tool,
            agent: self.context.agent().to_owned(),
            arguments,
            expires_at: Timestamp::now().plus(self.tools.policy().patience),
            message,
            options,
            form,
        }
    }

    fn call_id(&self, number: u32) -> String {
        format!("{}-{number}", self.context.run_id())
    }

    fn wait(&self) -> Wait {
        Wait { worked: self.context.worked() }
    }

    async fn questions(&self) -> Result<Vec<KeptQuestion>, Leave> {
        self.store.questions_of(self.context.run_id()).await.map_err(|error| unread(&error))
    }

    async fn children(&self) -> Result<Vec<Child>, Leave> {
        self.store.children_of(self.context.run_id()).await.map_err(|error| unread(&error))
    }
}

/// Nothing of a run is left open, so that its last event can come: runs that work for it end first, and what nobody decided is
/// decided. `has_children` where some may work for it.
pub(super) async fn settle(
    emitter: &Emitter,
    store: &SharedStore,
    run: RunId,
    has_children: bool,
    worked: Duration,
    why: &str,
) -> Result<(), Leave> {
    let open = emitter.open_calls();
    let children = if open.is_empty() && !has_children {
        Vec::new()
    } else {
        store.children_of(run).await.map_err(|error| unread(&error))?
    };
    if children.iter().any(|child| child.ended.is_none()) {
        store.stop_run(run).await.map_err(|error| unread(&error))?;
        emitter.wait(Wait { worked }).await?;
        return Err(Leave::Waiting);
    }
    for call in open {
        let child = children.iter().find(|child| child.tool_call_id == call.tool_call_id);
        let told = |status| ToolOutcome { status, result: json!({ "error": why }) };
        let outcome = match child.and_then(|child| child.ended.as_ref()) {
            Some(run) => answer_of(run),
            None if call.approval_expires_at.is_some() => told(ToolStatus::Denied),
            None => told(ToolStatus::Interrupted),
        };
        emitter
            .tool_completed(ToolCompleted {
                tool_call_id: call.tool_call_id,
                tool: call.tool,
                status: outcome.status,
                result: outcome.result,
                duration_ms: 0,
                decided_by: call.decided_by,
            })
            .await?;
    }
    Ok(())
}

/// Whether it is a question of the agent's own or of a tool that works, which ask again by themselves.
pub(super) fn is_question(call: &ToolCall) -> bool {
    call.tool_call_id.rsplit('-').next().is_some_and(|number| number.starts_with('q'))
}

/// What can be chosen where a tool is to be allowed.
fn options() -> Vec<Choice> {
    let choice = |id: &str, label: &str, kind| Choice { id: id.to_owned(), label: label.to_owned(), kind };
    vec![
        choice("once", "Allow once", ChoiceKind::AllowOnce),
        choice("always", "Always in this conversation", ChoiceKind::AllowAlways),
        choice("deny", "Deny", ChoiceKind::RejectOnce),
    ]
}

/// What the agent is told of a call that was not allowed.
pub(crate) fn why_denied(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Denied { reason: Some(reason) } if !reason.trim().is_empty() => {
            format!("the person did not allow this, and says: {reason}")
        }
        Verdict::Denied { .. } => "the person did not allow this".to_owned(),
        Verdict::Expired => "nobody allowed this in time".to_owned(),
        Verdict::Open | Verdict::Approved { .. } => "the run ended before this was decided".to_owned(),
    }
}

/// What a run that worked for another came to.
fn answer_of(run: &Run) -> ToolOutcome {
    let status = match run.status {
        RunStatus::Completed => ToolStatus::Ok,
        RunStatus::Stopped => ToolStatus::Interrupted,
        RunStatus::Failed | RunStatus::Queued | RunStatus::Running | RunStatus::Waiting | RunStatus::Unknown(_) => {
            ToolStatus::Error
        }
    };
    let result = match (status, &run.error) {
        (ToolStatus::Ok, _) => json!({ "answer": run.text }),
        (_, Some(error)) => json!({ "error": error.message, "answer": run.text }),
        (_, None) => json!({ "error": "it was stopped", "answer": run.text }),
    };
    ToolOutcome { status, result }
}

fn unread(error: &StoreError) -> Leave {
    tracing::error!(%error, "what a run waits for could not be read");
    Leave::Failed {
        code: ErrorCode::Internal,
        message: "the server could not read what the run waits for".to_owned(),
        retryable: true,
    }
}

impl From<ToolStop> for Leave {
    fn from(stop: ToolStop) -> Self {
        match stop {
            ToolStop::Halted(halt) => Self::Halted(halt),
            ToolStop::Emit(error) => Self::Silenced(error),
        }
    }
}
