//! Anthropic's Messages API (docs.anthropic.com/en/api/messages-streaming). Thinking blocks go back as they came, with their
//! signatures; without them a turn after a call is refused.

use std::collections::{BTreeSet, HashSet};

use netra_ws::model::Usage;
use reqwest::header::HeaderName;
use serde_json::{Map, Value, json};

use super::{
    ChatMessage, Ending, GivenFile, ModelError, Piece, Server, Settings, Turn, TurnEnd, Written,
    calls::{CallDelta, Calls},
    clean, extend, failed,
    json::count,
    order::{self, Order, laid_out},
    parts::Part,
    said,
    sse::Event,
    stream::{Assemble, Reader, Wire, named},
    tool_name,
};

/// The version of the interface, which every request names.
pub const VERSION: &str = "2023-06-01";

/// Tokens that an answer may have where the agent's `options` say nothing; the interface wants a number.
const MAX_TOKENS: u32 = 8_192;

/// The Messages API.
pub struct Messages;

impl Wire for Messages {
    const PATH: &str = "messages";
    type Answer = Assembly;

    fn headed(server: Server, key: Option<&str>) -> Server {
        let server = server.header(HeaderName::from_static("anthropic-version"), VERSION, "");
        match key {
            Some(key) => server.header(HeaderName::from_static("x-api-key"), key, key),
            None => server,
        }
    }

    fn request(settings: &Settings, turn: &Turn<'_>, left_out: &BTreeSet<Part>) -> Value {
        let mut messages: Vec<Value> = Vec::with_capacity(turn.messages.len());
        for message in turn.messages {
            let (role, blocks) = blocks(message, left_out);
            match messages.last_mut() {
                // Results of calls are the person's part of the conversation here, all of one turn in one message.
                Some(last) if last["role"] == role => {
                    if let Value::Array(content) = &mut last["content"] {
                        content.extend(blocks);
                    }
                }
                _ => messages.push(json!({ "role": role, "content": blocks })),
            }
        }
        let mut body =
            json!({ "model": settings.model, "max_tokens": MAX_TOKENS, "messages": messages, "stream": true });
        if let Some(system) = &settings.system {
            body["system"] = json!(system);
        }
        let tools: Vec<Value> = turn
            .tools
            .iter()
            .map(|tool| json!({ "name": tool.name, "description": tool.description, "input_schema": tool.parameters }))
            .collect();
        if !tools.is_empty() && !left_out.contains(&Part::Tools) {
            body["tools"] = tools.into();
        }
        extend(&mut body, Some(&settings.options));
        body
    }
}

fn file_block(file: &GivenFile) -> Value {
    let source = json!({ "type": "base64", "media_type": file.media_type, "data": file.base64 });
    if file.is_image() {
        json!({ "type": "image", "source": source })
    } else {
        json!({ "type": "document", "source": source, "title": file.name })
    }
}

/// A message's role and content here.
fn blocks(message: &ChatMessage, left_out: &BTreeSet<Part>) -> (&'static str, Vec<Value>) {
    match message {
        ChatMessage::User { text, files } => {
            let (text, files) = said(text, files, left_out);
            let words = (!text.trim().is_empty() || files.is_empty()).then(|| json!({ "type": "text", "text": text }));
            // Files come first here: what is asked about them follows.
            ("user", files.iter().map(file_block).chain(words).collect())
        }
        ChatMessage::Assistant { text, calls, replay } => {
            let block = |part| match part {
                order::Part::Sealed(block) => Some(block.clone()),
                // White space at the end of an answer is refused.
                order::Part::Said(text) => Some(json!({ "type": "text", "text": text.trim_end() })),
                order::Part::Called(at) => calls.get(at).map(|call| {
                    let input = call.arguments.as_ref().cloned().unwrap_or_else(|_| Map::new());
                    json!({ "type": "tool_use", "id": call.id, "name": tool_name(&call.tool), "input": input })
                }),
            };
            ("assistant", laid_out(replay, text, calls.len()).into_iter().filter_map(block).collect())
        }
        ChatMessage::Tool { id, result, .. } => {
            ("user", vec![json!({ "type": "tool_result", "tool_use_id": id, "content": result })])
        }
    }
}

/// An answer in the making.
#[derive(Default)]
pub(super) struct Assembly {
    calls: Calls,
    /// Thinking blocks, to be sent back as they came and where they stood.
    order: Order,
    /// Blocks of tools that run at the server.
    foreign: BTreeSet<u64>,
    input_tokens: u64,
    output_tokens: u64,
    stop_reason: Option<String>,
    done: bool,
    written: Written,
}

impl Reader for Assembly {
    fn read(&mut self, event: &Event) -> Result<Vec<Piece>, ModelError> {
        let Some((kind, value)) = named(event)? else { return Ok(Vec::new()) };
        let mut pieces = Vec::new();
        self.calls.begin_chunk();
        self.apply(&kind, &value, &mut pieces)?;
        self.written.add(&pieces)?;
        Ok(pieces)
    }

    fn has_ended(&self) -> bool {
        self.done || self.stop_reason.is_some()
    }

    fn is_done(&self) -> bool {
        self.done
    }
}

impl Assembly {
    fn apply(&mut self, kind: &str, value: &Value, pieces: &mut Vec<Piece>) -> Result<(), ModelError> {
        let place = count(&value["index"]).unwrap_or_default();
        match kind {
            "message_start" => self.count(&value["message"]["usage"]),
            "content_block_start" => self.begin(place, &value["content_block"], pieces)?,
            "content_block_delta" => self.extend(place, &value["delta"], pieces)?,
            "message_delta" => {
                if let Some(reason) = value["delta"]["stop_reason"].as_str() {
                    self.stop_reason = Some(reason.to_owned());
                }
                self.count(&value["usage"]);
            }
            "message_stop" => self.done = true,
            "error" => return Err(failed(value)),
            // A whole answer instead of a stream.
            "message" => {
                for (place, block) in value["content"].as_array().into_iter().flatten().enumerate() {
                    self.begin(place as u64, block, pieces)?;
                }
                self.count(&value["usage"]);
                self.stop_reason = value["stop_reason"].as_str().map(str::to_owned);
                self.done = true;
            }
            "" if !value["error"].is_null() => return Err(failed(value)),
            // `ping`, `content_block_stop`, and what is to come.
            _ => {}
        }
        Ok(())
    }

    /// A block begins, usually empty.
    fn begin(&mut self, place: u64, block: &Value, pieces: &mut Vec<Piece>) -> Result<(), ModelError> {
        let text = |field: &str| block[field].as_str().unwrap_or_default();
        match block["type"].as_str() {
            Some("text") => self.say(place, text("text"), pieces),
            Some("thinking") => {
                self.seal(place, block);
                if !text("thinking").is_empty() {
                    pieces.push(Piece::Thinking(clean(text("thinking"))));
                }
            }
            Some("redacted_thinking") => self.seal(place, block),
            Some("tool_use") => {
                self.foreign.remove(&place);
                self.order.called(place);
                let input = &block["input"];
                // The input comes in pieces after an empty one.
                let whole = input.as_object().is_some_and(|input| !input.is_empty());
                self.calls.push(CallDelta {
                    index: Some(place),
                    id: text("id").to_owned(),
                    name: text("name").to_owned(),
                    arguments: if whole { input.clone() } else { Value::Null },
                    ..CallDelta::default()
                })?;
            }
            _ => {
                self.written.keep(size_of::<u64>());
                self.foreign.insert(place);
            }
        }
        Ok(())
    }

    fn say(&mut self, place: u64, text: &str, pieces: &mut Vec<Piece>) {
        let text = clean(text);
        self.order.said(place, text.len());
        pieces.extend((!text.is_empty()).then_some(Piece::Text(text)));
    }

    fn seal(&mut self, place: u64, block: &Value) {
        self.written.keep(block.to_string().len());
        self.order.seal(place, block.clone());
    }

    fn extend(&mut self, place: u64, delta: &Value, pieces: &mut Vec<Piece>) -> Result<(), ModelError> {
        let text = |field: &str| delta[field].as_str().filter(|text| !text.is_empty());
        match delta["type"].as_str() {
            Some("text_delta") => self.say(place, text("text").unwrap_or_default(), pieces),
            Some("thinking_delta") => {
                if let Some(thought) = text("thinking") {
                    self.add(place, "thinking", thought);
                    pieces.push(Piece::Thinking(clean(thought)));
                }
            }
            Some("signature_delta") => self.add(place, "signature", text("signature").unwrap_or_default()),
            // What a tool at the server was given belongs to none of our calls.
            Some("input_json_delta") if !self.foreign.contains(&place) => {
                let arguments = delta["partial_json"].clone();
                self.calls.push(CallDelta { index: Some(place), arguments, ..CallDelta::default() })?;
            }
            _ => {}
        }
        Ok(())
    }

    fn add(&mut self, place: u64, field: &str, more: &str) {
        self.written.keep(more.len());
        if self.order.sealed_mut(place).is_none() {
            self.order.seal(place, json!({ "type": "thinking", "thinking": "" }));
        }
        let Some(block) = self.order.sealed_mut(place) else { return };
        match &mut block[field] {
            Value::String(so_far) => so_far.push_str(more),
            nothing => *nothing = more.into(),
        }
    }

    /// Counts grow within a stream, so the last one holds. What was read from a cache was read, too.
    fn count(&mut self, usage: &Value) {
        let of = |field: &str| count(&usage[field]);
        if let Some(input) = of("input_tokens") {
            let cached = ["cache_creation_input_tokens", "cache_read_input_tokens"].into_iter().filter_map(of);
            self.input_tokens = cached.fold(input, u64::saturating_add);
        }
        self.output_tokens = of("output_tokens").unwrap_or(self.output_tokens);
    }
}

impl Assemble for Assembly {
    fn finish(self, broken: Option<ModelError>, taken: &HashSet<&str>) -> Result<TurnEnd, ModelError> {
        if !self.has_ended() {
            return Err(broken.unwrap_or_else(|| ModelError::broke_off(" before its end")));
        }
        let ending = match self.stop_reason.as_deref() {
            None | Some("end_turn" | "stop_sequence" | "tool_use") => Ending::Done,
            Some("max_tokens" | "model_context_window_exceeded") => Ending::Length,
            Some("refusal") => Ending::Refused,
            Some(other) => Ending::Other(other.to_owned()),
        };
        let (prompt_tokens, completion_tokens) = (self.input_tokens, self.output_tokens);
        let total_tokens = prompt_tokens.saturating_add(completion_tokens);
        let usage = (total_tokens > 0).then_some(Usage {
            prompt_tokens,
            completion_tokens,
            total_tokens,
            cost_usd_micros: None,
        });
        let finished = self.calls.finish(taken);
        let replay = self.order.finish(&finished);
        Ok(TurnEnd { ending, calls: finished.calls, usage, replay, ..TurnEnd::default() })
    }
}

#[cfg(test)]
#[path = "messages_tests.rs"]
mod tests;
