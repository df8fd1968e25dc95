//! The response card: one element from the agent's start to its complete answer.

use std::time::Duration;

use leptos::{ev::MouseEvent, prelude::*};
use netra_ws::{
    RunId, ThreadId, Timestamp,
    model::{Run, RunError, RunStatus, Step, Usage},
};

use super::{
    Icon, Mark,
    answer::Answer,
    continuing::{Last, continue_button},
    copying::copy_button,
    later::Later,
    plan::Plan,
    stamp::stamp,
    steps::StepView,
    tool_data::Source,
    variants::{Way, variants},
};
use crate::app::{
    keyboard::{self, is_first},
    sentence::sentence,
    socket::use_socket,
    standing::ReadsOnly,
    store::{ThreadStore, use_store},
    time::duration,
    view::{Erase, Key, Row, list, live, memo, part, view, when, words},
};

/// How long "Try again" rests once it was pressed.
const AGAIN: Duration = Duration::from_secs(1);

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
    let usage = watch(&store, run, |run| run.usage.map(tokens_and_cost).unwrap_or_default(), String::new());
    let started = watch(&store, run, |run| run.started_at, None);
    let ended = watch(&store, run, Run::has_ended, false);
    let running = memo(move || !ended.get());
    let has_text = memo(move || !text.with(String::is_empty));
    let stop = {
        let socket = socket.clone();
        move |_| socket.stop(thread, run)
    };
    let way = use_context::<Way>();
    let again = {
        let store = store.clone();
        // Pressed twice, or held: asked once. The new run has a card of its own.
        let asked = StoredValue::new(false);
        move |()| {
            if asked.try_update_value(|asked| std::mem::replace(asked, true)) != Some(false) {
                return;
            }
            set_timeout(move || _ = asked.try_set_value(false), AGAIN);
            let asked = store.with_structure(|state| {
                let run = state.run(run)?;
                Some((run.answers?, run.agent.clone()))
            });
            if let Some((message, agent)) = asked {
                // The newest answer is shown once it has begun.
                if let Some(way) = way {
                    way.forget_answer(message);
                }
                socket.regenerate(thread, message, Some(agent));
                keyboard::focus_composer();
            }
        }
    };
    let plan = watch(&store, run, |run| Plan::of(&run.steps), None);
    let step = move |at: usize| {
        let store = store.clone();
        // Copied only when it is another: a result may be long, and a run is told of with every frame.
        let step = Memo::new_owning(move |old: Option<Option<Step>>| {
            let old = old.unwrap_or_default();
            store
                .with_run(run, |run| {
                    let now = run.steps.get(at);
                    if old.as_ref() == now { (old.clone(), false) } else { (now.cloned(), true) }
                })
                .unwrap_or((None, true))
        });
        view! { <StepView step at plan source=Source { thread, run } /> }.erase()
    };
    let (later, shown) = (use_context::<Later>(), Later::text(text));
    let steps_view = move || {
        let step = step.clone();
        let rows = move || {
            let row = |at| {
                let step = step.clone();
                Row::new(Key::At(at), move || step(at))
            };
            let steps = steps.get();
            (later.map_or(0, |later| later.first_step(steps))..steps).map(row).collect()
        };
        view! { <div class="card-steps">{list(rows)}</div> }.erase()
    };
    // What works is stopped from the composer, which does not scroll away; what waits its turn is taken back here.
    let reads_only = use_context::<ReadsOnly>();
    let waits = memo(move || status.get() == RunStatus::Queued && !reads_only.is_some_and(|only| only.0.get()));
    let cancel = move || {
        view! {
            <button type="button" class="button quiet" title="Do not answer this message" on:click=stop.clone()>
                "Cancel"
            </button>
        }
        .erase()
    };
    let turn = variants(&app.thread(thread), run, way);
    // What failed before the page was opened is no news.
    let news = !ended.get_untracked() || started.get_untracked().is_none_or(|at| at > app.rendered_at());
    let failure = {
        let (again, store) = (again.clone(), app.thread(thread));
        move || match error.get() {
            Some(error) => {
                let (news, again) = (news && !untrack(|| store.is_rewound()), Callback::new(again.clone()));
                view! { <Failure error news kept=has_text again /> }.erase()
            }
            None => ().erase(),
        }
    };
    view! {
        <article
            class="card"
            data-status=live(move || status.get().as_str())
            aria-busy=live(move || running.get().to_string())
        >
            <header class="card-head">
                <Mark />
                <h2 class="card-agent">{words(move || title.get())}</h2>
                <span class="card-summary">{words(move || summary.get())}</span>
                {turn}
                {when(move || waits.get(), cancel)}
            </header>
            {when(move || steps.get() != 0, steps_view)}
            {when(move || has_text.get(), move || view! { <Answer text=shown streaming=running /> }.erase())}
            {part(failure)}
            {when(
                move || status.get() == RunStatus::Completed && !has_text.get(),
                || view! { <p class="answer-empty">"The agent ended without an answer."</p> }.erase(),
            )}
            {when(move || !running.get() && has_text.get(), move || {
                let again = again.clone();
                view! { <Foot thread run text usage started again=Callback::new(again) /> }.erase()
            })}
        </article>
    }
    .erase()
}

/// Why the run failed, and a way to ask again.
#[component]
fn Failure(error: RunError, news: bool, kept: Memo<bool>, again: Callback<()>) -> impl IntoView {
    let kept = move || if kept.get() { "What was said before is kept." } else { "Your message is kept." }.to_owned();
    let press = move |event: MouseEvent| {
        if is_first(&event) {
            again.run(());
        }
    };
    let reads_only = use_context::<ReadsOnly>();
    let try_again = move || {
        view! {
            <button type="button" class="button" on:click=press>
                "Try again"
            </button>
        }
        .erase()
    };
    view! {
        <div class="card-error" role=news.then_some("alert")>
            {Icon::Alert.view()}
            <div>
                <p>
                    <strong>{sentence(&error.message)}</strong>
                </p>
                <p>
                    <span>{words(kept)}</span>
                    " ("
                    <code>{error.code.to_string()}</code>
                    ")"
                </p>
            </div>
            {when(move || !reads_only.is_some_and(|only| only.0.get()), try_again)}
        </div>
    }
    .erase()
}

/// What the answer took, and a way to take it along.
#[component]
fn Foot(
    thread: ThreadId,
    run: RunId,
    text: Memo<String>,
    usage: Memo<String>,
    started: Memo<Option<Timestamp>>,
    again: Callback<()>,
) -> impl IntoView {
    let reads_only = use_context::<ReadsOnly>();
    let writes = move || !reads_only.is_some_and(|only| only.0.get());
    let store = use_store().thread(thread);
    // What was said before a failure is no message.
    let answer = memo(move || {
        store.with_structure(|state| state.run(run)?.message_id.filter(|id| state.message(*id).is_some()))
    });
    let go_on = move || {
        continue_button(thread, "Continue from this answer in a new conversation", move || {
            answer.get_untracked().map(|message| Last { message, asks: false })
        })
    };
    let press = move |event: MouseEvent| {
        if is_first(&event) {
            again.run(());
        }
    };
    view! {
        <footer class="card-foot">
            {started.get_untracked().map(stamp)}
            <span class="card-usage">{words(move || usage.get())}</span>
            {copy_button("Copy answer", move || text.get_untracked())}
            {when(move || writes() && answer.with(Option::is_some), go_on)}
            {when(
                writes,
                move || {
                    view! {
                        <button
                            type="button"
                            class="button quiet"
                            aria-label="Regenerate the answer"
                            title="Have it answered once more"
                            on:click=press
                        >
                            "Regenerate"
                        </button>
                    }
                    .erase()
                },
            )}
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
        RunStatus::Queued => Some("Queued: waits for the answer before it".to_owned()),
        RunStatus::Running => Some(match (run.steps.last(), run.text.is_empty()) {
            (_, false) => "Answering".to_owned(),
            (Some(Step::Thinking { active: true, .. }), true) => "Thinking".to_owned(),
            (Some(Step::Tool(call)), true) if call.status.is_none() => "Using a tool".to_owned(),
            _ => run.model.as_ref().map_or_else(|| "Working".to_owned(), |model| format!("Waiting for {model}")),
        }),
        RunStatus::Waiting => Some("Waits for a person".to_owned()),
        RunStatus::Completed => None,
        RunStatus::Stopped => Some("Stopped".to_owned()),
        RunStatus::Failed => Some("Failed".to_owned()),
        RunStatus::Unknown(word) => Some(format!("Unknown status: {word}")),
    };
    [tools, took, state].into_iter().flatten().collect::<Vec<_>>().join(" · ")
}

/// What a run used: `18 tokens · $0.0012`, the cost where it is known.
fn tokens_and_cost(usage: Usage) -> String {
    let tokens = format!("{} tokens", usage.total_tokens);
    let Some(micros) = usage.cost_usd_micros else { return tokens };
    // Hundredths of a cent; what is less is not nothing.
    let ten_thousandths = micros.div_ceil(100);
    format!("{tokens} · ${}.{:04}", ten_thousandths / 10_000, ten_thousandths % 10_000)
}
