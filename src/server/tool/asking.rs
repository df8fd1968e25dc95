//! What a tool asks a person in the middle of its work. The call and its run go on meanwhile: whoever is asked holds up nothing but
//! this tool.

use std::{future::pending, time::Duration};

use netra_ws::{
    Timestamp,
    model::{Author, Object, ToolStatus},
    payload::ToolApprovalRequired,
};
use serde_json::json;

use super::{Asking, ToolEngine, ToolOutcome, ToolStop};
use crate::server::{
    agent::{Asked, RunContext, why_denied},
    store::questions::Verdict,
};

/// How often it is looked whether somebody has decided: in whatever process that was, the store knows.
const PAUSE: Duration = Duration::from_millis(250);

/// A question that is open.
pub(super) struct OpenQuestion {
    call: String,
    tool: String,
    asking: Asking,
}

impl OpenQuestion {
    /// Waits until somebody has decided, the time is over, or the tool does not wait any more. Without a question this waits for ever.
    pub(super) async fn decided(
        open: Option<&Self>,
        engine: &ToolEngine,
        context: &RunContext,
    ) -> (Verdict, Option<Author>) {
        let Some(open) = open else { return pending().await };
        loop {
            tokio::time::sleep(PAUSE).await;
            if open.asking.answer.is_closed() {
                return (Verdict::Open, None);
            }
            match engine.store().questions_of(context.run_id()).await {
                Ok(questions) => {
                    let kept = questions.into_iter().find(|kept| kept.tool_call_id == open.call);
                    if let Some(kept) = kept.filter(|kept| kept.verdict != Verdict::Open) {
                        return (kept.verdict, kept.decided_by);
                    }
                }
                Err(error) => tracing::warn!(%error, "whether a question was decided could not be read"),
            }
        }
    }
}

impl ToolEngine {
    /// Tells the thread what the tool of a call asks; `number` counts the call's questions.
    pub(super) async fn pose(
        &self,
        context: &RunContext,
        tool_call_id: &str,
        tool: &str,
        number: u32,
        asking: Asking,
    ) -> Result<OpenQuestion, ToolStop> {
        let call = format!("{tool_call_id}-q{number}");
        let question = asking.question.clone();
        tracing::info!(run_id = %context.run_id(), tool = self.known(tool), "a tool asks a person");
        let event = ToolApprovalRequired {
            tool_call_id: call.clone(),
            tool: tool.to_owned(),
            agent: context.agent().to_owned(),
            arguments: Object::new(),
            expires_at: Timestamp::now().plus(self.policy().patience),
            message: question.message,
            options: question.options,
            form: question.form,
        };
        context.emitter().tool_approval_required(event, None).await.map_err(ToolStop::Emit)?;
        Ok(OpenQuestion { call, tool: tool.to_owned(), asking })
    }

    /// Tells the thread and the tool what became of a question.
    pub(super) async fn close(
        &self,
        context: &RunContext,
        open: OpenQuestion,
        verdict: Verdict,
        by: Option<Author>,
    ) -> Result<(), ToolStop> {
        let OpenQuestion { call, tool, asking } = open;
        match &verdict {
            Verdict::Approved { option, answer } => {
                let asked = Asked { name: tool, arguments: Object::new(), question: asking.question };
                self.answered(context, call, asked, json!({ "option": option, "answer": answer }), by).await?;
            }
            Verdict::Open => {
                let why = "the tool does not wait for the answer any more".to_owned();
                self.deny(context, call, tool, why, by).await?;
            }
            Verdict::Expired | Verdict::Denied { .. } => {
                self.deny(context, call, tool, why_denied(&verdict), by).await?;
            }
        }
        // A tool that is gone hears nothing.
        let _ = asking.answer.send(verdict);
        Ok(())
    }

    /// The outcome of a tool, and the end of a question that it did not wait for.
    pub(super) async fn with_question_closed(
        &self,
        context: &RunContext,
        open: Option<OpenQuestion>,
        outcome: ToolOutcome,
    ) -> Result<ToolOutcome, ToolStop> {
        // Of a run that ends what is open is settled at its end.
        if let Some(open) = open.filter(|_| outcome.status != ToolStatus::Interrupted || context.is_halted().is_none())
        {
            self.close(context, open, Verdict::Open, None).await?;
        }
        Ok(outcome)
    }
}
