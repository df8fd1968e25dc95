use proptest::prelude::*;

use super::{super::Replay, *};

/// Thoughts, text and the end of a stream of events.
fn read(events: &[Value]) -> (String, String, Result<TurnEnd, ModelError>) {
    let mut assembly = Assembly::default();
    let (mut thoughts, mut text) = (String::new(), String::new());
    for event in events {
        let event = Event { kind: String::new(), data: event.to_string() };
        match assembly.read(&event) {
            Ok(pieces) => {
                for piece in pieces {
                    match piece {
                        Piece::Thinking(words) => thoughts.push_str(&words),
                        Piece::Text(words) => text.push_str(&words),
                        Piece::WasThinking | Piece::Note(_) => {}
                    }
                }
            }
            Err(error) => return (thoughts, text, Err(error)),
        }
    }
    (thoughts, text, assembly.finish(None, &HashSet::new()))
}

fn start() -> Value {
    json!({ "type": "message_start", "message": { "content": [], "usage": { "input_tokens": 7, "cache_read_input_tokens": 3, "output_tokens": 1 } } })
}

fn block(index: u64, block: Value) -> Value {
    json!({ "type": "content_block_start", "index": index, "content_block": block })
}

fn delta(index: u64, delta: Value) -> Value {
    json!({ "type": "content_block_delta", "index": index, "delta": delta })
}

fn end(reason: &str) -> [Value; 2] {
    [
        json!({ "type": "message_delta", "delta": { "stop_reason": reason }, "usage": { "output_tokens": 11 } }),
        json!({ "type": "message_stop" }),
    ]
}

#[test]
fn thinking_text_call_and_usage() {
    let mut events = vec![
        start(),
        json!({ "type": "ping" }),
        block(0, json!({ "type": "thinking", "thinking": "", "signature": "" })),
        delta(0, json!({ "type": "thinking_delta", "thinking": "let me " })),
        delta(0, json!({ "type": "thinking_delta", "thinking": "see" })),
        delta(0, json!({ "type": "signature_delta", "signature": "c2ln" })),
        json!({ "type": "content_block_stop", "index": 0 }),
        block(1, json!({ "type": "redacted_thinking", "data": "c2VhbGVk" })),
        block(2, json!({ "type": "text", "text": "" })),
        delta(2, json!({ "type": "text_delta", "text": "It is 42." })),
        block(3, json!({ "type": "tool_use", "id": "toolu_1", "name": "calculate", "input": {} })),
        delta(3, json!({ "type": "input_json_delta", "partial_json": "" })),
        delta(3, json!({ "type": "input_json_delta", "partial_json": "{\"expression\":" })),
        delta(3, json!({ "type": "input_json_delta", "partial_json": "\"6*7\"}" })),
        block(4, json!({ "type": "tool_use", "id": "toolu_2", "name": "date_time", "input": {} })),
    ];
    events.extend(end("tool_use"));
    let (thoughts, text, turn) = read(&events);
    let turn = turn.expect("a turn");
    assert_eq!((thoughts.as_str(), text.as_str()), ("let me see", "It is 42."));
    assert_eq!(turn.ending, Ending::Done);
    assert_eq!(turn.usage.map(|usage| (usage.prompt_tokens, usage.completion_tokens)), Some((10, 11)));
    assert_eq!(turn.calls.iter().map(|call| call.id.as_str()).collect::<Vec<_>>(), ["toolu_1", "toolu_2"]);
    assert_eq!(turn.calls[0].arguments.as_ref().expect("JSON")["expression"], "6*7");
    assert!(turn.calls[1].arguments.as_ref().expect("JSON").is_empty());
    assert_eq!(
        turn.replay.0,
        json!([
            { "type": "thinking", "thinking": "let me see", "signature": "c2ln" },
            { "type": "redacted_thinking", "data": "c2VhbGVk" },
            { "said": 9 },
            { "called": 0 },
            { "called": 1 },
        ])
    );
}

#[test]
fn thinking_between_calls_goes_back_between_them() {
    let thought = |text: &str| json!({ "type": "thinking", "thinking": text, "signature": "c2ln" });
    let mut events = vec![
        start(),
        block(0, thought("one")),
        block(1, json!({ "type": "text", "text": "\n\nLet me see." })),
        block(2, thought("two")),
        block(3, json!({ "type": "tool_use", "id": "toolu_1", "name": "functions.x", "input": {} })),
        block(4, json!({ "type": "server_tool_use", "id": "srv_1", "name": "web_search", "input": {} })),
        delta(4, json!({ "type": "input_json_delta", "partial_json": "{\"query\":1}" })),
    ];
    events.extend(end("tool_use"));
    let (_, text, turn) = read(&events);
    let turn = turn.expect("a turn");
    assert!(
        turn.calls[0].arguments.as_ref().expect("JSON").is_empty(),
        "what a tool at the server was given is not ours"
    );
    let said = ChatMessage::Assistant { text: text.trim_start().to_owned(), calls: turn.calls, replay: turn.replay };
    let (_, blocks) = blocks(&said, &BTreeSet::new());
    let call = json!({ "type": "tool_use", "id": "toolu_1", "name": "functions_x", "input": {} });
    assert_eq!(blocks, [thought("one"), json!({ "type": "text", "text": "Let me see." }), thought("two"), call]);
}

#[test]
fn signatures_have_a_limit() {
    let signature = json!({ "type": "signature_delta", "signature": "s".repeat(1 << 20) });
    let mut events = vec![block(0, json!({ "type": "thinking", "thinking": "" }))];
    events.extend((0..9).map(|_| delta(0, signature.clone())));
    events.extend(end("end_turn"));
    assert!(read(&events).2.expect_err("too much").message.contains("more than 8 MiB"));
}

#[test]
fn ends_of_every_kind() {
    let ending = |reason: &str| {
        let events = [vec![start()], end(reason).to_vec()].concat();
        read(&events).2.expect("a turn").ending
    };
    assert_eq!(ending("end_turn"), Ending::Done);
    assert_eq!(ending("max_tokens"), Ending::Length);
    assert_eq!(ending("refusal"), Ending::Refused);
    assert_eq!(ending("pause_turn"), Ending::Other("pause_turn".to_owned()));
    let fails = |events: &[Value], words: &str| {
        let error = read(events).2.expect_err(words);
        assert!(error.message.contains(words), "{error}");
    };
    fails(
        &[json!({ "type": "error", "error": { "type": "overloaded_error", "message": "Overloaded" } })],
        "Overloaded",
    );
    fails(&[start()], "broke off");
    let whole =
        json!({ "type": "message", "content": [{ "type": "text", "text": "It works." }], "stop_reason": "end_turn" });
    let (_, text, turn) = read(&[whole]);
    assert_eq!(text, "It works.");
    assert!(turn.is_ok());
}

#[test]
fn what_is_sent() {
    let call = |id: &str| crate::server::tool::ToolRequest {
        id: id.into(),
        tool: "calculate".into(),
        arguments: Ok(Map::new()),
    };
    let result = |id: &str| ChatMessage::Tool { id: id.into(), name: "calculate".into(), result: "42".into() };
    let thought = json!([{ "type": "thinking", "thinking": "hm", "signature": "c2ln" }]);
    let messages = [
        ChatMessage::user("How many?"),
        ChatMessage::Assistant {
            text: "Let me see. ".into(),
            calls: vec![call("a"), call("b")],
            replay: Replay(thought.clone()),
        },
        result("a"),
        result("b"),
    ];
    let settings = Settings {
        model: "m".into(),
        system: Some("Be kind.".into()),
        options: json!({ "max_tokens": 100 }),
        ..Settings::default()
    };
    let body = Messages::request(&settings, &Turn { messages: &messages, tools: &[] }, &BTreeSet::new());
    let results = |id: &str| json!({ "type": "tool_result", "tool_use_id": id, "content": "42" });
    let uses = |id: &str| json!({ "type": "tool_use", "id": id, "name": "calculate", "input": {} });
    assert_eq!(
        body["messages"],
        json!([
            { "role": "user", "content": [{ "type": "text", "text": "How many?" }] },
            { "role": "assistant", "content": [thought[0], { "type": "text", "text": "Let me see." }, uses("a"), uses("b")] },
            { "role": "user", "content": [results("a"), results("b")] },
        ])
    );
    assert_eq!((&body["system"], &body["max_tokens"]), (&json!("Be kind."), &json!(100)));
}

proptest! {
    #[test]
    fn any_events_are_read_to_an_end(
        kinds in prop::collection::vec((prop_oneof![
            Just("message_start"), Just("content_block_start"), Just("content_block_delta"), Just("message_delta"), Just("message"), Just("error"), Just(""),
        ], any::<u8>(), prop_oneof![
            Just(json!(null)), Just(json!([])), Just(json!({ "type": "tool_use", "name": "a", "input": [1] })),
            Just(json!({ "type": "signature_delta", "signature": 7 })), Just(json!({ "type": "thinking_delta", "thinking": "hm" })), Just(json!({ "type": "thinking" })),
        ]), 0..12)
    ) {
        let events: Vec<Value> = kinds.into_iter().map(|(kind, place, odd)| json!({ "type": kind, "index": place, "delta": odd, "content_block": odd, "message": odd, "content": odd })).collect();
        let _ = read(&events);
    }
}
