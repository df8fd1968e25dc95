//! A question to a person: what is asked, until when, and the ways to answer. The answer is a command like any other; the card is
//! closed by the event that tells of the decision, whoever took it and in whichever tab.

use leptos::{ev::MouseEvent, prelude::*};
use netra_ws::{
    model::{Choice, ChoiceKind, Object, Question, ToolCall},
    payload::{Decision, ToolApproval},
};
use serde_json::Value;

use super::{
    stamp::stamp,
    tool_data::{Data, Source, shown},
};
use crate::app::{
    socket::use_socket,
    standing::ReadsOnly,
    view::{Erase, Key, Row, list, live, memo, view, when, words},
};

/// What is asked about a call that waits.
#[component]
pub(super) fn Approval(call: Memo<Option<ToolCall>>, source: Source) -> impl IntoView {
    let socket = use_socket();
    let reads_only = use_context::<ReadsOnly>();
    let may_decide = move || !reads_only.is_some_and(|only| only.0.get());
    // Pressed here and not yet told of; a refusal shows above the composer and opens the question again.
    let decided = RwSignal::new(false);
    let filled = StoredValue::new(Object::new());
    let reason = StoredValue::new(String::new());
    let question = memo(move || {
        call.with(|call| call.as_ref().and_then(|call| call.question.as_deref().cloned()).unwrap_or_default())
    });
    let asked = move || {
        let tool = call.with(|call| call.as_ref().map(|call| call.tool.clone()).unwrap_or_default());
        question.with(|question| question.message.clone()).unwrap_or_else(|| format!("May the agent use {tool}?"))
    };
    let until = call.with_untracked(|call| call.as_ref().and_then(|call| call.approval_expires_at));
    let data = Data::new(call, source);
    let arguments = data.arguments();
    let has_arguments =
        move || arguments.with(|arguments| arguments.as_object().is_none_or(|fields| !fields.is_empty()));
    let decide = Callback::new(move |choice: Choice| {
        if decided.get_untracked() {
            return;
        }
        let Some(tool_call_id) = call.with_untracked(|call| call.as_ref().map(|call| call.tool_call_id.clone())) else {
            return;
        };
        let approves = choice.kind.allows().unwrap_or(true);
        let has_form = question.with_untracked(|question| question.form.is_some());
        decided.set(true);
        let decision = ToolApproval {
            tool_call_id,
            decision: if approves { Decision::Approve } else { Decision::Deny },
            reason: (!approves).then(|| reason.get_value().trim().to_owned()).filter(|reason| !reason.is_empty()),
            option: (!choice.id.is_empty()).then_some(choice.id),
            answer: (approves && has_form).then(|| filled.get_value()),
        };
        socket.decide(source.thread, decision, move || _ = decided.try_set(false));
    });
    let buttons = move || {
        question
            .with(choices)
            .into_iter()
            .enumerate()
            .map(|(at, choice)| Row::new(Key::At(at), move || button(choice.clone(), decide, decided)))
            .collect()
    };
    let fields = move || {
        question
            .with(|question| question.form.as_ref().map(fields_of).unwrap_or_default())
            .into_iter()
            .enumerate()
            .map(|(at, field)| Row::new(Key::At(at), move || input(&field, filled)))
            .collect()
    };
    view! {
        <section class="approval" role="group" aria-label="The agent asks">
            <p class="approval-question" dir="auto">
                {words(asked)}
            </p>
            {when(has_arguments, move || shown("Arguments", arguments))}
            {data.more("Show all of it", vec![arguments])}
            <div class="approval-fields">{list(fields)}</div>
            <div class="approval-choices">{when(may_decide, move || list(buttons))}</div>
            <label class="approval-field">
                <span>"If not, why, or what instead (optional)"</span>
                <input type="text" dir="auto" maxlength="2000" on:input=move |event| reason.set_value(event_target_value(&event)) />
            </label>
            <p class="approval-until">"Waits for you. Unanswered, it is denied at " {until.map(stamp)} "."</p>
        </section>
    }
    .erase()
}

/// What can be chosen; yes and no where nothing else is offered, and of a form whether it is sent.
fn choices(question: &Question) -> Vec<Choice> {
    if !question.options.is_empty() {
        return question.options.clone();
    }
    let choice = |label: &str, kind| Choice { id: String::new(), label: label.to_owned(), kind };
    let (yes, no) = if question.form.is_some() { ("Send", "Decline") } else { ("Yes", "No") };
    vec![choice(yes, ChoiceKind::AllowOnce), choice(no, ChoiceKind::RejectOnce)]
}

fn button(choice: Choice, decide: Callback<Choice>, decided: RwSignal<bool>) -> AnyView {
    let class = if choice.kind == ChoiceKind::AllowOnce { "button primary" } else { "button" };
    let label = choice.label.clone();
    view! {
        <button
            type="button"
            class=class
            disabled=live(move || decided.get())
            on:click=move |_: MouseEvent| decide.run(choice.clone())
        >
            {label}
        </button>
    }
    .erase()
}

/// A field of a form.
struct Field {
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

/// What may be chosen: its value, and the words for it.
#[derive(Clone)]
struct Chosen {
    value: String,
    title: String,
}

/// The choices of a field, whichever way JSON Schema says them.
fn choices_of(of: &Value) -> Vec<Chosen> {
    let titled = ["oneOf", "anyOf"].iter().find_map(|name| of.get(name)?.as_array());
    if let Some(titled) = titled {
        let chosen = |choice: &Value| {
            let value = choice["const"].as_str()?.to_owned();
            let title = choice["title"].as_str().unwrap_or(&value).to_owned();
            Some(Chosen { value, title })
        };
        return titled.iter().filter_map(chosen).collect();
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
fn fields_of(form: &Object) -> Vec<Field> {
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

fn input(field: &Field, filled: StoredValue<Object>) -> AnyView {
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
    let at_first = match &field.default {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => String::new(),
    };
    if !at_first.is_empty() {
        set(field.default.clone());
    }
    let read = move |text: String| match kind.as_str() {
        _ if text.is_empty() => Value::Null,
        "number" | "integer" => {
            serde_json::from_str::<serde_json::Number>(&text).map_or(Value::String(text), Value::Number)
        }
        _ => Value::String(text),
    };
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
    let at_first: Vec<String> =
        field.default.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect();
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
