//! Frames held to the schemas that are made from the types.

use std::{collections::HashMap, sync::LazyLock};

use boon::{Compiler, SchemaIndex, Schemas, ValidationError};
use netra_ws::schema;
use serde_json::Value;

/// Under this address the compiler finds the document; nothing is fetched from there.
const DOCUMENT: &str = "https://netra.invalid/messages.schema.json";

/// Who sent a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sender {
    /// The backend.
    Server,
    /// A page, or a program.
    Client,
}

impl Sender {
    const ALL: [Self; 2] = [Self::Server, Self::Client];

    const fn prefix(self) -> &'static str {
        match self {
            Self::Server => "server_",
            Self::Client => "client_",
        }
    }
}

struct Specification {
    schemas: Schemas,
    /// Each type by its name in the document: `server_connect`.
    types: HashMap<String, SchemaIndex>,
}

/// What any server of `netra.v1` may send: names that this version does not know, too.
static ANY_VERSION: LazyLock<Specification> = LazyLock::new(|| compile(schema::messages()));

/// What this version itself sends.
static THIS_VERSION: LazyLock<Specification> = LazyLock::new(|| compile(schema::closed(schema::messages())));

fn compile(mut document: Value) -> Specification {
    // Under an address of its own, the types would not be found under ours.
    if let Some(whole) = document.as_object_mut() {
        whole.remove("$id");
    }
    let definitions = document["$defs"].as_object().into_iter().flat_map(|all| all.keys().cloned());
    let names: Vec<String> =
        definitions.filter(|name| Sender::ALL.iter().any(|sender| name.starts_with(sender.prefix()))).collect();
    let mut schemas = Schemas::new();
    let mut compiler = Compiler::new();
    compiler.enable_format_assertions();
    compiler.add_resource(DOCUMENT, document).expect("the address is one");
    let compiled = names.into_iter().map(|name| {
        let index = compiler.compile(&format!("{DOCUMENT}#/$defs/{name}"), &mut schemas);
        (name, index.expect("the types make a JSON Schema"))
    });
    let types = compiled.collect();
    Specification { schemas, types }
}

impl Specification {
    fn violation(&self, sender: Sender, frame: &Value) -> Option<String> {
        let name = format!("{}{}", sender.prefix(), frame["type"].as_str().unwrap_or_default());
        let Some(index) = self.types.get(&name) else { return Some(format!("{name} is no type")) };
        let error = self.schemas.validate(frame, *index).err()?;
        let mut reasons = Vec::new();
        collect(&error, &mut reasons);
        Some(reasons.join("; "))
    }
}

/// What the specification has against a frame, whichever version sent it.
pub fn violation(sender: Sender, frame: &Value) -> Option<String> {
    ANY_VERSION.violation(sender, frame)
}

/// What the specification has against a frame of this version: names that it does not know are mistakes.
pub fn own_violation(sender: Sender, frame: &Value) -> Option<String> {
    THIS_VERSION.violation(sender, frame)
}

/// The reasons at the leaves; what stands above them only says that something below is wrong.
fn collect(error: &ValidationError<'_, '_>, reasons: &mut Vec<String>) {
    if error.causes.is_empty() {
        reasons.push(format!("{} at {:?}", error.kind, error.instance_location.to_string()));
    }
    for cause in &error.causes {
        collect(cause, reasons);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_the_schemas_forbid_has_a_reason_and_a_place() {
        let frame = |payload: Value| {
            let id = "0198c7e2-0000-7000-8000-000000000001";
            let ts = "2026-01-01T00:00:00.000Z";
            json!({ "v": 1, "type": "pong", "id": id, "reply_to": id, "ts": ts, "payload": payload })
        };
        let check = |frame: Value, reason: Option<&str>| {
            let found = violation(Sender::Server, &frame);
            match reason {
                Some(reason) => assert!(found.as_ref().is_some_and(|found| found.contains(reason)), "{found:?}"),
                None => assert_eq!(found, None),
            }
        };
        check(frame(json!({ "nonce": "n" })), None);
        check(frame(json!({ "nonce": null })), Some("/payload/nonce"));
        check(frame(json!([])), Some("/payload"));
        let mut dated = frame(json!({}));
        dated["ts"] = json!("yesterday");
        check(dated, Some("/ts"));
        check(json!({ "type": "made_up" }), Some("is no type"));
    }

    #[test]
    fn a_later_server_may_say_names_that_this_one_may_not() {
        let frame = |level: Value| {
            let id = "0198c7e2-0000-7000-8000-000000000001";
            let payload = json!({ "level": level, "message": "hello" });
            json!({ "v": 1, "type": "broadcast", "id": id, "ts": "2026-01-01T00:00:00.000Z", "payload": payload })
        };
        assert_eq!(violation(Sender::Server, &frame(json!("cheerful"))), None);
        assert!(own_violation(Sender::Server, &frame(json!("cheerful"))).is_some());
        assert_eq!(own_violation(Sender::Server, &frame(json!("warn"))), None);
        assert!(violation(Sender::Server, &frame(json!(7))).is_some(), "a name is a text");
    }
}
