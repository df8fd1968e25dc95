//! What a remote agent is sent: the conversation in its protocol's words.

use base64::Engine as _;
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};
use url::Url;

use super::{
    super::model::{ChatMessage, GivenFile, exchange::is_question},
    read::{Fault, Reader, Said, ag_ui::AgUi, langchain::LangChain},
};
use crate::server::{
    config::{RemoteConfig, RemoteProtocol, THREAD},
    tool::ToolRequest,
};

/// What is asked.
pub(super) struct Asked<'a> {
    /// The thread's id.
    pub(super) thread: &'a str,
    /// The run's id.
    pub(super) run: &'a str,
    /// The id of the message to answer.
    pub(super) question: &'a str,
    /// The conversation up to that message, which is the last.
    pub(super) conversation: &'a [ChatMessage],
    /// What the run did in an earlier process.
    pub(super) done: &'a [ChatMessage],
    /// What the agent wants to see again of this run, when it asked people; `null` otherwise.
    pub(super) kept: &'a Value,
    /// What people answered.
    pub(super) answers: &'a [Value],
}

/// Where the request goes, what it holds, and who reads its answer.
pub(super) fn of(config: &RemoteConfig, asked: &Asked<'_>) -> (Url, Value, Box<dyn Reader>) {
    match config.protocol {
        RemoteProtocol::AgUi => {
            let (messages, state) = ag_ui_messages(asked);
            let mut body = json!({
                "threadId": asked.thread,
                "runId": asked.run,
                "protocolVersion": "1.0",
                "state": if state.is_null() { json!({}) } else { state.clone() },
                "messages": messages,
                "tools": [],
                "context": [],
                "forwardedProps": {},
            });
            if !asked.answers.is_empty() {
                body["resume"] = asked.answers.into();
            }
            extend(&mut body, &config.options);
            let reader = AgUi::new(asked.run, asked.question, state);
            let said = asked.kept["messages"].as_array().map_or(&[][..], Vec::as_slice);
            let reader: Box<dyn Reader> = match reader.behind(said) {
                Ok(reader) => Box::new(reader),
                // More calls than one run may have open.
                Err(_) => Box::new(AgUi::new(asked.run, asked.question, asked.kept["state"].clone())),
            };
            (config.url.clone(), body, reader)
        }
        RemoteProtocol::LangChain => {
            let (url, body) = langchain(config, asked);
            (url, body, Box::new(LangChain::default()))
        }
    }
}

fn langchain(config: &RemoteConfig, asked: &Asked<'_>) -> (Url, Value) {
    let url = config.url.as_str().replace(THREAD, asked.thread);
    let url = Url::parse(&url).unwrap_or_else(|_| config.url.clone());
    let question = asked.conversation.last();
    let input = match &config.input_key {
        Some(key) => {
            let text = question.map(text_of).unwrap_or_default();
            Value::Object(Map::from_iter([(key.clone(), text.into())]))
        }
        // A thread at the agent's server has what was said before; the message's id keeps it from standing there twice.
        None if config.keeps_threads() => {
            let mut message = question.map(langchain_message).unwrap_or_default();
            message["id"] = asked.question.into();
            json!({ "messages": [message] })
        }
        None => {
            let all = asked.conversation.iter().chain(asked.done);
            json!({ "messages": all.map(langchain_message).collect::<Vec<_>>() })
        }
    };
    let mut body = json!({ "input": input, "config": { "configurable": { "thread_id": asked.thread } } });
    if let Some(assistant) = &config.assistant {
        let platform = json!({
            "assistant_id": assistant,
            "stream_mode": ["events"],
            "on_disconnect": "cancel",
            "multitask_strategy": "interrupt",
            "if_not_exists": "create",
        });
        extend(&mut body, &platform);
    }
    extend(&mut body, &config.options);
    (url, body)
}

fn extend(body: &mut Value, more: &Value) {
    if let (Value::Object(fields), Value::Object(more)) = (body, more) {
        fields.extend(more.clone());
    }
}

fn text_of(message: &ChatMessage) -> &str {
    match message {
        ChatMessage::User { text, .. } | ChatMessage::Assistant { text, .. } => text,
        ChatMessage::Tool { result, .. } => result,
    }
}

fn arguments(call: &ToolRequest) -> Value {
    call.arguments.as_ref().map_or_else(|_| json!({}), |arguments| json!(arguments))
}

fn langchain_message(message: &ChatMessage) -> Value {
    match message {
        ChatMessage::User { text, files } if files.iter().all(|file| file.base64.is_empty()) => {
            json!({ "role": "user", "content": text })
        }
        ChatMessage::User { text, files } => {
            let words = (!text.is_empty()).then(|| json!({ "type": "text", "text": text }));
            let parts = files.iter().filter(|file| !file.base64.is_empty()).map(|file| {
                if file.is_image() {
                    json!({ "type": "image_url", "image_url": { "url": file.data_url() } })
                } else {
                    let (name, media_type, data) = (&file.name, &file.media_type, file.base64.as_ref());
                    json!({ "type": "file", "base64": data, "mime_type": media_type, "filename": name })
                }
            });
            json!({ "role": "user", "content": words.into_iter().chain(parts).collect::<Vec<_>>() })
        }
        ChatMessage::Assistant { text, calls, .. } if calls.is_empty() => {
            json!({ "role": "assistant", "content": text })
        }
        ChatMessage::Assistant { text, calls, .. } => {
            let calls = calls
                .iter()
                .map(|call| json!({ "name": call.tool, "args": arguments(call), "id": call.id, "type": "tool_call" }));
            json!({ "role": "assistant", "content": text, "tool_calls": calls.collect::<Vec<_>>() })
        }
        ChatMessage::Tool { id, name, result } => {
            json!({ "role": "tool", "content": result, "tool_call_id": id, "name": name })
        }
    }
}

/// The messages, with the ids that the agent gave them where they are kept, and the state that it left.
fn ag_ui_messages(asked: &Asked<'_>) -> (Vec<Value>, Value) {
    let mut messages = Vec::new();
    let mut state = Value::Null;
    let mut ids = Ids::default();
    let mut exchanges = asked.conversation.chunk_by(|_, next| !is_question(next)).peekable();
    while let Some(exchange) = exchanges.next() {
        let is_last = exchanges.peek().is_none();
        let kept = exchange.last().map(|last| match last {
            ChatMessage::Assistant { replay, .. } => &replay.0,
            ChatMessage::User { .. } | ChatMessage::Tool { .. } => &Value::Null,
        });
        let kept = kept.filter(|kept| kept["asked"].is_string());
        if let Some(kept) = kept {
            state = kept["state"].clone();
        }
        let known = kept.and_then(|kept| kept["asked"].as_str()).or(is_last.then_some(asked.question));
        let said = kept.and_then(|kept| kept["messages"].as_array()).filter(|said| !said.is_empty());
        for message in exchange {
            match (message, said) {
                (ChatMessage::User { text, files }, _) => {
                    let id = known.map_or_else(|| ids.of("user", text), str::to_owned);
                    messages.push(json!({ "id": id, "role": "user", "content": content(text, files) }));
                }
                (_, Some(_)) => {}
                (message, None) => push(&mut messages, &mut ids, message),
            }
        }
        messages.extend(said.into_iter().flatten().cloned());
    }
    asked.done.iter().for_each(|message| push(&mut messages, &mut ids, message));
    if asked.kept.is_object() {
        state = asked.kept["state"].clone();
        messages.extend(asked.kept["messages"].as_array().into_iter().flatten().cloned());
    }
    (messages, state)
}

/// Ids of messages that nobody named: the same for the same words in the same order.
#[derive(Default)]
struct Ids(Vec<[u8; 32]>);

impl Ids {
    fn of(&mut self, role: &str, text: &str) -> String {
        let hash: [u8; 32] = Sha256::new().chain_update(role).chain_update([0]).chain_update(text).finalize().into();
        let earlier = self.0.iter().filter(|known| **known == hash).count();
        self.0.push(hash);
        let name = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(&hash[..12]);
        if earlier == 0 { name } else { format!("{name}-{earlier}") }
    }
}

fn push(messages: &mut Vec<Value>, ids: &mut Ids, message: &ChatMessage) {
    match message {
        ChatMessage::User { text, files } => {
            messages.push(json!({ "id": ids.of("user", text), "role": "user", "content": content(text, files) }));
        }
        ChatMessage::Assistant { text, calls, replay } => {
            let calls = calls.iter().map(|call| {
                let function = json!({ "name": call.tool, "arguments": arguments(call).to_string() });
                json!({ "id": call.id, "type": "function", "function": function })
            });
            let calls: Vec<Value> = calls.collect();
            let theirs = replay.0["message"].as_str();
            // Calls of one message stand in it together, in front of their results.
            let same = theirs.filter(|_| text.is_empty());
            let before = same.and_then(|id| messages.iter_mut().rfind(|message| message["id"] == id));
            if let Some(Value::Array(earlier)) = before.map(|message| &mut message["toolCalls"]) {
                earlier.extend(calls);
                return;
            }
            let id = theirs.map_or_else(|| ids.of("assistant", text), str::to_owned);
            let mut said = json!({ "id": id, "role": "assistant", "content": text });
            if !calls.is_empty() {
                said["toolCalls"] = Value::Array(calls);
            }
            messages.push(said);
        }
        ChatMessage::Tool { id, result, .. } => {
            let own = ids.of("tool", id);
            messages.push(json!({ "id": own, "role": "tool", "toolCallId": id, "content": result }));
        }
    }
}

fn content(text: &str, files: &[GivenFile]) -> Value {
    let given: Vec<&GivenFile> = files.iter().filter(|file| !file.base64.is_empty()).collect();
    if given.is_empty() {
        return text.into();
    }
    let words = (!text.is_empty()).then(|| json!({ "type": "text", "text": text }));
    let parts = given.into_iter().map(|file| {
        let source = json!({ "type": "data", "value": file.base64.as_ref(), "mimeType": file.media_type });
        json!({ "type": if file.is_image() { "image" } else { "document" }, "source": source })
    });
    words.into_iter().chain(parts).collect()
}

/// Reads nothing.
pub(super) struct Nothing;

impl Reader for Nothing {
    fn read(&mut self, _kind: &str, _data: &str) -> Result<Vec<Said>, Fault> {
        Ok(Vec::new())
    }

    fn has_ended(&self) -> bool {
        true
    }

    fn finish(&mut self) -> Result<Vec<Said>, Fault> {
        Ok(Vec::new())
    }
}

#[cfg(test)]
#[path = "request_tests.rs"]
mod tests;
