//! Frames as JSON Schema.

use schemars::{SchemaGenerator, generate::SchemaSettings};
use serde_json::{Map, Value, json};

use super::example;
use crate::{
    VERSION,
    message::{ClientMessage, FrameMessage, ServerMessage, TypeInfo},
};

/// Who sends a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// A client.
    Client,
    /// The server.
    Server,
}

impl Direction {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Server => "server",
        }
    }

    /// The name under which the specification keeps a frame. A few types travel both ways with different payloads.
    pub(super) fn key(self, name: &str) -> String {
        format!("{}_{name}", self.as_str())
    }
}

/// A message as the specification knows it.
pub(super) struct Described {
    pub(super) direction: Direction,
    pub(super) info: TypeInfo,
    /// The whole frame.
    pub(super) frame: Value,
}

/// Every message with its frame's schema, and the definitions that they refer to at `path`.
pub(super) fn describe(path: &str) -> (Vec<Described>, Map<String, Value>) {
    let settings =
        || SchemaSettings::draft2020_12().with(|settings| settings.definitions_path = path.to_owned().into());
    // A client may leave out what the server never leaves out: each direction is described as it is on the wire.
    let mut read = settings().for_deserialize().into_generator();
    let mut written = settings().for_serialize().into_generator();
    let mut described = frames::<ClientMessage>(Direction::Client, &mut read);
    described.extend(frames::<ServerMessage>(Direction::Server, &mut written));
    let mut definitions = read.take_definitions(true);
    definitions.extend(written.take_definitions(true));
    let frames = described.iter_mut().map(|message| &mut message.frame);
    for schema in frames.chain(definitions.values_mut()) {
        never_null(schema);
        no_widths(schema);
    }
    (described, definitions)
}

/// An optional field is left out, never `null`: the types' own schemas allow both.
fn never_null(schema: &mut Value) {
    let is_null = |schema: &Value| schema["type"] == "null";
    match schema {
        Value::Object(fields) => {
            if let Some(Value::Array(kinds)) = fields.get_mut("type") {
                kinds.retain(|kind| kind != "null");
                if let [kind] = kinds.as_slice() {
                    let kind = kind.clone();
                    fields.insert("type".to_owned(), kind);
                }
            }
            if let Some(Value::Array(choices)) = fields.get_mut("anyOf")
                && choices.iter().any(is_null)
            {
                choices.retain(|choice| !is_null(choice));
                if let [Value::Object(only)] = choices.as_slice() {
                    let only = only.clone();
                    fields.remove("anyOf");
                    // The field's own description says more than its type's.
                    for (name, value) in only {
                        fields.entry(name).or_insert(value);
                    }
                }
            }
            fields.values_mut().for_each(never_null);
        }
        Value::Array(items) => items.iter_mut().for_each(never_null),
        _ => {}
    }
}

/// How wide a number is here is nothing that JSON or a client knows: validators that are strict refuse formats such as
/// `uint64`. Bounds stay.
fn no_widths(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            if matches!(fields.get("type").and_then(Value::as_str), Some("integer" | "number")) {
                fields.remove("format");
            }
            fields.values_mut().for_each(no_widths);
        }
        Value::Array(items) => items.iter_mut().for_each(no_widths),
        _ => {}
    }
}

/// The specification without room for later servers: the names and kinds that this version itself sends, and no others.
#[must_use]
pub fn closed(mut schema: Value) -> Value {
    close(&mut schema);
    schema
}

fn close(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            if let Some(Value::Array(choices)) = fields.get_mut("anyOf") {
                let named = |choice: &Value| {
                    choice.get("const").is_some() || choice.pointer("/properties/kind/const").is_some()
                };
                if choices.iter().any(named) {
                    choices.retain(named);
                }
            }
            fields.values_mut().for_each(close);
        }
        Value::Array(items) => items.iter_mut().for_each(close),
        _ => {}
    }
}

fn frames<M: FrameMessage>(direction: Direction, generator: &mut SchemaGenerator) -> Vec<Described> {
    let payloads = M::schemas(generator);
    let frame = |(info, payload): (&TypeInfo, schemars::Schema)| Described {
        direction,
        info: *info,
        frame: frame(direction, info, &payload.to_value()),
    };
    M::TYPES.iter().zip(payloads).map(frame).collect()
}

fn frame(direction: Direction, info: &TypeInfo, payload: &Value) -> Value {
    let mut required = vec!["v", "type", "id", "payload"];
    let mut properties = Map::new();
    let uuid = |description: &str| json!({ "type": "string", "format": "uuid", "description": description });
    let mut field = |name: &str, schema: Value| _ = properties.insert(name.to_owned(), schema);
    field("v", json!({ "const": VERSION, "description": "The protocol's version." }));
    field("type", json!({ "const": info.name }));
    field("id", uuid("This frame. A client makes it (UUID v7); for a command it is the idempotency key."));
    if direction == Direction::Server {
        required.push("ts");
        field("ts", json!({ "type": "string", "format": "date-time", "description": "The server's clock." }));
    }
    field("thread_id", uuid("The thread."));
    if needs_thread(direction, info) {
        required.push("thread_id");
    }
    if info.durable {
        required.extend(["epoch", "seq"]);
        let epoch = "The log's epoch: another one means another log.";
        field("epoch", json!({ "type": "string", "pattern": "^[0-9a-f]{8}$", "description": epoch }));
        let seq = "The event's place in its thread's log, dense from 1.";
        field("seq", json!({ "type": "integer", "minimum": 1, "description": seq }));
        field("run_id", uuid("The run."));
        if info.name != "thread_message" {
            required.push("run_id");
        }
    }
    if direction == Direction::Server || info.name == "heartbeat_ack" {
        field("reply_to", uuid("The frame that this one answers."));
    }
    if answers(direction, info.name) {
        required.push("reply_to");
    }
    field("payload", payload.clone());
    json!({
        "title": info.name,
        "description": info.description.trim(),
        "type": "object",
        "required": required,
        "properties": properties,
        "examples": [example(direction, info.name)],
    })
}

fn needs_thread(direction: Direction, info: &TypeInfo) -> bool {
    match direction {
        Direction::Client => matches!(info.name, "user_message" | "subscribe" | "unsubscribe"),
        Direction::Server => info.durable || matches!(info.name, "subscribed" | "thread_snapshot"),
    }
}

/// Whether the type is only ever an answer.
fn answers(direction: Direction, name: &str) -> bool {
    match direction {
        Direction::Client => name == "heartbeat_ack",
        Direction::Server => ClientMessage::TYPES.iter().any(|asked| asked.answer == Some(name)),
    }
}

/// `messages.schema.json`: every frame, each way.
pub fn messages() -> Value {
    let (described, definitions) = describe("/$defs");
    let mut defs = definitions;
    let all = |direction: Direction| -> Vec<Value> {
        let of_direction = described.iter().filter(|message| message.direction == direction);
        of_direction.map(|message| json!({ "$ref": format!("#/$defs/{}", direction.key(message.info.name)) })).collect()
    };
    let (client, server) = (all(Direction::Client), all(Direction::Server));
    for message in &described {
        defs.insert(message.direction.key(message.info.name), message.frame.clone());
    }
    defs.insert("ClientFrame".to_owned(), json!({ "description": "What a client may send.", "oneOf": client }));
    defs.insert("ServerFrame".to_owned(), json!({ "description": "What the server may send.", "oneOf": server }));
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "urn:netra:v1:messages",
        "title": "Frames of netra.v1",
        "description": "One JSON object a text frame. Fields that are not described here are ignored by both sides.",
        "anyOf": [{ "$ref": "#/$defs/ClientFrame" }, { "$ref": "#/$defs/ServerFrame" }],
        "$defs": defs,
    })
}
