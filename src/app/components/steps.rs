//! A step of a run: a thought, a tool call, or a word on progress. One line each; details unfold in place.

use leptos::prelude::*;
use netra_ws::{
    cut::read_cut,
    model::{Object, Step, ToolCall, ToolStatus},
};
use serde_json::Value;

use super::{
    Icon,
    approval::Approval,
    card::Card,
    later::Later,
    plan::{self, Plan},
    tool_data::{Source, ToolData, pretty},
};
use crate::app::{
    sentence::sentence,
    store::use_store,
    time::duration,
    view::{Erase, live, memo, part, view, when, words},
};

/// One step, the one at this place in its run.
#[component]
pub(super) fn StepView(
    #[prop(into)] step: Signal<Option<Step>>,
    at: usize,
    /// The run's plan, which stands at the step that told it first.
    plan: Memo<Option<Plan>>,
    source: Source,
) -> impl IntoView {
    // Only its words change while it keeps its kind. A snapshot of a later server may have other steps at the same places.
    let kind = memo(move || {
        step.with(|step| match step {
            Some(Step::Thinking { .. }) => Kind::Thought,
            Some(Step::Tool(_)) => Kind::Tool,
            Some(Step::Progress { message, .. }) if plan::holds(message) => plan.with(|plan| match plan {
                Some(plan) if plan.at == at => Kind::Plan,
                Some(_) => Kind::Planned,
                None => Kind::Progress,
            }),
            Some(Step::Progress { .. }) | None => Kind::Progress,
            Some(Step::Unknown(_)) => Kind::Unknown,
        })
    });
    part(move || match kind.get() {
        Kind::Thought => view! { <Thought step /> }.erase(),
        Kind::Tool => view! { <Tool step source /> }.erase(),
        Kind::Progress => view! { <Progress step /> }.erase(),
        Kind::Plan => plan::plan(plan),
        Kind::Planned => ().erase(),
        Kind::Unknown => view! { <Unknown step /> }.erase(),
    })
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Thought,
    Tool,
    Progress,
    /// The plan of the run.
    Plan,
    /// The plan again, which stands above.
    Planned,
    Unknown,
}

#[component]
fn Thought(step: Signal<Option<Step>>) -> impl IntoView {
    let read = move || match step.get() {
        Some(Step::Thinking { text, started_at, ended_at, active }) => {
            (text, ended_at.millis_since(started_at), active)
        }
        Some(Step::Tool(_) | Step::Progress { .. } | Step::Unknown(_)) | None => (String::new(), 0, false),
    };
    // A model that shows none of its thoughts had none to show.
    let has_words = memo(move || !read().0.trim().is_empty());
    let label = move || {
        let (_, millis, active) = read();
        match millis {
            _ if active => "Thinking".to_owned(),
            // What took no time that a person would notice was not measured for them either.
            0..100 => "Thought briefly".to_owned(),
            millis => format!("Thought for {}", duration(millis)),
        }
    };
    let thought = move || {
        view! {
            <details class="thought" data-active=live(move || read().2.to_string())>
                <summary>
                    {Icon::Chevron.with_class("icon chevron")}
                    <span class="thought-label">{words(label)}</span>
                </summary>
                <div class="thought-text" dir="auto">
                    {words(move || read().0.trim().to_owned())}
                </div>
            </details>
        }
        .erase()
    };
    when(move || has_words.get(), thought)
}

#[component]
fn Progress(step: Signal<Option<Step>>) -> impl IntoView {
    let message = move || match step.get() {
        Some(Step::Progress { message, .. }) => message,
        Some(Step::Thinking { .. } | Step::Tool(_) | Step::Unknown(_)) | None => String::new(),
    };
    let fraction = move || match step.get() {
        Some(Step::Progress { fraction, .. }) => fraction,
        Some(Step::Thinking { .. } | Step::Tool(_) | Step::Unknown(_)) | None => None,
    };
    view! {
        <p class="progress">
            <span>{words(move || sentence(&message()))}</span>
            {part(move || match fraction() {
                Some(fraction) => view! { <progress value=percent(fraction) max="100"></progress> }.erase(),
                None => ().erase(),
            })}
        </p>
    }
    .erase()
}

/// A step of a kind that this page does not know: that it was taken is said, and what came is there to be read.
#[component]
fn Unknown(step: Signal<Option<Step>>) -> impl IntoView {
    let fields = memo(move || match step.get() {
        Some(Step::Unknown(fields)) => fields,
        Some(Step::Thinking { .. } | Step::Tool(_) | Step::Progress { .. }) | None => Object::new(),
    });
    let kind = move || fields.with(|fields| fields.get("kind").and_then(Value::as_str).unwrap_or_default().to_owned());
    view! {
        <details class="tool" data-status="unknown">
            <summary>
                <span class="tool-icon">{Icon::Dash.view()}</span>
                <span class="tool-name">"Unknown step"</span>
                <span class="tool-args">{live(kind)}</span>
                {Icon::Chevron.with_class("icon chevron")}
            </summary>
            <div class="tool-detail">
                <pre class="tool-data" tabindex="0" role="group" aria-label="Data">{live(move || pretty(&Value::Object(fields.get())))}</pre>
            </div>
        </details>
    }
    .erase()
}

pub(super) fn percent(fraction: f64) -> u8 {
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    {
        (fraction.clamp(0.0, 1.0) * 100.0) as u8
    }
}

#[component]
fn Tool(step: Signal<Option<Step>>, source: Source) -> impl IntoView {
    let call = memo(move || match step.get() {
        Some(Step::Tool(call)) => Some(call),
        Some(Step::Thinking { .. } | Step::Progress { .. } | Step::Unknown(_)) | None => None,
    });
    let with = move |read: fn(&ToolCall) -> String| call.with(|call| call.as_ref().map(read).unwrap_or_default());
    let status = move || call.with(|call| call.as_ref().and_then(|call| call.status));
    let asks = memo(move || call.with(|call| call.as_ref().is_some_and(|call| call.approval_expires_at.is_some())));
    // Another agent may work on the call, as a run of its own.
    let store = use_store().thread(source.thread);
    let worker = memo(move || {
        let wanted = call.with(|call| call.as_ref().map(|call| call.tool_call_id.clone()));
        store.with_structure(|state| {
            let nested = state.runs.iter().find(|run| {
                run.parent_run_id == Some(source.run) && run.parent_call_id.is_some() && run.parent_call_id == wanted
            });
            nested.map(|run| run.run_id)
        })
    });
    let inside = Later::inside();
    let nested = move || match worker.get() {
        Some(run) => view! { <Card thread=source.thread run /> }.erase(),
        None => ().erase(),
    };
    let icon = move || match status() {
        None => Icon::Clock,
        Some(ToolStatus::Ok) => Icon::Check,
        Some(ToolStatus::Error) => Icon::Cross,
        Some(ToolStatus::Denied | ToolStatus::Interrupted | ToolStatus::Unknown(_)) => Icon::Dash,
    };
    view! {
        <details class="tool" data-status=live(move || status_name(status())) on:toggle=move |_| inside.set(true)>
            <summary>
                <span class="tool-icon">{part(move || icon().view())}</span>
                <span class="visually-hidden">{words(move || status_words(status()).to_owned())}</span>
                <span class="tool-name">{words(move || with(|call| call.tool.clone()))}</span>
                <span class="tool-args">{words(move || with(|call| brief(&call.arguments)))}</span>
                <span class="tool-result">{words(move || with(|call| outcome(&call.result)))}</span>
                <span class="tool-time">{words(move || with(time))}</span>
                {Icon::Chevron.with_class("icon chevron")}
            </summary>
            {when(move || inside.get(), move || view! { <ToolData call source /> {part(nested)} }.erase())}
        </details>
        {when(move || asks.get(), move || view! { <Approval call source /> }.erase())}
    }
    .erase()
}

fn status_name(status: Option<ToolStatus>) -> &'static str {
    status.map_or("running", ToolStatus::as_str)
}

/// The same in words, for those who do not see the icon.
fn status_words(status: Option<ToolStatus>) -> &'static str {
    match status {
        None => "Running: ",
        Some(ToolStatus::Ok) => "Done: ",
        Some(ToolStatus::Error) => "Failed: ",
        Some(ToolStatus::Denied) => "Denied: ",
        Some(ToolStatus::Interrupted) => "Interrupted: ",
        Some(ToolStatus::Unknown(_)) => "Unknown: ",
    }
}

fn time(call: &ToolCall) -> String {
    match call.status {
        None if call.approval_expires_at.is_some() => "Waits for you".to_owned(),
        None => "Running…".to_owned(),
        Some(ToolStatus::Interrupted) => "Interrupted".to_owned(),
        Some(ToolStatus::Unknown(word)) => format!("Unknown: {word}"),
        Some(ToolStatus::Denied) => match &call.decided_by {
            Some(author) => format!("Denied by {}", author.name),
            None => "Denied".to_owned(),
        },
        Some(ToolStatus::Ok | ToolStatus::Error) => {
            let took = call.duration_ms.map(duration).unwrap_or_default();
            call.decided_by.as_ref().map_or(took.clone(), |author| format!("Allowed by {} · {took}", author.name))
        }
    }
}

/// The arguments on one line: their values, since their names say little.
fn brief(arguments: &Object) -> String {
    if let Some(Value::String(start)) =
        arguments.get("start").filter(|_| arguments.get("cut") == Some(&Value::Bool(true)))
    {
        return start.chars().take(120).collect();
    }
    let values: Vec<String> = arguments
        .values()
        .map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned))
        .map(|value| value.chars().take(120).collect())
        .collect();
    values.join(", ")
}

/// What came out, on one line.
fn outcome(result: &Value) -> String {
    if let Some((bytes, _)) = read_cut(result) {
        return format!("{} KB", bytes.div_ceil(1024));
    }
    if let Some(error) = result.get("error").and_then(Value::as_str) {
        return error.chars().take(120).collect();
    }
    if let Some(hits) = result.get("results").and_then(Value::as_array) {
        return match hits.len() {
            1 => "1 result".to_owned(),
            count => format!("{count} results"),
        };
    }
    result.get("result").and_then(Value::as_str).map(|text| text.chars().take(80).collect()).unwrap_or_default()
}
