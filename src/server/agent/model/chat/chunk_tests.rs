use netra_ws::ErrorCode;
use proptest::prelude::*;
use serde_json::json;

use super::{super::super::body::Framing, *};

/// What a person sees of a turn, and how it ended.
struct Seen {
    thoughts: String,
    text: String,
    end: Result<TurnEnd, ModelError>,
}

fn event(data: &str) -> Event {
    Event { kind: String::new(), data: data.to_owned() }
}

/// Reads events to the end of the stream.
fn read(events: &[Event]) -> Seen {
    let mut assembly = Assembly::default();
    let mut seen = Seen { thoughts: String::new(), text: String::new(), end: Ok(TurnEnd::default()) };
    for event in events {
        match assembly.read(event) {
            Ok(pieces) => seen.show(pieces),
            Err(error) => {
                seen.end = Err(error);
                return seen;
            }
        }
    }
    seen.show(assembly.rest());
    seen.end = assembly.finish(None, &HashSet::new());
    seen
}

impl Seen {
    fn show(&mut self, pieces: Vec<Piece>) {
        for piece in pieces {
            match piece {
                Piece::Thinking(words) => self.thoughts.push_str(&words),
                Piece::Text(words) => self.text.push_str(&words),
                Piece::WasThinking => self.thoughts.push_str(&std::mem::take(&mut self.text)),
                Piece::Note(_) => {}
            }
        }
    }
}

/// Reads chunks, then `[DONE]` if the server says so.
fn read_chunks(chunks: &[Value], done: bool) -> Seen {
    let mut events: Vec<Event> = chunks.iter().map(|chunk| event(&chunk.to_string())).collect();
    events.extend(done.then(|| event("[DONE]")));
    read(&events)
}

fn delta(delta: Value) -> Value {
    json!({ "choices": [{ "index": 0, "delta": delta, "finish_reason": null }] })
}

fn end(reason: &str) -> Value {
    json!({ "choices": [{ "index": 0, "delta": {}, "finish_reason": reason }] })
}

/// The chunks make these thoughts and this text.
fn check(report: &str, chunks: &[Value], thoughts: &str, text: &str) -> TurnEnd {
    let seen = read_chunks(chunks, true);
    assert_eq!((seen.thoughts.as_str(), seen.text.as_str()), (thoughts, text), "{report}");
    seen.end.unwrap_or_else(|error| panic!("{report}: {error}"))
}

#[test]
fn text_wherever_it_stands() {
    let check = |report: &str, chunks: &[Value]| {
        let chunks = [chunks, &[end("stop")]].concat();
        check(report, &chunks, "", "It works.");
    };
    check("OpenAI", &[delta(json!({ "role": "assistant", "content": "" })), delta(json!({ "content": "It works." }))]);
    check(
        "microsoft/semantic-kernel#3650",
        &[json!({ "id": "", "choices": [], "prompt_filter_results": [{}] }), delta(json!({ "content": "It works." }))],
    );
    check(
        "langchain-ai/langchain#18977",
        &[
            delta(json!({ "content": "It works." })),
            json!({ "choices": [{ "index": 0, "finish_reason": null, "content_filter_results": {} }], "usage": null }),
        ],
    );
    check(
        "Amm1rr/WebAI-to-API#55",
        &[json!({ "choices": [{ "message": { "role": "assistant", "content": "It works." } }] })],
    );
    check(
        "CangShui/workbuddy-gateway#3",
        &[delta(json!({ "content": "It works.", "function_call": { "name": "", "arguments": "" }, "tool_calls": [] }))],
    );
    check(
        "meilisearch/meilisearch#6327",
        &[delta(
            json!({ "content": [{ "type": "text", "text": "It " }, { "type": "reference", "reference_ids": [1] }, { "type": "text", "text": "works." }] }),
        )],
    );
    check(
        "a whole answer",
        &[json!({ "object": "chat.completion", "choices": [{ "message": { "content": "It works." } }] })],
    );
    check("completions", &[json!({ "choices": [{ "text": "It works." }] })]);
    check("NUL", &[delta(json!({ "content": "It \u{0}works." }))]);
    check(
        "fields of other types",
        &[
            json!({ "id": 7, "created": "now", "choices": [{ "index": "0", "delta": { "role": 1, "content": "It works.", "tool_calls": {}, "refusal": [] }, "finish_reason": 0 }], "usage": "none" }),
        ],
    );
    check(
        "what is null",
        &[
            json!({ "choices": null, "usage": null, "error": null }),
            json!({ "choices": [{ "delta": null }] }),
            delta(json!({ "content": "It works.", "reasoning": null, "tool_calls": null })),
        ],
    );
}

#[test]
fn a_stream_whose_chunks_are_called_whole_answers() {
    // perplexityai/api-discussion#175
    let chunk = |said: &str, so_far: &str, reason: Value| {
        json!({ "object": "chat.completion", "choices": [{ "index": 0, "finish_reason": reason,
            "delta": { "role": "assistant", "content": said }, "message": { "role": "assistant", "content": so_far } }] })
    };
    let chunks = [
        json!({ "object": "chat.completion", "choices": [] }),
        chunk("It ", "It ", json!(null)),
        chunk("works.", "It works.", json!("null")),
        json!({ "object": "chat.completion", "choices": [{ "index": 0, "finish_reason": null, "delta": {}, "message": { "content": "It works." } }] }),
        chunk("", "It works.", json!("stop")),
    ];
    assert_eq!(check("perplexityai/api-discussion#175", &chunks, "", "It works.").ending, Ending::Done);
    assert!(read_chunks(&chunks[..3], false).end.is_err(), "it has no end yet");
}

#[test]
fn errors_that_are_none() {
    let words = |field: &str, value: Value| {
        let mut chunk = delta(json!({ "content": "It works." }));
        chunk[field] = value;
        chunk
    };
    for none in [json!(0), json!([]), json!({}), json!(""), json!(false), json!(null)] {
        check("no error", &[words("error", none), end("stop")], "", "It works.");
    }
    check("a code beside an answer", &[words("error_type", json!(200)), end("stop")], "", "It works.");
    assert!(read_chunks(&[json!({ "error": 503 })], true).end.is_err());
}

#[test]
fn a_closing_tag_where_thoughts_came_in_their_own_field() {
    let said = "A thought ends with </think> there.";
    let chunks = [delta(json!({ "reasoning_content": "hm" })), delta(json!({ "content": said })), end("stop")];
    check("a word about tags", &chunks, "hm", said);
}

#[test]
fn thoughts_in_the_content_go_back_as_they_came() {
    let part =
        |text: &str| json!({ "type": "thinking", "thinking": [{ "type": "text", "text": text }], "closed": true });
    let chunks = [
        delta(json!({ "content": [part("let me ")] })),
        delta(json!({ "content": [part("see")] })),
        delta(json!({ "content": "It works." })),
        end("stop"),
    ];
    let turn = check("Mistral", &chunks, "let me see", "It works.");
    assert_eq!(turn.replay.0["thinking"], part("let me see"));
}

#[test]
fn what_is_kept_and_not_shown_has_a_limit() {
    let mebibyte = "x".repeat(1 << 20);
    let sealed =
        delta(json!({ "reasoning_details": [{ "type": "reasoning.encrypted", "data": mebibyte, "index": 0 }] }));
    let blank = delta(json!({ "content": " ".repeat(1 << 20) }));
    for chunk in [sealed, blank] {
        let error = read_chunks(&vec![chunk; 9], true).end.expect_err("too much");
        assert_eq!(error.code, ErrorCode::UpstreamProtocol);
    }
}

#[test]
fn events_that_say_nothing() {
    // mnfst/llm-gateway#2053
    let events = [
        event(": OPENROUTER PROCESSING"),
        event(""),
        event("{\"type\":\"ping\"}"),
        event(&delta(json!({ "content": "a" })).to_string()),
        event("[DONE]"),
    ];
    let seen = read(&events);
    assert_eq!(seen.text, "a");
    assert!(seen.end.is_ok());
}

#[test]
fn thoughts_wherever_they_stand() {
    let words = || [delta(json!({ "content": "It works." })), end("stop")];
    let check = |report: &str, chunks: &[Value]| {
        check(report, &[chunks, &words()].concat(), "let me see", "It works.");
    };
    check(
        "Aider-AI/aider#3086",
        &[
            delta(json!({ "reasoning_content": "let me " })),
            delta(json!({ "reasoning": "see", "reasoning_details": [{ "text": "see" }], "content": "" })),
        ],
    );
    check(
        "openclaw/openclaw#68418",
        &[delta(
            json!({ "content": [{ "type": "thinking", "thinking": [{ "type": "text", "text": "let me see" }] }] }),
        )],
    );
    check(
        "only details",
        &[delta(json!({ "reasoning_details": [{ "type": "reasoning.text", "text": "let me see" }] }))],
    );
    check(
        "anomalyco/opencode#43770",
        &[
            delta(json!({ "content": "<think>" })),
            delta(json!({ "content": "let me see</thi" })),
            delta(json!({ "content": "nk>\n\n" })),
        ],
    );
    check(
        "logancyang/obsidian-copilot#2153",
        &[
            delta(json!({ "content": "let me see" })),
            delta(json!({ "content": "</think>" })),
            delta(json!({ "content": "\n\n" })),
        ],
    );
}

#[test]
fn usage_in_every_shape() {
    let check = |usages: &[Value], wanted: Option<(u64, u64, u64)>| {
        let mut chunks = vec![delta(json!({ "content": "a" })), end("stop")];
        chunks.extend(usages.iter().map(|usage| json!({ "choices": [], "usage": usage })));
        let usage = read_chunks(&chunks, true).end.expect("a turn").usage;
        assert_eq!(
            usage.map(|usage| (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens)),
            wanted,
            "{usages:?}"
        );
    };
    let whole = json!({ "prompt_tokens": 7, "completion_tokens": 11, "total_tokens": 18 });
    check(std::slice::from_ref(&whole), Some((7, 11, 18)));
    // co-l/openfox#236
    check(&[whole, json!({})], Some((7, 11, 18)));
    check(&[json!({ "prompt_tokens": 7.0, "completion_tokens": "11", "total_tokens": null })], Some((7, 11, 18)));
    check(&[json!({ "input_tokens": 7, "output_tokens": 11 })], Some((7, 11, 18)));
    check(&[json!({ "prompt_tokens": u64::MAX, "completion_tokens": u64::MAX })], Some((u64::MAX, u64::MAX, u64::MAX)));
    check(&[json!(null), json!([]), json!("many")], None);
}

#[test]
fn ends_of_every_kind() {
    let words = || delta(json!({ "content": "a" }));
    let check = |chunks: &[Value], done: bool, wanted: Ending| {
        assert_eq!(read_chunks(chunks, done).end.expect("a turn").ending, wanted, "{chunks:?}");
    };
    check(&[words(), end("stop")], false, Ending::Done);
    check(&[words()], true, Ending::Done);
    // vllm-project/vllm#36944
    check(&[json!({ "choices": [{ "delta": { "content": "a" }, "finish_reason": "stop" }] })], false, Ending::Done);
    // ollama/ollama#4357
    check(
        &[json!({ "choices": [{ "delta": { "content": "a" }, "finish_reason": "" }] }), end("stop")],
        false,
        Ending::Done,
    );
    check(&[words(), end("length")], true, Ending::Length);
    check(&[words(), end("MAX_TOKENS")], true, Ending::Length);
    check(&[words(), end("content_filter")], true, Ending::Filtered);
    check(&[words(), end("SAFETY")], true, Ending::Filtered);
    check(&[delta(json!({ "refusal": "I can not." })), end("stop")], true, Ending::Refused);
    // NousResearch/hermes-agent#83886
    let malformed = "function_call_filter: MALFORMED_FUNCTION_CALL";
    check(&[end(malformed)], true, Ending::Other(malformed.to_owned()));
    // vllm-project/vllm#53256
    check(&[end("tool_calls")], true, Ending::Other("tool_calls".to_owned()));
    let code = |chunks: &[Value], done: bool| read_chunks(chunks, done).end.expect_err("an error").code;
    assert_eq!(code(&[words()], false), ErrorCode::UpstreamProtocol, "broken off");
    assert_eq!(code(&[], false), ErrorCode::UpstreamProtocol, "nothing at all");
    assert_eq!(code(&[words(), end("error")], true), ErrorCode::UpstreamUnavailable);
    assert!(read(&[event("{\"choices\":[{\"del")]).end.is_err(), "half a JSON line");
    assert!(read(&[event("[1,2]")]).end.is_err(), "another JSON");
}

#[test]
fn failures_within_the_stream() {
    let check = |kind: &str, data: &str, words: &str| {
        let event = Event { kind: kind.to_owned(), data: data.to_owned() };
        let error = read(&[event]).end.expect_err(data);
        assert_eq!(error.code, ErrorCode::UpstreamUnavailable, "{data}");
        assert!(error.message.contains(words), "{data}: {error}");
    };
    // sgl-project/sglang#12081
    check(
        "",
        r#"{"error":{"object":"error","message":"The input is too long","type":"BadRequestError","code":400}}"#,
        "too long",
    );
    // octos-org/octos#13
    check("error", r#"{"error":"Stream error: network failure"}"#, "network failure");
    check("error", "upstream connect error or disconnect", "upstream connect error");
    check("error", r#"{"code":400,"details":"Requested sample logprobs of 21"}"#, "logprobs of 21");
    check("", r#"{"error_type":"context_length_exceeded","error_message":"maximum is 163840"}"#, "163840");
    check("", r#"{"object":"error","message":"out of memory"}"#, "out of memory");
    check("", r#"{"detail":"no such model"}"#, "no such model");
    check("", r#"{"code":"InvalidApiKey","message":"no such key","request_id":"x"}"#, "no such key");
    check("", r#"{"code":1211,"msg":"no such model"}"#, "no such model");
}

#[test]
fn what_goes_back_is_what_came() {
    let call = json!({ "index": 0, "id": "a", "type": "function", "function": { "name": "calculate", "arguments": "{}" }, "extra_content": { "google": { "thought_signature": "c2ln" } } });
    let replay = |deltas: &[Value]| {
        let chunks: Vec<Value> = deltas.iter().cloned().map(delta).chain([end("tool_calls")]).collect();
        read_chunks(&chunks, true).end.expect("a turn").replay.0
    };
    // Gitlawb/openclaude#67
    let signed = replay(&[json!({ "tool_calls": [call] })]);
    assert_eq!(signed["calls"][0], json!({ "extra_content": { "google": { "thought_signature": "c2ln" } } }));
    assert_eq!(signed["message"], json!({}), "nothing that the server did not use");
    // continuedev/continue#11285
    let thoughts = replay(&[json!({ "reasoning_content": "I should " }), json!({ "reasoning_content": "calculate." })]);
    assert_eq!(thoughts["message"], json!({ "reasoning_content": "I should calculate." }));
    // home-assistant/core#159812
    let sealed = json!({ "type": "reasoning.encrypted", "data": "c2VhbGVk", "index": 1 });
    let text = |text: &str, signature: Value| json!({ "type": "reasoning.text", "text": text, "signature": signature, "index": 0 });
    let details = replay(&[
        json!({ "reasoning": "h", "reasoning_details": [text("h", json!(null))] }),
        json!({ "reasoning": "m", "reasoning_details": [text("m", json!("c2ln")), sealed] }),
    ]);
    assert_eq!(
        details["message"],
        json!({ "reasoning": "hm", "reasoning_details": [text("hm", json!("c2ln")), sealed] })
    );
}

#[test]
fn a_call_in_a_second_choice() {
    // SWE-agent/mini-swe-agent#805
    let chunk = json!({ "choices": [
        { "index": 0, "delta": { "content": "Let me calculate." }, "finish_reason": "stop" },
        { "index": 1, "delta": { "tool_calls": [{ "index": 0, "id": "a", "function": { "name": "calculate", "arguments": "{}" } }] }, "finish_reason": "tool_calls" },
    ] });
    let end = check("a second choice", &[chunk], "", "Let me calculate.");
    assert_eq!(end.calls.len(), 1);
}

#[test]
fn calls_in_odd_places() {
    let bare = json!({ "id": "a", "name": "calculate", "arguments": "{}" });
    let wrapped = json!({ "id": "a", "function": { "name": "calculate", "arguments": "{}" } });
    for delta_of in [
        json!({ "tool_calls": [bare] }),
        json!({ "tool_calls": wrapped }),
        json!({ "function_call": { "name": "calculate", "arguments": "{}" } }),
    ] {
        let end = check("a call", &[delta(delta_of.clone()), end("tool_calls")], "", "");
        assert_eq!(end.calls.len(), 1, "{delta_of}");
        assert_eq!(end.calls[0].tool, "calculate", "{delta_of}");
        assert_eq!(end.replay.0["calls"], json!([{}]), "{delta_of}");
    }
}

#[test]
fn an_answer_without_end() {
    let mebibyte = "x".repeat(1 << 20);
    let chunks: Vec<Value> = (0..9)
        .map(|k| delta(if k < 2 { json!({ "reasoning": mebibyte }) } else { json!({ "content": mebibyte }) }))
        .collect();
    let seen = read_chunks(&chunks, true);
    assert_eq!((seen.thoughts.len(), seen.text.len()), (2 << 20, 6 << 20), "what came within the limit is shown");
    assert_eq!(seen.end.expect_err("too much").code, ErrorCode::UpstreamProtocol);
}

/// A stream of a thought, words and a call, as bytes.
fn stream() -> Vec<u8> {
    let call =
        json!({ "index": 0, "id": "a", "function": { "name": "calculate", "arguments": "{\"expression\":\"6*7\"}" } });
    let chunks = [
        delta(json!({ "reasoning_content": "Grüße" })),
        delta(json!({ "content": "<think>日本</think>It " })),
        delta(json!({ "content": "works 🌍." })),
        delta(json!({ "tool_calls": [call] })),
        end("tool_calls"),
    ];
    chunks.iter().map(|chunk| format!("data: {chunk}\n\n")).collect::<Vec<_>>().concat().into_bytes()
}

/// Reads a body that comes in these pieces, and then ends.
fn read_bytes<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Seen {
    let mut framing = Framing::default();
    let mut events = Vec::new();
    for piece in pieces {
        events.extend(framing.push(piece).expect("short"));
    }
    events.extend(framing.finish());
    read(&events)
}

#[test]
fn a_stream_that_closes_at_any_byte_ends() {
    let stream = stream();
    let whole = read_bytes([stream.as_slice()]);
    assert_eq!((whole.thoughts.as_str(), whole.text.as_str()), ("Grüße日本", "It works 🌍."));
    for end in 0..stream.len() {
        let seen = read_bytes([&stream[..end]]);
        assert!(whole.thoughts.starts_with(&seen.thoughts) && whole.text.starts_with(&seen.text), "{end}");
        // All but the last bytes, which close the last event, are needed.
        assert!(seen.end.is_err() || end + 2 >= stream.len(), "{end}: {:?}", seen.end);
    }
}

#[test]
fn any_cut_of_the_bytes_gives_the_same_answer() {
    let stream = stream();
    let whole = read_bytes([stream.as_slice()]);
    for size in 1..40 {
        let seen = read_bytes(stream.chunks(size));
        assert_eq!((seen.thoughts, seen.text), (whole.thoughts.clone(), whole.text.clone()), "{size}");
        assert_eq!(seen.end.expect("a turn").calls.len(), 1, "{size}");
    }
}

/// JSON that looks like chunks.
fn chunkish() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(json!(null)),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
        prop::sample::select(vec!["", "stop", "calculate", "<think>", "</think>", "{\"a\":", "日本", "\u{0}"])
            .prop_map(Value::from),
    ];
    let key = prop_oneof![
        Just("choices"),
        Just("delta"),
        Just("message"),
        Just("content"),
        Just("tool_calls"),
        Just("function"),
        Just("index"),
        Just("id"),
        Just("name"),
        Just("arguments"),
        Just("reasoning"),
        Just("reasoning_details"),
        Just("type"),
        Just("text"),
        Just("usage"),
        Just("total_tokens"),
        Just("finish_reason"),
        Just("error"),
        Just("refusal"),
        Just("function_call"),
    ];
    leaf.prop_recursive(6, 48, 4, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::hash_map(key.clone().prop_map(str::to_owned), inner, 0..6)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn any_chunks_are_read_to_an_end(chunks in prop::collection::vec(chunkish(), 0..6), done in any::<bool>()) {
        let seen = read_chunks(&chunks, done);
        if let Ok(end) = seen.end {
            prop_assert!(end.calls.iter().all(|call| !call.tool.is_empty() && !call.id.is_empty()));
        }
    }

    #[test]
    fn any_bytes_are_read_to_an_end(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut framing = Framing::default();
        let events: Vec<Event> = framing.push(&bytes).unwrap_or_default();
        let _ = read(&events);
        let _ = read(&framing.finish());
    }

    #[test]
    fn a_choice_of_any_shape_costs_nothing_else(odd in chunkish()) {
        let chunks = [delta(json!({ "content": "before" })), json!({ "choices": [{ "delta": { "refusal": odd } }, odd] }), delta(json!({ "content": " after" })), end("stop")];
        let seen = read_chunks(&chunks, true);
        // A closing tag on its own makes a thought of what came before it.
        prop_assert!(seen.text.contains("before") || seen.thoughts.contains("before"));
    }
}
