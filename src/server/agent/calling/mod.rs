//! What a run calls and asks: tools of ours, which may have to be allowed, other agents, and people. A run that can do nothing but
//! wait leaves, and whoever takes it up next finds in the log and in the store what happened meanwhile.

mod planning;
mod resuming;

use futures::future::join_all;
use netra_ws::{
    ErrorCode, RunId, Timestamp,
    log::{ChildRun, Wait},
    model::{Author, Choice, ChoiceKind, Object, Question},
    payload::{ToolApprovalRequired, ToolExecuting},
};
use serde_json::json;

use planning::Plan;
pub(crate) use resuming::why_denied;
pub(super) use resuming::{is_question, settle};

use super::{Leave, RunHandle};
use crate::server::{
    form,
    store::{StoreError, questions::Verdict},
    tool::{ToolOutcome, ToolRequest, ToolStop},
};

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
