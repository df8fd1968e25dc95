//! The form of a question: its fields, what may be chosen in them, and what stands in them at first.

use leptos::prelude::*;
use netra_ws::model::Object;
use serde_json::Value;

use crate::app::view::{Erase, Key, Row, list, view};

/// A field of a form.
pub(super) struct Field {
    name: String,
    label: String,
    kind: String,
    choices: Vec<Chosen>,
    /// What stands in it at first.
    default: Value,
    /// Whether more than one of them may be taken.
    several: bool,
    required: bool,
}

impl Field {
    /// Whether this may be chosen.
    fn has(&self, value: &str) -> bool {
        self.choices.iter().any(|choice| choice.value == value)
    }
}

/// What may be chosen: its value, and the words for it.
#[derive(Clone)]
struct Chosen {
    value: String,
    title: String,
}

/// The choices of a field, whichever way JSON Schema says them.
fn choices_of(of: &Value) -> Vec<Chosen> {
    let titled = ["oneOf", "anyOf"].iter().find_map(|name| of.get(name)?.as_array()).into_iter().flatten();
    let chosen = |choice: &Value| {
        let value = choice["const"].as_str()?.to_owned();
        let title = choice["title"].as_str().unwrap_or(&value).to_owned();
        Some(Chosen { value, title })
    };
    let titled: Vec<Chosen> = titled.filter_map(chosen).collect();
    if !titled.is_empty() {
        return titled;
    }
    let titles = of.get("enumNames").and_then(Value::as_array);
    let values = of.get("enum").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    let chosen = |(at, value): (usize, &str)| {
        let title = titles.and_then(|titles| titles.get(at)?.as_str()).unwrap_or(value);
        Chosen { value: value.to_owned(), title: title.to_owned() }
    };
    values.enumerate().map(chosen).collect()
}

/// The fields of a form, those first that have to be filled in.
pub(super) fn fields_of(form: &Object) -> Vec<Field> {
    let text = |value: &Value, name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
    let required: Vec<&str> =
        form.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    let properties = form.get("properties").and_then(Value::as_object);
    let field = |(name, value): (&String, &Value)| Field {
        name: name.clone(),
        label: text(value, "title").or_else(|| text(value, "description")).unwrap_or_else(|| name.clone()),
        kind: text(value, "type").unwrap_or_default(),
        several: value.get("items").is_some(),
        choices: choices_of(value.get("items").unwrap_or(value)),
        default: value.get("default").cloned().unwrap_or_default(),
        required: required.contains(&name.as_str()),
    };
    let mut fields: Vec<Field> = properties.into_iter().flatten().map(field).collect();
    fields.sort_by_key(|field| !field.required);
    fields
}

/// The field as a person fills it in; what it holds is among what is `filled` in.
pub(super) fn input(field: &Field, filled: StoredValue<Object>) -> AnyView {
    let (name, kind) = (field.name.clone(), field.kind.clone());
    let set = move |value: Value| {
        filled.update_value(|filled| {
            if value.is_null() {
                filled.remove(&name)
            } else {
                filled.insert(name.clone(), value)
            };
        });
    };
    let label = if field.required { field.label.clone() } else { format!("{} (optional)", field.label) };
    if field.kind == "boolean" {
        let at_first = field.default == Value::Bool(true);
        set(Value::Bool(at_first));
        return view! {
            <label class="approval-field">
                <input type="checkbox" checked=at_first on:change=move |event| set(Value::Bool(event_target_checked(&event))) />
                <span>{label}</span>
            </label>
        }
        .erase();
    }
    if field.several {
        return boxes(field, label, filled);
    }
    let read = move |text: String| match kind.as_str() {
        _ if text.is_empty() => Value::Null,
        "number" | "integer" => {
            serde_json::from_str::<serde_json::Number>(&text).map_or(Value::String(text), Value::Number)
        }
        _ => Value::String(text),
    };
    let at_first = match &field.default {
        Value::String(text) if field.choices.is_empty() || field.has(text) => text.clone(),
        Value::Number(number) if field.choices.is_empty() => number.to_string(),
        _ => String::new(),
    };
    set(read(at_first.clone()));
    if !field.choices.is_empty() {
        let options = field.choices.clone();
        let rows = move || {
            let row = |(at, option): (usize, Chosen)| {
                let is_first = option.value == at_first;
                let view = move || {
                    let Chosen { value, title } = option.clone();
                    view! { <option value=value selected=is_first>{title}</option> }.erase()
                };
                Row::new(Key::At(at), view)
            };
            let none = Chosen { value: String::new(), title: String::new() };
            std::iter::once(none).chain(options.clone()).enumerate().map(row).collect()
        };
        return view! {
            <label class="approval-field">
                <span>{label}</span>
                <select on:change=move |event| set(read(event_target_value(&event)))>{list(rows)}</select>
            </label>
        }
        .erase();
    }
    let kind = if matches!(field.kind.as_str(), "number" | "integer") { "number" } else { "text" };
    view! {
        <label class="approval-field">
            <span>{label}</span>
            <input type=kind step="any" dir="auto" value=at_first on:input=move |event| set(read(event_target_value(&event))) />
        </label>
    }
    .erase()
}

/// A box for each choice of a field in which several may be taken.
fn boxes(field: &Field, label: String, filled: StoredValue<Object>) -> AnyView {
    let (name, choices) = (field.name.clone(), field.choices.clone());
    let suggested = field.default.as_array().into_iter().flatten().filter_map(Value::as_str);
    let at_first: Vec<String> = suggested.filter(|value| field.has(value)).map(str::to_owned).collect();
    if !at_first.is_empty() {
        filled.update_value(|filled| _ = filled.insert(name.clone(), at_first.clone().into()));
    }
    let take = Callback::new(move |(choice, taken): (String, bool)| {
        filled.update_value(|filled| {
            let mut list = filled.remove(&name).and_then(|list| list.as_array().cloned()).unwrap_or_default();
            list.retain(|one| one.as_str() != Some(choice.as_str()));
            if taken {
                list.push(Value::String(choice));
            }
            if !list.is_empty() {
                filled.insert(name.clone(), Value::Array(list));
            }
        });
    });
    let row = move |(at, choice): (usize, Chosen)| {
        let is_taken = at_first.contains(&choice.value);
        Row::new(Key::At(at), move || {
            let Chosen { value: choice, title: label } = choice.clone();
            view! {
                <label class="approval-field">
                    <input type="checkbox" checked=is_taken on:change=move |event| take.run((choice.clone(), event_target_checked(&event))) />
                    <span>{label}</span>
                </label>
            }
            .erase()
        })
    };
    let rows = move || choices.iter().cloned().enumerate().map(&row).collect();
    view! {
        <div class="approval-fields" role="group" aria-label=label.clone()>
            <span>{label}</span>
            {list(rows)}
        </div>
    }
    .erase()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn choices_are_read_whichever_way_they_are_said() {
        let told = |of: Value| {
            choices_of(&of).into_iter().map(|choice| format!("{}={}", choice.value, choice.title)).collect::<Vec<_>>()
        };
        assert_eq!(told(json!({ "enum": ["a", "b"] })), ["a=a", "b=b"]);
        assert_eq!(told(json!({ "enum": ["a", "b"], "enumNames": ["Ah"] })), ["a=Ah", "b=b"]);
        assert_eq!(told(json!({ "oneOf": [{ "const": "a", "title": "Ah" }, { "const": "b" }] })), ["a=Ah", "b=b"]);
        // What may also be nothing is no list of choices.
        assert_eq!(told(json!({ "enum": ["a"], "anyOf": [{ "type": "string" }, { "type": "null" }] })), ["a=a"]);
        assert!(told(json!({ "type": "string" })).is_empty());
    }

    #[test]
    fn what_must_be_filled_in_comes_first() {
        let form = json!({
            "properties": { "a": { "title": "First" }, "b": { "description": "Second" }, "c": {} }, "required": ["c"]
        });
        let form = form.as_object().expect("an object").clone().into_iter().collect();
        let labels: Vec<String> = fields_of(&form).into_iter().map(|field| field.label).collect();
        assert_eq!(labels, ["c", "First", "Second"]);
    }
}
