//! The event panel: what crosses the page's socket, and how the link fares.

mod frames;
mod heard;
mod layout;
mod log;
mod save;

use leptos::{ev::KeyboardEvent, prelude::*};
use netra_ws::{ThreadId, session::Link};

pub(super) use heard::Heard;
pub(crate) use layout::{PanelLayout, provide_panel};

use super::{
    Icon,
    rewind::{Rewind, timeline},
};
use crate::app::{
    keyboard,
    socket::use_socket,
    store::use_store,
    view::{Erase, effect, live, memo, view, when, words},
};
use frames::frames;

/// The button in the top bar.
#[component]
pub(crate) fn PanelButton(panel: PanelLayout) -> impl IntoView {
    view! {
        <button
            type="button"
            class="icon-button panel-button"
            aria-label="Event panel"
            title="Event panel (Ctrl+Shift+D)"
            aria-expanded=live(move || panel.open.get().to_string())
            on:click=move |_| panel.toggle()
        >
            {Icon::Pulse.view()}
        </button>
    }
    .erase()
}

/// The panel, while it is open.
#[component]
pub(crate) fn EventPanel(thread: ThreadId, panel: PanelLayout, rewind: Rewind) -> impl IntoView {
    when(move || panel.open.get(), move || inside(thread, panel, rewind))
}

fn inside(thread: ThreadId, panel: PanelLayout, rewind: Rewind) -> AnyView {
    let heard = Heard::here();
    rewind.begin(&heard);
    // The way there and back is timed now and with each heartbeat.
    let (socket, beats, link) = (use_socket(), heard.beats.clone(), use_store().link);
    effect(move || {
        beats.track();
        if link.get() == Link::Live {
            socket.ping();
        }
    });
    let keys = move |event: KeyboardEvent| {
        if event.key() == "Escape" && !keyboard::composes(&event) {
            event.prevent_default();
            panel.toggle();
        }
    };
    view! {
        <section class="panel" aria-label="Events" on:keydown=keys>
            {panel.handle()}
            <header class="panel-head">
                <h2>"Events"</h2>
                <button
                    type="button"
                    class="icon-button panel-close"
                    aria-label="Close the event panel"
                    on:click=move |_| panel.toggle()
                >
                    {Icon::Cross.view()}
                </button>
            </header>
            <div class="panel-body">
                {facts(thread, &heard)}
                {timeline(rewind)}
                {frames(thread, &heard)}
            </div>
        </section>
    }
    .erase()
}

/// How the link fares.
fn facts(thread: ThreadId, heard: &Heard) -> AnyView {
    let link = use_store().link;
    let state = memo(move || match link.get() {
        Link::Connecting => "Connecting",
        Link::Live => "Live",
        Link::Reconnecting { .. } => "Reconnecting",
        Link::Offline => "Offline",
        Link::Unreachable { .. } => "Unreachable",
        Link::SignedOut => "Signed out",
    });
    let store = use_store().thread(thread);
    let heard = heard.clone();
    let told = memo(move || {
        let known = store.seq();
        heard.with(|log| {
            let seq = log.seq(&thread.to_string()).unwrap_or_default().max(known);
            let trip = log.round_trip().map_or_else(|| "Not known".to_owned(), |millis| format!("{millis} ms"));
            [seq.to_string(), log.gaps().to_string(), log.connects().saturating_sub(1).to_string(), trip]
        })
    });
    let fact = move |name: &'static str, at: usize| {
        let told = move || told.with(|told| told.get(at).cloned().unwrap_or_default());
        view! {
            <div>
                <dt>{name}</dt>
                <dd>{words(told)}</dd>
            </div>
        }
        .erase()
    };
    view! {
        <dl class="panel-facts">
            <div>
                <dt>"Link"</dt>
                <dd>{words(move || state.get().to_owned())}</dd>
            </div>
            {fact("Last event", 0)}
            {fact("Gaps", 1)}
            {fact("Reconnects", 2)}
            {fact("Round trip", 3)}
        </dl>
    }
    .erase()
}
