//! What a refusal is about: the part of a request that its words name. Servers have no codes for that, and each its own words.

use reqwest::StatusCode;
use serde_json::Value;

use super::{ChatMessage, Turn, exchange, parts::Part};

/// Whether a refusal with this status may be about a part of the request. llama.cpp refuses with 500 what its setup does not
/// take (ggml-org/llama.cpp#10920).
pub(super) fn blames(status: StatusCode) -> bool {
    match status {
        StatusCode::UNAUTHORIZED
        | StatusCode::PAYMENT_REQUIRED
        | StatusCode::REQUEST_TIMEOUT
        | StatusCode::TOO_MANY_REQUESTS => false,
        StatusCode::INTERNAL_SERVER_ERROR | StatusCode::NOT_IMPLEMENTED => true,
        status => status.is_client_error(),
    }
}

/// Whether a refusal of files is about all files, and not about one of them.
pub(super) fn takes_none(said: &str) -> bool {
    let said = said.to_lowercase();
    let names = |words: &[&str]| words.iter().any(|word| said.contains(word));
    names(&UNTAKEN) && !names(&FLAWED)
}

/// The part of the request that a refusal names and that can be left out.
pub(super) fn blamed(said: &str, body: &Value, turn: &Turn<'_>) -> Option<Part> {
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
    let speaks_of_files = || {
        let said = said.replace("documentation", "");
        FILES.iter().any(|word| said.contains(word))
    };
    if exchange::with_files(turn.messages).0 && speaks_of_files() {
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
const FILES: [&str; 9] =
    ["image", "picture", "vision", "multimodal", "multi-modal", "mmproj", "file_data", "document", "pdf"];

/// How they name what is wrong with one of them.
const FLAWED: [&str; 16] = [
    "unsupported image",
    "unsupported file",
    "format",
    "mime",
    "media type",
    "media_type",
    "valid image",
    "corrupt",
    "damaged",
    "exceed",
    "too large",
    "maximum",
    "decode",
    "download",
    "dimension",
    "size",
];

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
const TOOLLESS: [&str; 13] = [
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
    "param: tools",
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
        // ggml-org/llama.cpp#10920
        check("Unsupported param: tools", Some(Part::Tools));
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

    #[test]
    fn refusals_of_files() {
        let check = |said: &str, part: Option<Part>, lasting: bool| {
            let file = super::super::GivenFile::named("a.png", "image/png");
            let asked = [ChatMessage::User { text: "x".into(), files: vec![file] }];
            let turn = Turn { messages: &asked, tools: &[] };
            assert_eq!(blamed(said, &json!({}), &turn), part, "{said}");
            assert_eq!(takes_none(said), lasting, "{said}");
        };
        check("This model does not support image input", Some(Part::Files), true);
        check("No endpoints found that support image input", Some(Part::Files), true);
        check("unknown variant `image_url`, expected `text`", Some(Part::Files), true);
        check("image input is not supported - hint: you may need to provide the mmproj", Some(Part::Files), true);
        check("Invalid content type. image_url is only supported by certain models.", Some(Part::Files), true);
        check("You uploaded an unsupported image. Please make sure your image is valid.", Some(Part::Files), false);
        check("Could not process image", Some(Part::Files), false);
        check("messages.0.content.1.image.source.base64: image exceeds 5 MB maximum", Some(Part::Files), false);
        check("The PDF specified was not valid.", Some(Part::Files), false);
        check("The file format is invalid or unsupported: image/heic", Some(Part::Files), false);
        check("temperature is not supported, see the documentation", None, true);
        check("out of memory", None, false);
    }

    #[test]
    fn statuses_that_may_be_about_a_part() {
        for (status, wanted) in
            [(400, true), (404, true), (422, true), (500, true), (501, true), (401, false), (429, false), (503, false)]
        {
            assert_eq!(blames(StatusCode::from_u16(status).expect("a status")), wanted, "{status}");
        }
    }
}
