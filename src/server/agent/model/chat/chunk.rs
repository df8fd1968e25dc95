//! Chunks of a streamed answer, put together with care: servers differ in what they leave out, rename and repeat. A field that
//! is not as it should be is passed over; it never costs the rest of its chunk.

use std::collections::HashSet;

use netra_ws::model::Usage;
use serde_json::{Map, Value, json};

use super::super::{
    Again, Ending, ModelError, Piece, Replay, TurnEnd, Written,
    body::is_done,
    calls::{CallDelta, Calls},
    clean,
    failure::failed,
    json::{self, count},
    sse::Event,
    stream::{Assemble, Reader},
    tags::Tags,
};

/// Where thoughts stand beside the content. DeepSeek and llama.cpp; OpenRouter, Ollama and later vLLM; Copilot.
const THOUGHTS: [&str; 3] = ["reasoning_content", "reasoning", "reasoning_text"];

/// What of a call is read; anything else goes back as it came.
const CALL_FIELDS: [&str; 7] = ["index", "id", "type", "function", "custom", "name", "arguments"];

/// An answer in the making.
#[derive(Default)]
pub(in super::super) struct Assembly {
    calls: Calls,
    tags: Tags,
    usage: Option<Usage>,
    finish_reason: Option<String>,
    /// The stream said that it is over.
    done: bool,
    refused: bool,
    /// Something stood in the content.
    said: bool,
    written: Written,
    /// The thoughts by the field that they came in, to be sent back in it.
    thoughts: Map<String, Value>,
    /// OpenRouter's, each as a whole.
    details: Vec<Value>,
    /// Mistral's thoughts as a part of the content, put together.
    thinking: Thinking,
}

/// Thoughts that came as parts of the content: one part goes back.
#[derive(Default)]
struct Thinking {
    text: String,
    /// The text stood in parts of its own.
    in_parts: bool,
    /// What else the part had.
    fields: Map<String, Value>,
}

impl Thinking {
    /// Adds a part; gives how many bytes are kept of it beside the thought.
    fn add(&mut self, part: &Value, thought: &str) -> usize {
        self.text.push_str(thought);
        self.in_parts = part["thinking"].is_array();
        let mut bytes = 0;
        for (field, value) in part.as_object().into_iter().flatten().filter(|(field, _)| *field != "thinking") {
            if self.fields.get(field) != Some(value) {
                bytes += field.len() + value.to_string().len();
                self.fields.insert(field.clone(), value.clone());
            }
        }
        bytes
    }

    fn finish(mut self) -> Option<Value> {
        if self.text.is_empty() {
            return None;
        }
        let text = json!(self.text);
        let text = if self.in_parts { json!([{ "type": "text", "text": text }]) } else { text };
        self.fields.insert("thinking".to_owned(), text);
        Some(self.fields.into())
    }
}

impl Reader for Assembly {
    fn read(&mut self, event: &Event) -> Result<Vec<Piece>, ModelError> {
        let data = event.data.trim();
        // Some gateways wrap their comments as data.
        if data.is_empty() || data.starts_with(':') {
            return Ok(Vec::new());
        }
        if is_done(data) {
            self.done = true;
            return Ok(Vec::new());
        }
        let is_error = event.kind.trim().eq_ignore_ascii_case("error");
        let chunk = match json::read(data) {
            Ok(Value::Object(chunk)) => chunk,
            _ if is_error => return Err(failed(&Value::from(data))),
            Ok(_) => return Err(ModelError::protocol("the model's server sent a chunk that is no JSON object")),
            Err(error) => {
                return Err(ModelError::protocol(format!("the model's server sent a chunk that is no JSON: {error}")));
            }
        };
        if is_error || is_failure(&chunk) {
            return Err(failed(&Value::Object(chunk)));
        }
        self.count(chunk.get("usage"));
        self.calls.begin_chunk();
        let mut pieces = Vec::new();
        for choice in chunk.get("choices").into_iter().flat_map(each) {
            self.read_choice(choice, &mut pieces)?;
        }
        self.done |= is_whole(&chunk);
        self.written.add(&pieces)?;
        Ok(pieces)
    }

    fn has_ended(&self) -> bool {
        self.done || self.finish_reason.is_some()
    }

    fn is_done(&self) -> bool {
        self.done
    }

    fn rest(&mut self) -> Vec<Piece> {
        self.tags.finish()
    }
}

impl Assembly {
    fn read_choice(&mut self, choice: &Value, pieces: &mut Vec<Piece>) -> Result<(), ModelError> {
        let place = count(&choice["index"]).unwrap_or_default();
        let is_something = |delta: &&Value| delta.as_object().is_some_and(|delta| !delta.is_empty());
        // Some servers tell the whole message so far beside each delta.
        let message = Some(&choice["message"]).filter(|_| !choice["delta"].is_object() || !self.said);
        let delta = Some(&choice["delta"]).filter(is_something).or(message.filter(is_something));
        if let Some(delta) = delta {
            self.read_thought(delta, pieces);
            self.read_content(&delta["content"], pieces);
            if let Some(refusal) = delta["refusal"].as_str().filter(|refusal| !refusal.is_empty()) {
                self.refused = true;
                self.say(refusal, pieces);
            }
            for call in each(&delta["tool_calls"]) {
                self.read_call(place, call)?;
            }
            // The interface before tools: one call, without an id.
            let legacy = &delta["function_call"];
            if ["name", "arguments"].iter().any(|field| legacy[field].as_str().is_some_and(|text| !text.is_empty())) {
                self.read_call(place, &json!({ "index": 0, "function": legacy }))?;
            }
        } else if let Some(text) = choice["text"].as_str() {
            self.say(text, pieces);
        }
        let reason = choice["finish_reason"].as_str().filter(|reason| is_reason(reason));
        if let Some(reason) = reason {
            self.finish_reason = Some(reason.to_owned());
        }
        Ok(())
    }

    fn read_thought(&mut self, delta: &Value, pieces: &mut Vec<Piece>) {
        let details = delta["reasoning_details"].as_array();
        for detail in details.into_iter().flatten().filter(|detail| detail.is_object()) {
            self.written.keep(detail.to_string().len());
            self.add_detail(detail);
        }
        let thought =
            THOUGHTS.iter().find_map(|field| Some((*field, delta[field].as_str().filter(|text| !text.is_empty())?)));
        if let Some((field, thought)) = thought {
            self.tags.thoughts_are_elsewhere();
            match self.thoughts.get_mut(field) {
                Some(Value::String(so_far)) => so_far.push_str(thought),
                _ => _ = self.thoughts.insert(field.to_owned(), thought.into()),
            }
            pieces.push(Piece::Thinking(clean(thought)));
            return;
        }
        for detail in details.into_iter().flatten() {
            let text = detail["text"].as_str().or(detail["summary"].as_str()).filter(|text| !text.is_empty());
            pieces.extend(text.map(|text| Piece::Thinking(clean(text))));
        }
    }

    /// Pieces of one detail have its type and its index in common.
    fn add_detail(&mut self, detail: &Value) {
        let same = |other: &&mut Value| other["type"] == detail["type"] && other["index"] == detail["index"];
        let Some(whole) = self.details.iter_mut().find(same) else {
            self.details.push(detail.clone());
            return;
        };
        for (field, value) in detail.as_object().into_iter().flatten() {
            match (&mut whole[field], value) {
                (_, Value::Null) => {}
                (Value::String(so_far), Value::String(more))
                    if ["text", "summary", "data"].contains(&field.as_str()) =>
                {
                    so_far.push_str(more);
                }
                (old, new) => *old = new.clone(),
            }
        }
    }

    /// Content is text, or a list of parts.
    fn read_content(&mut self, content: &Value, pieces: &mut Vec<Piece>) {
        match content {
            Value::String(text) => self.say(text, pieces),
            Value::Array(parts) => {
                for part in parts {
                    match part["type"].as_str() {
                        Some("thinking" | "reasoning") => {
                            let mut thought = String::new();
                            texts(part, &mut thought);
                            if !thought.is_empty() {
                                self.tags.thoughts_are_elsewhere();
                                if part["type"] == "thinking" {
                                    let kept = self.thinking.add(part, &thought);
                                    self.written.keep(kept);
                                }
                                pieces.push(Piece::Thinking(clean(&thought)));
                            }
                        }
                        Some("refusal") => {
                            self.refused = true;
                            self.say(part["refusal"].as_str().unwrap_or_default(), pieces);
                        }
                        _ => self.say(part["text"].as_str().or(part.as_str()).unwrap_or_default(), pieces),
                    }
                }
            }
            Value::Object(part) => self.say(part.get("text").and_then(Value::as_str).unwrap_or_default(), pieces),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    fn say(&mut self, text: &str, pieces: &mut Vec<Piece>) {
        if text.is_empty() {
            return;
        }
        self.said = true;
        let told = self.tags.push(&clean(text));
        if told.is_empty() {
            self.written.keep(text.len());
        }
        pieces.extend(told);
    }

    fn read_call(&mut self, choice: u64, call: &Value) -> Result<(), ModelError> {
        let Some(fields) = call.as_object() else { return Ok(()) };
        // Some servers leave the inner object out.
        let function = if call["function"].is_object() { &call["function"] } else { call };
        let text = |value: &Value| match value {
            Value::String(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => String::new(),
        };
        let extra = fields.iter().filter(|(field, value)| !CALL_FIELDS.contains(&field.as_str()) && !value.is_null());
        self.calls.push(CallDelta {
            choice,
            index: count(&call["index"]),
            id: text(&call["id"]),
            name: text(&function["name"]),
            arguments: function["arguments"].clone(),
            extra: extra.map(|(field, value)| (field.clone(), value.clone())).collect(),
            whole: false,
        })
    }

    /// Usage comes in a chunk of its own, or in the last one, or in every one, or again as nothing.
    fn count(&mut self, usage: Option<&Value>) {
        let Some(usage) = usage else { return };
        let of = |names: [&str; 2]| names.iter().find_map(|name| count(&usage[name]));
        let prompt_tokens = of(["prompt_tokens", "input_tokens"]).unwrap_or_default();
        let completion_tokens = of(["completion_tokens", "output_tokens"]).unwrap_or_default();
        let total_tokens = count(&usage["total_tokens"]).unwrap_or(prompt_tokens.saturating_add(completion_tokens));
        if total_tokens > 0 {
            self.usage = Some(Usage { prompt_tokens, completion_tokens, total_tokens, cost_usd_micros: None });
        }
    }
}

impl Assemble for Assembly {
    /// The stream is over, by its end or by something that broke it. An end without `[DONE]` is fine when the server gave a reason.
    fn finish(self, broken: Option<ModelError>, taken: &HashSet<&str>) -> Result<TurnEnd, ModelError> {
        if !self.has_ended() {
            return Err(broken.unwrap_or_else(|| ModelError::broke_off(" before its end")));
        }
        let nothing_called = self.calls.is_empty();
        let ending = ending(self.finish_reason.as_deref().unwrap_or("stop"), self.refused, nothing_called)?;
        let finished = self.calls.finish(taken);
        let mut message = self.thoughts;
        if !self.details.is_empty() {
            message.insert("reasoning_details".to_owned(), self.details.into());
        }
        let mut replay = json!({ "message": message, "calls": finished.extras });
        // Mistral wants it back as what it was.
        if let Some(thinking) = self.thinking.finish() {
            replay["thinking"] = thinking;
        }
        Ok(TurnEnd { ending, calls: finished.calls, usage: self.usage, replay: Replay(replay), ..TurnEnd::default() })
    }
}

/// Whether a chunk is a whole answer instead of a part of a stream. Some servers call every chunk of a stream so
/// (perplexityai/api-discussion#175).
fn is_whole(chunk: &Map<String, Value>) -> bool {
    let ended = |choice: &Value| {
        let reason = choice["finish_reason"].as_str().is_some_and(is_reason);
        choice.is_object() && (reason || !choice["delta"].is_object())
    };
    let mut choices = chunk.get("choices").into_iter().flat_map(each).peekable();
    chunk.get("object").is_some_and(|object| object == "chat.completion")
        && choices.peek().is_some()
        && choices.all(ended)
}

/// Some servers write "null" where there is no reason yet.
fn is_reason(reason: &str) -> bool {
    !matches!(reason, "" | "null" | "None")
}

/// What a reason to end means. Servers have their own words for it.
fn ending(reason: &str, refused: bool, nothing_called: bool) -> Result<Ending, ModelError> {
    let word = reason.to_lowercase();
    let has = |parts: &[&str]| parts.iter().any(|part| word.contains(part));
    Ok(match word.as_str() {
        _ if refused => Ending::Refused,
        "stop" | "end_turn" | "eos" | "eos_token" | "stop_sequence" | "complete" | "completed" | "end" => Ending::Done,
        "tool_calls" | "function_call" | "tool_use" if !nothing_called => Ending::Done,
        "length" | "max_tokens" | "model_length" | "max_output_tokens" => Ending::Length,
        "refusal" => Ending::Refused,
        "error" | "network_error" | "insufficient_system_resource" | "abort" | "aborted" => {
            let message = format!("the model's server failed within the answer ({reason})");
            return Err(ModelError::unavailable(message, true, Again::Soon));
        }
        _ if has(&["malformed"]) => Ending::Other(reason.to_owned()),
        _ if has(&["filter", "safety", "sensitive", "recitation", "blocklist", "prohibited", "spii"]) => {
            Ending::Filtered
        }
        _ => Ending::Other(reason.to_owned()),
    })
}

/// Whether a chunk is a failure and not a part of the answer.
fn is_failure(chunk: &Map<String, Value>) -> bool {
    let has_choices = chunk.contains_key("choices");
    let said = |field: &str| {
        chunk.get(field).is_some_and(|value| match value {
            Value::Null | Value::Bool(false) => false,
            Value::String(text) => !text.is_empty(),
            Value::Object(fields) => !fields.is_empty(),
            Value::Array(items) => !items.is_empty(),
            // A code beside an answer is no failure; zero never is.
            Value::Number(number) => !has_choices && number.as_f64() != Some(0.0),
            Value::Bool(true) => true,
        })
    };
    let is_error = |field: &str| chunk.get(field).is_some_and(|value| value == "error");
    let is_text = |field: &str| chunk.get(field).is_some_and(Value::is_string);
    ["error", "error_message", "error_type", "error_msg"].into_iter().any(said)
        || !has_choices
            && (is_error("object") || is_error("type") || said("detail") || is_text("message") || is_text("msg"))
}

/// The items of a list, or the one that stands there without one.
fn each(value: &Value) -> impl Iterator<Item = &Value> {
    let (items, item) = match value {
        Value::Array(items) => (items.as_slice(), None),
        Value::Object(_) => (&[][..], Some(value)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => (&[][..], None),
    };
    items.iter().chain(item)
}

/// All texts in a part, whatever its depth.
fn texts(value: &Value, into: &mut String) {
    match value {
        Value::String(text) => into.push_str(text),
        Value::Array(items) => items.iter().for_each(|item| texts(item, into)),
        Value::Object(fields) => {
            for field in ["thinking", "text", "summary", "content"] {
                fields.get(field).into_iter().for_each(|value| texts(value, into));
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
#[path = "chunk_tests.rs"]
mod tests;
