//! Settings: for administrators, the agents and what was found at their models' servers.

use leptos::{prelude::*, task::spawn_local};
use leptos_meta::Title;
use netra_ws::model::Role;

use crate::app::{
    api::{self, AgentState},
    components::{Notices, Topbar},
    store::use_store,
    view::{Erase, Key, Row, effect, list, live, memo, part, view, when, words},
};

/// The page.
#[component]
pub(crate) fn SettingsPage() -> impl IntoView {
    let administers = use_store().user().is_some_and(|user| user.role == Role::Admin);
    view! {
        <Title text="Settings" />
        <Topbar title="Settings" agent="" />
        <Notices />
        <div class="page settings">
            <h2>"Agents"</h2>
            {if administers {
                agents()
            } else {
                view! { <p>"What works at the agents' models is shown to administrators."</p> }.erase()
            }}
        </div>
    }
    .erase()
}

/// The agents and what was found at each.
fn agents() -> AnyView {
    let known = RwSignal::new(Vec::<AgentState>::new());
    let failure = RwSignal::new(None::<String>);
    effect(move || {
        spawn_local(async move {
            match api::agent_states().await {
                Ok(states) => _ = known.try_set(states),
                Err(error) => _ = failure.try_set(Some(api::reason(&error))),
            }
        });
    });
    let rows = move || {
        let names = known.get().into_iter().map(|state| state.name);
        names.map(|name| Row::new(Key::Name(name.clone()), move || agent(name, known, failure))).collect()
    };
    view! {
        <p>"A check asks the model one question with one tool, which costs a few tokens."</p>
        <ul class="agents">{list(rows)}</ul>
        {part(move || failure.get().map_or_else(|| ().erase(), |why| view! { <p class="form-error" role="alert">{why}</p> }.erase()))}
    }
    .erase()
}

fn agent(name: String, known: RwSignal<Vec<AgentState>>, failure: RwSignal<Option<String>>) -> AnyView {
    let state = {
        let name = name.clone();
        memo(move || known.with(|known| known.iter().find(|state| state.name == name).cloned()).unwrap_or_default())
    };
    let checking = RwSignal::new(false);
    let check = move || {
        if checking.get_untracked() {
            return;
        }
        checking.set(true);
        let name = name.clone();
        spawn_local(async move {
            let found = api::check_agent(name).await;
            let _ = checking.try_set(false);
            match found {
                Ok(found) => {
                    let _ = failure.try_set(None);
                    known.try_update(|known| {
                        if let Some(state) = known.iter_mut().find(|state| state.name == found.name) {
                            *state = found;
                        }
                    });
                }
                Err(error) => _ = failure.try_set(Some(api::reason(&error))),
            }
        });
    };
    let check = StoredValue::new(check);
    let said = move || if checking.get() { "Asking the model…".to_owned() } else { state.get().said };
    let works = move || match state.get().works {
        Some(true) => "yes",
        Some(false) => "no",
        None => "unknown",
    };
    let button = move || {
        view! {
            <button
                type="button"
                class="button"
                disabled=live(move || checking.get())
                on:click=move |_| check.with_value(|check| check())
            >
                "Check now"
            </button>
        }
        .erase()
    };
    view! {
        <li class="agent" data-works=live(works)>
            <h3>{words(move || state.get().title)}</h3>
            <p role="status">{words(said)}</p>
            {when(move || state.get().has_model, button)}
        </li>
    }
    .erase()
}
