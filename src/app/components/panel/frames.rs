//! The list of frames: one line each, the newest first, unfolding to the frame itself.

use std::sync::Arc;

use leptos::{prelude::*, wasm_bindgen::JsCast, web_sys::Element};
use netra_ws::ThreadId;
use serde_json::Value;

use super::{heard::Heard, log::Filter, log::Line, save::save};
use crate::app::{
    components::tool_data::pretty,
    store::use_store,
    tap::Direction,
    time::{clock, zone_offset_at},
    view::{Erase, Key, Row, list, live, memo, part, view, when, words},
};

/// Lines that are in the page at first, and come with each press.
const LINES: usize = 100;

/// What one may choose of the frames, and the frames.
pub(super) fn frames(thread: ThreadId, heard: &Heard) -> AnyView {
    let (kind, run, everywhere) = (RwSignal::new(String::new()), RwSignal::new(String::new()), RwSignal::new(false));
    let held = RwSignal::new(None::<usize>);
    let most = RwSignal::new(LINES);
    let filter = memo(move || Filter {
        kind: kind.get(),
        thread: (!everywhere.get()).then(|| thread.to_string()),
        run: run.get(),
        before: held.get(),
    });
    let shown = {
        let heard = heard.clone();
        memo(move || {
            let (filter, most) = (filter.get(), most.get());
            // What is held still does not follow what comes.
            if held.get().is_some() {
                heard.with_untracked(|log| log.newest(&filter, most))
            } else {
                heard.with(|log| log.newest(&filter, most))
            }
        })
    };
    let rows = move || {
        let row = |line: Arc<Line>| Row::new(Key::At(line.number), move || frame(line));
        shown.with(|(lines, _)| lines.iter().cloned().map(row).collect())
    };
    let kinds = {
        let heard = heard.clone();
        memo(move || heard.with(|log| log.kinds().into_iter().collect::<Vec<_>>()))
    };
    let runs = {
        let (heard, store) = (heard.clone(), use_store().thread(thread));
        memo(move || {
            let here = filter.with(|filter| filter.thread.clone());
            let label = |run: String| {
                let agent = run.parse().ok().and_then(|id| store.with_run(id, |run| run.agent.clone()));
                let short = run.get(run.len().saturating_sub(8)..).unwrap_or_default();
                let label = format!("{} {short}", agent.unwrap_or_else(|| "run".to_owned()));
                (run.clone(), label)
            };
            heard.with(|log| log.runs(here.as_ref()).into_values().map(label).collect::<Vec<_>>())
        })
    };
    let kinds = move || kinds.get().into_iter().map(|kind| option(kind.clone(), kind)).collect();
    let runs = move || runs.get().into_iter().map(|(run, label)| option(run, label)).collect();
    let (hold, keep) = (heard.clone(), heard.clone());
    let toggle = move |_| {
        held.update(|held| {
            *held = if held.is_some() { None } else { Some(hold.with_untracked(super::log::FrameLog::next)) }
        });
    };
    let file = move |_| {
        let text = keep.with_untracked(|log| filter.with_untracked(|filter| log.json_lines(filter)));
        save("netra-frames.jsonl", &text);
    };
    view! {
        <div class="frame-filters">
            <label>
                <span class="visually-hidden">"Type of frame"</span>
                <select on:change=move |event| kind.set(event_target_value(&event))>
                    <option value="">"All types"</option>
                    {list(kinds)}
                </select>
            </label>
            <label>
                <span class="visually-hidden">"Frames of which conversation"</span>
                <select on:change=move |event| everywhere.set(event_target_value(&event) == "all")>
                    <option value="this">"This conversation"</option>
                    <option value="all">"Everything"</option>
                </select>
            </label>
            <label>
                <span class="visually-hidden">"Frames of which run"</span>
                <select on:change=move |event| run.set(event_target_value(&event))>
                    <option value="">"All runs"</option>
                    {list(runs)}
                </select>
            </label>
            <button
                type="button"
                class="button"
                aria-pressed=live(move || held.get().is_some().to_string())
                on:click=toggle
            >
                "Hold"
            </button>
            <button type="button" class="button" title="Save these frames as a file of JSON lines" on:click=file>
                "Save frames"
            </button>
        </div>
        <div class="frames" tabindex="0" role="group" aria-label="Frames, newest first">
            <ol>{list(rows)}</ol>
            {when(
                move || shown.with(|(lines, _)| lines.is_empty()),
                || view! { <p class="frames-none">"No frame of this kind since the panel was opened."</p> }.erase(),
            )}
            {when(
                move || shown.with(|(_, more)| *more),
                move || {
                    view! {
                        <button type="button" class="button quiet" on:click=move |_| most.update(|most| *most += LINES)>
                            "Show older frames"
                        </button>
                    }
                    .erase()
                },
            )}
        </div>
    }
    .erase()
}

fn option(value: String, label: String) -> Row {
    Row::new(Key::Name(value.clone()), move || view! { <option value=value>{label}</option> }.erase())
}

/// A line, and the frame that it unfolds to.
fn frame(line: Arc<Line>) -> AnyView {
    let open = RwSignal::new(false);
    let (way, arrow) = match line.direction {
        Direction::In => ("in", "↓"),
        Direction::Out => ("out", "↑"),
    };
    let time = format!("{}.{:03}", clock(line.at, zone_offset_at(line.at)), line.at.as_millis() % 1_000);
    let kind = if line.kind.is_empty() { "no frame".to_owned() } else { line.kind.clone() };
    let seq = line.seq.map_or_else(|| " ".to_owned(), |seq| format!("#{seq}"));
    let size = format!("{} B", line.bytes);
    let whole = move || {
        if !open.get() {
            return ().erase();
        }
        let text = serde_json::from_str::<Value>(&line.text).map_or_else(|_| line.text.clone(), |value| pretty(&value));
        view! {
            <pre class="tool-data" tabindex="0" role="group" aria-label="The frame">
                {words(move || text.clone())}
            </pre>
        }
        .erase()
    };
    view! {
        <li>
            <details
                class="frame"
                data-direction=way
                on:toggle=move |event| {
                    let details = event.target().and_then(|target| target.dyn_into::<Element>().ok());
                    open.set(details.is_some_and(|details| details.has_attribute("open")));
                }
            >
                <summary>
                    <span class="frame-time">{time}</span>
                    <span aria-hidden="true">{arrow}</span>
                    <span class="visually-hidden">{way}</span>
                    <span class="frame-type">{kind}</span>
                    <span class="frame-seq">{seq}</span>
                    <span class="frame-size">{size}</span>
                </summary>
                {part(whole)}
            </details>
        </li>
    }
    .erase()
}
