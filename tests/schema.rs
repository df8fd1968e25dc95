//! The committed specification is what the types say, and what others can read (R8, R22).
#![cfg(feature = "ssr")]

use std::{collections::BTreeSet, fs, path::Path};

use jsonschema::Validator;
use netra::server::specification;
use netra_ws::{
    message::{ClientMessage, FrameMessage, ServerMessage},
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

/// Routes that are no operations: the socket has a document of its own, and `/docs` is a page for people.
const NO_OPERATIONS: [(&str, &str); 2] = [("get", "/ws"), ("get", "/docs")];

/// `(method, path)` of each route in the router's source, in which routes are written as `.route("path", get(…).post(…))`.
fn routes() -> BTreeSet<(String, String)> {
    let source: String = include_str!("../src/server/router.rs").split_whitespace().collect();
    let mut found = BTreeSet::new();
    for route in source.split(".route(\"").skip(1) {
        let (path, rest) = route.split_once('"').expect("a path in quotes");
        let handlers = rest.split(';').next().unwrap_or_default().split(".layer(").next().unwrap_or_default();
        for method in ["get", "post", "put", "patch", "delete"] {
            if [',', '.'].iter().any(|before| handlers.contains(&format!("{before}{method}("))) {
                found.insert((method.to_owned(), path.to_owned()));
            }
        }
    }
    found
}

#[test]
fn every_route_is_an_operation_and_every_operation_a_route() {
    let document = specification::openapi();
    let paths = document["paths"].as_object().expect("paths");
    let told: BTreeSet<(String, String)> = paths
        .iter()
        .flat_map(|(path, methods)| {
            let methods = methods.as_object().expect("methods").keys();
            methods.map(|method| (method.clone(), path.clone())).collect::<Vec<_>>()
        })
        .collect();
    let mut routed = routes();
    for (method, path) in NO_OPERATIONS {
        assert!(routed.remove(&(method.to_owned(), path.to_owned())), "{path} is routed");
    }
    assert!(routed.len() > 30, "{} routes were found", routed.len());
    assert_eq!(routed, told, "a route that is not in the document, or an operation without a route");
}
