//! What is done about a call: made, asked about, handed to another agent, or refused.

use netra_ws::model::ToolStatus;
use serde_json::Value;

use super::{
    super::{Leave, RunHandle},
    unread,
};
use crate::server::tool::{Rule, ToolRequest};

/// How deep agents may hand work on: a run for a person, and three below it.
const MAX_DEPTH: u32 = 3;

/// How many runs may work for one run, one after another and at the same time.
const MAX_CHILDREN: usize = 16;

/// What is done about a call.
pub(super) enum Plan {
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
    /// What is done about a call.
    pub(super) async fn plan(&self, request: &ToolRequest, handed_over: usize) -> Result<Plan, Leave> {
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
    pub(super) async fn task(
        &self,
        request: &ToolRequest,
        handed_over: usize,
    ) -> Result<Option<Result<String, String>>, Leave> {
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
}
