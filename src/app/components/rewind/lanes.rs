//! The timeline, drawn: a lane for people and one for each agent, and a line where one is.

use leptos::{ev::MouseEvent, prelude::*, wasm_bindgen::JsCast, web_sys::Element};

use super::{
    Rewind,
    timeline::{Kind, WIDTH},
};
use crate::app::{
    store::use_store,
    view::{Erase, Key, Row, list, live, memo, view, words},
};

/// A lane as it is drawn.
#[derive(Clone, PartialEq)]
struct Drawn {
    agent: Option<String>,
    nested: bool,
    words: String,
    paths: Vec<String>,
}

/// The lanes. A press in one goes to that point; for the keyboard there is the handle below.
pub(super) fn lanes(rewind: Rewind) -> AnyView {
    let tape = rewind.tape.get_value();
    let drawn = {
        let tape = tape.clone();
        memo(move || {
            tape.events.track();
            let known = tape.known();
            let draw = |lane: &super::timeline::Lane| Drawn {
                agent: lane.agent.clone(),
                nested: lane.nested,
                words: lane.words(),
                paths: Kind::ALL.iter().map(|kind| known.timeline.path(lane, *kind)).collect(),
            };
            known.timeline.lanes().iter().map(draw).collect::<Vec<_>>()
        })
    };
    let discovery = use_store().discovery;
    let here = {
        let tape = tape.clone();
        memo(move || {
            tape.events.track();
            let at = rewind.at.get();
            let known = tape.known();
            at.map_or(WIDTH, |at| known.timeline.place(at))
        })
    };
    let press = move |event: &MouseEvent| {
        let Some(track) = event.target().and_then(|target| target.dyn_into::<Element>().ok()) else { return };
        let (x, width) = (f64::from(event.offset_x()), f64::from(track.client_width()));
        if width > 0.0 {
            let events = rewind.tape.get_value().known().timeline.events_to(x / width * WIDTH);
            rewind.go(events);
        }
    };
    let row = move |at: usize| {
        let lane = memo(move || drawn.with(|drawn| drawn.get(at).cloned()));
        let discovery = discovery.clone();
        let title = memo(move || {
            let Some((agent, nested)) = lane.with(|lane| lane.as_ref().map(|lane| (lane.agent.clone(), lane.nested)))
            else {
                return String::new();
            };
            let Some(agent) = agent else { return "People".to_owned() };
            let title = discovery.with(|discovery| {
                let known = discovery.agents.iter().find(|known| known.name == agent);
                known.map_or_else(|| agent.clone(), |known| known.title.clone())
            });
            if nested { format!("└ {title}") } else { title }
        });
        let told = move || lane.with(|lane| lane.as_ref().map(|lane| lane.words.clone())).unwrap_or_default();
        let bars = move |kind: usize| {
            let d = move || {
                lane.with(|lane| lane.as_ref().and_then(|lane| lane.paths.get(kind).cloned())).unwrap_or_default()
            };
            let name = Kind::ALL.get(kind).map_or("bar", |kind| kind.name());
            view! { <path class=name d=live(d)></path> }.erase()
        };
        let bars: Vec<AnyView> = (0..Kind::ALL.len()).map(bars).collect();
        view! {
            <div class="lane">
                <span class="lane-name" title=live(move || title.get())>
                    {words(move || title.get())}
                </span>
                <div class="lane-track" on:click=move |event| press(&event)>
                    <svg
                        viewBox="0 0 1000 10"
                        preserveAspectRatio="none"
                        role="img"
                        aria-label=live(move || format!("{}: {}", title.get(), told()))
                    >
                        {bars}
                        <path class="bar-here" d=live(move || format!("M{:.1} 0V10", here.get()))></path>
                    </svg>
                </div>
            </div>
        }
        .erase()
    };
    let rows = move || {
        let count = drawn.with(Vec::len);
        (0..count)
            .map(|at| {
                let row = row.clone();
                Row::new(Key::At(at), move || row(at))
            })
            .collect()
    };
    view! { <div class="lanes">{list(rows)}</div> }.erase()
}
