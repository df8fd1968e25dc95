//! AG-UI 1.0, and what its servers sent before: `THINKING_…` events, chunks without start and end, interrupts as custom events. Types
//! that are unknown pass by; an event that comes out of order, twice or for another run changes nothing that was told.

mod patch;
mod record;

use std::collections::HashSet;

use serde_json::{Map, Value};

use super::{Fault, Interrupt, Outcome, Reader, Said, Spent, Tokens, calls::Calls, clean, joined, result, text_of};
use record::Record;

/// Bytes of JSON that the agent's state may have. A larger one is not sent back.
const MAX_STATE: usize = 128 << 10;

/// Questions at the end of one run.
const MAX_INTERRUPTS: usize = 16;

/// Reads one run.
#[derive(Debug, Default)]
pub(in crate::server::agent) struct AgUi {
    /// The run that was asked for, and the question's id.
    run: String,
    asked: String,
    /// The run's own name for itself, where it has another.
    theirs: Option<String>,
    /// Messages that have begun: those of others, of users and of the system are not shown.
    texts: Vec<Text>,
    /// The message that chunks without an id belong to.
    chunk: Option<String>,
    /// The call that chunks without an id belong to.
    call_chunk: Option<String>,
    /// The message that spoke last.
    speaker: Option<String>,
    calls: Calls,
    spent: Spent,
    state: Value,
    /// The activity that was told last, for what changes in it.
    activity: Option<(String, Value)>,
    /// The plan as it was told last.
    plan: String,
    record: Record,
    interrupts: Vec<Interrupt>,
    said: HashSet<String>,
    /// Calls that were made before a question: their message has them already.
    waiting: Vec<String>,
    ended: bool,
}

#[derive(Debug)]
struct Text {
    id: String,
    kind: Kind,
    open: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Answer,
    /// Of a helper, and so a thought of the whole.
    Thought,
    Muted,
}

impl AgUi {
    /// A reader of the run with this id, which answers the message `asked`. `state` is what the agent left in the run before.
    pub(in crate::server::agent) fn new(run: &str, asked: &str, state: Value) -> Self {
        Self { run: run.to_owned(), asked: asked.to_owned(), state, ..Self::default() }
    }

    /// The same for a run that goes on behind a question: what the agent said before it, and calls that waited for the answer.
    pub(in crate::server::agent) fn behind(mut self, messages: &[Value]) -> Result<Self, Fault> {
        let is_answered = |id: &str| messages.iter().any(|message| message["toolCallId"] == id);
        let calls =
            messages.iter().filter_map(|message| Some((message["id"].as_str(), message["toolCalls"].as_array()?)));
        for (message, call) in calls.flat_map(|(message, calls)| calls.iter().map(move |call| (message, call))) {
            let (id, function) = (call["id"].as_str().unwrap_or_default(), &call["function"]);
            if !is_answered(id) {
                self.calls.start(id, function["name"].as_str().unwrap_or_default(), message)?;
                self.calls.add(id, function["arguments"].as_str().unwrap_or_default())?;
            }
        }
        self.waiting = self.calls.coming_ids();
        self.record.replace(messages);
        Ok(self)
    }

    fn event(&mut self, kind: &str, event: &Map<String, Value>) -> Result<Vec<Said>, Fault> {
        let text = |name: &str| text_of(event, name);
        let delta = event.get("delta").and_then(Value::as_str).unwrap_or_default();
        let mut said = self.close_chunks(kind);
        match kind {
            "RUN_STARTED" => self.run_started(text("runId")),
            "RUN_FINISHED" => said.extend(self.run_finished(event)?),
            "RUN_ERROR" => {
                let message = text("message").or_else(|| text("code")).unwrap_or("no reason given");
                return Err(Fault::Failed(clean(message)));
            }
            "TEXT_MESSAGE_START" => {
                self.text_started(text("messageId"), text("role"), text("subagentRunId").is_some())?;
            }
            "TEXT_MESSAGE_CONTENT" => said.extend(self.text(text("messageId"), delta, event)?),
            "TEXT_MESSAGE_END" => self.text_ended(text("messageId")),
            "TEXT_MESSAGE_CHUNK" => {
                if let Some(id) = text("messageId").filter(|id| self.chunk.as_deref() != Some(*id)) {
                    self.chunk = Some(id.to_owned());
                    self.text_started(Some(id), text("role"), text("subagentRunId").is_some())?;
                }
                let id = self.chunk.clone();
                said.extend(self.text(id.as_deref(), delta, event)?);
            }
            "TOOL_CALL_START" => {
                if let (Some(id), Some(tool)) = (text("toolCallId"), text("toolCallName")) {
                    self.calls.start(id, tool, text("parentMessageId"))?;
                }
            }
            "TOOL_CALL_ARGS" => {
                if let Some(id) = text("toolCallId") {
                    self.calls.add(id, delta)?;
                }
            }
            "TOOL_CALL_END" => {
                let begun = text("toolCallId").and_then(|id| self.calls.begin(id));
                said.extend(begun);
            }
            "TOOL_CALL_CHUNK" => {
                if let Some(id) = text("toolCallId").filter(|id| self.call_chunk.as_deref() != Some(*id)) {
                    self.call_chunk = Some(id.to_owned());
                    if let Some(tool) = text("toolCallName") {
                        self.calls.start(id, tool, text("parentMessageId"))?;
                    }
                }
                if let Some(id) = &self.call_chunk {
                    self.calls.add(id, delta)?;
                }
            }
            "TOOL_CALL_RESULT" => {
                let content = event.get("content").unwrap_or(&Value::Null);
                if let Some(id) = text("toolCallId") {
                    let ended = self.calls.end(id, Outcome::Ok(result(content)));
                    if !ended.is_empty() {
                        self.record.result(text("messageId"), id, content);
                    }
                    said.extend(ended);
                }
            }
            "REASONING_MESSAGE_CONTENT" | "REASONING_MESSAGE_CHUNK" | "THINKING_TEXT_MESSAGE_CONTENT"
                if !delta.is_empty() =>
            {
                self.spent.text(delta.len())?;
                self.record.reasoning(text("messageId"), delta);
                said.push(Said::Thought(clean(delta)));
            }
            "REASONING_ENCRYPTED_VALUE" => {
                if let (Some(id), Some(value)) = (text("entityId"), text("encryptedValue")) {
                    self.record.sealed(id, value);
                }
            }
            "STEP_STARTED" => said.extend(text("stepName").and_then(|step| self.spent.note(step, None))),
            "SUBAGENT_STARTED" => {
                let name = text("name").unwrap_or("a helper");
                let note = text("description").map_or_else(|| name.to_owned(), |what| format!("{name}: {what}"));
                said.extend(self.spent.note(&note, None));
            }
            "SUBAGENT_ERROR" => {
                let why = text("message").unwrap_or("no reason given");
                said.extend(self.spent.note(&format!("a helper failed: {why}"), None));
            }
            "ACTIVITY_SNAPSHOT" => said.extend(self.activity(event)),
            "ACTIVITY_DELTA" => said.extend(self.activity_changed(event)),
            "STATE_SNAPSHOT" => {
                self.state = event.get("snapshot").cloned().unwrap_or_default();
                said.extend(self.spent.plan(&self.state, false, &mut self.plan));
            }
            "STATE_DELTA" => {
                if let Err(why) = patch::apply(&mut self.state, event.get("delta").unwrap_or(&Value::Null)) {
                    tracing::warn!(why, "a change of the agent's state does not fit and is left out");
                }
                said.extend(self.spent.plan(&self.state, false, &mut self.plan));
            }
            "MESSAGES_SNAPSHOT" => said.extend(self.snapshot(event)),
            "CUSTOM" if text("name") == Some("on_interrupt") => self.custom_interrupt(event),
            // Marks of what its own events tell, what is for other programs, and what is to come.
            _ => {}
        }
        self.note_calls(&said);
        Ok(said)
    }

    fn note_calls(&mut self, said: &[Said]) {
        let is_new = |said: &&Said| !matches!(said, Said::Begun(call) if self.waiting.contains(&call.id));
        let new: Vec<Said> = said.iter().filter(is_new).cloned().collect();
        self.record.calls(&new);
    }

    /// Chunks of a call end with the first event of another kind.
    fn close_chunks(&mut self, kind: &str) -> Vec<Said> {
        if matches!(kind, "TOOL_CALL_CHUNK" | "RAW" | "CUSTOM") {
            return Vec::new();
        }
        let open = self.call_chunk.take();
        open.and_then(|id| self.calls.begin(&id)).into_iter().collect()
    }

    fn run_started(&mut self, id: Option<&str>) {
        if let Some(id) = id.filter(|id| *id != self.run && self.theirs.is_none()) {
            self.theirs = Some(id.to_owned());
        }
    }

    fn run_finished(&mut self, event: &Map<String, Value>) -> Result<Vec<Said>, Fault> {
        if let Some(id) = text_of(event, "runId").filter(|id| *id != self.run && self.theirs.as_deref() != Some(*id)) {
            tracing::debug!(run = id, "the end of another run is passed over");
            return Ok(Vec::new());
        }
        self.ended = true;
        let outcome = event.get("outcome").unwrap_or(&Value::Null);
        let kind = outcome["type"].as_str().or_else(|| outcome.as_str()).unwrap_or_default();
        if kind == "interrupt" {
            let listed = outcome["interrupts"].as_array().map_or(&[][..], Vec::as_slice);
            let earlier = event.get("interrupt").map(std::slice::from_ref).unwrap_or_default();
            for one in listed.iter().chain(earlier).take(MAX_INTERRUPTS) {
                self.interrupts.push(interrupt(one));
            }
            if self.interrupts.is_empty() {
                self.interrupts.push(interrupt(&Value::Null));
            }
        }
        if kind == "cancelled" {
            return Err(Fault::Failed("it was cancelled at its own side".to_owned()));
        }
        let count = |used: &Value, name: &str| used[name].as_u64().unwrap_or_default();
        let used = event.get("usage").and_then(Value::as_array).into_iter().flatten();
        Ok(used
            .take(MAX_INTERRUPTS)
            .map(|used| Said::Used(Tokens { input: count(used, "inputTokens"), output: count(used, "outputTokens") }))
            .collect())
    }

    fn text_started(&mut self, id: Option<&str>, role: Option<&str>, of_helper: bool) -> Result<(), Fault> {
        let Some(id) = id else { return Ok(()) };
        let kind = match role {
            None | Some("assistant") if of_helper => Kind::Thought,
            None | Some("assistant") => Kind::Answer,
            Some(_) => Kind::Muted,
        };
        if let Some(text) = self.texts.iter_mut().find(|text| text.id == id) {
            text.open = true;
        } else {
            self.spent.id()?;
            self.texts.push(Text { id: id.to_owned(), kind, open: true });
        }
        Ok(())
    }

    fn text_ended(&mut self, id: Option<&str>) {
        if let Some(text) = self.texts.iter_mut().rfind(|text| Some(text.id.as_str()) == id) {
            text.open = false;
        }
    }

    fn text(&mut self, id: Option<&str>, delta: &str, event: &Map<String, Value>) -> Result<Vec<Said>, Fault> {
        if delta.is_empty() {
            return Ok(Vec::new());
        }
        let id = id.unwrap_or("message");
        if !self.texts.iter().any(|text| text.id == id) {
            self.text_started(Some(id), None, text_of(event, "subagentRunId").is_some())?;
        }
        // The newest messages are at the end, and the one that speaks is among them.
        let Some(kind) = self.texts.iter().rfind(|text| text.id == id && text.open).map(|text| text.kind) else {
            tracing::debug!(message = id, "text behind the end of its message is passed over");
            return Ok(Vec::new());
        };
        self.spent.text(delta.len())?;
        match kind {
            Kind::Muted => Ok(Vec::new()),
            Kind::Thought => Ok(vec![Said::Thought(clean(delta))]),
            Kind::Answer => {
                self.record.text(id, delta);
                self.said.insert(id.to_owned());
                let is_new = self.speaker.as_deref() != Some(id);
                if is_new {
                    self.speaker = Some(id.to_owned());
                }
                let begins = is_new.then_some(Said::Message);
                Ok(begins.into_iter().chain([Said::Text(clean(delta))]).collect())
            }
        }
    }

    fn activity(&mut self, event: &Map<String, Value>) -> Option<Said> {
        let kind = text_of(event, "activityType").unwrap_or_default();
        if let Some(content) = event.get("content") {
            self.activity = text_of(event, "messageId").map(|id| (id.to_owned(), content.clone()));
            let told = self.spent.plan(content, false, &mut self.plan);
            if told.is_some() {
                return told;
            }
        }
        let content = event.get("content").and_then(Value::as_object);
        let words = ["message", "title", "text", "status"];
        let words = content.and_then(|content| words.iter().find_map(|name| text_of(content, name)));
        let fraction = content.and_then(|content| content.get("fraction")?.as_f64());
        let note = words.map_or_else(|| kind.to_owned(), |words| format!("{kind}: {words}"));
        self.spent.note(&note, fraction)
    }

    /// What changes in an activity is told where it is a plan.
    fn activity_changed(&mut self, event: &Map<String, Value>) -> Option<Said> {
        let (id, content) = self.activity.as_mut()?;
        if text_of(event, "messageId") != Some(id.as_str()) {
            return None;
        }
        if let Err(why) = patch::apply(content, event.get("patch").unwrap_or(&Value::Null)) {
            tracing::warn!(why, "a change of an activity does not fit and is left out");
        }
        self.spent.plan(content, false, &mut self.plan)
    }

    /// The whole conversation as the agent keeps it: it tells what became of calls, and what was not streamed.
    fn snapshot(&mut self, event: &Map<String, Value>) -> Vec<Said> {
        let messages = event.get("messages").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        let of_run = record::behind(messages, &self.asked);
        let mut said = Vec::new();
        for message in of_run {
            let content = &message["content"];
            match (message["role"].as_str().unwrap_or_default(), message["toolCallId"].as_str()) {
                ("tool", Some(id)) => {
                    let returned = result(content);
                    let failed = message["error"].is_string();
                    said.extend(
                        self.calls.end(id, if failed { Outcome::Failed(returned) } else { Outcome::Ok(returned) }),
                    );
                }
                ("assistant", _) => {
                    let id = message["id"].as_str().unwrap_or_default();
                    let words = clean(&joined(content));
                    if !words.trim().is_empty()
                        && self.spent.text(words.len()).is_ok()
                        && self.said.insert(id.to_owned())
                    {
                        said.extend([Said::Message, Said::Text(words)]);
                        self.speaker = Some(id.to_owned());
                    }
                }
                _ => {}
            }
        }
        self.record.replace(of_run);
        said
    }

    fn custom_interrupt(&mut self, event: &Map<String, Value>) {
        let value = event.get("value").map(super::unfolded).unwrap_or_default();
        let mut one = interrupt(&value);
        if let Some(id) = event.get("rawEvent").and_then(|raw| raw["id"].as_str()) {
            id.clone_into(&mut one.id);
        }
        if self.interrupts.len() < MAX_INTERRUPTS && !self.interrupts.contains(&one) {
            self.interrupts.push(one);
        }
    }
}

/// A question, however it is shaped.
fn interrupt(value: &Value) -> Interrupt {
    let text = |names: &[&str]| names.iter().find_map(|name| value[*name].as_str()).map(clean);
    let said = text(&["message", "question", "reason", "description"]).or_else(|| value.as_str().map(clean));
    Interrupt {
        id: text(&["id", "interruptId"]).unwrap_or_default(),
        message: said.unwrap_or_else(|| if value.is_null() { String::new() } else { value.to_string() }),
        call: text(&["toolCallId"]),
        schema: value.get("responseSchema").filter(|schema| schema.is_object()).cloned(),
    }
}

impl Reader for AgUi {
    fn read(&mut self, kind: &str, data: &str) -> Result<Vec<Said>, Fault> {
        let data = data.trim();
        if data.is_empty() || data.eq_ignore_ascii_case("[done]") || self.ended {
            return Ok(Vec::new());
        }
        let value: Value = serde_json::from_str(data)
            .map_err(|error| Fault::protocol(format!("the agent's server sent an event that is no JSON: {error}")))?;
        let value = super::unfolded(&value);
        let Value::Object(event) = &value else {
            return Err(Fault::protocol("the agent's server sent an event that is no JSON object"));
        };
        let kind = text_of(event, "type").unwrap_or(kind).to_owned();
        if kind.is_empty() || kind == "error" {
            let is_error = kind == "error" || event.contains_key("error") || event.contains_key("detail");
            return if is_error { Err(Fault::Failed(clean(&record::words(&value)))) } else { Ok(Vec::new()) };
        }
        self.event(&kind, event)
    }

    fn has_ended(&self) -> bool {
        self.ended
    }

    fn finish(&mut self) -> Result<Vec<Said>, Fault> {
        if !self.ended {
            return Err(Fault::BrokenOff);
        }
        // What nobody came back to was told before the question.
        let waiting = std::mem::take(&mut self.waiting);
        self.calls.forget(&waiting);
        let said = self.calls.begin_all();
        self.record.calls(&said);
        Ok(said)
    }

    fn interrupts(&self) -> &[Interrupt] {
        &self.interrupts
    }

    fn kept(&mut self) -> Value {
        let state = std::mem::take(&mut self.state);
        let fits = patch::is_at_most(&state, MAX_STATE);
        if !fits {
            tracing::warn!(most = MAX_STATE, "the agent's state is too long to be kept");
        }
        self.record.kept(&self.asked, if fits { &state } else { &Value::Null })
    }
}
