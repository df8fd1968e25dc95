//! The request's body, and what an error's body says.

use serde_json::{Map, Value, json};

use super::super::{ChatMessage, TurnRequest};

/// The longest error text that is shown, in characters.
const MAX_ERROR: usize = 300;

pub(super) fn body(model: &str, system: Option<&str>, request: &TurnRequest<'_>) -> Value {
    let mut messages = Vec::with_capacity(request.messages.len() + 1);
    if let Some(system) = system {
        messages.push(json!({ "role": "system", "content": system }));
    }
    messages.extend(request.messages.iter().map(message));
    let mut body = json!({
        "model": model,
        "messages": messages,
        "stream": true,
        "stream_options": { "include_usage": true },
    });
    let tools: Vec<Value> = request
        .tools
        .iter()
        .map(|tool| {
            json!({
                "type": "function",
                "function": { "name": tool.name, "description": tool.description, "parameters": tool.parameters }
            })
        })
        .collect();
    if !tools.is_empty() {
        body["tools"] = tools.into();
    }
    body
}

fn message(message: &ChatMessage) -> Value {
    match message {
        ChatMessage::User(text) => json!({ "role": "user", "content": text }),
        ChatMessage::Assistant { text, calls } if calls.is_empty() => json!({ "role": "assistant", "content": text }),
        ChatMessage::Assistant { text, calls } => {
            let calls: Vec<Value> = calls
                .iter()
                .map(|call| {
                    // What could not be read as JSON is given back as an empty object; the tool's result says why.
                    let arguments = call.arguments.as_ref().cloned().unwrap_or_else(|_| Map::new());
                    json!({
                        "id": call.id,
                        "type": "function",
                        "function": { "name": call.tool, "arguments": Value::Object(arguments).to_string() }
                    })
                })
                .collect();
            let content = if text.is_empty() { Value::Null } else { json!(text) };
            json!({ "role": "assistant", "content": content, "tool_calls": calls })
        }
        ChatMessage::Tool { id, result } => json!({ "role": "tool", "tool_call_id": id, "content": result }),
    }
}

/// The message inside an error's body, whatever its shape; nothing for HTML.
pub(super) fn error_text(body: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(body);
    let value: Option<Value> = serde_json::from_str(&text).ok();
    let said = match &value {
        Some(value) => {
            value.pointer("/error/message").or_else(|| value.get("message")).or_else(|| value.get("error"))?.as_str()?
        }
        None if text.trim_start().starts_with('<') => return None,
        None => text.trim(),
    };
    let said: String = said.chars().take(MAX_ERROR).collect();
    (!said.is_empty()).then_some(said)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn error_bodies_of_every_shape() {
        let check = |body: &str, said: Option<&str>| assert_eq!(error_text(body.as_bytes()).as_deref(), said, "{body}");
        check(r#"{"error":{"message":"no quota","type":"x"}}"#, Some("no quota"));
        check(r#"{"error":"bad key"}"#, Some("bad key"));
        check(r#"{"message":"nope"}"#, Some("nope"));
        check("overloaded", Some("overloaded"));
        check("<html>502</html>", None);
        check("{}", None);
        check("", None);
    }
}
