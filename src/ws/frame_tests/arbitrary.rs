//! Whatever comes, decoding answers; and what it takes, it writes the same way again.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::{ID, examples};
use crate::frame::{ClientFrame, Frame, Incoming, ServerFrame};

const KEYS: [&str; 11] =
    ["v", "type", "id", "payload", "seq", "epoch", "thread_id", "content", "tool_call_id", "arguments", "usage"];

/// Any JSON. Numbers are whole: a fraction may differ in its last bit after a parse, which is no concern of frames.
fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        Just(Value::from(ID)),
    ];
    leaf.prop_recursive(3, 24, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::hash_map(key(), inner, 0..6)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

fn key() -> impl Strategy<Value = String> {
    prop_oneof![prop::sample::select(&KEYS[..]).prop_map(str::to_owned), any::<String>()]
}

/// A good frame, one way or the other.
fn good() -> impl Strategy<Value = Value> {
    let client = examples::client(true).into_iter().chain(examples::client(false));
    let server = examples::server(true).into_iter().chain(examples::server(false));
    let client = client.map(|message| serde_json::to_value(Frame::new(message)).expect("encodes"));
    let server = server.map(|message| serde_json::to_value(Frame::new(message)).expect("encodes"));
    prop::sample::select(client.chain(server).collect::<Vec<_>>())
}

/// Puts `value` somewhere inside `target`; `path` says where.
fn spoil(target: &mut Value, path: &[prop::sample::Index], value: Value) {
    let Some((index, rest)) = path.split_first() else {
        *target = value;
        return;
    };
    let inner = match target {
        Value::Object(fields) if !fields.is_empty() => {
            let at = index.index(fields.len());
            fields.values_mut().nth(at)
        }
        Value::Array(items) if !items.is_empty() => {
            let at = index.index(items.len());
            items.get_mut(at)
        }
        _ => None,
    };
    match inner {
        Some(inner) => spoil(inner, rest, value),
        None => *target = value,
    }
}

fn never_panics(text: &str) {
    if let Ok(frame) = ClientFrame::decode(text) {
        assert_eq!(ClientFrame::decode(&frame.encode().expect("encodes")), Ok(frame));
    }
    if let Ok(frame) = ServerFrame::decode(text) {
        assert_eq!(ServerFrame::decode(&frame.encode().expect("encodes")), Ok(frame));
    }
    let _ = serde_json::from_str::<Incoming>(text);
}

proptest! {
    #[test]
    fn any_text(text in any::<String>()) {
        never_panics(&text);
    }

    #[test]
    fn any_json(value in json()) {
        never_panics(&value.to_string());
    }

    #[test]
    fn any_fields(fields in prop::collection::vec((key(), json()), 0..8)) {
        let mut frame: Map<String, Value> = fields.into_iter().collect();
        never_panics(&Value::Object(frame.clone()).to_string());
        frame.extend([("v".to_owned(), json!(1)), ("id".to_owned(), json!(ID))]);
        never_panics(&Value::Object(frame).to_string());
    }

    #[test]
    fn a_good_frame_with_one_thing_spoiled(
        mut frame in good(),
        path in prop::collection::vec(any::<prop::sample::Index>(), 1..5),
        value in json(),
    ) {
        spoil(&mut frame, &path, value);
        never_panics(&frame.to_string());
    }

    #[test]
    fn a_good_frame_cut_short(frame in good(), cut in any::<prop::sample::Index>()) {
        let text = frame.to_string();
        let end = (0..cut.index(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        prop_assert!(ServerFrame::decode(&text[..end]).is_err());
    }
}
