//! What a server says when it fails: its own words, whatever shape they are in.

use serde_json::{Map, Value};

/// The longest text that is shown, in characters.
const MAX_WORDS: usize = 400;

/// Stands where a longer text was cut.
pub(super) const CUT: char = '…';

/// Where servers put their words, the most telling first.
const PLACES: [&str; 14] = [
    "message",
    "error_message",
    "error_msg",
    "detail",
    "details",
    "msg",
    "error_description",
    "reason",
    "description",
    "error",
    "errors",
    "title",
    "error_type",
    "code",
];

/// The words in an error's body: JSON of any shape, text, or a page's title and text. Nothing when there are none.
pub(super) fn of_body(body: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(body);
    let text = text.trim_start_matches('\u{feff}').trim();
    let words = match super::json::read(text) {
        Ok(value) => of(&value).or_else(|| is_something(&value).then(|| value.to_string())),
        Err(_) if text.starts_with('<') => of_page(text),
        // A stream that begins with a refusal, or several lines of JSON.
        Err(_) => match text.lines().find_map(|line| super::json::read(line.trim_start_matches("data:")).ok()) {
            Some(value) if value.is_object() => of(&value),
            _ => Some(text.to_owned()),
        },
    };
    words.map(|words| shortened(&words)).filter(|words| !words.is_empty())
}

/// The words in a value.
pub(super) fn of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => of_text(text),
        Value::Number(number) => Some(number.to_string()),
        Value::Array(items) => {
            let words: Vec<String> = items.iter().take(4).filter_map(of).collect();
            (!words.is_empty()).then(|| words.join("; "))
        }
        Value::Object(fields) => of_object(fields),
        Value::Null | Value::Bool(_) => None,
    }
}

/// Servers that pass on another server's error put its JSON into their text.
fn of_text(text: &str) -> Option<String> {
    let text = text.trim();
    let inner = if text.starts_with(['{', '[']) { super::json::read(text).ok() } else { None };
    inner.as_ref().and_then(of).or_else(|| (!text.is_empty()).then(|| text.to_owned()))
}

fn of_object(fields: &Map<String, Value>) -> Option<String> {
    let inner = fields.get("error").filter(|error| error.is_object() || error.is_array()).and_then(of);
    let words = inner.or_else(|| PLACES.iter().find_map(|place| fields.get(*place).and_then(of)))?;
    // FastAPI says where, OpenRouter what the server behind it said.
    let place = fields.get("loc").and_then(Value::as_array).map(|place| {
        place
            .iter()
            .map(|part| part.as_str().map_or_else(|| part.to_string(), str::to_owned))
            .collect::<Vec<_>>()
            .join(".")
    });
    let words = place.map_or_else(|| words.clone(), |place| format!("{place}: {words}"));
    let behind = fields.get("metadata").and_then(|metadata| metadata.get("raw")).and_then(of);
    Some(
        behind
            .filter(|behind| !words.contains(behind))
            .map_or_else(|| words.clone(), |behind| format!("{words}: {behind}")),
    )
}

/// Whether there is anything in the value that a person could make something of.
fn is_something(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(_) => false,
        Value::Object(fields) => !fields.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::String(_) | Value::Number(_) => true,
    }
}

/// A page's text without its tags, scripts and styles.
fn of_page(page: &str) -> Option<String> {
    let mut words = String::new();
    let mut rest = page;
    while let Some(open) = rest.find('<') {
        words.push_str(&rest[..open]);
        words.push(' ');
        let tag = &rest[open..];
        let hidden = ["script", "style"]
            .iter()
            .find(|name| tag.get(1..=name.len()).is_some_and(|word| word.eq_ignore_ascii_case(name)));
        let end = hidden.and_then(|name| tag.find(&format!("</{name}"))).unwrap_or(0);
        let Some(close) = tag[end..].find('>') else { return collected(&words) };
        rest = &tag[end + close + 1..];
    }
    words.push_str(rest);
    collected(&words)
}

fn collected(words: &str) -> Option<String> {
    let words = words.split_whitespace().collect::<Vec<_>>().join(" ");
    (!words.is_empty()).then_some(words)
}

fn shortened(words: &str) -> String {
    let words = words.split_whitespace().collect::<Vec<_>>().join(" ");
    match words.char_indices().nth(MAX_WORDS) {
        Some((at, _)) => format!("{}{CUT}", &words[..at]),
        None => words,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn error_bodies_of_every_shape() {
        let check = |body: &str, said: Option<&str>| assert_eq!(of_body(body.as_bytes()).as_deref(), said, "{body}");
        check(r#"{"error":{"message":"no quota","type":"x"}}"#, Some("no quota"));
        check(r#"{"error":"bad key"}"#, Some("bad key"));
        check(r#"{"message":"nope"}"#, Some("nope"));
        check("overloaded", Some("overloaded"));
        check(
            "<html><head><title>502 Bad Gateway</title></head><body><h1>502</h1></body></html>",
            Some("502 Bad Gateway 502"),
        );
        check(
            "<style>a { b }</style><p>Sorry,<br>you have been blocked</p><script>x()</script>",
            Some("Sorry, you have been blocked"),
        );
        check("{}", None);
        check("", None);
        check("null", None);
        // Mistral and FastAPI: zeroclaw-labs/zeroclaw#2693
        check(
            r#"{"detail":[{"type":"extra_forbidden","loc":["body","stream_options"],"msg":"Extra inputs are not permitted"}]}"#,
            Some("body.stream_options: Extra inputs are not permitted"),
        );
        check(r#"{"detail":"Model not found: qwen3"}"#, Some("Model not found: qwen3"));
        // langchain-ai/langchainjs#5144
        check(
            r#"{"object":"error","message":{"detail":[{"loc":["body","tools"],"msg":"Extra inputs"}]},"type":"invalid"}"#,
            Some("body.tools: Extra inputs"),
        );
        // vllm-project/vllm#21089
        check(
            r#"{"object":"error","message":"Invalid assistant message","param":null,"code":400}"#,
            Some("Invalid assistant message"),
        );
        // NousResearch/hermes-agent#68451
        check(r#"{"error_type":"context","error_message":"maximum is 163840"}"#, Some("maximum is 163840"));
        // foundation-model-stack/fms-guardrails-orchestrator#436
        check(r#"{"code":400,"details":"Requested sample logprobs of 21"}"#, Some("Requested sample logprobs of 21"));
        check(
            r#"{"error":{"message":"Provider returned error","metadata":{"raw":"{\"error\":{\"message\":\"busy\"}}"}}}"#,
            Some("Provider returned error: busy"),
        );
        check(r#"[{"error":{"code":429,"message":"Resource exhausted"}}]"#, Some("Resource exhausted"));
        check(r#"{"status":404,"error":"Not Found","path":"/v1"}"#, Some("Not Found"));
        check(r#"{"x":1}"#, Some(r#"{"x":1}"#));
        check("data: {\"error\":{\"message\":\"too long\"}}\n\n", Some("too long"));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_to_their_end(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let words = of_body(&bytes).unwrap_or_default();
            prop_assert!(words.chars().count() <= MAX_WORDS + 1);
        }

        #[test]
        fn any_page_is_read_to_its_end(parts in prop::collection::vec(prop::sample::select(vec!["<", ">", "<script>", "</style", "<STYLE", "é", "a b"]), 0..30)) {
            let _ = of_body(format!("<{}", parts.concat()).as_bytes());
        }
    }
}
