//! Taking up a run that another process began: its events say how far it came.

use std::collections::HashMap;

use netra_ws::{
    ErrorCode, MessageId, RunId,
    log::{LogError, PageLimit},
    message::ServerMessage,
    model::{Run, ToolCall},
};

use super::provider::ChatMessage;
use crate::server::{
    store::{ClaimedRun, SharedStore},
    tool::ToolRequest,
};

/// Events read at a time.
const PAGE: usize = 500;

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
    /// How much text, in bytes, stood before each tool was called.
    said_before: HashMap<String, usize>,
    /// The text of its finished turns; what follows belongs to a turn that was cut off.
    pub(super) kept: String,
    /// Whether the whole answer is in the log and only the run's end is missing.
    pub(super) answered: bool,
}

impl Progress {
    /// A run that nobody has begun.
    pub(super) fn none(run: &ClaimedRun) -> Self {
        Self {
            run: Run::queued(run.fence.run_id, run.agent.clone(), run.message_id),
            iterations: 0,
            attempts: 0,
            said_before: HashMap::new(),
            kept: String::new(),
            answered: false,
        }
    }

    /// Reads the run's events.
    pub(super) async fn read(store: &SharedStore, claimed: &ClaimedRun) -> Result<Self, LogError> {
        let mut progress = Self::none(claimed);
        let Some(start) = claimed.start_seq else { return Ok(progress) };
        let mut after = start.saturating_sub(1);
        loop {
            let page = store.read(claimed.thread_id, after, PageLimit::events(PAGE)).await?;
            let Some(last) = page.events.last() else { return Ok(progress) };
            after = last.seq;
            for event in page.events.iter().filter(|event| event.run_id == Some(claimed.fence.run_id)) {
                let frame = event.decode().map_err(|error| LogError::Store(Box::new(error)))?;
                progress.apply(&frame.message, event.ts);
            }
        }
    }

    fn apply(&mut self, message: &ServerMessage, at: netra_ws::Timestamp) {
        self.run.apply(message, at);
        match message {
            ServerMessage::AgentStarted(_) => {
                self.iterations += 1;
                self.attempts += 1;
            }
            // A tool is called at the end of a turn, so the text before it is finished.
            ServerMessage::ToolExecuting(call) => {
                self.kept.clone_from(&self.run.text);
                self.said_before.insert(call.tool_call_id.clone(), self.kept.len());
            }
            ServerMessage::ToolCompleted(_) => self.attempts = 0,
            ServerMessage::AgentResponse(_) => self.answered = true,
            ServerMessage::Connect(_)
            | ServerMessage::Disconnect(_)
            | ServerMessage::Heartbeat(_)
            | ServerMessage::Pong(_)
            | ServerMessage::Authenticated(_)
            | ServerMessage::Subscribed(_)
            | ServerMessage::ThreadSnapshot(_)
            | ServerMessage::Ack(_)
            | ServerMessage::Unsubscribed(_)
            | ServerMessage::ErrorMessage(_)
            | ServerMessage::ThreadCreated(_)
            | ServerMessage::ThreadUpdate(_)
            | ServerMessage::ThreadDeleted(_)
            | ServerMessage::ThreadMessage(_)
            | ServerMessage::AgentThinking(_)
            | ServerMessage::ToolApprovalRequired(_)
            | ServerMessage::AgentProgress(_)
            | ServerMessage::PartialResult(_)
            | ServerMessage::AgentCompleted(_)
            | ServerMessage::AgentError(_)
            | ServerMessage::SystemMessage(_)
            | ServerMessage::Broadcast(_)
            | ServerMessage::RoomMessage(_)
            | ServerMessage::JsonrpcResponse(_)
            | ServerMessage::JsonrpcNotification(_) => {}
        }
    }

    /// The answer's id, if it has begun.
    pub(super) fn message_id(&self) -> Option<MessageId> {
        self.run.message_id
    }

    /// Whether the run took down one process after another.
    pub(super) fn is_hopeless(&self) -> bool {
        self.attempts >= MAX_ATTEMPTS || self.iterations >= MAX_ITERATIONS
    }

    /// The finished turns, as the model is shown them: what was said, and the call that followed.
    pub(super) fn turns(&self) -> Vec<ChatMessage> {
        let mut from = 0;
        let turn = |call: &ToolCall| {
            let upto = self.said_before.get(&call.tool_call_id).copied().unwrap_or(from);
            let said = self.kept.get(from..upto).unwrap_or_default();
            from = upto;
            as_turn(said.trim_start_matches('\n'), call)
        };
        self.run.tools().flat_map(turn).collect()
    }

    /// Calls that began and did not end.
    pub(super) fn open_calls(&self) -> impl Iterator<Item = &ToolCall> {
        self.run.tools().filter(|call| call.status.is_none())
    }
}

/// The last refusal: taking the run up again would only fail again.
pub(super) fn too_often(run: RunId) -> (ErrorCode, String) {
    tracing::error!(run_id = %run, "a run was cut off too often");
    (
        ErrorCode::RunInterrupted,
        "the server stopped again and again while the agent worked; what it had said is kept".to_owned(),
    )
}

fn as_turn(said: &str, call: &ToolCall) -> [ChatMessage; 2] {
    let request =
        ToolRequest { id: call.tool_call_id.clone(), tool: call.tool.clone(), arguments: Ok(call.arguments.clone()) };
    [
        ChatMessage::Assistant { text: said.to_owned(), calls: vec![request] },
        ChatMessage::Tool { id: call.tool_call_id.clone(), result: call.result.to_string() },
    ]
}
