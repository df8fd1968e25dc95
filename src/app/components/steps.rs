//! A step of a run: a thought, a tool call, or a word on progress. One line each; details unfold in place.

use leptos::prelude::*;
use netra_ws::model::{Object, Step, ToolCall, ToolStatus};
use serde_json::Value;

use super::Icon;
use crate::app::{
    time::duration,
    view::{Erase, live, memo, part, when},
};

/// One step.
#[component]
pub(crate) fn StepView(#[prop(into)] step: Signal<Option<Step>>) -> impl IntoView {
    // A step keeps its kind for life, so the element is made once and only its words change.
    let kind = step.with_untracked(|step| match step {
        Some(Step::Thinking { .. }) => 0,
        Some(Step::Tool(_)) => 1,
        Some(Step::Progress { .. }) | None => 2,
    });
    match kind {
        0 => view! { <Thought step /> }.erase(),
        1 => view! { <Tool step /> }.erase(),
        _ => view! { <Progress step /> }.erase(),
    }
}

#[component]
fn Thought(step: Signal<Option<Step>>) -> impl IntoView {
    let read = move || match step.get() {
        Some(Step::Thinking { text, started_at, ended_at, active }) => {
            (text, ended_at.millis_since(started_at), active)
        }
        Some(Step::Tool(_) | Step::Progress { .. }) | None => (String::new(), 0, false),
    };
    let label = live(move || {
        let (_, millis, active) = read();
        match millis {
            _ if active => "Thinking".to_owned(),
            // What took no time that a person would notice was not measured for them either.
            0..100 => "Thought briefly".to_owned(),
            millis => format!("Thought for {}", duration(millis)),
        }
    });
    view! {
        <details class="thought" data-active=live(move || read().2.to_string())>
            <summary>
                {Icon::Chevron.with_class("icon chevron")}
                <span class="thought-label">{label}</span>
            </summary>
            <div class="thought-text">{live(move || read().0.trim_end().to_owned())}</div>
        </details>
    }
    .erase()
}

#[component]
fn Progress(step: Signal<Option<Step>>) -> impl IntoView {
    let message = move || match step.get() {
        Some(Step::Progress { message, .. }) => message,
        Some(Step::Thinking { .. } | Step::Tool(_)) | None => String::new(),
    };
    let fraction = move || match step.get() {
        Some(Step::Progress { fraction, .. }) => fraction,
        Some(Step::Thinking { .. } | Step::Tool(_)) | None => None,
    };
    view! {
        <p class="progress">
            <span>{live(message)}</span>
            {part(move || match fraction() {
                Some(fraction) => view! { <progress value=percent(fraction) max="100"></progress> }.erase(),
                None => ().erase(),
            })}
        </p>
    }
    .erase()
}

fn percent(fraction: f64) -> u8 {
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    {
        (fraction.clamp(0.0, 1.0) * 100.0) as u8
    }
}

#[component]
fn Tool(step: Signal<Option<Step>>) -> impl IntoView {
    let call = memo(move || match step.get() {
        Some(Step::Tool(call)) => Some(call),
        Some(Step::Thinking { .. } | Step::Progress { .. }) | None => None,
    });
    let with = move |read: fn(&ToolCall) -> String| call.with(|call| call.as_ref().map(read).unwrap_or_default());
    let status = move || call.with(|call| call.as_ref().and_then(|call| call.status));
    let icon = move || match status() {
        None => Icon::Clock,
        Some(ToolStatus::Ok) => Icon::Check,
        Some(ToolStatus::Error) => Icon::Cross,
        Some(ToolStatus::Denied | ToolStatus::Interrupted) => Icon::Dash,
    };
    let has_result = move || status().is_some();
    view! {
        <details class="tool" data-status=live(move || status_name(status()))>
            <summary>
                <span class="tool-icon">{part(move || icon().view())}</span>
                <span class="visually-hidden">{live(move || status_name(status()))}</span>
                <span class="tool-name">{live(move || with(|call| call.tool.clone()))}</span>
                <span class="tool-args">{live(move || with(|call| brief(&call.arguments)))}</span>
                <span class="tool-result">{live(move || with(|call| outcome(&call.result)))}</span>
                <span class="tool-time">{live(move || with(time))}</span>
                {Icon::Chevron.with_class("icon chevron")}
            </summary>
            <div class="tool-detail">
                <h4 class="tool-label">"Arguments"</h4>
                <pre class="tool-data" tabindex="0">
                    {live(move || with(|call| pretty(&Value::Object(call.arguments.clone()))))}
                </pre>
                {when(
                    has_result,
                    move || {
                        let result = live(move || with(|call| pretty(&call.result)));
                        view! {
                            <h4 class="tool-label">"Result"</h4>
                            <pre class="tool-data" tabindex="0">{result}</pre>
                        }
                            .erase()
                    },
                )}
            </div>
        </details>
    }
    .erase()
}

fn status_name(status: Option<ToolStatus>) -> &'static str {
    match status {
        None => "running",
        Some(ToolStatus::Ok) => "ok",
        Some(ToolStatus::Error) => "error",
        Some(ToolStatus::Denied) => "denied",
        Some(ToolStatus::Interrupted) => "interrupted",
    }
}

fn time(call: &ToolCall) -> String {
    match call.status {
        None => "running…".to_owned(),
        Some(ToolStatus::Interrupted) => "interrupted".to_owned(),
        Some(ToolStatus::Ok | ToolStatus::Error | ToolStatus::Denied) => {
            call.duration_ms.map(duration).unwrap_or_default()
        }
    }
}

/// The arguments on one line: their values, since their names say little.
fn brief(arguments: &Object) -> String {
    let values: Vec<String> = arguments
        .values()
        .map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned))
        .map(|value| value.chars().take(120).collect())
        .collect();
    values.join(", ")
}

/// What came out, on one line.
fn outcome(result: &Value) -> String {
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

fn pretty(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        value => serde_json::to_string_pretty(value).unwrap_or_default(),
    }
}
