//! What is said while the page shows the past, or is about to go on from there, and the ways on.

use leptos::prelude::*;

use super::{super::continuing::Continuing, Rewind};
use crate::app::{
    keyboard,
    standing::Standing,
    view::{Erase, view, when, words},
};

/// The bar above the composer.
#[component]
pub(crate) fn RewindBar(rewind: Rewind) -> impl IntoView {
    let reads_only = use_context::<Standing>();
    let may_write = move || !reads_only.is_some_and(|standing| standing.0.get());
    let (on, way) = (rewind.is_on(), rewind.way);
    let past = move || {
        let (store, continuing) = (rewind.store.get_value(), Continuing::new(rewind.thread));
        let go_on = move || {
            view! {
                <button type="button" class="button" on:click=move |_| rewind.go_on()>
                    "Go on from here"
                </button>
            }
            .erase()
        };
        let anew = move || {
            let (store, busy, pressed) = (store.clone(), continuing.clone(), continuing.clone());
            let label = move || if busy.is_busy() { "Making it…" } else { "In a new conversation" }.to_owned();
            view! {
                <button
                    type="button"
                    class="button"
                    on:click=move |_| {
                        if let Some(last) = way.last(&store) {
                            pressed.go(last);
                        }
                    }
                >
                    {words(label)}
                </button>
            }
            .erase()
        };
        view! {
            <div class="rewind-bar" role="group" aria-label="Rewound">
                <p>"As of " <span>{words(move || rewind.words())}</span></p>
                {when(may_write, go_on)}
                // At the beginning there is nothing to take along.
                {when(move || may_write() && way.with_path(|path| !path.is_empty()), anew)}
                <button
                    type="button"
                    class="button primary"
                    on:click=move |_| {
                        rewind.back();
                        request_animation_frame(keyboard::focus_composer);
                    }
                >
                    "Back to now"
                </button>
            </div>
        }
        .erase()
    };
    let onwards = move || {
        view! {
            <div class="rewind-bar" role="group" aria-label="Going on from the past">
                <p role="status">
                    "Your next message goes on from "
                    <span>{words(move || way.onwards())}</span>
                    ". What came after stays, as another version."
                </p>
                <button
                    type="button"
                    class="button"
                    on:click=move |_| {
                        way.stay();
                        request_animation_frame(keyboard::focus_composer);
                    }
                >
                    "Stay with the newest"
                </button>
            </div>
        }
        .erase()
    };
    view! {
        {when(move || on.get(), past)}
        {when(move || !on.get() && way.goes_on(), onwards)}
    }
    .erase()
}
