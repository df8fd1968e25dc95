//! The request's body.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::super::{ChatMessage, GivenFile, Replay, Settings, Turn, extend, parts::Part, said, tool_name};

pub(super) fn body(settings: &Settings, turn: &Turn<'_>, left_out: &BTreeSet<Part>) -> Value {
    let mut messages = Vec::with_capacity(turn.messages.len() + 1);
    if let Some(system) = &settings.system {
        messages.push(json!({ "role": "system", "content": system }));
    }
    messages.extend(turn.messages.iter().map(|part| message(part, left_out)));
    let mut body = json!({ "model": settings.model, "messages": messages, "stream": true });
    if !left_out.contains(&Part::StreamOptions) {
        body["stream_options"] = json!({ "include_usage": true });
    }
    let tools: Vec<Value> = turn
        .tools
        .iter()
        .map(|tool| {
            json!({
                "type": "function",
                "function": { "name": tool.name, "description": tool.description, "parameters": tool.parameters }
            })
        })
        .collect();
    if !tools.is_empty() && !left_out.contains(&Part::Tools) {
        body["tools"] = tools.into();
    }
    extend(&mut body, Some(&settings.options));
    body
}

fn file_part(file: &GivenFile) -> Value {
    if file.is_image() {
        json!({ "type": "image_url", "image_url": { "url": file.data_url() } })
    } else {
        json!({ "type": "file", "file": { "filename": file.name, "file_data": file.data_url() } })
    }
}

/// Mistral's thoughts, which were a part of the content.
fn thinking<'a>(replay: &'a Replay, left_out: &BTreeSet<Part>) -> Option<&'a Value> {
    replay.0.get("thinking").filter(|_| !left_out.contains(&Part::Replay))
}

/// What was said, behind what was thought where that came as a part of the content.
fn content(text: &str, thinking: Option<&Value>, alone: Value) -> Value {
    let Some(thinking) = thinking else { return alone };
    let words = (!text.is_empty()).then(|| json!({ "type": "text", "text": text }));
    [thinking.clone()].into_iter().chain(words).collect()
}

fn message(message: &ChatMessage, left_out: &BTreeSet<Part>) -> Value {
    match message {
        ChatMessage::User { text, files } => match said(text, files, left_out) {
            (text, []) => json!({ "role": "user", "content": text }),
            (text, files) => {
                let words = (!text.is_empty()).then(|| json!({ "type": "text", "text": text }));
                let parts: Vec<Value> = words.into_iter().chain(files.iter().map(file_part)).collect();
                json!({ "role": "user", "content": parts })
            }
        },
        ChatMessage::Assistant { text, calls, replay } if calls.is_empty() => {
            let thinking = thinking(replay, left_out);
            let mut message = json!({ "role": "assistant", "content": content(text, thinking, json!(text)) });
            extend(&mut message, replay.0.get("message").filter(|_| !left_out.contains(&Part::Replay)));
            message
        }
        ChatMessage::Assistant { text, calls, replay } => {
            let extras = replay.0.get("calls").filter(|_| !left_out.contains(&Part::Replay));
            let calls: Vec<Value> = calls
                .iter()
                .enumerate()
                .map(|(at, call)| {
                    // What could not be read as JSON is given back as an empty object; the tool's result says why.
                    let arguments = call.arguments.as_ref().cloned().unwrap_or_else(|_| Map::new());
                    let arguments = Value::Object(arguments).to_string();
                    let mut entry = json!({
                        "id": call.id, "type": "function", "function": { "name": tool_name(&call.tool), "arguments": arguments }
                    });
                    extend(&mut entry, extras.and_then(|extras| extras.get(at)));
                    entry
                })
                .collect();
            // The key has to be there, and servers differ in what they take for nothing: `null` is what OpenAI sends itself.
            let alone = if text.is_empty() { Value::Null } else { json!(text) };
            let content = content(text, thinking(replay, left_out), alone);
            let mut message = json!({ "role": "assistant", "content": content, "tool_calls": calls });
            if !left_out.contains(&Part::Replay) {
                extend(&mut message, replay.0.get("message"));
            }
            message
        }
        ChatMessage::Tool { id, name, result } => {
            let mut message = json!({ "role": "tool", "tool_call_id": id, "content": result });
            if !left_out.contains(&Part::ToolName) {
                message["name"] = json!(tool_name(name));
            }
            message
        }
    }
}
