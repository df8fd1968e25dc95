//! Every frame that a test sends or hears is held against the committed specification (R22).

use std::{collections::HashMap, sync::LazyLock};

use jsonschema::Validator;
use serde_json::{Value, json};

/// A validator for each type, by its name in the specification: `server_connect`.
static FRAMES: LazyLock<HashMap<String, Validator>> = LazyLock::new(|| {
    let text = include_str!("../../../schema/messages.schema.json");
    let document: Value = serde_json::from_str(text).expect("the specification is JSON");
    let definitions = document["$defs"].as_object().expect("definitions");
    let types = definitions.keys().filter(|key| key.starts_with("server_") || key.starts_with("client_"));
    types.map(|name| (name.clone(), validator(&document, name))).collect()
});

fn validator(document: &Value, name: &str) -> Validator {
    let mut document = document.clone();
    let whole = document.as_object_mut().expect("the specification is an object");
    whole.remove("anyOf");
    whole.insert("$ref".to_owned(), json!(format!("#/$defs/{name}")));
    jsonschema::options().should_validate_formats(true).build(&document).expect("the specification is JSON Schema")
}

/// What the specification has against a frame of a `server` or a `client`.
pub(crate) fn violation(sender: &str, frame: &Value) -> Option<String> {
    let kind = format!("{sender}_{}", frame["type"].as_str().unwrap_or_default());
    let Some(validator) = FRAMES.get(&kind) else { return Some(format!("no such type: {frame}")) };
    let errors: Vec<String> = validator.iter_errors(frame).map(|error| error.to_string()).collect();
    (!errors.is_empty()).then(|| format!("{frame}: {errors:?}"))
}
