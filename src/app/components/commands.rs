//! Commands: what is offered when a message begins with a slash. A command becomes the text of a message, to be read before it is
//! sent.

use leptos::{ev::KeyboardEvent, html, prelude::*, task::spawn_local};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::app::{
    fetch, keyboard,
    sentence::sentence,
    view::{Erase, Key, Row, effect, list, live, memo, part, view, words},
};

/// What the message box and the list of commands share.
#[derive(Clone, Copy)]
pub(super) struct Slash {
    /// What is typed.
    pub(super) text: RwSignal<String>,
    /// Who is to answer.
    pub(super) agent: Memo<String>,
}

impl Slash {
    pub(super) fn provide(text: RwSignal<String>, agent: Memo<String>) -> Self {
        let slash = Self { text, agent };
        provide_context(slash);
        slash
    }

    /// Whether a command may be meant; follows that.
    pub(super) fn is_meant(self) -> bool {
        self.text.with(|text| text.starts_with('/') && !text.contains('\n'))
    }
}

/// A command as the server tells it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
struct Command {
    name: String,
    #[serde(default)]
    title: Option<String>,
    #[serde(default)]
    description: Option<String>,
    #[serde(default)]
    arguments: Vec<Argument>,
}

/// What it wants to know.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
struct Argument {
    name: String,
    #[serde(default)]
    description: Option<String>,
    #[serde(default)]
    required: bool,
}

#[derive(Deserialize)]
struct Told {
    commands: Vec<Command>,
}

#[derive(Deserialize)]
struct Made {
    text: String,
}

impl Command {
    fn fits(&self, typed: &str) -> bool {
        let holds = |words: &str| words.to_lowercase().contains(typed);
        holds(&self.name) || self.title.as_deref().is_some_and(holds)
    }

    fn about(&self) -> String {
        [&self.title, &self.description].into_iter().flatten().map(String::as_str).collect::<Vec<_>>().join(" · ")
    }
}

/// The list, and the form of a command that was chosen.
#[component]
pub(crate) fn Commands() -> impl IntoView {
    let slash = expect_context::<Slash>();
    let known = RwSignal::new(None::<Result<Vec<Command>, String>>);
    effect(move || {
        let agent = slash.agent.get();
        known.set(None);
        spawn_local(async move {
            let told = fetch::get::<Told>(&format!("/api/commands?agent={}", fetch::escaped(&agent))).await;
            if slash.agent.try_get_untracked() == Some(agent) {
                let _ = known.try_set(Some(told.map(|told| told.commands)));
            }
        });
    });
    let typed = memo(move || slash.text.with(|text| text.trim_start_matches('/').trim().to_lowercase()));
    let closed = RwSignal::new(false);
    let chosen = RwSignal::new(None::<Command>);
    let at = RwSignal::new(0_usize);
    let trouble = RwSignal::new(String::new());
    effect(move || {
        typed.track();
        closed.set(false);
        at.set(0);
        trouble.set(String::new());
    });
    let offers = memo(move || {
        if closed.get() || chosen.with(Option::is_some) {
            return Vec::new();
        }
        let typed = typed.get();
        known.with(|known| match known {
            Some(Ok(commands)) => commands.iter().filter(|command| command.fits(&typed)).cloned().collect(),
            Some(Err(_)) | None => Vec::new(),
        })
    });
    let busy = RwSignal::new(false);
    let make = move |command: &Command, arguments: Map<String, Value>| {
        if busy.get_untracked() {
            return;
        }
        busy.set(true);
        let path = format!("/api/commands/{}", fetch::escaped(&command.name));
        let body = json!({ "agent": slash.agent.get_untracked(), "arguments": arguments });
        spawn_local(async move {
            let made = fetch::send("POST", &path, Some(&body)).await;
            let _ = busy.try_set(false);
            let made = made.and_then(|made| {
                serde_json::from_value::<Made>(made).map_err(|_| "its answer could not be read".to_owned())
            });
            match made {
                Ok(made) => {
                    let _ = slash.text.try_set(made.text);
                    keyboard::focus("#message");
                }
                Err(why) => _ = trouble.try_set(sentence(&why)),
            }
        });
    };
    let choose = move |place: usize| {
        let Some(command) = offers.with_untracked(|offers| offers.get(place).cloned()) else { return };
        trouble.set(String::new());
        if command.arguments.is_empty() {
            make(&command, Map::new());
        } else {
            chosen.set(Some(command));
            keyboard::focus_next(".command-form input");
        }
    };
    keyboard::before_composer(move |event: &KeyboardEvent| {
        let count = offers.with_untracked(Vec::len);
        let held = event.shift_key() || event.ctrl_key() || event.meta_key() || event.alt_key();
        if count == 0 || held {
            return false;
        }
        match event.key().as_str() {
            "ArrowDown" => at.update(|at| *at = (*at + 1) % count),
            "ArrowUp" => at.update(|at| *at = (*at + count - 1) % count),
            "Enter" | "Tab" => choose(at.get_untracked()),
            "Escape" => closed.set(true),
            _ => return false,
        }
        true
    });
    let row = move |(place, command): (usize, Command)| {
        Row::new(Key::Name(format!("{place} {}", command.name)), move || {
            let about = command.about();
            view! {
                <li
                    role="option"
                    class="palette-offer"
                    aria-selected=live(move || (at.get() == place).to_string())
                    on:mousedown=|event| event.prevent_default()
                    on:click=move |_| choose(place)
                >
                    <span class="palette-words">{format!("/{}", command.name)}</span>
                    <span class="palette-about" dir="auto">{about}</span>
                </li>
            }
            .erase()
        })
    };
    let rows = move || offers.get().into_iter().enumerate().map(row).collect();
    let back = move || {
        chosen.set(None);
        trouble.set(String::new());
        keyboard::focus("#message");
    };
    let shown = move || {
        if let Some(command) = chosen.get() {
            return form(command, busy, make, back);
        }
        if offers.with(Vec::is_empty) {
            return ().erase();
        }
        view! { <ul class="palette-list" role="listbox" aria-label="Commands">{list(rows)}</ul> }.erase()
    };
    // What failed is said only to those who type a command's name.
    let said = move || {
        let why = trouble.get();
        if !why.is_empty() {
            return why;
        }
        match known.get() {
            Some(Err(why)) if typed.with(String::is_empty) => format!("The commands could not be read: {why}."),
            Some(Ok(commands)) if commands.is_empty() && typed.with(String::is_empty) => {
                "This agent has no commands.".to_owned()
            }
            _ => String::new(),
        }
    };
    view! {
        <div class="commands">
            {part(shown)}
            <p class="commands-said" role="status">{words(said)}</p>
        </div>
    }
    .erase()
}

/// What a command wants to know. It stands in the form of the message, so it is none itself.
fn form(
    command: Command,
    busy: RwSignal<bool>,
    make: impl Fn(&Command, Map<String, Value>) + Copy + Send + Sync + 'static,
    back: impl Fn() + Copy + 'static,
) -> AnyView {
    let fields: Vec<(Argument, NodeRef<html::Input>)> =
        command.arguments.iter().map(|argument| (argument.clone(), NodeRef::new())).collect();
    let inputs = fields.clone();
    let name = format!("/{}", command.name);
    let about = command.about();
    let submit = StoredValue::new(move || {
        let mut arguments = Map::new();
        for (argument, input) in &inputs {
            let Some(input) = input.get_untracked() else { return };
            // The browser says what is missing, at its field.
            if !input.report_validity() {
                return;
            }
            if !input.value().is_empty() {
                arguments.insert(argument.name.clone(), input.value().into());
            }
        }
        make(&command, arguments);
    });
    let rows: Vec<AnyView> = fields
        .into_iter()
        .map(|(argument, input)| {
            let label = match argument.description {
                Some(about) => format!("{}: {about}", argument.name),
                None => argument.name.clone(),
            };
            view! {
                <label class="field">
                    <span class="field-label">{label}</span>
                    <input
                        type="text"
                        autocomplete="off"
                        dir="auto"
                        maxlength="10000"
                        required=argument.required
                        node_ref=input
                        on:keydown=move |event| {
                            if keyboard::composes(&event) {
                                return;
                            }
                            match event.key().as_str() {
                                "Enter" => submit.with_value(|submit| submit()),
                                "Escape" => back(),
                                _ => return,
                            }
                            event.prevent_default();
                        }
                    />
                </label>
            }
            .erase()
        })
        .collect();
    view! {
        <div class="command-form" role="group" aria-label=name.clone()>
            <p>
                <strong>{name}</strong>
                " "
                {about}
            </p>
            {rows}
            <div class="command-ends">
                <button
                    type="button"
                    class="button"
                    disabled=live(move || busy.get())
                    on:click=move |_| submit.with_value(|submit| submit())
                >
                    "Put into the message"
                </button>
                <button type="button" class="button quiet" on:click=move |_| back()>"Back"</button>
            </div>
        </div>
    }
    .erase()
}
