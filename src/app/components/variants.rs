//! Several answers to one message, of which one is shown: the newest, until a reader turns to another.

use std::collections::HashMap;

use leptos::prelude::*;
use netra_ws::{MessageId, RunId};

use crate::app::{
    store::ThreadStore,
    view::{Erase, live, memo, view, words},
};

/// Which answer is shown of messages whose reader chose.
#[derive(Clone, Copy, Default)]
pub(super) struct Chosen(RwSignal<HashMap<MessageId, RunId>>);

impl Chosen {
    /// The answer that is shown of these.
    pub(super) fn of(&self, message: MessageId, runs: &[RunId]) -> Option<RunId> {
        let chosen = self.0.with(|chosen| chosen.get(&message).copied());
        chosen.filter(|run| runs.contains(run)).or_else(|| runs.last().copied())
    }

    fn turn_to(&self, message: MessageId, run: RunId) {
        self.0.update(|chosen| _ = chosen.insert(message, run));
    }

    /// The newest is shown again.
    pub(super) fn forget(&self, message: MessageId) {
        self.0.update(|chosen| _ = chosen.remove(&message));
    }
}

/// The answer's place among its variants, and ways to the others.
pub(super) fn variants(store: &ThreadStore, run: RunId, chosen: Chosen) -> AnyView {
    let store = store.clone();
    let siblings = memo(move || {
        store.with_structure(|state| {
            let message = state.run(run)?.answers?;
            let runs = state.runs.iter().filter(|other| other.answers == Some(message)).map(|other| other.run_id);
            Some((message, runs.collect::<Vec<_>>()))
        })
    });
    let place = move || {
        siblings.with(|siblings| {
            let (_, runs) = siblings.as_ref()?;
            Some((runs.iter().position(|other| *other == run)?, runs.len()))
        })
    };
    let step = move |by: isize| {
        siblings.with_untracked(|siblings| {
            let Some((message, runs)) = siblings else { return };
            let at = runs.iter().position(|other| *other == run).and_then(|at| at.checked_add_signed(by));
            if let Some(other) = at.and_then(|at| runs.get(at)) {
                chosen.turn_to(*message, *other);
            }
        });
    };
    let at_first = move || place().is_none_or(|(at, _)| at == 0);
    let at_last = move || place().is_none_or(|(at, count)| at + 1 == count);
    let told = move || place().map(|(at, count)| format!("{}/{count}", at + 1)).unwrap_or_default();
    let alone = move || place().is_none_or(|(_, count)| count < 2);
    view! {
        <span class="variants" role="group" aria-label="Answers" hidden=live(alone)>
            <button
                type="button"
                class="button quiet"
                aria-label="Earlier answer"
                disabled=live(at_first)
                on:click=move |_| step(-1)
            >
                "‹"
            </button>
            <span>{words(told)}</span>
            <button
                type="button"
                class="button quiet"
                aria-label="Later answer"
                disabled=live(at_last)
                on:click=move |_| step(1)
            >
                "›"
            </button>
        </span>
    }
    .erase()
}
