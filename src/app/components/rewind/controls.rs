//! The timeline in the event panel, the handle that is dragged along it, and replay.

use leptos::{html, prelude::*};

use super::{Rewind, grouped, lanes::lanes, tape::Reading};
use crate::app::view::{Erase, effect, live, part, view, words};

/// How much faster than it was.
const SPEEDS: [(u32, &str, &str); 3] =
    [(1, "×1", "Replay at ×1"), (4, "×4", "Replay at ×4"), (20, "×20", "Replay at ×20")];

/// The timeline and what moves along it.
pub(in crate::app::components) fn timeline(rewind: Rewind) -> AnyView {
    let tape = rewind.tape.get_value();
    let handle = NodeRef::<html::Input>::new();
    let events = tape.events.clone();
    // The end before the place in it: a browser takes no value beyond the end.
    effect(move || {
        let (Some(handle), all, at) = (handle.get(), events.get(), rewind.at.get()) else { return };
        handle.set_max(&all.to_string());
        let wanted = at.unwrap_or(all).to_string();
        if handle.value() != wanted {
            handle.set_value(&wanted);
        }
    });
    let told = {
        let tape = tape.clone();
        move || {
            let reading = tape.reading.get();
            tape.events.track();
            let known = tape.known();
            match reading {
                Reading::Not => String::new(),
                Reading::Now(0) => "Reading the events…".to_owned(),
                Reading::Now(all) => {
                    format!("Reading the events: {} of {}…", grouped(known.recording.seq()), grouped(all))
                }
                Reading::Failed(why) => format!("The events could not be read: {why}."),
                Reading::Done => match known.recording.trimmed() {
                    0 => String::new(),
                    trimmed => format!(
                        "{} pieces of older answers were trimmed on the server: those answers come whole.",
                        grouped(trimmed)
                    ),
                },
            }
        }
    };
    let reading = tape.reading.clone();
    let failed = move || matches!(reading.get(), Reading::Failed(_));
    let again = {
        let tape = tape.clone();
        move || {
            let tape = tape.clone();
            view! {
                <button type="button" class="link-button" on:click=move |_| tape.read()>
                    "Read again"
                </button>
            }
            .erase()
        }
    };
    let empty = tape.events.clone();
    let none = move || empty.get() == 0;
    let speeds: Vec<AnyView> = SPEEDS
        .into_iter()
        .map(|(speed, label, name)| {
            let none = none.clone();
            view! {
                <button
                    type="button"
                    class="button"
                    aria-label=name
                    aria-pressed=live(move || (rewind.speed.get() == speed).to_string())
                    disabled=live(none)
                    on:click=move |_| {
                        if rewind.speed.get_untracked() == speed { rewind.stop() } else { rewind.replay(speed) }
                    }
                >
                    {label}
                </button>
            }
            .erase()
        })
        .collect();
    view! {
        <div class="timeline">
            {lanes(rewind)}
            <input
                type="range"
                class="rewind-handle"
                min="0"
                max="0"
                step="1"
                aria-label="Point in time"
                aria-valuetext=live(move || rewind.words())
                node_ref=handle
                on:input=move |event| {
                    if let Ok(events) = event_target_value(&event).parse() {
                        rewind.go(events);
                    }
                }
            />
            <div class="replay">
                <div class="replay-speeds" role="group" aria-label="Replay">
                    {speeds}
                </div>
                <span class="replay-words">{words(move || rewind.words())}</span>
            </div>
            <p class="timeline-words" role="status">
                <span>{words(told)}</span>
                {part(move || if failed() { again() } else { ().erase() })}
            </p>
        </div>
    }
    .erase()
}
