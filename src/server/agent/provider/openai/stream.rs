//! Chunks of a streamed answer, put together with care: servers differ in what they leave out.

use netra_ws::model::Usage;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::super::{Piece, ProviderError, Turn};
use crate::server::tool::ToolRequest;

/// Tool calls in one turn.
const MAX_CALLS: usize = 64;

/// Bytes of one call's arguments.
const MAX_ARGUMENTS: usize = 1 << 20;

/// Bytes of text and thoughts in one turn; more than ten times what the largest models write.
const MAX_TEXT: usize = 8 << 20;

/// Levels of nesting in one call's arguments.
const MAX_DEPTH: usize = 64;

/// A field that servers leave out, or send as `null`.
fn or_default<'de, T: Default + Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

#[derive(Deserialize)]
struct Chunk {
    #[serde(default, deserialize_with = "or_default")]
    choices: Vec<Choice>,
    /// In a chunk of its own without choices, or in the last chunk, or in every chunk.
    usage: Option<ChunkUsage>,
    /// Some servers report a failure inside the stream.
    error: Option<Value>,
}

#[derive(Deserialize)]
struct Choice {
    #[serde(default, deserialize_with = "or_default")]
    delta: Delta,
    finish_reason: Option<String>,
}

#[derive(Default, Deserialize)]
struct Delta {
    content: Option<String>,
    /// DeepSeek, llama.cpp, vLLM before 0.9.
    reasoning_content: Option<String>,
    /// OpenRouter, Ollama, later vLLM.
    reasoning: Option<String>,
    tool_calls: Option<Vec<CallDelta>>,
}

#[derive(Deserialize)]
struct CallDelta {
    index: Option<usize>,
    id: Option<String>,
    function: Option<FunctionDelta>,
}

#[derive(Deserialize)]
struct FunctionDelta {
    name: Option<String>,
    arguments: Option<String>,
}

#[derive(Deserialize)]
struct ChunkUsage {
    #[serde(default, deserialize_with = "or_default")]
    prompt_tokens: u64,
    #[serde(default, deserialize_with = "or_default")]
    completion_tokens: u64,
    total_tokens: Option<u64>,
}

#[derive(Default)]
struct PartialCall {
    id: String,
    name: String,
    arguments: String,
}

/// An answer in the making.
#[derive(Default)]
pub(super) struct Assembly {
    calls: Vec<PartialCall>,
    usage: Option<Usage>,
    finish_reason: Option<String>,
    done: bool,
    /// Bytes of text and thoughts so far.
    written: usize,
}

impl Assembly {
    /// Reads one event's data; gives the pieces to show.
    pub(super) fn read(&mut self, data: &str) -> Result<Vec<Piece>, ProviderError> {
        if data.trim().is_empty() {
            return Ok(Vec::new());
        }
        let chunk: Chunk = serde_json::from_str(data).map_err(|error| {
            ProviderError::protocol(format!("the model's server sent a chunk that is no JSON: {error}"))
        })?;
        if let Some(error) = chunk.error.filter(|error| !error.is_null()) {
            let said = error.get("message").and_then(Value::as_str).or(error.as_str()).unwrap_or("no reason given");
            return Err(ProviderError::unavailable(format!("the model's server failed: {said}"), true));
        }
        if let Some(usage) = chunk.usage {
            let total_tokens = usage.total_tokens.unwrap_or(usage.prompt_tokens + usage.completion_tokens);
            self.usage = Some(Usage {
                prompt_tokens: usage.prompt_tokens,
                completion_tokens: usage.completion_tokens,
                total_tokens,
            });
        }
        let mut pieces = Vec::new();
        if let Some(choice) = chunk.choices.into_iter().next() {
            let delta = choice.delta;
            let thought = delta.reasoning_content.filter(|text| !text.is_empty()).or(delta.reasoning);
            pieces.extend(thought.filter(|text| !text.is_empty()).map(Piece::Thinking));
            pieces.extend(delta.content.filter(|text| !text.is_empty()).map(Piece::Text));
            self.written += pieces.iter().map(Piece::len).sum::<usize>();
            if self.written > MAX_TEXT {
                return Err(ProviderError::protocol(format!("the model wrote more than {} MiB", MAX_TEXT >> 20)));
            }
            for call in delta.tool_calls.into_iter().flatten() {
                self.extend_call(call)?;
            }
            self.finish_reason = choice.finish_reason.or(self.finish_reason.take());
        }
        Ok(pieces)
    }

    fn extend_call(&mut self, delta: CallDelta) -> Result<(), ProviderError> {
        // Without an index, an id begins a call and anything else goes on with the last one.
        let index = delta.index.unwrap_or_else(|| {
            let begins = delta.id.as_ref().is_some_and(|id| !id.is_empty());
            if begins { self.calls.len() } else { self.calls.len().saturating_sub(1) }
        });
        if index >= MAX_CALLS {
            return Err(ProviderError::protocol(format!("the model called more than {MAX_CALLS} tools at once")));
        }
        if index >= self.calls.len() {
            self.calls.resize_with(index + 1, PartialCall::default);
        }
        let call = &mut self.calls[index];
        if let Some(id) = delta.id.filter(|id| !id.is_empty()) {
            call.id = id;
        }
        if let Some(function) = delta.function {
            // The name comes whole, but some servers repeat it in every chunk.
            if let Some(name) = function.name.filter(|name| !name.is_empty()) {
                call.name = name;
            }
            call.arguments.push_str(function.arguments.as_deref().unwrap_or_default());
            if call.arguments.len() > MAX_ARGUMENTS {
                return Err(ProviderError::protocol("the model wrote more than 1 MiB of arguments for a tool"));
            }
        }
        Ok(())
    }

    /// The server said `[DONE]`.
    pub(super) fn done(&mut self) {
        self.done = true;
    }

    /// The stream is over. An end without `[DONE]` is fine when the server gave a reason to finish; otherwise it broke off.
    pub(super) fn finish(self) -> Result<Turn, ProviderError> {
        if !self.done && self.finish_reason.is_none() {
            return Err(ProviderError::protocol("the model's answer broke off before its end"));
        }
        let calls = self
            .calls
            .into_iter()
            .enumerate()
            .filter(|(_, call)| !call.name.is_empty())
            .map(|(index, call)| ToolRequest {
                id: if call.id.is_empty() { format!("call_{index}") } else { call.id },
                tool: call.name,
                arguments: arguments(call.arguments),
            })
            .collect();
        Ok(Turn { calls, usage: self.usage })
    }
}

/// A call without arguments may come as an empty text.
fn arguments(text: String) -> Result<netra_ws::model::Object, String> {
    if text.trim().is_empty() {
        return Ok(netra_ws::model::Object::new());
    }
    match serde_json::from_str::<netra_ws::model::Object>(&text) {
        Ok(object) if object.values().all(|value| is_shallow(value, MAX_DEPTH)) => Ok(object),
        Ok(_) | Err(_) => Err(text),
    }
}

/// Whether nothing in the value is nested deeper. Parsers, ours and the clients', give up somewhere beyond a hundred levels, and
/// an event holds the arguments a few levels down.
fn is_shallow(value: &Value, depth: usize) -> bool {
    let Some(depth) = depth.checked_sub(1) else { return false };
    match value {
        Value::Array(items) => items.iter().all(|item| is_shallow(item, depth)),
        Value::Object(fields) => fields.values().all(|field| is_shallow(field, depth)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => true,
    }
}

#[cfg(test)]
#[path = "stream_tests.rs"]
mod tests;
