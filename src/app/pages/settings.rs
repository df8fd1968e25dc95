//! Settings: one's name, how the page looks and what its keys mean on this device, what one uses, and the agents; for
//! administrators, what was found at the agents' models.

use leptos::{ev::SubmitEvent, prelude::*, task::spawn_local};
use leptos_meta::Title;
use netra_ws::model::Role;

use super::connecting::Connecting;
use crate::app::{
    api::{self, AgentState},
    components::{Importing, Notices, Topbar},
    notification::{Permission, ask, permission},
    remembered::{DENSITY, NOTIFIES, SENDS, recall, remember},
    seen::use_seen,
    settings::{AgentView, SettingsView, change_name, settings},
    store::use_store,
    theme::{Chosen, Theme},
    view::{Erase, Key, Row, effect, list, live, memo, part, view, when, words},
};

/// The page.
#[component]
pub(crate) fn SettingsPage() -> impl IntoView {
    let administers = use_store().user().is_some_and(|user| user.role == Role::Admin);
    let shown = RwSignal::new(None::<SettingsView>);
    let failure = RwSignal::new(String::new());
    effect(move || {
        spawn_local(async move {
            match settings().await {
                Ok(view) => _ = shown.try_set(Some(view)),
                Err(error) => _ = failure.try_set(api::reason(&error)),
            }
        });
    });
    view! {
        <Title text="Settings" />
        <Topbar title="Settings" agent="" />
        <Notices />
        <div class="page settings">
            <h2>"Profile"</h2>
            <Profile />
            <h2>"Look"</h2>
            <Look />
            <h2>"Writing"</h2>
            <Writing />
            <h2>"Notifications"</h2>
            <Notifications />
            <h2>"Sign-ins and tokens"</h2>
            <p>
                "Your password, where you are signed in, and tokens for programs are under "
                <a href="/account">"your account"</a>"."
            </p>
            <h2>"Conversations from elsewhere"</h2>
            <Importing />
            <h2>"What you use"</h2>
            <p role="status">{words(move || shown.with(|shown| shown.as_ref().map(uses).unwrap_or_default()))}</p>
            {part(move || trouble(failure.get()))}
            <h2>"Who answers, and with what"</h2>
            <ul class="agents">
                {list(move || {
                    let agents = shown.with(|shown| shown.as_ref().map(|shown| shown.agents.clone()).unwrap_or_default());
                    agents.into_iter().map(answers).collect()
                })}
            </ul>
            <p>{words(move || shown.with(|shown| shown.as_ref().map(servers).unwrap_or_default()))}</p>
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

fn trouble(why: String) -> AnyView {
    if why.is_empty() { ().erase() } else { view! { <p class="form-error" role="alert">{why}</p> }.erase() }
}

/// The name that others see.
#[component]
fn Profile() -> impl IntoView {
    let name = use_store().name;
    let typed = RwSignal::new(name.get_untracked());
    let said = RwSignal::new(String::new());
    let failure = RwSignal::new(String::new());
    let save = move |event: SubmitEvent| {
        event.prevent_default();
        let (wanted, name) = (typed.get_untracked(), name.clone());
        spawn_local(async move {
            let outcome = change_name(wanted).await;
            let _ = said.try_set(String::new());
            let _ = failure.try_set(String::new());
            match outcome {
                Ok(taken) => {
                    let _ = typed.try_set(taken.clone());
                    name.set(taken);
                    let _ = said.try_set("Saved. What you said before keeps the former name.".to_owned());
                }
                Err(error) => _ = failure.try_set(api::reason(&error)),
            }
        });
    };
    view! {
        <form class="setting" on:submit=save>
            <label class="field">
                <span class="field-label">"The name that others see"</span>
                <input
                    type="text"
                    maxlength="100"
                    required
                    autocomplete="name"
                    dir="auto"
                    prop:value=typed
                    on:input=move |event| typed.set(event_target_value(&event))
                />
            </label>
            <button type="submit" class="button">"Save"</button>
        </form>
        <p role="status">{words(move || said.get())}</p>
        {part(move || trouble(failure.get()))}
    }
    .erase()
}

/// A choice among a few, which is made at once.
fn choice(
    label: &'static str,
    options: &'static [(&'static str, &'static str)],
    chosen: RwSignal<String>,
    choose: impl Fn(&str) + 'static,
) -> AnyView {
    let options: Vec<AnyView> = options
        .iter()
        .map(|(value, words)| {
            let selected = live(move || chosen.with(|chosen| chosen == value));
            view! { <option value=*value selected=selected>{*words}</option> }.erase()
        })
        .collect();
    view! {
        <label class="field setting">
            <span class="field-label">{label}</span>
            <select
                class="input"
                on:change=move |event| {
                    let value = event_target_value(&event);
                    choose(&value);
                    chosen.set(value);
                }
            >
                {options}
            </select>
        </label>
    }
    .erase()
}

/// What this browser remembers under a name, once the page is alive; the first of the options before.
fn remembered(key: &'static str, first: &'static str) -> RwSignal<String> {
    let chosen = RwSignal::new(first.to_owned());
    effect(move || {
        if let Some(kept) = recall(key) {
            chosen.set(kept);
        }
    });
    chosen
}

/// Theme and density.
#[component]
fn Look() -> impl IntoView {
    let theme = expect_context::<Chosen>();
    let named = RwSignal::new(String::new());
    // The button in the sidebar changes it, too.
    effect(move || named.set(theme.0.get().attribute().unwrap_or("system").to_owned()));
    let density = remembered(DENSITY, "comfortable");
    let themes = choice(
        "Theme",
        &[("system", "As the system has it"), ("light", "Light"), ("dark", "Dark")],
        named,
        move |value| {
            theme.set(match value {
                "light" => Theme::Light,
                "dark" => Theme::Dark,
                _ => Theme::System,
            });
        },
    );
    let densities = choice(
        "Density",
        &[("comfortable", "Comfortable"), ("compact", "Compact: more on the screen")],
        density,
        |value| {
            remember(DENSITY, value);
            if let Some(root) = document().document_element() {
                let _ = root.set_attribute("data-density", value);
            }
        },
    );
    view! { {themes} {densities} }.erase()
}

/// What Enter means.
#[component]
fn Writing() -> impl IntoView {
    let sends = remembered(SENDS, "enter");
    choice(
        "Send messages with",
        &[
            ("enter", "Enter; Shift and Enter make a new line"),
            ("control", "Ctrl or ⌘ and Enter; Enter makes a new line"),
        ],
        sends,
        |value| remember(SENDS, value),
    )
}

/// Telling outside of the page.
#[component]
fn Notifications() -> impl IntoView {
    let wanted = use_seen().notifies;
    // Not known while the server draws.
    let allowed = RwSignal::new(Permission::Unasked);
    effect(move || allowed.set(permission()));
    let set = move |on: bool| {
        remember(NOTIFIES, if on { "on" } else { "off" });
        wanted.set(on);
    };
    let press = move |_| {
        if wanted.get_untracked() {
            set(false);
            return;
        }
        spawn_local(async move {
            let answer = ask().await;
            let _ = allowed.try_set(answer);
            if answer == Permission::Granted {
                set(true);
            }
        });
    };
    let said = move || {
        match (allowed.get(), wanted.get()) {
            (Permission::Denied, _) => {
                "This browser refuses them for this address. Allow them beside its address bar, then press again."
            }
            (Permission::Missing, _) => "This browser has none for this address; most want https for them.",
            (Permission::Unasked, true) => "This browser has yet to allow them: turn them off and on again.",
            (Permission::Granted, true) => {
                "On in this browser: you are told of an answer that ended and of a question that waits, while you do not see the page."
            }
            (_, false) => "Off in this browser. The tab's title tells all the same.",
        }
        .to_owned()
    };
    view! {
        <p role="status">{words(said)}</p>
        <button type="button" class="button" aria-pressed=live(move || wanted.get().to_string()) on:click=press>
            {words(move || if wanted.get() { "Turn off" } else { "Turn on" }.to_owned())}
        </button>
    }
    .erase()
}

fn uses(view: &SettingsView) -> String {
    let of = |most: Option<String>| most.map(|most| format!(" of {most}")).unwrap_or_default();
    format!(
        "Today, since midnight UTC: {} tokens{}, ${:.2}{}.",
        view.tokens_today,
        of(view.tokens_a_day.map(|most| most.to_string())),
        view.cost_today,
        of(view.cost_a_day.map(|most| format!("${most:.2}"))),
    )
}

/// The servers that tools come from.
fn servers(view: &SettingsView) -> String {
    let told = |(name, status, tools): &(String, String, usize)| format!("{name} is {status}, with {tools} tools");
    let told: Vec<String> = view.servers.iter().map(told).collect();
    if told.is_empty() { String::new() } else { format!("MCP servers: {}.", told.join("; ")) }
}

/// An agent and its tools.
fn answers(agent: AgentView) -> Row {
    Row::new(Key::Name(agent.title.clone()), move || {
        let tools = match agent.tools {
            None => "Tools: all of the server's own.".to_owned(),
            Some(tools) if tools.is_empty() => "No tools.".to_owned(),
            Some(tools) => format!("Tools: {}.", tools.join(", ")),
        };
        let helpers = (!agent.helpers.is_empty()).then(|| format!(" Hands work to: {}.", agent.helpers.join(", ")));
        view! {
            <li class="answers">
                <h3>{agent.title}</h3>
                <p>{agent.description}</p>
                <p class="answers-tools">{tools} {helpers}</p>
            </li>
        }
        .erase()
    })
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
    let connecting = Connecting::new(known, failure);
    let rows = move || {
        let names = known.get().into_iter().map(|state| state.name);
        names.map(|name| Row::new(Key::Name(name.clone()), move || agent(name, known, failure, connecting))).collect()
    };
    view! {
        <p>"A check asks the model one question with one tool, which costs a few tokens."</p>
        {connecting.view()}
        <ul class="agents">{list(rows)}</ul>
        {part(move || failure.get().map_or_else(|| ().erase(), |why| view! { <p class="form-error" role="alert">{why}</p> }.erase()))}
    }
    .erase()
}

fn agent(
    name: String,
    known: RwSignal<Vec<AgentState>>,
    failure: RwSignal<Option<String>>,
    connecting: Connecting,
) -> AnyView {
    let state = {
        let name = name.clone();
        memo(move || known.with(|known| known.iter().find(|state| state.name == name).cloned()).unwrap_or_default())
    };
    let connection = connecting.buttons(&name, state);
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
            {connection}
        </li>
    }
    .erase()
}
