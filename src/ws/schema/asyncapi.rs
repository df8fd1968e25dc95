//! The socket as AsyncAPI 3, seen from the server: it receives what clients send.

use serde_json::{Map, Value, json};

use super::frames::{Described, Direction, describe};
use crate::{PROTOCOL, TOKEN_PREFIX};

const DESCRIPTION: &str = "One WebSocket carries everything between a client and Netra: commands one way, events and answers \
    the other. Durable events belong to a thread's log and carry `epoch` and `seq`; a client keeps the last pair it applied and \
    resumes with it after a cut. A frame that is not acted on is answered by `error_message`.";

/// `asyncapi.json`.
pub fn asyncapi() -> Value {
    let (described, schemas) = describe("/components/schemas");
    let mut messages = Map::new();
    let mut channel = Map::new();
    let mut operations = Map::new();
    for message in &described {
        let key = message.direction.key(message.info.name);
        channel.insert(key.clone(), json!({ "$ref": format!("#/components/messages/{key}") }));
        operations.insert(operation_name(message), operation(message));
        messages.insert(key, as_message(message));
    }
    json!({
        "asyncapi": "3.0.0",
        "info": {
            "title": "Netra",
            "version": env!("CARGO_PKG_VERSION"),
            "description": DESCRIPTION,
            "license": { "name": "MIT" },
        },
        "defaultContentType": "application/json",
        "servers": {
            "local": {
                "host": "127.0.0.1:3000",
                "protocol": "ws",
                "description": "Netra as `make run` starts it.",
                "security": [
                    { "$ref": "#/components/securitySchemes/subprotocol" },
                    { "$ref": "#/components/securitySchemes/bearer" },
                ],
            },
        },
        "channels": {
            "socket": {
                "address": "/ws",
                "description": format!("Subprotocol `{PROTOCOL}`; text frames, one JSON object each."),
                "servers": [{ "$ref": "#/servers/local" }],
                "messages": channel,
                "bindings": { "ws": { "method": "GET", "bindingVersion": "0.1.0" } },
            },
        },
        "operations": operations,
        "components": {
            "messages": messages,
            "schemas": schemas,
            "securitySchemes": {
                "subprotocol": {
                    "type": "httpApiKey",
                    "in": "header",
                    "name": "Sec-WebSocket-Protocol",
                    "description": format!("`{PROTOCOL}, {TOKEN_PREFIX}<token>`; the server echoes `{PROTOCOL}` alone."),
                },
                "bearer": { "type": "http", "scheme": "bearer", "description": "For programs that can set headers." },
            },
        },
    })
}

fn operation_name(message: &Described) -> String {
    match message.direction {
        Direction::Client => format!("receive_{}", message.info.name),
        Direction::Server => format!("send_{}", message.info.name),
    }
}

fn operation(message: &Described) -> Value {
    let on_channel = |key: String| json!({ "$ref": format!("#/channels/socket/messages/{key}") });
    let action = match message.direction {
        Direction::Client => "receive",
        Direction::Server => "send",
    };
    let mut operation = json!({
        "action": action,
        "channel": { "$ref": "#/channels/socket" },
        "summary": message.info.description.trim(),
        "messages": [on_channel(message.direction.key(message.info.name))],
    });
    if let Some(answer) = message.info.answer {
        let messages = [answer, "error_message"].map(|name| on_channel(Direction::Server.key(name)));
        operation["reply"] = json!({ "channel": { "$ref": "#/channels/socket" }, "messages": messages });
    }
    operation
}

fn as_message(message: &Described) -> Value {
    let mut frame = message.frame.clone();
    let example = frame.as_object_mut().and_then(|frame| frame.remove("examples")).unwrap_or_default();
    let durability = if message.info.durable { "durable" } else { "ephemeral" };
    json!({
        "name": message.info.name,
        "title": message.info.name,
        "summary": message.info.description.trim(),
        "contentType": "application/json",
        "tags": [{ "name": message.direction.as_str() }, { "name": durability }],
        "payload": frame,
        "examples": [{ "payload": example[0] }],
    })
}
