//! A run's events in AG-UI's words. What is told depends on the events alone, and so does the name of each piece: whoever comes back
//! with the name of the last one gets what follows it.

use netra_ws::{
    message::Event,
    model::{Run, RunStatus, Step, ToolStatus, Usage},
    payload::CompletedStatus,
};
use serde_json::{Value, json};

/// Where a piece stands: the event that it tells, its place among what that event becomes, and the bytes of the answer told by then.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Position {
    pub(super) seq: u64,
    part: u32,
    said: usize,
}

impl Position {
    /// Reads what [`Display`](std::fmt::Display) wrote.
    pub(super) fn read(text: &str) -> Option<Self> {
        let mut parts = text.trim().splitn(3, '.');
        let seq = parts.next()?.parse().ok()?;
        let part = parts.next()?.parse().ok()?;
        Some(Self { seq, part, said: parts.next()?.parse().ok()? })
    }
}

impl std::fmt::Display for Position {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}.{}", self.seq, self.part, self.said)
    }
}

/// What a client was told of a run.
pub(super) struct Told {
    /// The client's names for thread and run.
    thread: String,
    run: String,
    /// The conversation as the client knows it; a text that is taken back is told by all that is left.
    messages: Vec<Value>,
    after: Option<Position>,
    has_begun: bool,
    text: Option<String>,
    texts: u32,
    thought: Option<String>,
    thoughts: u32,
    notes: u32,
    /// Bytes of the answer that were told.
    said: usize,
    has_ended: bool,
}

impl Told {
    /// Tells what comes after a position; everything where there is none.
    pub(super) fn new(thread: &str, run: &str, messages: Vec<Value>, after: Option<Position>) -> Self {
        Self {
            thread: thread.to_owned(),
            run: run.to_owned(),
            messages,
            after,
            has_begun: false,
            text: None,
            texts: 0,
            thought: None,
            thoughts: 0,
            notes: 0,
            said: 0,
            has_ended: false,
        }
    }

    /// Whether the end was told.
    pub(super) fn has_ended(&self) -> bool {
        self.has_ended
    }

    /// What an event becomes.
    pub(super) fn event(&mut self, seq: u64, event: &Event) -> Vec<(Position, Value)> {
        let mut told = Vec::new();
        self.tell(event, &mut told);
        self.placed(seq, told)
    }

    fn placed(&self, seq: u64, told: Vec<(usize, Value)>) -> Vec<(Position, Value)> {
        let placed = (0..).zip(told).map(|(part, (said, value))| (Position { seq, part, said }, value));
        placed.filter(|(at, _)| self.after.is_none_or(|after| (at.seq, at.part) > (after.seq, after.part))).collect()
    }

    fn push(&self, told: &mut Vec<(usize, Value)>, value: Value) {
        told.push((self.said, value));
    }

    fn tell(&mut self, event: &Event, told: &mut Vec<(usize, Value)>) {
        match event {
            Event::ThreadMessage(_) => {}
            Event::AgentStarted(_) => self.begin(told),
            Event::AgentThinking(thinking) => self.think(&thinking.thought, told),
            Event::ToolExecuting(call) => {
                self.call(&call.tool_call_id, &call.tool, &json!(call.arguments), told);
            }
            Event::ToolApprovalRequired(asked) => {
                self.close(told);
                self.push(told, json!({ "type": "CUSTOM", "name": "tool_approval_required", "value": json!(asked) }));
            }
            Event::ToolCompleted(call) => self.result(&call.tool_call_id, &call.status, &call.result, told),
            Event::AgentProgress(progress) => self.note(&progress.message, progress.fraction, told),
            Event::PartialResult(piece) => {
                if piece.reset {
                    self.take_back(told);
                }
                self.say(&piece.message_id.to_string(), &piece.delta, told);
            }
            // Pieces that are no longer kept are told by the whole.
            Event::AgentResponse(answer) => {
                let rest = answer.content.get(self.said..).unwrap_or_default().to_owned();
                self.say(&answer.message_id.to_string(), &rest, told);
            }
            Event::AgentCompleted(end) => {
                let outcome = if end.status == CompletedStatus::Stopped { "cancelled" } else { "success" };
                self.end(outcome, end.usage, told);
            }
            Event::AgentError(error) => self.fail(&error.code.to_string(), &error.message, told),
        }
    }

    fn begin(&mut self, told: &mut Vec<(usize, Value)>) {
        if !std::mem::replace(&mut self.has_begun, true) {
            let (thread, run) = (&self.thread, &self.run);
            let started = json!({ "type": "RUN_STARTED", "threadId": thread, "runId": run, "protocolVersion": "1.0" });
            self.push(told, started);
        }
    }

    fn think(&mut self, thought: &str, told: &mut Vec<(usize, Value)>) {
        if thought.is_empty() {
            return;
        }
        self.close_text(told);
        let id = self.thought.clone().unwrap_or_else(|| {
            self.thoughts += 1;
            let id = format!("{}-thought-{}", self.run, self.thoughts);
            self.push(told, json!({ "type": "REASONING_START", "messageId": id }));
            self.push(told, json!({ "type": "REASONING_MESSAGE_START", "messageId": id, "role": "reasoning" }));
            id
        });
        self.push(told, json!({ "type": "REASONING_MESSAGE_CONTENT", "messageId": id, "delta": thought }));
        self.thought = Some(id);
    }

    fn say(&mut self, message: &str, delta: &str, told: &mut Vec<(usize, Value)>) {
        // What stands apart from what was said before is a message of its own here.
        let words = if self.text.is_none() { delta.trim_start_matches('\n') } else { delta };
        if words.is_empty() {
            self.said += delta.len();
        } else {
            self.close_thought(told);
            let id = self.text.clone().unwrap_or_else(|| {
                self.texts += 1;
                let id = if self.texts == 1 { message.to_owned() } else { format!("{message}-{}", self.texts) };
                self.push(told, json!({ "type": "TEXT_MESSAGE_START", "messageId": id, "role": "assistant" }));
                self.messages.push(json!({ "id": id, "role": "assistant", "content": "" }));
                id
            });
            self.said += delta.len();
            self.push(told, json!({ "type": "TEXT_MESSAGE_CONTENT", "messageId": id, "delta": words }));
            if let Some(Value::String(content)) = self.messages.last_mut().map(|message| &mut message["content"]) {
                content.push_str(words);
            }
            self.text = Some(id);
        }
    }

    /// What was said so far was not meant: all that is left is told.
    fn take_back(&mut self, told: &mut Vec<(usize, Value)>) {
        self.close(told);
        if self.said == 0 {
            return;
        }
        self.said = 0;
        let own = |message: &Value| message["role"] == "assistant" && message.get("toolCalls").is_none();
        let asked = self.messages.iter().rposition(|message| message["role"] == "user").map_or(0, |at| at + 1);
        let mut place = 0;
        self.messages.retain(|message| {
            place += 1;
            place <= asked || !own(message)
        });
        self.push(told, json!({ "type": "MESSAGES_SNAPSHOT", "messages": self.messages }));
    }

    fn call(&mut self, id: &str, tool: &str, arguments: &Value, told: &mut Vec<(usize, Value)>) {
        self.close(told);
        let arguments = arguments.to_string();
        self.push(told, json!({ "type": "TOOL_CALL_START", "toolCallId": id, "toolCallName": tool }));
        self.push(told, json!({ "type": "TOOL_CALL_ARGS", "toolCallId": id, "delta": arguments }));
        self.push(told, json!({ "type": "TOOL_CALL_END", "toolCallId": id }));
        let function = json!({ "name": tool, "arguments": arguments });
        let calls = json!([{ "id": id, "type": "function", "function": function }]);
        self.messages.push(json!({ "id": id, "role": "assistant", "content": "", "toolCalls": calls }));
    }

    fn result(&mut self, id: &str, status: &ToolStatus, result: &Value, told: &mut Vec<(usize, Value)>) {
        self.close(told);
        let content = result.as_str().map_or_else(|| result.to_string(), str::to_owned);
        let message = format!("{id}-result");
        let mut event = json!({
            "type": "TOOL_CALL_RESULT", "messageId": message, "toolCallId": id, "content": content, "role": "tool",
        });
        if *status != ToolStatus::Ok {
            event["metadata"] = json!({ "status": status });
        }
        self.push(told, event);
        self.messages.push(json!({ "id": message, "role": "tool", "toolCallId": id, "content": content }));
    }

    fn note(&mut self, message: &str, fraction: Option<f64>, told: &mut Vec<(usize, Value)>) {
        self.notes += 1;
        let id = format!("{}-note-{}", self.run, self.notes);
        let mut content = json!({ "message": message });
        if let Some(fraction) = fraction {
            content["fraction"] = fraction.into();
        }
        self.push(
            told,
            json!({ "type": "ACTIVITY_SNAPSHOT", "messageId": id, "activityType": "progress", "content": content }),
        );
    }

    fn end(&mut self, outcome: &str, usage: Option<Usage>, told: &mut Vec<(usize, Value)>) {
        self.close(told);
        let (thread, run) = (&self.thread, &self.run);
        let mut end =
            json!({ "type": "RUN_FINISHED", "threadId": thread, "runId": run, "outcome": { "type": outcome } });
        if let Some(usage) = usage {
            let (input, output, total) = (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens);
            end["usage"] = json!([{ "inputTokens": input, "outputTokens": output, "totalTokens": total }]);
        }
        self.has_ended = true;
        self.push(told, end);
    }

    fn fail(&mut self, code: &str, message: &str, told: &mut Vec<(usize, Value)>) {
        // A run that fails before it began has begun all the same.
        self.begin(told);
        self.close(told);
        self.has_ended = true;
        self.push(told, json!({ "type": "RUN_ERROR", "message": message, "code": code }));
    }

    fn close(&mut self, told: &mut Vec<(usize, Value)>) {
        self.close_thought(told);
        self.close_text(told);
    }

    fn close_text(&mut self, told: &mut Vec<(usize, Value)>) {
        if let Some(id) = self.text.take() {
            self.push(told, json!({ "type": "TEXT_MESSAGE_END", "messageId": id }));
        }
    }

    fn close_thought(&mut self, told: &mut Vec<(usize, Value)>) {
        if let Some(id) = self.thought.take() {
            self.push(told, json!({ "type": "REASONING_MESSAGE_END", "messageId": id }));
            self.push(told, json!({ "type": "REASONING_END", "messageId": id }));
        }
    }

    /// A run whose events are no longer kept one by one, as it stands at `seq`. A client that knows a part of the answer gets the
    /// rest of it; its calls it knows.
    pub(super) fn run(&mut self, seq: u64, run: &Run) -> Vec<(Position, Value)> {
        let mut told = Vec::new();
        let message = run.message_id.map_or_else(|| run.run_id.to_string(), |id| id.to_string());
        match self.after.take() {
            None => {
                self.begin(&mut told);
                for step in &run.steps {
                    if let Step::Tool(call) = step {
                        self.call(&call.tool_call_id, &call.tool, &json!(call.arguments), &mut told);
                        if let Some(status) = &call.status {
                            self.result(&call.tool_call_id, status, &call.result, &mut told);
                        }
                    }
                }
            }
            Some(after) => {
                self.has_begun = true;
                self.said = after.said;
                // The client's message is open, or one more of the same answer.
                self.texts = 1;
            }
        }
        let rest = run.text.get(self.said..).unwrap_or_default().to_owned();
        self.say(&message, &rest, &mut told);
        if run.has_ended() {
            if let Some(error) = &run.error {
                self.fail(&error.code.to_string(), &error.message, &mut told);
            } else {
                let outcome = if run.status == RunStatus::Stopped { "cancelled" } else { "success" };
                self.end(outcome, run.usage, &mut told);
            }
        }
        self.placed(seq, told)
    }
}

#[cfg(test)]
#[path = "told_tests.rs"]
mod tests;
