//! Frames held to the schemas that are made from the types.

use std::{collections::HashMap, sync::LazyLock};

use jsonschema::Validator;
use serde_json::{Value, json};

/// Who sent a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sender {
    /// The backend.
    Server,
    /// A page, or a program.
    Client,
}

impl Sender {
    const fn prefix(self) -> &'static str {
        match self {
            Self::Server => "server_",
            Self::Client => "client_",
        }
    }
}

/// A validator for each type, by its name in the specification: `server_connect`.
static FRAMES: LazyLock<HashMap<String, Validator>> = LazyLock::new(|| {
    let document = netra_ws::schema::messages();
    let definitions = document["$defs"].as_object().into_iter().flat_map(|all| all.keys());
    let types =
        definitions.filter(|name| [Sender::Server, Sender::Client].iter().any(|s| name.starts_with(s.prefix())));
    types.map(|name| (name.clone(), validator(&document, name))).collect()
});

fn validator(document: &Value, name: &str) -> Validator {
    let mut document = document.clone();
    document["$ref"] = json!(format!("#/$defs/{name}"));
    if let Some(whole) = document.as_object_mut() {
        whole.remove("anyOf");
    }
    jsonschema::options().should_validate_formats(true).build(&document).expect("the types make a JSON Schema")
}

/// What the specification has against a frame.
pub fn violation(sender: Sender, frame: &Value) -> Option<String> {
    let name = format!("{}{}", sender.prefix(), frame["type"].as_str().unwrap_or_default());
    let Some(validator) = FRAMES.get(&name) else { return Some(format!("{name} is no type")) };
    let reasons: Vec<String> = validator
        .iter_errors(frame)
        .map(|error| format!("{} at {:?}", error.masked(), error.instance_path().as_str()))
        .collect();
    (!reasons.is_empty()).then(|| reasons.join("; "))
}
