//! Parts of a request that some servers refuse by name. They are left out, and that is remembered for the model.

use std::{
    collections::BTreeSet,
    sync::{Mutex, MutexGuard, PoisonError},
};

use reqwest::StatusCode;
use serde_json::Value;

use super::{ChatMessage, ModelError, Piece, Server, Sink, Turn, body::Body, exchange, http::Refusal};

/// A part that a request can do without.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Part {
    /// `stream_options`: usage is not counted then.
    StreamOptions,
    /// `tools`.
    Tools,
    /// What the server itself said beside words and calls.
    Replay,
    /// The tool's name beside its result.
    ToolName,
    /// `include`, which asks for sealed reasoning.
    Include,
    /// Pictures and documents.
    Files,
    /// Calls of earlier exchanges, which are told as their words then. Not remembered: another conversation has others.
    EarlierCalls,
}

/// What one model's server was found to refuse.
#[derive(Debug)]
pub(super) struct Parts {
    /// Whether tools may be offered; found out when absent.
    tool_use: Option<bool>,
    refused: Mutex<BTreeSet<Part>>,
}

impl Parts {
    pub(super) fn new(tool_use: Option<bool>) -> Self {
        Self { tool_use, refused: Mutex::default() }
    }

    fn refused(&self) -> MutexGuard<'_, BTreeSet<Part>> {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is left out of a turn's request. Tools and files are offered again in a new conversation: the server may have got
    /// another model.
    fn left_out(&self, turn: &Turn<'_>) -> BTreeSet<Part> {
        let mut left_out = self.refused().clone();
        if turn.messages.len() == 1 {
            left_out.remove(&Part::Tools);
            left_out.remove(&Part::Files);
        }
        if self.tool_use == Some(false) {
            left_out.insert(Part::Tools);
        }
        left_out
    }

    /// Sends what `request` makes of the parts that are left out. What is refused by name is left out, too, and remembered once
    /// the server does without.
    pub(super) async fn open(
        &self,
        server: &Server,
        model: &str,
        turn: &Turn<'_>,
        sink: &mut dyn Sink,
        request: impl Fn(&BTreeSet<Part>) -> Value + Send + Sync,
    ) -> Result<Body, ModelError> {
        let mut left_out = self.left_out(turn);
        let mut news = Vec::new();
        loop {
            let body = request(&left_out);
            let (status, said, error) = match server.post(&body).await {
                Ok(body) => {
                    if !turn.tools.is_empty() && !left_out.contains(&Part::Tools) {
                        // The server takes them now.
                        self.refused().remove(&Part::Tools);
                    }
                    self.remember(model, &news, sink).await;
                    return Ok(body);
                }
                Err(Refusal::Refused { status, said, error }) => (status, said, error),
                Err(Refusal::Failed(error)) => return Err(error),
            };
            let part = status.is_client_error().then(|| blamed(&said, &body, turn)).flatten();
            let wrong = matches!(status, StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY);
            let part = part.filter(|part| !left_out.contains(part)).or_else(|| {
                // A seal may have become void, or the conversation too long.
                (wrong && exchange::any_called(turn.messages)).then_some(Part::EarlierCalls)
            });
            let may_go = |part: &Part| *part != Part::Tools || self.tool_use != Some(true);
            // What is left out already and refused again comes from the model's `options`, where a person can take it out.
            let Some(part) = part.filter(may_go).filter(|part| left_out.insert(*part)) else { return Err(error) };
            news.push(part);
        }
    }

    async fn remember(&self, model: &str, news: &[Part], sink: &mut dyn Sink) {
        for part in news {
            tracing::info!(model, ?part, "the model's server does without a part of the request");
            if *part != Part::EarlierCalls {
                self.refused().insert(*part);
            }
        }
        if news.contains(&Part::Tools) {
            sink.piece(Piece::Note(format!("{model} takes no tools; it answers without them."))).await;
        }
        if news.contains(&Part::Files) {
            let note =
                format!("{model} was not shown the attached files, which its server refuses; it knows their names.");
            sink.piece(Piece::Note(note)).await;
        }
    }
}

/// The part of the request that a refusal names and that can be left out.
fn blamed(said: &str, body: &Value, turn: &Turn<'_>) -> Option<Part> {
    let said = said.to_lowercase();
    let names = |words: &[&str]| words.iter().any(|word| said.contains(word));
    let of_this_run = turn.messages.iter().rev().take_while(|message| !exchange::is_question(message));
    let has_calls = of_this_run.filter(|message| matches!(message, ChatMessage::Tool { .. })).count() > 0;
    if names(&["stream_options", "include_usage"]) && !body["stream_options"].is_null() {
        return Some(Part::StreamOptions);
    }
    if names(&["encrypted content", "encrypted_content", "'include'", "body.include"]) && !body["include"].is_null() {
        return Some(Part::Include);
    }
    let files =
        turn.messages.iter().any(|message| matches!(message, ChatMessage::User { files, .. } if !files.is_empty()));
    if files && names(&FILES) && names(&UNTAKEN) {
        return Some(Part::Files);
    }
    if names(&["reasoning", "extra_content"]) && !names(&["missing", "required", "must be passed"]) && replays(body) {
        return Some(Part::Replay);
    }
    let unknown = names(&["extra input", "unknown", "unsupported", "not permitted", "unrecognized", "not allowed"]);
    if unknown && names(&[".name", "'name'", "\"name\"", "`name`"]) && names_tools(body) {
        return Some(Part::ToolName);
    }
    // With calls in the conversation, a request without tools would be refused as well.
    (!body["tools"].is_null() && !has_calls && names(&TOOLLESS)).then_some(Part::Tools)
}

fn messages(body: &Value) -> impl Iterator<Item = &Value> {
    body["messages"].as_array().into_iter().flatten()
}

/// Whether the request gives something back beside words and calls.
fn replays(body: &Value) -> bool {
    let fields = ["reasoning_content", "reasoning", "reasoning_details", "reasoning_text"];
    let signed = |message: &Value| {
        message["tool_calls"].as_array().is_some_and(|calls| calls.iter().any(|call| !call["extra_content"].is_null()))
    };
    messages(body).any(|message| fields.iter().any(|field| !message[field].is_null()) || signed(message))
}

fn names_tools(body: &Value) -> bool {
    messages(body).any(|message| message["role"] == "tool" && !message["name"].is_null())
}

/// How servers name pictures and documents.
const FILES: [&str; 6] = ["image", "vision", "multimodal", "multi-modal", "input_file", "document"];

/// How they say that they take none.
const UNTAKEN: [&str; 10] = [
    "support",
    "unknown variant",
    "not allowed",
    "only text",
    "must be a string",
    "invalid content type",
    "not a multimodal",
    "not enabled",
    "unrecognized",
    "expected",
];

/// How servers say that a model or its setup takes no tools.
const TOOLLESS: [&str; 12] = [
    "support tool",
    "support the use of tool",
    "tools is not supported",
    "tools are not supported",
    "tool use is not",
    "tool choice requires",
    "tools param requires",
    "tool calling",
    "function calling",
    "tools: extra",
    "support function",
    "tools: unsupported",
];

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn parts_that_refusals_name() {
        let body = json!({ "stream_options": {}, "include": [], "tools": [{}], "messages": [{ "role": "user" }] });
        let asked = [ChatMessage::user("x")];
        let turn = Turn { messages: &asked, tools: &[] };
        let check = |said: &str, part: Option<Part>| assert_eq!(blamed(said, &body, &turn), part, "{said}");
        // SamSaffron/term-llm#409
        check("registry.ollama.ai/library/gemma3:4b does not support tools", Some(Part::Tools));
        check("No endpoints found that support tool use. Try disabling \"calculate\".", Some(Part::Tools));
        check(
            "\"auto\" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set",
            Some(Part::Tools),
        );
        check("tools param requires --jinja flag", Some(Part::Tools));
        check("`tool calling` is not supported with this model", Some(Part::Tools));
        check("Function calling is not enabled for models/x", Some(Part::Tools));
        check("body.tools: Extra inputs are not permitted", Some(Part::Tools));
        // earendil-works/pi#596
        check("stream_options: Extra inputs are not permitted", Some(Part::StreamOptions));
        check("Unrecognized request argument supplied: stream_options", Some(Part::StreamOptions));
        check("Encrypted content is not supported with this model.", Some(Part::Include));
        check("Invalid schema for function 'calculate': true is not of type 'object'", None);
        check("out of memory", None);
        check("", None);
        assert_eq!(
            blamed("stream_options; tools are not supported", &json!({}), &turn),
            None,
            "nothing is left out twice"
        );
    }

    #[test]
    fn parts_of_what_goes_back() {
        let done = [ChatMessage::Tool { id: "a".into(), name: "calculate".into(), result: "{}".into() }];
        let turn = Turn { messages: &done, tools: &[] };
        let body = json!({ "tools": [{}], "messages": [
            { "role": "assistant", "reasoning_content": "hm", "tool_calls": [{}] }, { "role": "tool", "name": "calculate" },
        ] });
        let check = |said: &str, part: Option<Part>| assert_eq!(blamed(said, &body, &turn), part, "{said}");
        check("property 'reasoning_content' is unsupported", Some(Part::Replay));
        check("Missing `reasoning_content` field in the assistant message", None);
        check("messages[1].name: Extra inputs are not permitted", Some(Part::ToolName));
        check("gemma does not support tools", None);
    }
}
