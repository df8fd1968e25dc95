//! A change of a file as people read it: what goes and what comes, a line each, with a sign and not by colour alone.

use leptos::prelude::*;
use serde_json::Value;

use super::{
    changes::{Diff, Kind, Line, Part, parts},
    tool_data::pretty,
};
use crate::app::view::{Erase, memo, part, view, when, words};

/// Lines of a change that are drawn at once; the others when a reader asks for them.
const FOLDED: usize = 60;

/// A value as text, and changes in it as changes.
pub(super) fn drawn(
    name: &'static str,
    value: Memo<Value>,
    text: impl Fn() -> String + Send + Sync + 'static,
) -> AnyView {
    let found = memo(move || value.with(parts));
    let text = StoredValue::new(text);
    part(move || match found.get() {
        Some(parts) => {
            let parts: Vec<AnyView> = parts.into_iter().map(|part| one(name, part)).collect();
            view! { <div class="diffs">{parts}</div> }.erase()
        }
        None => view! {
            <pre class="tool-data" tabindex="0" role="group" aria-label=name>
                {words(move || text.with_value(|text| text()))}
            </pre>
        }
        .erase(),
    })
}

fn one(name: &'static str, part: Part) -> AnyView {
    match part {
        Part::Rest(value) => view! {
            <pre class="tool-data" tabindex="0" role="group" aria-label=name>
                {pretty(&value)}
            </pre>
        }
        .erase(),
        Part::Change(diff) => change(diff),
    }
}

fn change(diff: Diff) -> AnyView {
    let (added, removed) = (diff.count(Kind::Added), diff.count(Kind::Removed));
    let Diff { path, lines } = diff;
    let name = if path.is_empty() { "Changes".to_owned() } else { format!("Changes of {path}") };
    let path = if path.is_empty() { "Change".to_owned() } else { path };
    let all = RwSignal::new(lines.len() <= FOLDED);
    let label = format!("Show all {} lines", lines.len());
    let more = move || {
        view! {
            <p class="tool-more">
                <button type="button" class="link-button" on:click=move |_| all.set(true)>
                    {label.clone()}
                </button>
            </p>
        }
        .erase()
    };
    let drawn = move || {
        let most = if all.get() { lines.len() } else { FOLDED };
        let lines: Vec<AnyView> = lines.iter().take(most).map(line).collect();
        view! { <div class="diff-all">{lines}</div> }.erase()
    };
    view! {
        <div class="diff">
            <p class="diff-head">
                <span class="diff-path" dir="auto">{path}</span>
                <span class="diff-count">{format!("{added} added, {removed} removed")}</span>
            </p>
            <div class="tool-data diff-lines" tabindex="0" role="group" aria-label=name>
                {part(drawn)}
            </div>
            {when(move || !all.get(), more)}
        </div>
    }
    .erase()
}

fn line(line: &Line) -> AnyView {
    let text = format!("{}{}", line.kind.sign(), line.text);
    view! { <div class="diff-line" data-kind=line.kind.name()>{text}</div> }.erase()
}
