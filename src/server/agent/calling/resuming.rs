//! What becomes of calls that a run left open: taken up again, or settled before the run ends.

use std::{collections::HashMap, time::Duration};

use futures::future::join_all;
use netra_ws::{
    RunId,
    emitter::Emitter,
    log::Wait,
    model::{Run, RunStatus, ToolCall, ToolStatus},
    payload::ToolCompleted,
};
use serde_json::json;

use super::{
    super::{Halt, Leave, RunHandle, model::ChatMessage, recovery::Progress},
    unread,
};
use crate::server::{
    store::{
        SharedStore,
        questions::{Child, KeptQuestion, Verdict},
    },
    tool::{ToolOutcome, ToolRequest},
};

impl RunHandle<'_> {
    /// Ends the calls that began and did not end, as far as they can; leaves when something is still to be waited for.
    pub(in crate::server::agent) async fn resume_calls(&mut self, progress: &Progress) -> Result<(), Leave> {
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

    pub(super) async fn questions(&self) -> Result<Vec<KeptQuestion>, Leave> {
        self.store.questions_of(self.context.run_id()).await.map_err(|error| unread(&error))
    }

    pub(super) async fn children(&self) -> Result<Vec<Child>, Leave> {
        self.store.children_of(self.context.run_id()).await.map_err(|error| unread(&error))
    }
}

/// Nothing of a run is left open, so that its last event can come: runs that work for it end first, and what nobody decided is
/// decided. `has_children` where some may work for it.
pub(in crate::server::agent) async fn settle(
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
pub(in crate::server::agent) fn is_question(call: &ToolCall) -> bool {
    call.tool_call_id.rsplit('-').next().is_some_and(|number| number.starts_with('q'))
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
