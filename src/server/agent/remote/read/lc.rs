//! LangChain's objects, however they were written: as fields, as a serialised constructor (`lc`), in an envelope (`type`, `data`), as
//! a generation around a message, or as text that is JSON once more. All of them become the object's fields.

use serde_json::{Map, Value};

use super::{Said, Tokens, clean, joined, result};

/// Wrappings that are taken off; nobody has more.
const DEPTH: usize = 6;

/// The object's fields, or the value as it is where it is no object.
pub(super) fn plain(value: &Value) -> Value {
    let mut value = value.clone();
    for _ in 0..DEPTH {
        let inner = match &mut value {
            Value::String(text) => object_in(text),
            Value::Object(fields) => inner_of(fields),
            Value::Array(_) | Value::Null | Value::Bool(_) | Value::Number(_) => None,
        };
        match inner {
            Some(inner) => value = inner,
            None => break,
        }
    }
    value
}

/// Text that holds one of LangChain's objects. An answer may be JSON, too: that stays text.
fn object_in(text: &str) -> Option<Value> {
    let trimmed = text.trim();
    if !trimmed.starts_with('{') {
        return None;
    }
    let value: Value = serde_json::from_str(trimmed).ok()?;
    let fields = value.as_object()?;
    let is_one = fields.contains_key("lc")
        || (fields.contains_key("content") && fields.contains_key("type"))
        || (fields.contains_key("data") && (fields.contains_key("event") || fields.contains_key("type")))
        || fields.contains_key("message");
    is_one.then_some(value)
}

fn inner_of(fields: &mut Map<String, Value>) -> Option<Value> {
    if fields.contains_key("lc") {
        if let Some(Value::Object(mut inner)) = fields.remove("kwargs") {
            let class = fields.get("id").and_then(Value::as_array).and_then(|path| path.last()).and_then(Value::as_str);
            // Older ones do not say their type again.
            if let Some(class) = class.filter(|_| !inner.contains_key("type")) {
                inner.insert("type".to_owned(), Value::String(class.to_owned()));
            }
            return Some(Value::Object(inner));
        }
        // What could not be serialised is there as Python prints it.
        return fields.remove("repr").filter(Value::is_string);
    }
    if fields.contains_key("content") {
        return None;
    }
    let is_message = |value: Option<&Value>| {
        value.is_some_and(|value| match value {
            Value::Object(inner) => inner.contains_key("content") || inner.contains_key("lc"),
            Value::String(text) => object_in(text).is_some(),
            Value::Array(_) | Value::Null | Value::Bool(_) | Value::Number(_) => false,
        })
    };
    if is_message(fields.get("message")) {
        return fields.remove("message");
    }
    // A tool may return fields of these names, too.
    let is_envelope = fields.get("type").and_then(Value::as_str).is_some_and(|kind| {
        kind.contains("Message") || ["ai", "human", "tool", "system", "function", "chat"].contains(&kind)
    });
    if is_envelope && fields.get("data").is_some_and(Value::is_object) {
        let kind = fields.remove("type")?;
        let mut inner = fields.remove("data")?;
        if let Some(inner) = inner.as_object_mut() {
            inner.entry("type").or_insert(kind);
        }
        return Some(inner);
    }
    None
}

/// The message in what a model gave: the message itself, or the first of its generations.
pub(super) fn message(output: &Value) -> Value {
    let output = plain(output);
    match output["generations"].as_array().and_then(|generations| generations.first()) {
        Some(Value::Array(first)) => first.first().map(plain).unwrap_or_default(),
        Some(first) => plain(first),
        None => output,
    }
}

/// Who speaks in a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Agent,
    Tool,
    Other,
}

/// Whose message it is: LangChain has a name for the whole, one for a piece, and OpenAI's for the role.
pub(super) fn role(message: &Value) -> Role {
    let named = message["type"].as_str().or_else(|| message["role"].as_str()).unwrap_or_default();
    match named {
        "ai" | "AIMessage" | "AIMessageChunk" | "assistant" => Role::Agent,
        "tool" | "ToolMessage" | "ToolMessageChunk" => Role::Tool,
        _ => Role::Other,
    }
}

/// What a message says: text, or thoughts and text in parts.
pub(super) fn words(message: &Value) -> Vec<Said> {
    let mut said = Vec::new();
    let extra = &message["additional_kwargs"];
    for place in [&extra["reasoning_content"], &extra["reasoning"], &message["reasoning_content"]] {
        if let Some(thought) = place.as_str() {
            push(&mut said, Said::Thought(clean(thought)));
            break;
        }
    }
    match message {
        Value::String(text) => push(&mut said, Said::Text(clean(text))),
        Value::Object(fields) => match fields.get("content").or_else(|| fields.get("text")) {
            Some(Value::String(text)) => push(&mut said, Said::Text(clean(text))),
            Some(Value::Array(parts)) => parts.iter().for_each(|part| of_part(&mut said, part)),
            Some(part @ Value::Object(_)) => of_part(&mut said, part),
            Some(Value::Null | Value::Bool(_) | Value::Number(_)) | None => {}
        },
        Value::Array(_) | Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
    said
}

fn of_part(said: &mut Vec<Said>, part: &Value) {
    if let Value::String(text) = part {
        return push(said, Said::Text(clean(text)));
    }
    let text = |name: &str| part[name].as_str().map(clean);
    match part["type"].as_str().unwrap_or("text") {
        "text" | "output_text" | "text_delta" | "input_text" => {
            if let Some(text) = text("text") {
                push(said, Said::Text(text));
            }
        }
        "refusal" => {
            if let Some(text) = text("refusal") {
                push(said, Said::Text(text));
            }
        }
        "thinking" | "reasoning" | "reasoning_content" | "thinking_delta" => {
            let whole = ["thinking", "reasoning", "text"].into_iter().find_map(text);
            let summary = part["summary"].as_array().into_iter().flatten().filter_map(|part| part["text"].as_str());
            let nested = part["reasoning_content"]["text"].as_str().map(clean);
            let thought = whole.or(nested).unwrap_or_else(|| summary.map(clean).collect());
            push(said, Said::Thought(thought));
        }
        // Calls, pictures, sources and what is to come.
        _ => {}
    }
}

fn push(said: &mut Vec<Said>, piece: Said) {
    match (said.last_mut(), piece) {
        (_, Said::Text(text) | Said::Thought(text)) if text.is_empty() => {}
        (Some(Said::Text(so_far)), Said::Text(text)) => so_far.push_str(&text),
        (_, piece) => said.push(piece),
    }
}

/// The tokens that a message counts.
pub(super) fn tokens(message: &Value) -> Option<Tokens> {
    let count = |places: [&Value; 3]| places.into_iter().find_map(Value::as_u64);
    let used = &message["usage_metadata"];
    let told = &message["response_metadata"]["token_usage"];
    let also = &message["response_metadata"]["usage"];
    let input = count([&used["input_tokens"], &told["prompt_tokens"], &also["input_tokens"]]);
    let output = count([&used["output_tokens"], &told["completion_tokens"], &also["output_tokens"]]);
    if input.is_none() && output.is_none() {
        return None;
    }
    Some(Tokens { input: input.unwrap_or_default(), output: output.unwrap_or_default() })
}

/// What a tool returned: the content of its message, or whatever it gave.
pub(super) fn returned(output: &Value) -> Value {
    let output = plain(output);
    match (role(&output), output.get("content")) {
        (Role::Tool, Some(content)) => result(content),
        // A command that changes the graph's state carries the tool's message.
        _ => match output["update"]["messages"].as_array().and_then(|messages| messages.last()).map(plain) {
            Some(message) if role(&message) == Role::Tool => result(&message["content"]),
            Some(_) | None => result(&output),
        },
    }
}

/// What is said of a failure.
pub(super) fn complaint(error: &Value) -> Value {
    let error = plain(error);
    match &error {
        Value::Object(fields) if fields.is_empty() => Value::Null,
        Value::Object(fields) => {
            let places = ["message", "error", "detail", "repr"];
            places.iter().find_map(|place| fields.get(*place)).filter(|said| !said.is_null()).cloned().unwrap_or(error)
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => error,
    }
}

/// The answer in what a chain gave at its end: text, a message, or the last message of an agent's state.
pub(super) fn answer(output: &Value) -> Option<String> {
    let output = plain(output);
    let text = match &output {
        Value::String(text) => text.clone(),
        Value::Array(messages) => messages.iter().rev().map(plain).find(|one| role(one) == Role::Agent).map(said)?,
        Value::Object(fields) if role(&output) == Role::Agent => said(Value::Object(fields.clone())),
        Value::Object(fields) => {
            let places = ["messages", "output", "answer", "result", "response", "text", "content"];
            let inner = places.iter().find_map(|place| fields.get(*place))?;
            return answer(inner);
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => return None,
    };
    Some(clean(&text)).filter(|text| !text.trim().is_empty())
}

fn said(message: Value) -> String {
    let text = words(&message).into_iter().filter_map(|said| match said {
        Said::Text(text) => Some(text),
        Said::Thought(_) | Said::Message | Said::Note { .. } | Said::Begun(_) | Said::Ended { .. } | Said::Used(_) => {
            None
        }
    });
    text.collect()
}

/// Text of a custom event: what it is, or what it says of itself.
pub(super) fn remark(data: &Value) -> (String, Option<f64>) {
    let data = plain(data);
    let places = ["message", "text", "status", "progress"];
    let said = match &data {
        Value::String(text) => text.clone(),
        Value::Object(fields) => {
            places.iter().find_map(|place| fields.get(*place)?.as_str()).map(str::to_owned).unwrap_or_default()
        }
        Value::Array(_) => joined(&data),
        Value::Null | Value::Bool(_) | Value::Number(_) => String::new(),
    };
    (said, ["fraction", "progress"].iter().find_map(|place| data[*place].as_f64()))
}

/// What a graph that stopped for a person asks.
pub(super) fn interrupt(chunk: &Value) -> Option<String> {
    let places = match chunk {
        Value::Array(parts) => parts.as_slice(),
        other => std::slice::from_ref(other),
    };
    let asked = places.iter().find_map(|part| part.get("__interrupt__"))?;
    let first = asked.as_array().and_then(|asked| asked.first()).unwrap_or(asked);
    let value = plain(first.get("value").unwrap_or(first));
    let places = ["question", "message", "description"];
    let words = places.iter().find_map(|place| value[*place].as_str()).map(str::to_owned);
    Some(words.or_else(|| value.as_str().map(str::to_owned)).unwrap_or_else(|| value.to_string()))
}
