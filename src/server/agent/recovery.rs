//! Taking up a run that another process began: its events say how far it came.

use std::{collections::HashMap, time::Duration};

use netra_ws::{
    ErrorCode, MessageId, RunId, Timestamp,
    log::{LogError, PageLimit},
    message::Event,
    model::{Run, ToolCall, Usage},
    payload::{ToolApprovalRequired, ToolExecuting},
};

use super::{
    kept::KeptTurns,
    model::{ChatMessage, Source},
};
use crate::server::store::{ClaimedRun, SharedStore, StoreError};

/// Events read at a time.
const PAGE: usize = 500;

/// Events of a run that may be damaged; of more than that no end is known.
const MOST_DAMAGED: usize = 100;

/// Processes that may work on a run one after another without finishing a step; a run that takes down each of them must end.
const MAX_ATTEMPTS: u32 = 4;

/// Processes that may work on a run in all: enough for any row of deployments, and yet an end.
const MAX_ITERATIONS: u32 = 64;

/// How far a run came.
#[derive(Debug)]
pub(super) struct Progress {
    /// Its state.
    pub(super) run: Run,
    /// How many processes began or took up the run.
    pub(super) iterations: u32,
    /// Those of them since the last step was finished.
    attempts: u32,
    /// Turns that ended with calls.
    pub(super) steps: u32,
    /// How long processes worked on it, as far as its events tell.
    pub(super) worked: Duration,
    /// The same before the last of them, and when that one began.
    worked_before: Duration,
    begun_at: Timestamp,
    /// How much text, in bytes, stood before each tool was called.
    said_before: HashMap<String, usize>,
    /// The text of its finished turns; what follows belongs to a turn that was cut off.
    pub(super) kept: String,
    /// Whether the whole answer is in the log and only the run's end is missing.
    pub(super) answered: bool,
    /// What it has used so far.
    pub(super) usage: Option<Usage>,
    /// What its model's server wants to see again.
    kept_turns: KeptTurns,
    /// How long processes had worked on it when it last waited, and the newest event then.
    waited: Option<(Duration, u64)>,
    /// The first of what cannot be read, if something cannot; the rest is what the others tell.
    pub(super) damage: Option<String>,
}

impl Progress {
    /// A run that nobody has begun.
    pub(super) fn none(run: &ClaimedRun) -> Self {
        Self {
            run: Run {
                parent_run_id: run.nested.as_ref().map(|nested| nested.parent),
                parent_call_id: run.nested.as_ref().map(|nested| nested.tool_call_id.clone()),
                ..Run::queued(run.fence.run_id, run.agent.clone(), run.message_id)
            },
            iterations: 0,
            attempts: 0,
            steps: 0,
            worked: Duration::ZERO,
            worked_before: Duration::ZERO,
            begun_at: Timestamp::default(),
            said_before: HashMap::new(),
            kept: String::new(),
            answered: false,
            usage: run.usage,
            kept_turns: KeptTurns::default(),
            waited: run.worked,
            damage: None,
        }
    }

    /// Reads the run's events, and what was kept of the turns that `source` sent: what another sent says nothing to it.
    pub(super) async fn read(
        store: &SharedStore,
        claimed: &ClaimedRun,
        source: Option<&Source>,
    ) -> Result<Self, LogError> {
        let mut progress = Self::none(claimed);
        let Some(start) = claimed.start_seq else { return Ok(progress) };
        if let Some(source) = source {
            match KeptTurns::read(&**store, claimed.fence.run_id, source).await.map_err(LogError::store) {
                Ok(kept) => progress.kept_turns = kept,
                Err(error) if is_damage(&error) => progress.is_damaged("its turns", &error),
                Err(error) => return Err(error),
            }
        }
        let mut after = start.saturating_sub(1);
        let (mut size, mut damaged) = (PAGE, 0);
        while damaged < MOST_DAMAGED {
            let page = match store.read(claimed.thread_id, after, PageLimit::events(size)).await {
                Ok(page) => page,
                Err(error) if !is_damage(&error) => return Err(error),
                // Which of them it is shows when they are read one by one.
                Err(_) if size > 1 => {
                    size = 1;
                    continue;
                }
                Err(error) => {
                    after += 1;
                    progress.is_damaged(&format!("event {after}"), &error);
                    (size, damaged) = (PAGE, damaged + 1);
                    continue;
                }
            };
            let Some(last) = page.events.last() else { break };
            after = last.seq;
            for event in page.events.iter().filter(|event| event.run_id == Some(claimed.fence.run_id)) {
                match event.decode() {
                    Ok(frame) => {
                        progress.pass(event.seq, event.ts);
                        progress.apply(&frame.message, event.ts);
                    }
                    // An event of a later version says nothing to this one.
                    Err(error) if error.code == ErrorCode::UnknownType => {}
                    Err(error) => progress.is_damaged(&format!("event {}", event.seq), &error),
                }
            }
        }
        if let Some((worked, _)) = progress.waited {
            progress.worked = worked;
        }
        Ok(progress)
    }

    fn is_damaged(&mut self, what: &str, error: &dyn std::error::Error) {
        self.damage.get_or_insert_with(|| format!("{what}: {error}"));
    }

    /// Comes to an event. Between the run's last wait and the first event after it nobody worked.
    fn pass(&mut self, seq: u64, at: Timestamp) {
        if let Some((worked, _)) = self.waited.take_if(|(_, upto)| seq > *upto) {
            (self.worked_before, self.worked, self.begun_at) = (worked, worked, at);
        }
    }

    fn apply(&mut self, event: &Event, at: Timestamp) {
        self.run.apply(event, at);
        match event {
            Event::AgentStarted(_) => {
                self.worked_before = self.worked;
                self.begun_at = at;
                self.iterations += 1;
                self.attempts += 1;
            }
            // A tool is called at the end of a turn, so the text before it is finished.
            Event::ToolExecuting(ToolExecuting { tool_call_id, .. })
            | Event::ToolApprovalRequired(ToolApprovalRequired { tool_call_id, .. })
                if !self.said_before.contains_key(tool_call_id) =>
            {
                // Calls of one turn begin before any of them ends.
                let with_others = self.open_calls().any(|other| other.tool_call_id != *tool_call_id);
                self.steps += u32::from(!with_others);
                self.kept.clone_from(&self.run.text);
                self.said_before.insert(tool_call_id.clone(), self.kept.len());
            }
            Event::ToolCompleted(_) => self.attempts = 0,
            Event::AgentResponse(_) => self.answered = true,
            Event::ThreadMessage(_)
            | Event::AgentThinking(_)
            // A call that was asked about begins once.
            | Event::ToolExecuting(_)
            | Event::ToolApprovalRequired(_)
            | Event::AgentProgress(_)
            | Event::PartialResult(_)
            | Event::AgentCompleted(_)
            | Event::AgentError(_) => {}
        }
        self.worked = self.worked_before + Duration::from_millis(at.millis_since(self.begun_at));
    }

    /// The answer's id, if it has begun.
    pub(super) fn message_id(&self) -> Option<MessageId> {
        self.run.message_id
    }

    /// Whether the run took down one process after another.
    pub(super) fn is_hopeless(&self) -> bool {
        self.attempts >= MAX_ATTEMPTS || self.iterations >= MAX_ITERATIONS
    }

    /// The finished turns, as the model is shown them: what was said, and the calls that followed.
    pub(super) fn turns(&self) -> Vec<ChatMessage> {
        self.kept_turns.turns(&self.run, |call| self.said_before.get(&call.tool_call_id).copied())
    }

    /// A call's id as the model is shown it.
    pub(super) fn id_for_model(&self, call: &ToolCall) -> String {
        self.kept_turns.id(call)
    }

    /// Calls that began and did not end.
    pub(super) fn open_calls(&self) -> impl Iterator<Item = &ToolCall> {
        self.run.tools().filter(|call| call.status.is_none())
    }
}

/// Whether what is kept is damaged, as against a store that fails for now.
fn is_damage(error: &LogError) -> bool {
    matches!(StoreError::among(error), Some(StoreError::Corrupt(_)))
}

/// The last refusal: taking the run up again would only fail again.
pub(super) fn too_often(run: RunId) -> (ErrorCode, String) {
    tracing::error!(run_id = %run, "a run was cut off too often");
    (
        ErrorCode::RunInterrupted,
        "the server stopped again and again while the agent worked; what it had said is kept".to_owned(),
    )
}

#[cfg(test)]
mod tests {
    use netra_ws::{
        ThreadId, UserId,
        log::Fence,
        model::{Object, ToolStatus},
        payload::{AgentStarted, ToolCompleted, ToolExecuting},
    };

    use super::*;

    fn claimed() -> ClaimedRun {
        ClaimedRun {
            fence: Fence { run_id: RunId::new(), token: 1 },
            thread_id: ThreadId::new(),
            user_id: UserId::new(),
            message_id: None,
            agent: "assistant".to_owned(),
            start_seq: None,
            stopped: false,
            usage: None,
            nested: None,
            woken: false,
            worked: None,
        }
    }

    #[test]
    fn what_processes_before_took_is_counted() {
        let mut progress = Progress::none(&claimed());
        let mut at = |second: u64, event: Event| progress.apply(&event, Timestamp::from_millis(second * 1_000));
        let started = |iteration| {
            let agent = "assistant".to_owned();
            Event::AgentStarted(AgentStarted {
                agent,
                answers: None,
                parent_run_id: None,
                tool_call_id: None,
                model: None,
                iteration,
            })
        };
        let begins = |call: &str| {
            let (tool_call_id, tool, agent) = (call.to_owned(), "wait".to_owned(), "assistant".to_owned());
            Event::ToolExecuting(ToolExecuting {
                tool_call_id,
                tool,
                agent,
                arguments: Object::new(),
                decided_by: None,
            })
        };
        let ends = |call: &str| {
            let (tool_call_id, tool) = (call.to_owned(), "wait".to_owned());
            let (status, result) = (ToolStatus::Ok, serde_json::Value::Null);
            Event::ToolCompleted(ToolCompleted { tool_call_id, tool, status, result, duration_ms: 1, decided_by: None })
        };
        at(100, started(1));
        // One turn with two calls, and one with one.
        at(101, begins("a"));
        at(101, begins("b"));
        at(102, ends("b"));
        at(103, ends("a"));
        at(105, begins("c"));
        // An hour in which nobody worked on it.
        at(3_700, started(2));
        at(3_702, ends("c"));
        assert_eq!((progress.worked, progress.steps), (Duration::from_secs(5 + 2), 2));
    }
}
