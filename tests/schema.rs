//! The committed specification is what the types say, and what others can read (R8, R22).
#![cfg(feature = "ssr")]

use std::{fs, path::Path};

use jsonschema::Validator;
use netra::server::specification;
use netra_ws::{
    message::{ClientMessage, Message, ServerMessage},
    schema::{Direction, example, messages},
};
use serde_json::{Value, json};

fn validator(definition: &str) -> Validator {
    let mut document = messages();
    let whole = document.as_object_mut().expect("an object");
    whole.remove("anyOf");
    whole.insert("$ref".to_owned(), json!(format!("#/$defs/{definition}")));
    jsonschema::options().should_validate_formats(true).build(&document).expect("JSON Schema 2020-12")
}

#[test]
fn the_committed_files_are_what_the_types_say() {
    for (name, wanted) in specification::files() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("schema").join(name);
        let committed = fs::read_to_string(&path).unwrap_or_default();
        assert!(committed == wanted, "schema/{name} is out of date; run: cargo run --features ssr -- schema");
    }
}

#[test]
fn every_example_is_valid() {
    let (client, server) = (validator("ClientFrame"), validator("ServerFrame"));
    let check = |validator: &Validator, frame: Value| {
        let errors: Vec<String> = validator.iter_errors(&frame).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{frame}: {errors:?}");
    };
    for info in ClientMessage::TYPES {
        check(&client, example(Direction::Client, info.name));
    }
    for info in ServerMessage::TYPES {
        check(&server, example(Direction::Server, info.name));
    }
}

#[test]
fn the_schema_refuses_what_the_contract_refuses() {
    let (client, server) = (validator("ClientFrame"), validator("ServerFrame"));
    let changed = |direction: Direction, name: &str, change: fn(&mut Value)| {
        let mut frame = example(direction, name);
        change(&mut frame);
        frame
    };
    let bad_client: [fn(&mut Value); 6] = [
        |frame| frame["payload"] = json!("{}"),
        |frame| frame["v"] = json!(2),
        |frame| frame["type"] = json!("user_massage"),
        |frame| frame["id"] = json!("1"),
        |frame| frame["payload"]["content"] = json!(7),
        |frame| frame["thread_id"] = Value::Null,
    ];
    for change in bad_client {
        let frame = changed(Direction::Client, "user_message", change);
        assert!(!client.is_valid(&frame), "{frame}");
    }
    let without = |name: &'static str| {
        let mut frame = example(Direction::Server, "agent_thinking");
        frame.as_object_mut().expect("an object").remove(name);
        frame
    };
    for name in ["v", "type", "id", "ts", "thread_id", "run_id", "epoch", "seq", "payload"] {
        assert!(!server.is_valid(&without(name)), "without {name}");
    }
}
