//! What a tool was given and what it gave, as text. A snapshot cuts what is long; the whole is fetched when a reader asks for it.

use leptos::{prelude::*, task::spawn_local};
use netra_ws::{
    RunId, ThreadId,
    cut::read_cut,
    model::{Run, Step, ToolCall},
};
use serde_json::Value;

use super::diff;
use crate::app::{
    fetch,
    view::{Erase, live, memo, view, when, words},
};

/// Where the whole of a call is.
#[derive(Clone, Copy)]
pub(super) struct Source {
    pub(super) thread: ThreadId,
    pub(super) run: RunId,
}

/// How far the whole is.
#[derive(Clone, Debug, PartialEq)]
enum Whole {
    NotAsked,
    Reading,
    Read(Box<ToolCall>),
    Failed(String),
}

/// A call as far as its data is here.
#[derive(Clone, Copy)]
pub(super) struct Data {
    call: Memo<Option<ToolCall>>,
    source: Source,
    whole: RwSignal<Whole>,
    shown: Memo<Option<ToolCall>>,
}

impl Data {
    pub(super) fn new(call: Memo<Option<ToolCall>>, source: Source) -> Self {
        let whole = RwSignal::new(Whole::NotAsked);
        let shown = memo(move || {
            whole.with(|whole| match whole {
                // The call may have gone on since it was read: then what is cut in it can be asked for again.
                Whole::Read(whole)
                    if call.with(|call| call.as_ref().is_some_and(|call| call.status == whole.status)) =>
                {
                    Some((**whole).clone())
                }
                Whole::Read(_) | Whole::NotAsked | Whole::Reading | Whole::Failed(_) => call.get(),
            })
        });
        Self { call, source, whole, shown }
    }

    /// What the call was given.
    pub(super) fn arguments(self) -> Memo<Value> {
        let arguments = |call: &ToolCall| Value::Object(call.arguments.clone());
        memo(move || self.shown.with(|call| call.as_ref().map(arguments).unwrap_or_default()))
    }

    /// What it gave.
    fn result(self) -> Memo<Value> {
        memo(move || self.shown.with(|call| call.as_ref().map(|call| call.result.clone()).unwrap_or_default()))
    }

    /// Reads the whole.
    fn read(self) {
        let Some(wanted) = self.call.with_untracked(|call| call.as_ref().map(|call| call.tool_call_id.clone())) else {
            return;
        };
        self.whole.set(Whole::Reading);
        spawn_local(async move {
            let Source { thread, run } = self.source;
            let answer = fetch::get::<Run>(&format!("/api/threads/{thread}/runs/{run}")).await;
            let read = answer.and_then(|run| {
                let mut calls = run.steps.into_iter().filter_map(|step| match step {
                    Step::Tool(call) => Some(call),
                    Step::Thinking { .. } | Step::Progress { .. } | Step::Unknown(_) => None,
                });
                calls.find(|call| call.tool_call_id == wanted).ok_or_else(|| "the server no longer has it".to_owned())
            });
            let _ = self.whole.try_set(read.map_or_else(Whole::Failed, |call| Whole::Read(Box::new(call))));
        });
    }

    /// The way to the whole, while one of these is cut.
    pub(super) fn more(self, words_on_it: &'static str, values: Vec<Memo<Value>>) -> AnyView {
        let whole = self.whole;
        let ask = move || {
            let label = move || if whole.get() == Whole::Reading { "Reading…" } else { words_on_it }.to_owned();
            let why = move || match whole.get() {
                Whole::Failed(why) => format!("The rest could not be read: {why}."),
                Whole::NotAsked | Whole::Reading | Whole::Read(_) => String::new(),
            };
            view! {
                <p class="tool-more">
                    <button
                        type="button"
                        class="link-button"
                        disabled=live(move || whole.get() == Whole::Reading)
                        on:click=move |_| self.read()
                    >
                        {words(label)}
                    </button>
                    " "
                    <span role="status">{words(why)}</span>
                </p>
            }
            .erase()
        };
        let is_cut = |value: &Memo<Value>| value.with(|value| read_cut(value).is_some());
        when(move || values.iter().any(is_cut), ask)
    }
}

/// Arguments and result of a call.
#[component]
pub(super) fn ToolData(call: Memo<Option<ToolCall>>, source: Source) -> impl IntoView {
    let data = Data::new(call, source);
    let (arguments, result) = (data.arguments(), data.result());
    let has_result = move || data.shown.with(|call| call.as_ref().is_some_and(|call| call.status.is_some()));
    view! {
        <div class="tool-detail">
            {labelled("Arguments", arguments)}
            {when(has_result, move || labelled("Result", result))}
            {data.more("Show all", vec![arguments, result])}
        </div>
    }
    .erase()
}

fn labelled(name: &'static str, value: Memo<Value>) -> AnyView {
    let label = move || match value.with(|value| read_cut(value).map(|(bytes, start)| (bytes, start.len() as u64))) {
        None => name.to_owned(),
        Some((bytes, start)) => format!("{name}: the first {} of {} KB", start.div_ceil(1024), bytes.div_ceil(1024)),
    };
    view! {
        <p class="tool-label">{words(label)}</p>
        {shown(name, value)}
    }
    .erase()
}

/// A value, whole or as far as it is here.
pub(super) fn shown(name: &'static str, value: Memo<Value>) -> AnyView {
    let text = move || {
        value.with(|value| match read_cut(value) {
            None => pretty(value),
            Some((_, start)) => format!("{start}…"),
        })
    };
    diff::drawn(name, value, text)
}

/// A value as people read it.
pub(super) fn pretty(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        value => serde_json::to_string_pretty(value).unwrap_or_default(),
    }
}
