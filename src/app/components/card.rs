//! The response card: one element from the agent's start to its complete answer.

use leptos::prelude::*;
use netra_ws::{
    RunId, ThreadId,
    model::{Run, RunError, RunStatus, Step},
};

use super::{
    Icon, Mark,
    answer::{Answer, copy_text},
    steps::StepView,
};
use crate::app::{
    socket::use_socket,
    store::{ThreadStore, use_store},
    time::duration,
    view::{Erase, Key, Row, list, live, memo, part, when},
};

/// One run.
#[component]
pub(crate) fn Card(thread: ThreadId, run: RunId) -> impl IntoView {
    let app = use_store();
    let socket = use_socket();
    let store = app.thread(thread);
    let status = watch(&store, run, |run| run.status, RunStatus::Queued);
    let text = watch(&store, run, |run| run.text.clone(), String::new());
    let steps = watch(&store, run, |run| run.steps.len(), 0);
    let title = {
        let agent = watch(&store, run, |run| run.agent.clone(), String::new());
        let discovery = app.discovery.clone();
        memo(move || {
            let name = agent.get();
            discovery.with(|discovery| {
                let known = discovery.agents.iter().find(|agent| agent.name == name);
                known.map_or_else(|| name.clone(), |agent| agent.title.clone())
            })
        })
    };
    let summary = watch(&store, run, summary, String::new());
    let error = watch(&store, run, |run| run.error.clone(), None);
    let usage = watch(
        &store,
        run,
        |run| run.usage.map(|usage| format!("{} tokens", usage.total_tokens)).unwrap_or_default(),
        String::new(),
    );
    let running = memo(move || !status.get().is_terminal());
    let has_text = memo(move || !text.with(String::is_empty));
    let stop = {
        let socket = socket.clone();
        move |_| socket.stop(thread, run)
    };
    let again = {
        let store = store.clone();
        move |()| {
            let asked = store.with_structure(|state| {
                let answers = state.run(run).and_then(|run| run.answers)?;
                Some((state.message(answers)?.content.clone(), state.run(run)?.agent.clone()))
            });
            if let Some((content, agent)) = asked {
                socket.say(thread, content, Some(agent));
            }
        }
    };
    let step = move |at: usize| {
        let store = store.clone();
        let step = memo(move || store.with_run(run, |run| run.steps.get(at).cloned()).flatten());
        view! { <StepView step /> }.erase()
    };
    let steps_view = move || {
        let step = step.clone();
        let rows = move || {
            let row = |at| {
                let step = step.clone();
                Row::new(Key::At(at), move || step(at))
            };
            (0..steps.get()).map(row).collect()
        };
        view! { <div class="card-steps">{list(rows)}</div> }.erase()
    };
    let stop_view = move || {
        view! {
            <button type="button" class="button stop" on:click=stop.clone()>
                {Icon::Stop.view()}
                "Stop"
            </button>
        }
        .erase()
    };
    let failure = move || match error.get() {
        Some(error) => view! { <Failure error kept=has_text again=Callback::new(again.clone()) /> }.erase(),
        None => ().erase(),
    };
    view! {
        <article
            class="card"
            data-status=live(move || status.get().as_str())
            aria-busy=live(move || running.get().to_string())
        >
            <header class="card-head">
                <Mark />
                <span class="card-agent">{title}</span>
                <span class="card-summary">{summary}</span>
                {when(move || running.get(), stop_view)}
            </header>
            {when(move || steps.get() != 0, steps_view)}
            {when(move || has_text.get(), move || view! { <Answer text=text streaming=running /> }.erase())}
            {part(failure)}
            {when(move || !running.get() && has_text.get(), move || view! { <Foot text usage /> }.erase())}
        </article>
    }
    .erase()
}

/// Why the run failed, and a way to ask again.
#[component]
fn Failure(error: RunError, kept: Memo<bool>, again: Callback<()>) -> impl IntoView {
    let kept = live(move || if kept.get() { " What was said before is kept." } else { " Your message is kept." });
    view! {
        <div class="card-error" role="alert">
            {Icon::Alert.view()}
            <div>
                <p>
                    <strong>{error.message}</strong>
                </p>
                <p>{kept} " (" <code>{error.code.as_str()}</code> ")"</p>
            </div>
            <button type="button" class="button" on:click=move |_| again.run(())>
                "Try again"
            </button>
        </div>
    }
    .erase()
}

/// What the answer took, and a way to take it along.
#[component]
fn Foot(text: Memo<String>, usage: Memo<String>) -> impl IntoView {
    let copied = RwSignal::new(false);
    view! {
        <footer class="card-foot">
            <span class="card-usage">{usage}</span>
            <button
                type="button"
                class="icon-button"
                aria-label=live(move || if copied.get() { "Copied" } else { "Copy answer" })
                title="Copy answer"
                on:click=move |_| copy_text(text.get_untracked(), copied)
            >
                {part(move || if copied.get() { Icon::Check.view() } else { Icon::Copy.view() })}
            </button>
        </footer>
    }
    .erase()
}

/// Follows one part of a run.
fn watch<T: Clone + PartialEq + Send + Sync + 'static>(
    store: &ThreadStore,
    run: RunId,
    read: fn(&Run) -> T,
    unknown: T,
) -> Memo<T> {
    let store = store.clone();
    memo(move || store.with_run(run, read).unwrap_or_else(|| unknown.clone()))
}

/// The words beside the agent's name.
fn summary(run: &Run) -> String {
    let tools = run.tools().count();
    let tools = match tools {
        0 => None,
        1 => Some("1 tool".to_owned()),
        count => Some(format!("{count} tools")),
    };
    let took = run.duration_ms.map(duration);
    let state = match run.status {
        RunStatus::Queued => Some("waits for the answer before it".to_owned()),
        RunStatus::Running => Some(match (run.steps.last(), run.text.is_empty()) {
            (_, false) => "answering".to_owned(),
            (Some(Step::Thinking { active: true, .. }), true) => "thinking".to_owned(),
            (Some(Step::Tool(call)), true) if call.status.is_none() => "using a tool".to_owned(),
            _ => run.model.as_ref().map_or_else(|| "working".to_owned(), |model| format!("waiting for {model}")),
        }),
        RunStatus::Completed => None,
        RunStatus::Stopped => Some("stopped".to_owned()),
        RunStatus::Failed => Some("failed".to_owned()),
    };
    [tools, took, state].into_iter().flatten().collect::<Vec<_>>().join(" · ")
}
