//! What a screen reader says of a conversation: once, that an answer has come. Its words are read when the reader goes there.

use leptos::prelude::*;
use netra_ws::{RunId, ThreadId, model::RunStatus};

use crate::app::{
    store::use_store,
    view::{Erase, effect, memo, view, words},
};

/// How many runs at the end are listened to: one works while others wait for it.
const NEWEST: usize = 8;

/// A line that only screen readers say.
#[component]
pub(crate) fn Spoken(thread: ThreadId) -> impl IntoView {
    let app = use_store();
    let store = app.thread(thread);
    let discovery = app.discovery.clone();
    let past = store.clone();
    let newest = memo(move || {
        let ids: Vec<RunId> =
            store.with_structure(|state| state.runs.iter().rev().take(NEWEST).map(|run| run.run_id).collect());
        let run = |id: RunId| store.with_run(id, |run| (id, run.status, run.agent.clone()));
        ids.into_iter().rev().filter_map(run).collect::<Vec<_>>()
    });
    let said = RwSignal::new(String::new());
    // What had ended when the page was opened is no news.
    let mut working: Vec<RunId> = Vec::new();
    effect(move || {
        // What happens again is no news; what ended meanwhile is said once the reader is back.
        if past.is_rewound() {
            return;
        }
        let runs = newest.get();
        let begun = working.is_empty() && runs.iter().any(|(_, status, _)| !status.is_terminal());
        let ended = runs.iter().rfind(|(id, status, _)| status.is_terminal() && working.contains(id));
        let words = ended.map(|(_, status, agent)| {
            let title = discovery.with_untracked(|discovery| {
                let known = discovery.agents.iter().find(|known| known.name == *agent);
                known.map_or_else(|| agent.clone(), |known| known.title.clone())
            });
            match status {
                RunStatus::Completed => format!("{title} has answered."),
                RunStatus::Stopped => "The answer was stopped.".to_owned(),
                // The card's own alert says why, or it goes on.
                RunStatus::Failed
                | RunStatus::Queued
                | RunStatus::Running
                | RunStatus::Waiting
                | RunStatus::Unknown(_) => String::new(),
            }
        });
        working = runs.iter().filter(|(_, status, _)| !status.is_terminal()).map(|(id, ..)| *id).collect();
        match words {
            // The same words again are said again only if something has changed in them.
            Some(words) if !words.is_empty() && said.with_untracked(|said| *said == words) => {
                said.set(words + "\u{a0}");
            }
            Some(words) => said.set(words),
            None if begun => said.set(String::new()),
            None => {}
        }
    });
    view! {
        <p class="visually-hidden" role="status">
            {words(move || said.get())}
        </p>
    }
    .erase()
}
