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

fn completed() -> Value {
    json!({ "type": "response.completed", "response": { "status": "completed", "usage": { "input_tokens": 7, "output_tokens": 11, "total_tokens": 18 } } })
}

#[test]
fn reasoning_text_and_usage() {
    let reasoning = json!({ "type": "reasoning", "id": "rs_1", "summary": [{ "type": "summary_text", "text": "let me see" }], "encrypted_content": "c2VhbGVk" });
    let (thoughts, text, end) = read(&[
        json!({ "type": "response.created", "response": { "status": "in_progress" } }),
        json!({ "type": "response.output_item.added", "output_index": 0, "item": { "type": "reasoning", "summary": [] } }),
        json!({ "type": "response.reasoning_summary_text.delta", "output_index": 0, "delta": "let me " }),
        json!({ "type": "response.reasoning_summary_text.delta", "output_index": 0, "delta": "see" }),
        json!({ "type": "response.output_item.done", "output_index": 0, "item": reasoning }),
        json!({ "type": "response.output_item.added", "output_index": 1, "item": { "type": "message", "content": [] } }),
        json!({ "type": "response.output_text.delta", "output_index": 1, "delta": "It " }),
        json!({ "type": "response.output_text.delta", "output_index": 1, "delta": "works." }),
        json!({ "type": "response.output_text.done", "output_index": 1, "text": "It works." }),
        json!({ "type": "response.output_item.done", "output_index": 1, "item": { "type": "message", "content": [{ "type": "output_text", "text": "It works." }] } }),
        completed(),
    ]);
    let end = end.expect("a turn");
    assert_eq!((thoughts.as_str(), text.as_str()), ("let me see", "It works."));
    assert_eq!((end.ending, end.usage.map(|usage| usage.total_tokens)), (Ending::Done, Some(18)));
    assert_eq!(end.replay.0, json!([reasoning, { "said": 9 }]));
}

#[test]
fn what_is_only_in_the_whole() {
    let item = json!({ "type": "message", "content": [{ "type": "output_text", "text": "It works." }] });
    let whole = json!({ "type": "response.completed", "response": { "output": [item] } });
    assert_eq!(read(&[whole]).1, "It works.");
    let done = json!({ "type": "response.output_item.done", "output_index": 0, "item": item });
    assert_eq!(read(&[done, completed()]).1, "It works.");
    let (_, text, end) = read(&[json!({ "object": "response", "status": "completed", "output": [item] })]);
    assert_eq!(text, "It works.");
    assert!(end.is_ok());
}

#[test]
fn calls_in_pieces() {
    let item = |arguments: &str| json!({ "type": "function_call", "id": "fc_1", "call_id": "call_a", "name": "calculate", "arguments": arguments });
    let (_, _, end) = read(&[
        json!({ "type": "response.output_item.added", "output_index": 0, "item": item("") }),
        json!({ "type": "response.function_call_arguments.delta", "output_index": 0, "delta": "{\"expression\":" }),
        json!({ "type": "response.function_call_arguments.delta", "output_index": 0, "delta": "\"6*7\"}" }),
        json!({ "type": "response.output_item.done", "output_index": 0, "item": item("{\"expression\":\"6*7\"}") }),
        json!({ "type": "response.output_item.done", "output_index": 1, "item": { "type": "function_call", "call_id": "call_b", "name": "calculate", "arguments": "{}" } }),
        completed(),
    ]);
    let calls = end.expect("a turn").calls;
    assert_eq!(calls.iter().map(|call| call.id.as_str()).collect::<Vec<_>>(), ["call_a", "call_b"]);
    assert_eq!(calls[0].arguments.as_ref().expect("JSON")["expression"], "6*7");
}

#[test]
fn calls_that_only_the_whole_has() {
    let call = |id: &str| json!({ "type": "function_call", "call_id": id, "name": "calculate", "arguments": "{}" });
    let message = json!({ "type": "message", "content": [{ "type": "output_text", "text": "Let me see." }] });
    let (_, text, end) = read(&[
        json!({ "type": "response.output_text.delta", "delta": "Let me see." }),
        json!({ "type": "response.output_item.done", "output_index": 1, "item": call("a") }),
        json!({ "type": "response.completed", "response": { "output": [message, call("a"), call("b")] } }),
    ]);
    let calls = end.expect("a turn").calls;
    assert_eq!(text, "Let me see.");
    assert_eq!(calls.iter().map(|call| call.id.as_str()).collect::<Vec<_>>(), ["a", "b"]);
}

#[test]
fn reasoning_goes_back_in_front_of_what_it_led_to() {
    // QwenLM/qwen-code#8169, vercel/ai#7099
    let reasoning = |id: &str| json!({ "type": "reasoning", "id": id, "encrypted_content": "c2VhbGVk", "summary": [] });
    let message = json!({ "type": "message", "content": [{ "type": "output_text", "text": "Let me see." }] });
    let call = json!({ "type": "function_call", "call_id": "a", "name": "calculate", "arguments": "{}" });
    let items = [reasoning("rs_1"), message, reasoning("rs_2"), call];
    let mut events: Vec<Value> = items
        .iter()
        .zip(0..)
        .map(|(item, place)| json!({ "type": "response.output_item.done", "output_index": place, "item": item }))
        .collect();
    events.push(completed());
    for counts in [true, false] {
        if !counts {
            for event in &mut events {
                event.as_object_mut().expect("an event").remove("output_index");
            }
        }
        let (_, text, end) = read(&events);
        let end = end.expect("a turn");
        let said = ChatMessage::Assistant { text, calls: end.calls, replay: end.replay };
        assert_eq!(
            super::items(&said, &BTreeSet::new()),
            [
                reasoning("rs_1"),
                json!({ "type": "message", "role": "assistant", "content": [{ "type": "output_text", "text": "Let me see." }] }),
                reasoning("rs_2"),
                items[3].clone(),
            ]
        );
    }
}

#[test]
fn reasoning_has_a_limit() {
    let item = json!({ "type": "reasoning", "summary": [], "encrypted_content": "s".repeat(1 << 20) });
    let events: Vec<Value> = (0..9)
        .map(|place| json!({ "type": "response.output_item.done", "output_index": place, "item": item }))
        .chain([completed()])
        .collect();
    assert!(read(&events).2.expect_err("too much").message.contains("more than 8 MiB"));
}

#[test]
fn ends_of_every_kind() {
    let incomplete = |reason: &str| json!({ "type": "response.incomplete", "response": { "incomplete_details": { "reason": reason } } });
    let ending = |event: Value| read(&[event]).2.expect("a turn").ending;
    assert_eq!(ending(incomplete("max_output_tokens")), Ending::Length);
    assert_eq!(ending(incomplete("content_filter")), Ending::Filtered);
    let refusal = json!({ "type": "response.refusal.delta", "output_index": 0, "delta": "I can not." });
    let (_, text, end) = read(&[refusal, completed()]);
    assert_eq!((text.as_str(), end.expect("a turn").ending), ("I can not.", Ending::Refused));
    let fails = |event: Value, words: &str| {
        let error = read(&[event]).2.expect_err(words);
        assert!(error.message.contains(words), "{error}");
    };
    fails(
        json!({ "type": "response.failed", "response": { "error": { "code": "server_error", "message": "out of memory" } } }),
        "out of memory",
    );
    fails(json!({ "type": "error", "code": "rate_limit_exceeded", "message": "slow down" }), "slow down");
    fails(json!({ "error": { "message": "no such model" } }), "no such model");
    fails(json!({ "type": "response.created" }), "broke off");
}

#[test]
fn what_is_sent() {
    let call = crate::server::tool::ToolRequest { id: "a".into(), tool: "calculate".into(), arguments: Ok(Map::new()) };
    let reasoning = json!([{ "type": "reasoning", "encrypted_content": "c2VhbGVk" }]);
    let messages = [
        ChatMessage::user("How many?"),
        ChatMessage::Assistant { text: "Let me see.".into(), calls: vec![call], replay: Replay(reasoning.clone()) },
        ChatMessage::Tool { id: "a".into(), name: "calculate".into(), result: "42".into() },
    ];
    let settings = Settings {
        model: "m".into(),
        system: Some("Be kind.".into()),
        options: json!({ "reasoning": { "effort": "low" } }),
        ..Settings::default()
    };
    let turn = Turn { messages: &messages, tools: &[] };
    let body = Responses::request(&settings, &turn, &BTreeSet::new());
    assert_eq!(
        body["input"],
        json!([
            { "type": "message", "role": "user", "content": [{ "type": "input_text", "text": "How many?" }] },
            reasoning[0],
            { "type": "message", "role": "assistant", "content": [{ "type": "output_text", "text": "Let me see." }] },
            { "type": "function_call", "call_id": "a", "name": "calculate", "arguments": "{}" },
            { "type": "function_call_output", "call_id": "a", "output": "42" },
        ])
    );
    assert_eq!(
        (&body["instructions"], &body["store"], &body["reasoning"]["effort"]),
        (&json!("Be kind."), &json!(false), &json!("low"))
    );
    let without = Responses::request(&settings, &turn, &BTreeSet::from([Part::Include]));
    assert!(without["include"].is_null() && without["input"][1]["role"] == "assistant", "{without}");
}

proptest! {
    #[test]
    fn any_events_are_read_to_an_end(
        kinds in prop::collection::vec((prop_oneof![
            Just("response.output_text.delta"), Just("response.output_item.added"), Just("response.output_item.done"), Just("response.completed"),
            Just("response.function_call_arguments.delta"), Just("response.reasoning_summary_part.added"), Just("response.incomplete"), Just("error"), Just(""),
        ], any::<u8>(), prop_oneof![Just(json!(null)), Just(json!([])), Just(json!({})), Just(json!({ "type": "function_call", "name": "a" })), Just(json!({ "output": [null, {}] }))]), 0..12)
    ) {
        let events: Vec<Value> = kinds.into_iter().map(|(kind, place, odd)| json!({ "type": kind, "output_index": place, "delta": odd, "item": odd, "response": odd })).collect();
        let _ = read(&events);
    }
}
