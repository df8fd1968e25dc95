use netra_ws::ErrorCode;
use serde_json::json;

use super::*;

/// Reads chunks, and gives the thoughts, the text and the turn.
fn check(chunks: &[Value], done: bool) -> (String, String, Result<Turn, ProviderError>) {
    let mut assembly = Assembly::default();
    let (mut thoughts, mut text) = (String::new(), String::new());
    for chunk in chunks {
        match assembly.read(&chunk.to_string()) {
            Ok(pieces) => {
                for piece in pieces {
                    match piece {
                        Piece::Thinking(more) => thoughts.push_str(&more),
                        Piece::Text(more) => text.push_str(&more),
                    }
                }
            }
            Err(error) => return (thoughts, text, Err(error)),
        }
    }
    if done {
        assembly.done();
    }
    (thoughts, text, assembly.finish())
}

fn delta(delta: Value) -> Value {
    json!({ "choices": [{ "index": 0, "delta": delta, "finish_reason": null }] })
}

fn end(reason: &str) -> Value {
    json!({ "choices": [{ "index": 0, "delta": {}, "finish_reason": reason }] })
}

#[test]
fn text_and_both_reasoning_fields() {
    let (thoughts, text, turn) = check(
        &[
            delta(json!({ "role": "assistant", "content": "" })),
            delta(json!({ "reasoning_content": "let me " })),
            delta(json!({ "reasoning": "see" })),
            delta(json!({ "content": "It is " })),
            delta(json!({ "content": "35." })),
            end("stop"),
            json!({ "choices": [], "usage": { "prompt_tokens": 7, "completion_tokens": 11, "total_tokens": 18 } }),
        ],
        true,
    );
    let turn = turn.expect("a turn");
    assert_eq!((thoughts.as_str(), text.as_str()), ("let me see", "It is 35."));
    assert_eq!(turn.usage.map(|usage| usage.total_tokens), Some(18));
    assert!(turn.calls.is_empty());
}

#[test]
fn arguments_in_pieces_by_index() {
    let call = |index: usize, id: Option<&str>, name: Option<&str>, arguments: &str| {
        delta(
            json!({ "tool_calls": [{ "index": index, "id": id, "function": { "name": name, "arguments": arguments } }] }),
        )
    };
    let (_, _, turn) = check(
        &[
            call(0, Some("a"), Some("calculate"), ""),
            call(1, Some("b"), Some("date_time"), "{\"expres"),
            call(0, None, None, "{\"expression\":\"(2+"),
            call(1, None, None, "sion\":\"now\"}"),
            call(0, None, None, "3)*7\"}"),
            end("tool_calls"),
        ],
        false,
    );
    let calls = turn.expect("a turn").calls;
    assert_eq!(calls.len(), 2);
    assert_eq!((calls[0].id.as_str(), calls[0].tool.as_str()), ("a", "calculate"));
    assert_eq!(calls[0].arguments.as_ref().expect("JSON")["expression"], "(2+3)*7");
    assert_eq!(calls[1].arguments.as_ref().expect("JSON")["expression"], "now");
}

#[test]
fn calls_without_index_or_id() {
    let (_, _, turn) = check(
        &[
            delta(json!({ "tool_calls": [{ "id": "x", "function": { "name": "calculate", "arguments": "{}" } }] })),
            delta(json!({ "tool_calls": [{ "id": "y", "function": { "name": "date_time" } }] })),
            delta(json!({ "tool_calls": [{ "function": { "arguments": "[1,2]" } }] })),
            end("tool_calls"),
        ],
        true,
    );
    let calls = turn.expect("a turn").calls;
    assert_eq!(calls.len(), 2);
    assert!(calls[0].arguments.is_ok());
    assert_eq!(calls[1].arguments.as_ref().expect_err("an array is no object"), "[1,2]");
}

#[test]
fn ends_of_every_kind() {
    let protocol = |outcome: &Result<Turn, ProviderError>| {
        matches!(outcome, Err(ProviderError::Upstream { code: netra_ws::ErrorCode::UpstreamProtocol, .. }))
    };
    assert!(
        check(&[delta(json!({ "content": "a" })), end("stop")], false).2.is_ok(),
        "no [DONE] after a finish reason"
    );
    assert!(check(&[delta(json!({ "content": "a" }))], true).2.is_ok(), "[DONE] without a finish reason");
    assert!(protocol(&check(&[delta(json!({ "content": "a" }))], false).2), "broken off");
    assert!(protocol(&check(&[], false).2), "nothing at all");
    let error = check(&[json!({ "error": { "message": "out of memory" } })], true).2.expect_err("an error");
    assert!(error.to_string().contains("out of memory"), "{error}");
    let mut assembly = Assembly::default();
    assert!(assembly.read("{\"choices\":[{\"del").is_err(), "half a JSON line");
    assert!(assembly.read("").expect("an empty event is fine").is_empty());
}

#[test]
fn a_flood_of_calls_is_refused() {
    let flood =
        delta(json!({ "tool_calls": [{ "index": 1_000_000, "id": "x", "function": { "name": "calculate" } }] }));
    assert!(check(&[flood], true).2.is_err());
}

#[test]
fn what_is_null_is_absent() {
    let chunks = [
        json!({ "choices": null, "usage": null, "error": null }),
        json!({ "choices": [{ "index": 0, "delta": null, "finish_reason": null }] }),
        delta(json!({ "content": "35.", "reasoning": null, "tool_calls": null })),
        end("stop"),
        json!({ "choices": [], "usage": { "prompt_tokens": null, "completion_tokens": 2, "total_tokens": null } }),
    ];
    let (_, text, turn) = check(&chunks, true);
    assert_eq!(text, "35.");
    assert_eq!(turn.expect("a turn").usage.map(|usage| (usage.prompt_tokens, usage.total_tokens)), Some((0, 2)));
}

#[test]
fn arguments_that_are_nested_too_deep_are_not_taken() {
    for (depth, taken) in [(1, true), (60, true), (64, false), (120, false)] {
        let nested = format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
        let arguments = format!("{{\"expression\":{nested}}}");
        let call = json!({ "index": 0, "id": "x", "function": { "name": "calculate", "arguments": arguments } });
        let (_, _, turn) = check(&[delta(json!({ "tool_calls": [call] })), end("tool_calls")], true);
        assert_eq!(turn.expect("a turn").calls[0].arguments.is_ok(), taken, "{depth}");
    }
}

#[test]
fn an_answer_without_end() {
    let mebibyte = "x".repeat(1 << 20);
    let (thoughts, text, turn) = check(
        &(0..9)
            .map(|k| delta(if k < 2 { json!({ "reasoning": mebibyte }) } else { json!({ "content": mebibyte }) }))
            .collect::<Vec<_>>(),
        true,
    );
    assert_eq!((thoughts.len(), text.len()), (2 << 20, 6 << 20), "what came within the limit is shown");
    assert!(matches!(turn, Err(ProviderError::Upstream { code: ErrorCode::UpstreamProtocol, .. })), "{turn:?}");
}
