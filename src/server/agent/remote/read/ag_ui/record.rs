//! The messages of a run as the agent knows them, with its own ids: what the next run of the thread sends back.

use serde_json::{Value, json};

use super::super::{Said, joined};

/// Bytes of a record; a longer one is not kept, and the next run tells it in words.
const MAX_RECORD: usize = 96 << 10;

/// What the agent said in a run, in AG-UI's messages.
#[derive(Debug, Default)]
pub(super) struct Record {
    messages: Vec<Value>,
    bytes: usize,
}

impl Record {
    fn grow(&mut self, bytes: usize) -> bool {
        self.bytes = self.bytes.saturating_add(bytes);
        if self.bytes > MAX_RECORD {
            self.messages = Vec::new();
        }
        self.bytes <= MAX_RECORD
    }

    fn message(&mut self, id: &str, role: &str) -> Option<&mut Value> {
        let at = self.messages.iter().rposition(|message| message["id"] == id && message["role"] == role);
        let at = at.unwrap_or_else(|| {
            self.messages.push(json!({ "id": id, "role": role, "content": "" }));
            self.messages.len() - 1
        });
        self.messages.get_mut(at)
    }

    fn append(&mut self, id: &str, role: &str, delta: &str) {
        if !self.grow(delta.len() + 64) {
            return;
        }
        if let Some(Value::String(content)) = self.message(id, role).map(|message| &mut message["content"]) {
            content.push_str(delta);
        }
    }

    /// A piece of an answer.
    pub(super) fn text(&mut self, id: &str, delta: &str) {
        self.append(id, "assistant", delta);
    }

    /// A piece of a thought.
    pub(super) fn reasoning(&mut self, id: Option<&str>, delta: &str) {
        if let Some(id) = id {
            self.append(id, "reasoning", delta);
        }
    }

    /// Calls that began stand in their message, or in one of their own.
    pub(super) fn calls(&mut self, said: &[Said]) {
        for said in said {
            let Said::Begun(call) = said else { continue };
            let arguments = match &call.arguments {
                Ok(fields) => Value::Object(fields.clone()).to_string(),
                Err(text) => text.clone(),
            };
            if !self.grow(arguments.len() + call.tool.len() + 128) {
                return;
            }
            let own = format!("message-of-{}", call.id);
            let function = json!({ "name": call.tool, "arguments": arguments });
            if let Some(message) = self.message(call.message.as_deref().unwrap_or(&own), "assistant") {
                let made = json!({ "id": call.id, "type": "function", "function": function });
                match message["toolCalls"].as_array_mut() {
                    Some(calls) => calls.push(made),
                    None => message["toolCalls"] = json!([made]),
                }
            }
        }
    }

    /// A call's result.
    pub(super) fn result(&mut self, id: Option<&str>, call: &str, content: &Value) {
        if self.grow(content.to_string().len() + 128) {
            let own = format!("result-of-{call}");
            let id = id.unwrap_or(&own);
            self.messages.push(json!({ "id": id, "role": "tool", "toolCallId": call, "content": content }));
        }
    }

    /// What is sealed in a message or a call goes back with it.
    pub(super) fn sealed(&mut self, id: &str, value: &str) {
        if !self.grow(value.len()) {
            return;
        }
        for message in self.messages.iter_mut().rev() {
            if message["id"] == id {
                message["encryptedValue"] = value.into();
                return;
            }
            let calls = message["toolCalls"].as_array_mut();
            if let Some(call) = calls.and_then(|calls| calls.iter_mut().find(|call| call["id"] == id)) {
                call["encryptedValue"] = value.into();
                return;
            }
        }
        // Reasoning that is sealed as a whole has no words.
        self.messages.push(json!({ "id": id, "role": "reasoning", "content": "", "encryptedValue": value }));
    }

    /// The agent's own word on what stands behind the question.
    pub(super) fn replace(&mut self, messages: &[Value]) {
        self.messages = messages.to_vec();
        self.bytes = messages.iter().map(|message| message.to_string().len()).sum();
        self.grow(0);
    }

    /// What is kept for the next run.
    pub(super) fn kept(&mut self, asked: &str, state: &Value) -> Value {
        let messages = std::mem::take(&mut self.messages);
        json!({ "asked": asked, "state": state, "messages": messages })
    }
}

/// The messages behind the question; behind the last of any person's where it is not there.
pub(super) fn behind<'a>(messages: &'a [Value], asked: &str) -> &'a [Value] {
    let at = messages.iter().rposition(|message| message["id"] == asked);
    let at = at.or_else(|| messages.iter().rposition(|message| message["role"] == "user"));
    at.map_or(messages, |at| &messages[at + 1..])
}

/// Words in an error that is no event of the protocol.
pub(super) fn words(value: &Value) -> String {
    let places = ["message", "error", "detail"];
    let inner = places.iter().find_map(|place| value.get(*place)).unwrap_or(value);
    if inner.is_object() && inner != value { words(inner) } else { joined(inner) }
}
