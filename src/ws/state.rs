//! The reducer: a thread's state and how an event changes it. The server renders with it, the browser follows with it.

use serde::{Deserialize, Serialize};

use crate::{
    frame::{EventFrame, Place, ServerFrame},
    id::{MessageId, RunId},
    message::{Event, ServerMessage},
    model::{Author, Message, MessageRole, Object, Run, RunError, RunStatus, Step, Thread, ToolCall, ToolStatus},
    payload::{CompletedStatus, ThreadSnapshot},
    shared::Shared,
    time::Timestamp,
};

/// A thread as far as its events are known.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ThreadState {
    /// Title and settings; absent until a snapshot or an update came.
    pub thread: Option<Thread>,
    /// The log's epoch; empty until known.
    pub epoch: String,
    /// The last event applied: the cursor.
    pub seq: u64,
    /// Messages, oldest first.
    pub messages: Vec<Shared<Message>>,
    /// Where older messages begin on the server; absent when `messages` holds all.
    pub earlier_cursor: Option<String>,
    /// Runs, in the order they were asked for.
    pub runs: Vec<Shared<Run>>,
}

/// What a frame did to the state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Applied {
    /// Nothing: it was applied before, or it is not part of a thread's state.
    Nothing,
    /// Something is missing before it; subscribe again with the cursor.
    Gap,
    /// Title or settings.
    Thread,
    /// A message was added, or everything is new.
    Structure,
    /// One run changed.
    Run(RunId),
}

impl ThreadState {
    /// The state that a snapshot describes.
    pub fn from_snapshot(snapshot: ThreadSnapshot) -> Self {
        Self {
            thread: Some(snapshot.thread),
            epoch: snapshot.epoch,
            seq: snapshot.as_of_seq,
            messages: snapshot.messages.into_iter().map(Shared::from).collect(),
            earlier_cursor: snapshot.earlier_cursor,
            runs: snapshot.runs.into_iter().map(Shared::from).collect(),
        }
    }

    /// Moves over an event of a type that this build does not know.
    pub fn skip(&mut self, place: &Place) -> Applied {
        match self.step(&place.epoch, place.seq) {
            Ok(()) => Applied::Nothing,
            Err(applied) => applied,
        }
    }

    /// Moves the cursor over an event, if it is next in line.
    fn step(&mut self, epoch: &str, seq: u64) -> Result<(), Applied> {
        if self.epoch.is_empty() {
            epoch.clone_into(&mut self.epoch);
        }
        if epoch != self.epoch || seq.checked_sub(1).is_some_and(|before| before > self.seq) {
            return Err(Applied::Gap);
        }
        if seq <= self.seq {
            return Err(Applied::Nothing);
        }
        self.seq = seq;
        if let Some(thread) = &mut self.thread {
            thread.head_seq = thread.head_seq.max(seq);
        }
        Ok(())
    }

    /// Applies a frame of this thread. Applying an event again changes nothing.
    pub fn apply(&mut self, frame: &ServerFrame) -> Applied {
        if let Some(seq) = frame.seq {
            return match (self.step(frame.epoch.as_deref().unwrap_or_default(), seq), &frame.message) {
                (Ok(()), ServerMessage::Event(event)) => self.fold(event, frame.run_id, frame.ts),
                // What a later server numbers and this build does not fold.
                (Ok(()), _) => Applied::Nothing,
                (Err(applied), _) => applied,
            };
        }
        match &frame.message {
            ServerMessage::ThreadSnapshot(snapshot) => {
                let known = self.thread.take().filter(|known| {
                    snapshot.epoch == self.epoch
                        && known.id == snapshot.thread.id
                        && known.version > snapshot.thread.version
                });
                self.replace(snapshot.clone());
                self.thread = known.or(self.thread.take());
                Applied::Structure
            }
            ServerMessage::ThreadUpdate(thread) | ServerMessage::ThreadCreated(thread) => {
                // An older word, overtaken on its way, does not win.
                if self.thread.as_ref().is_some_and(|known| known.version > thread.version) {
                    return Applied::Nothing;
                }
                self.thread = Some(thread.clone());
                Applied::Thread
            }
            // An event without its number is none.
            ServerMessage::Event(_)
            | ServerMessage::Connect(_)
            | ServerMessage::Disconnect(_)
            | ServerMessage::Heartbeat(_)
            | ServerMessage::Pong(_)
            | ServerMessage::Authenticated(_)
            | ServerMessage::Subscribed(_)
            | ServerMessage::Ack(_)
            | ServerMessage::Unsubscribed(_)
            | ServerMessage::ErrorMessage(_)
            | ServerMessage::ThreadDeleted(_)
            | ServerMessage::SystemMessage(_)
            | ServerMessage::Broadcast(_)
            | ServerMessage::RoomMessage(_)
            | ServerMessage::JsonrpcResponse(_)
            | ServerMessage::JsonrpcNotification(_) => Applied::Nothing,
        }
    }

    /// Applies an event as the log has it; the same as [`apply`](Self::apply) with its frame.
    pub fn apply_event(&mut self, frame: &EventFrame) -> Applied {
        match self.step(frame.epoch.as_deref().unwrap_or_default(), frame.seq.unwrap_or_default()) {
            Ok(()) => self.fold(&frame.message, frame.run_id, frame.ts),
            Err(applied) => applied,
        }
    }

    /// Folds an event that is next in line.
    fn fold(&mut self, event: &Event, run_id: Option<RunId>, at: Option<Timestamp>) -> Applied {
        let at = at.unwrap_or_default();
        if let Event::ThreadMessage(added) = event {
            self.messages.push(Shared::from(Message {
                message_id: added.message_id,
                role: added.role,
                content: added.content.clone(),
                run_id,
                seq: self.seq,
                created_at: at,
                author: added.author.clone(),
                parent_id: added.parent_id,
                attachments: added.attachments.clone(),
            }));
            if let Some(run_id) = added.answered_by {
                let agent = added.agent.clone().unwrap_or_default();
                self.runs.push(Run::queued(run_id, agent, Some(added.message_id)).into());
            }
            return Applied::Structure;
        }
        let Some(run_id) = run_id else { return Applied::Nothing };
        // From the end: a run that something happens in is new.
        let known = self.runs.iter().rev().any(|run| run.run_id == run_id);
        if !known {
            self.runs.push(Run::queued(run_id, String::new(), None).into());
        }
        if let Event::AgentResponse(answer) = event
            && !self.run(run_id).is_some_and(Run::is_nested)
        {
            self.messages.push(Shared::from(Message {
                message_id: answer.message_id,
                role: MessageRole::Assistant,
                content: answer.content.clone(),
                run_id: Some(run_id),
                seq: self.seq,
                created_at: at,
                author: None,
                parent_id: None,
                attachments: Vec::new(),
            }));
        }
        if let Some(run) = self.run_mut(run_id) {
            run.apply(event, at);
        }
        if known { Applied::Run(run_id) } else { Applied::Structure }
    }

    /// The run with this id.
    pub fn run(&self, id: RunId) -> Option<&Run> {
        self.runs.iter().rev().find(|run| run.run_id == id).map(|run| &**run)
    }

    fn run_mut(&mut self, id: RunId) -> Option<&mut Run> {
        self.runs.iter_mut().rev().find(|run| run.run_id == id).map(|run| &mut **run)
    }

    /// The message with this id.
    pub fn message(&self, id: MessageId) -> Option<&Message> {
        self.messages.iter().rev().find(|message| message.message_id == id).map(|message| &**message)
    }

    /// The runs that have not ended.
    pub fn active_runs(&self) -> impl Iterator<Item = &Run> {
        self.runs.iter().map(|run| &**run).filter(|run| !run.has_ended())
    }
}

impl Run {
    /// Folds an event of this run that happened at `at`.
    pub fn apply(&mut self, event: &Event, at: Timestamp) {
        if !matches!(event, Event::AgentThinking(_)) {
            self.end_thought(at);
        }
        match event {
            Event::AgentStarted(started) => {
                self.status = RunStatus::Running;
                self.agent.clone_from(&started.agent);
                self.model.clone_from(&started.model);
                self.parent_run_id = started.parent_run_id;
                self.parent_call_id.clone_from(&started.tool_call_id);
                self.answers = started.answers.or(self.answers);
                self.started_at = self.started_at.or(Some(at));
            }
            Event::AgentThinking(thinking) => self.think(&thinking.thought, at),
            Event::ToolExecuting(call) => {
                if let Some(waiting) = self.tool_mut(&call.tool_call_id) {
                    waiting.decide(call.decided_by.as_ref());
                } else {
                    self.steps.push(Step::Tool(ToolCall {
                        decided_by: call.decided_by.clone(),
                        ..ToolCall::begun(&call.tool_call_id, &call.tool, &call.arguments)
                    }));
                }
                self.await_people();
            }
            Event::ToolApprovalRequired(call) => {
                self.steps.push(Step::Tool(ToolCall {
                    approval_expires_at: Some(call.expires_at),
                    question: call.question().map(Box::new),
                    ..ToolCall::begun(&call.tool_call_id, &call.tool, &call.arguments)
                }));
                self.await_people();
            }
            Event::ToolCompleted(done) => {
                if let Some(call) = self.tool_mut(&done.tool_call_id) {
                    call.decide(done.decided_by.as_ref());
                    call.status = Some(done.status);
                    call.result = done.result.clone();
                    call.duration_ms = Some(done.duration_ms);
                }
                self.await_people();
            }
            Event::AgentProgress(progress) => {
                let step = Step::Progress { message: progress.message.clone(), fraction: progress.fraction };
                match self.steps.last_mut() {
                    Some(last @ Step::Progress { .. }) => *last = step,
                    _ => self.steps.push(step),
                }
            }
            Event::PartialResult(part) => {
                if part.reset {
                    self.text.clear();
                }
                self.message_id = Some(part.message_id);
                self.text.push_str(&part.delta);
            }
            Event::AgentResponse(answer) => {
                self.message_id = Some(answer.message_id);
                self.text.clone_from(&answer.content);
                self.usage = answer.usage.or(self.usage);
            }
            Event::AgentCompleted(done) => {
                self.status = match done.status {
                    CompletedStatus::Completed => RunStatus::Completed,
                    CompletedStatus::Stopped => RunStatus::Stopped,
                    CompletedStatus::Unknown(word) => RunStatus::Unknown(word),
                };
                self.usage = done.usage.or(self.usage);
                self.end(done.duration_ms);
            }
            Event::AgentError(error) => {
                self.status = RunStatus::Failed;
                self.error =
                    Some(RunError { code: error.code, message: error.message.clone(), retryable: error.retryable });
                self.end(self.started_at.map_or(0, |started| at.millis_since(started)));
            }
            // A person's message belongs to no run.
            Event::ThreadMessage(_) => {}
        }
    }

    fn think(&mut self, thought: &str, at: Timestamp) {
        if let Some(Step::Thinking { text, ended_at, active: true, .. }) = self.steps.last_mut() {
            text.push_str(thought);
            *ended_at = at;
        } else {
            self.steps.push(Step::Thinking { text: thought.to_owned(), started_at: at, ended_at: at, active: true });
        }
    }

    fn end_thought(&mut self, at: Timestamp) {
        if let Some(Step::Thinking { ended_at, active: active @ true, .. }) = self.steps.last_mut() {
            *ended_at = at;
            *active = false;
        }
    }

    /// A run waits as long as one of its calls does.
    fn await_people(&mut self) {
        let waits = self.tools().any(|call| call.approval_expires_at.is_some());
        match self.status {
            RunStatus::Running if waits => self.status = RunStatus::Waiting,
            RunStatus::Waiting if !waits => self.status = RunStatus::Running,
            RunStatus::Queued
            | RunStatus::Running
            | RunStatus::Waiting
            | RunStatus::Completed
            | RunStatus::Stopped
            | RunStatus::Failed
            | RunStatus::Unknown(_) => {}
        }
    }

    /// A tool that never answered is not left spinning: the run's end is its end.
    fn end(&mut self, duration_ms: u64) {
        self.duration_ms = Some(duration_ms);
        for call in self.tools_mut().filter(|call| call.status.is_none()) {
            call.decide(None);
            call.status = Some(ToolStatus::Interrupted);
        }
    }

    fn tools_mut(&mut self) -> impl Iterator<Item = &mut ToolCall> {
        self.steps.iter_mut().filter_map(|step| match step {
            Step::Tool(call) => Some(call),
            Step::Thinking { .. } | Step::Progress { .. } | Step::Unknown(_) => None,
        })
    }

    fn tool_mut(&mut self, id: &str) -> Option<&mut ToolCall> {
        self.tools_mut().find(|call| call.tool_call_id == id)
    }

    /// The tool calls, in order.
    pub fn tools(&self) -> impl Iterator<Item = &ToolCall> {
        self.steps.iter().filter_map(|step| match step {
            Step::Tool(call) => Some(call),
            Step::Thinking { .. } | Step::Progress { .. } | Step::Unknown(_) => None,
        })
    }
}

impl ToolCall {
    /// A call that has begun, or may.
    fn begun(tool_call_id: &str, tool: &str, arguments: &Object) -> Self {
        Self {
            tool_call_id: tool_call_id.to_owned(),
            tool: tool.to_owned(),
            arguments: arguments.clone(),
            status: None,
            approval_expires_at: None,
            question: None,
            decided_by: None,
            result: serde_json::Value::Null,
            duration_ms: None,
        }
    }

    /// Nobody is asked any more.
    fn decide(&mut self, by: Option<&Author>) {
        self.approval_expires_at = None;
        self.question = None;
        self.decided_by = by.cloned().or(self.decided_by.take());
    }
}

#[cfg(test)]
#[path = "state_tests.rs"]
mod tests;
