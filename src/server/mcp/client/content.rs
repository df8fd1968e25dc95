//! Results of MCP servers' tools as events, models and people see them.

use rmcp::model::{CallToolResult, ContentBlock, ReadResourceResult, ResourceContents};
use serde_json::{Value, json};

use crate::server::tool::ToolFailure;

/// The longest picture, sound or file that stands in a result, in bytes of Base64; of a longer one its size is told.
const LONGEST_DATA: usize = 40 << 10;

/// Pieces of one result that are looked at.
const MOST: usize = 200;

/// What a call gave. A tool says itself whether it failed.
pub(super) fn outcome(result: CallToolResult) -> Result<Value, ToolFailure> {
    let failed = result.is_error == Some(true);
    let value = value(result);
    if failed { Err(ToolFailure::Failed(value)) } else { Ok(value) }
}

/// What is structured is told as it is, what is text alone as text; anything else piece by piece.
fn value(result: CallToolResult) -> Value {
    let CallToolResult { content, structured_content, .. } = result;
    let more_than_text = content.iter().any(|block| !matches!(block, ContentBlock::Text(_)));
    if let Some(structured) = structured_content.filter(|structured| !structured.is_null() && !more_than_text) {
        // Its text is, by convention, the same as JSON.
        return structured;
    }
    if !more_than_text {
        let texts: Vec<String> = content
            .into_iter()
            .filter_map(|block| match block {
                ContentBlock::Text(text) => Some(text.text),
                _ => None,
            })
            .collect();
        return json!({ "text": texts.join("\n") });
    }
    let pieces = content.len();
    let mut shown: Vec<Value> = content.into_iter().take(MOST).map(block).collect();
    if pieces > MOST {
        shown.push(json!({ "cut": true, "pieces": pieces }));
    }
    json!({ "content": shown })
}

fn block(block: ContentBlock) -> Value {
    match block {
        ContentBlock::Text(text) => json!({ "type": "text", "text": text.text }),
        ContentBlock::Image(image) => data("image", &image.mime_type, image.data),
        ContentBlock::Audio(audio) => data("audio", &audio.mime_type, audio.data),
        ContentBlock::Resource(resource) => contents(resource.resource),
        ContentBlock::ResourceLink(link) => {
            let mut shown = json!({ "type": "link", "uri": link.uri, "name": link.name });
            for (name, value) in
                [("title", link.title), ("description", link.description), ("media_type", link.mime_type)]
            {
                if let Some(value) = value {
                    shown[name] = value.into();
                }
            }
            shown
        }
        _ => json!({ "type": "unknown" }),
    }
}

/// What reading a resource gave.
pub(super) fn resource(result: ReadResourceResult) -> Value {
    let shown: Vec<Value> = result.contents.into_iter().take(MOST).map(contents).collect();
    json!({ "content": shown })
}

fn contents(contents: ResourceContents) -> Value {
    match contents {
        ResourceContents::TextResourceContents { uri, mime_type, text, .. } => {
            json!({ "type": "resource", "uri": uri, "media_type": mime_type.unwrap_or_else(|| "text/plain".to_owned()), "text": text })
        }
        ResourceContents::BlobResourceContents { uri, mime_type, blob, .. } => {
            let mut shown = data("resource", &mime_type.unwrap_or_else(|| "application/octet-stream".to_owned()), blob);
            shown["uri"] = uri.into();
            shown
        }
        _ => json!({ "type": "unknown" }),
    }
}

fn data(kind: &str, media_type: &str, base64: String) -> Value {
    if base64.len() > LONGEST_DATA {
        return json!({ "type": kind, "media_type": media_type, "cut": true, "bytes": base64.len() / 4 * 3 });
    }
    json!({ "type": kind, "media_type": media_type, "data": base64 })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(result: Value, wanted: Result<Value, Value>) {
        let result: CallToolResult = serde_json::from_value(result).expect("a result");
        let got = outcome(result).map_err(|failure| match failure {
            ToolFailure::Failed(value) => value,
            ToolFailure::Interrupted(why) => why.into(),
        });
        assert_eq!(got, wanted);
    }

    #[test]
    fn results() {
        check(
            json!({ "content": [{ "type": "text", "text": "a" }, { "type": "text", "text": "b" }] }),
            Ok(json!({ "text": "a\nb" })),
        );
        check(json!({ "content": [{ "type": "text", "text": "no" }], "isError": true }), Err(json!({ "text": "no" })));
        check(
            json!({ "content": [{ "type": "text", "text": "{\"t\":1}" }], "structuredContent": { "t": 1 } }),
            Ok(json!({ "t": 1 })),
        );
        check(
            json!({ "content": [
                { "type": "text", "text": "look" },
                { "type": "image", "data": "AAAA", "mimeType": "image/png" },
                { "type": "resource_link", "uri": "file:///a", "name": "a" },
                { "type": "resource", "resource": { "uri": "x://y", "text": "z" } },
            ] }),
            Ok(json!({ "content": [
                { "type": "text", "text": "look" },
                { "type": "image", "media_type": "image/png", "data": "AAAA" },
                { "type": "link", "uri": "file:///a", "name": "a" },
                { "type": "resource", "uri": "x://y", "media_type": "text/plain", "text": "z" },
            ] })),
        );
        check(
            json!({ "content": [{ "type": "image", "data": "A".repeat(100_000), "mimeType": "image/png" }] }),
            Ok(json!({ "content": [{ "type": "image", "media_type": "image/png", "cut": true, "bytes": 75_000 }] })),
        );
        check(json!({ "content": [] }), Ok(json!({ "text": "" })));
    }
}
