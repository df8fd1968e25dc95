//! What a screen reader says of a conversation: once, that an answer has come. Its words are read when the reader goes there.

use leptos::prelude::*;
use netra_ws::{ThreadId, model::RunStatus};

use crate::app::{
    store::use_store,
    view::{Erase, effect, memo, view, words},
};

/// A line that only screen readers say.
#[component]
pub(crate) fn Spoken(thread: ThreadId) -> impl IntoView {
    let app = use_store();
    let store = app.thread(thread);
    let discovery = app.discovery.clone();
    let newest = memo(move || {
        let id = store.with_structure(|state| state.runs.last().map(|run| run.run_id))?;
        store.with_run(id, |run| (id, run.status, run.agent.clone()))
    });
    let said = RwSignal::new(String::new());
    let mut working = None;
    effect(move || {
        let Some((id, status, agent)) = newest.get() else { return };
        if !status.is_terminal() {
            working = Some(id);
            said.set(String::new());
            return;
        }
        // What had ended when the page was opened is no news.
        if working.take() != Some(id) {
            return;
        }
        let title = discovery.with_untracked(|discovery| {
            let known = discovery.agents.iter().find(|known| known.name == agent);
            known.map_or_else(|| agent.clone(), |known| known.title.clone())
        });
        said.set(match status {
            RunStatus::Completed => format!("{title} has answered."),
            RunStatus::Stopped => "The answer was stopped.".to_owned(),
            // The card's own alert says why, or it goes on.
            RunStatus::Failed | RunStatus::Queued | RunStatus::Running | RunStatus::Unknown(_) => String::new(),
        });
    });
    view! {
        <p class="visually-hidden" role="status">
            {words(move || said.get())}
        </p>
    }
    .erase()
}
