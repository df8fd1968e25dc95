//! The messages: a table of all, and each with its fields and an example.

use leptos::prelude::*;
use netra_ws::{
    message::{ClientMessage, FrameMessage, ServerMessage, TypeInfo},
    schema::{Direction, example},
};
use serde_json::Value;

use super::{kind, table};

/// Every type of a direction.
pub(super) fn types(direction: Direction) -> Vec<TypeInfo> {
    match direction {
        Direction::Client => ClientMessage::TYPES.to_vec(),
        Direction::Server => ServerMessage::TYPES.to_vec(),
    }
}

fn side(direction: Direction) -> &'static str {
    match direction {
        Direction::Client => "client",
        Direction::Server => "server",
    }
}

/// All types with what they are for, who sends them, and what answers them.
pub(super) fn overview(direction: Direction, types: &[TypeInfo]) -> AnyView {
    let side = side(direction);
    let last = match direction {
        Direction::Client => "answered by",
        Direction::Server => "kept",
    };
    let row = |info: &TypeInfo| {
        let remark = match direction {
            Direction::Client => info.answer.map(|answer| view! { <code>{answer}</code> }.into_any()),
            Direction::Server => info.durable.then(|| "durable".into_any()),
        };
        view! {
            <tr>
                <td>
                    <a href=format!("#{side}-{}", info.name)>
                        <code>{info.name}</code>
                    </a>
                </td>
                <td>{info.description}</td>
                <td data-name="sent by">{format!("the {side}")}</td>
                {remark.map_or_else(|| view! { <td></td> }.into_any(), |remark| view! { <td data-name=last>{remark}</td> }.into_any())}
            </tr>
        }
    };
    table(["type", "what it is for", "sent by", last], types.iter().map(row).collect_view().into_any())
}

/// Each type with the fields of its payload and an example.
pub(super) fn details(direction: Direction, types: &[TypeInfo], definitions: &Value) -> AnyView {
    let side = side(direction);
    let one = |info: &TypeInfo| {
        let frame = &definitions[format!("{side}_{}", info.name)];
        let payload = payload_of(frame, definitions);
        let example = format!("{:#}", example(direction, info.name));
        view! {
            <section class="reference-type" id=format!("{side}-{}", info.name)>
                <h3>
                    <code>{info.name}</code>
                    <small>{format!("from the {side}")}</small>
                </h3>
                <p>{info.description}</p>
                {fields(payload)}
                <details>
                    <summary>"Example"</summary>
                    <pre tabindex="0">
                        <code>{example}</code>
                    </pre>
                </details>
            </section>
        }
    };
    types.iter().map(one).collect_view().into_any()
}

/// The payload's schema, which a frame names or holds.
fn payload_of<'a>(frame: &'a Value, definitions: &'a Value) -> &'a Value {
    let payload = &frame["properties"]["payload"];
    let named = payload["$ref"].as_str().and_then(|path| path.strip_prefix("#/$defs/"));
    named.map_or(payload, |name| &definitions[name])
}

fn fields(payload: &Value) -> AnyView {
    let Some(properties) = payload["properties"].as_object().filter(|fields| !fields.is_empty()) else {
        let words = if payload["additionalProperties"] == true { "Any object." } else { "No fields." };
        return view! { <p>{words}</p> }.into_any();
    };
    let required = |name: &str| payload["required"].as_array().is_some_and(|all| all.iter().any(|one| one == name));
    let row = |(name, field): (&String, &Value)| {
        let mark = if required(name) { "" } else { "?" };
        view! {
            <tr>
                <td>
                    <code>{format!("{name}{mark}")}</code>
                </td>
                <td data-name="kind">{kind(field)}</td>
                <td>{field["description"].as_str().unwrap_or_default().to_owned()}</td>
            </tr>
        }
    };
    table(["field", "kind", "what it is"], properties.iter().map(row).collect_view().into_any())
}
