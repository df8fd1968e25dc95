//! The response card: one element from the agent's start to its complete answer.

use leptos::prelude::*;
use netra_ws::{
    RunId, ThreadId,
    model::{Run, RunStatus, Step},
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
        Memo::new(move |_| {
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
    let running = Memo::new(move |_| !status.get().is_terminal());
    let has_text = Memo::new(move |_| !text.with(String::is_empty));
    let copied = RwSignal::new(false);
    let stop = {
        let socket = socket.clone();
        move |_| socket.stop(thread, run)
    };
    let again = {
        let store = store.clone();
        move |_| {
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
        Memo::new(move |_| store.with_run(run, |run| run.steps.get(at).cloned()).flatten())
    };
    view! {
        <article class="card" data-status=move || status.get().as_str() aria-busy=move || running.get().to_string()>
            <header class="card-head">
                <Mark />
                <span class="card-agent">{title}</span>
                <span class="card-summary">{summary}</span>
                <Show when=move || running.get()>
                    <button type="button" class="button stop" on:click=stop.clone()>
                        {Icon::Stop.view()}
                        "Stop"
                    </button>
                </Show>
            </header>
            <Show when=move || steps.get() != 0>
                <div class="card-steps">
                    <For
                        each=move || 0..steps.get()
                        key=|at| *at
                        children={
                            let step = step.clone();
                            move |at| {
                                let step: Memo<Option<Step>> = step(at);
                                view! { <StepView step=step /> }
                            }
                        }
                    />
                </div>
            </Show>
            <Show when=move || has_text.get()>
                <Answer text=text streaming=running />
            </Show>
            {move || {
                error
                    .get()
                    .map(|error| {
                        let kept = if has_text.get() { " What was said before is kept." } else { " Your message is kept." };
                        view! {
                            <div class="card-error" role="alert">
                                {Icon::Alert.view()}
                                <div>
                                    <p>
                                        <strong>{error.message}</strong>
                                    </p>
                                    <p>{kept} " (" <code>{error.code.as_str()}</code> ")"</p>
                                </div>
                                <button type="button" class="button" on:click=again.clone()>
                                    "Try again"
                                </button>
                            </div>
                        }
                    })
            }}
            <Show when=move || !running.get() && has_text.get()>
                <footer class="card-foot">
                    <span class="card-usage">{usage}</span>
                    <button
                        type="button"
                        class="icon-button"
                        aria-label=move || if copied.get() { "Copied" } else { "Copy answer" }
                        title="Copy answer"
                        on:click=move |_| copy_text(text.get_untracked(), copied)
                    >
                        {move || if copied.get() { Icon::Check.view() } else { Icon::Copy.view() }}
                    </button>
                </footer>
            </Show>
        </article>
    }
}

/// Follows one part of a run.
fn watch<T: Clone + PartialEq + Send + Sync + 'static>(
    store: &ThreadStore,
    run: RunId,
    read: fn(&Run) -> T,
    unknown: T,
) -> Memo<T> {
    let store = store.clone();
    Memo::new(move |_| store.with_run(run, read).unwrap_or_else(|| unknown.clone()))
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
