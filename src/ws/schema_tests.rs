use serde_json::Value;

use super::*;
use crate::{
    frame::{ClientFrame, Frame, ServerFrame},
    message::{ClientMessage, FrameMessage, ServerMessage},
};

fn names<M: FrameMessage>() -> impl Iterator<Item = &'static str> {
    M::TYPES.iter().map(|info| info.name)
}

/// What the types make of an example, field by field.
fn reread<M: FrameMessage>(frame: &Value) -> Value {
    let read = Frame::<M>::decode(&frame.to_string()).unwrap_or_else(|error| panic!("{frame}: {error}"));
    serde_json::from_str(&read.encode().expect("encodes")).expect("JSON")
}

#[test]
fn every_type_has_an_example_that_the_types_take_as_it_is() {
    for name in names::<ClientMessage>() {
        let frame = example(Direction::Client, name);
        assert_eq!(reread::<ClientMessage>(&frame), frame, "{name}");
        assert!(ClientFrame::decode(&frame.to_string()).is_ok_and(|read| read.message.info().name == name));
    }
    for name in names::<ServerMessage>() {
        let frame = example(Direction::Server, name);
        assert_eq!(reread::<ServerMessage>(&frame), frame, "{name}");
        let read = ServerFrame::decode(&frame.to_string()).expect("decodes");
        assert_eq!(read.seq.is_some(), read.message.info().durable, "{name}");
    }
}

#[test]
fn every_type_is_in_both_documents() {
    let (json_schema, asyncapi) = (messages(), asyncapi());
    let all = names::<ClientMessage>()
        .map(|name| (Direction::Client, "receive", name))
        .chain(names::<ServerMessage>().map(|name| (Direction::Server, "send", name)));
    for (direction, action, name) in all {
        let key = direction.key(name);
        assert!(json_schema["$defs"][&key]["properties"]["payload"].is_object(), "{key}");
        let message = &asyncapi["components"]["messages"][&key];
        assert!(message["summary"].as_str().is_some_and(|words| !words.is_empty()), "{key}");
        assert!(message["examples"][0]["payload"]["payload"].is_object(), "{key}");
        let operation = &asyncapi["operations"][format!("{action}_{name}")];
        assert_eq!(operation["action"], action, "{key}");
    }
    assert_eq!(
        asyncapi["operations"]["receive_ping"]["reply"]["messages"][0]["$ref"],
        "#/channels/socket/messages/server_pong"
    );
}

#[test]
fn every_answer_is_a_type_of_the_server() {
    for asked in ClientMessage::TYPES {
        let known = |answer: &str| names::<ServerMessage>().any(|name| name == answer);
        assert!(asked.answer.is_none_or(known), "{asked:?}");
    }
}

/// References that lead nowhere make a document useless to every tool.
#[test]
fn references_lead_somewhere() {
    fn check(document: &Value, part: &Value) {
        match part {
            Value::Object(object) => {
                if let Some(Value::String(reference)) = object.get("$ref") {
                    let pointer = reference.trim_start_matches('#');
                    assert!(document.pointer(pointer).is_some(), "{reference}");
                }
                object.values().for_each(|part| check(document, part));
            }
            Value::Array(parts) => parts.iter().for_each(|part| check(document, part)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    for document in [messages(), asyncapi()] {
        check(&document, &document);
    }
}
