//! The palette: to a conversation, an agent or an action by a few letters.

use std::time::Duration;

use leptos::{html, prelude::*, task::spawn_local};
use netra_ws::{
    ThreadId,
    model::{Role, Thread},
};

use super::{LookedFor, overlay::Overlay, shortcuts};
use crate::app::{
    address::{Address, use_address},
    api,
    keyboard::{self, Does},
    markdown,
    pages::Layout,
    remembered::{agent_key, remember},
    store::{AppStore, use_store},
    theme::{Chosen, Theme},
    view::{Erase, Key, Row, effect, list, live, memo, view, words},
};

/// Conversations of one kind that are offered at most.
const MOST: usize = 8;

/// How long a reader rests before their words are looked for in messages.
const PAUSE: Duration = Duration::from_millis(150);

/// Where one may go.
#[derive(Clone, Debug, PartialEq)]
enum Goal {
    /// To a conversation; to these words in it, if they were found there.
    Thread(ThreadId, Option<String>),
    /// To a new one with this agent.
    Agent(String),
    Do(Does),
    Theme(Theme),
    /// To a page of this application.
    Page(&'static str),
    /// To a file.
    File(String),
    Archived,
    Picking,
    SignOut,
}

/// A line of the list.
#[derive(Clone, Debug, PartialEq)]
struct Offer {
    goal: Goal,
    words: String,
    /// What kind it is, or what was found.
    about: String,
}

impl Offer {
    fn new(goal: Goal, words: impl Into<String>, about: impl Into<String>) -> Self {
        Self { goal, words: words.into(), about: about.into() }
    }

    /// Whether each word that was typed begins a word of it, or stands in it.
    fn holds(&self, typed: &[String]) -> bool {
        let words = self.words.to_lowercase();
        typed.iter().all(|typed| words.contains(typed.as_str()))
    }
}

/// What the offers are made of.
#[derive(Clone, Copy)]
struct Goals {
    store: StoredValue<AppStore>,
    layout: Layout,
    address: Address,
    looked_for: LookedFor,
    theme: Chosen,
}

/// The palette.
#[component]
pub(crate) fn Palette() -> impl IntoView {
    let overlay = Overlay::new();
    let goals = Goals {
        store: StoredValue::new(use_store()),
        layout: expect_context(),
        address: use_address(),
        looked_for: expect_context(),
        theme: expect_context(),
    };
    let typed = RwSignal::new(String::new());
    let found = RwSignal::new((String::new(), Vec::<Offer>::new()));
    look_in_messages(typed, found);
    let offers = memo(move || goals.offers(&typed.get(), &found.get()));
    let at = RwSignal::new(0_usize);
    effect(move || {
        // What is offered is another list: its first line is meant.
        typed.track();
        at.set(0);
    });
    let go = move |place: usize| {
        let Some(offer) = offers.with_untracked(|offers| offers.get(place).cloned()) else { return };
        overlay.close();
        goals.go(offer.goal);
    };
    let step = move |by: isize| {
        let count = offers.with_untracked(Vec::len);
        if count > 0 {
            at.update(|at| *at = (*at + count).saturating_add_signed(by) % count);
            keyboard::show_next("#palette-list [aria-selected=true]");
        }
    };
    let field = NodeRef::<html::Input>::new();
    let row = move |(place, offer): (usize, Offer)| {
        // Another line in the same place is another row.
        let key = Key::Name(format!("{place} {} {}", offer.words, offer.about));
        Row::new(key, move || {
            let chosen = move || at.get() == place;
            view! {
                <li
                    role="option"
                    id=format!("palette-{place}")
                    class="palette-offer"
                    aria-selected=live(move || chosen().to_string())
                    on:mousedown=|event| event.prevent_default()
                    on:click=move |_| go(place)
                >
                    <span class="palette-words" dir="auto">{offer.words}</span>
                    <span class="palette-about" dir="auto">{offer.about}</span>
                </li>
            }
            .erase()
        })
    };
    let rows = move || offers.get().into_iter().enumerate().map(row).collect();
    let count = move || match offers.with(Vec::len) {
        0 => "Nothing of that name, and nothing found in messages.".to_owned(),
        _ => String::new(),
    };
    let content = view! {
        <div class="palette">
            <input
                type="text"
                class="palette-field"
                role="combobox"
                aria-label="Search or go to"
                aria-expanded="true"
                aria-controls="palette-list"
                aria-autocomplete="list"
                aria-activedescendant=live(move || format!("palette-{}", at.get()))
                autocomplete="off"
                spellcheck="false"
                maxlength="500"
                placeholder="A conversation, an agent or an action"
                node_ref=field
                prop:value=typed
                on:input=move |event| typed.set(event_target_value(&event))
                on:keydown=move |event| {
                    if keyboard::composes(&event) {
                        return;
                    }
                    match event.key().as_str() {
                        "ArrowDown" => step(1),
                        "ArrowUp" => step(-1),
                        "Enter" => go(at.get_untracked()),
                        _ => return,
                    }
                    event.prevent_default();
                }
            />
            <ul class="palette-list" id="palette-list" role="listbox" aria-label="What was found">
                {list(rows)}
            </ul>
            <p class="palette-none" role="status">{words(count)}</p>
        </div>
    };
    overlay.view("overlay-panel palette-panel", "Go to", content.erase())
}

/// Looks for what is typed in messages as well, once the reader rests.
fn look_in_messages(typed: RwSignal<String>, found: RwSignal<(String, Vec<Offer>)>) {
    let waiting = StoredValue::new(None::<TimeoutHandle>);
    let look = move || {
        let Some(query) = typed.try_get_untracked().map(|typed| typed.trim().to_owned()) else { return };
        if query.chars().count() < 2 {
            return;
        }
        spawn_local(async move {
            let Ok(page) = api::search_threads(query.clone(), None, None).await else { return };
            let excerpt =
                |id: ThreadId| page.found.iter().find(|(thread, _)| *thread == id).map(|(_, words)| words.clone());
            let offer = |thread: &Thread| {
                let goal = Goal::Thread(thread.id, Some(query.clone()));
                Offer::new(goal, title(thread), excerpt(thread.id).unwrap_or_else(|| "Conversation".to_owned()))
            };
            let offers = page.threads.iter().map(offer).collect();
            let _ = found.try_set((query, offers));
        });
    };
    let clear = move || {
        if let Some(timer) = waiting.try_get_value().flatten() {
            timer.clear();
        }
    };
    effect(move || {
        typed.track();
        clear();
        waiting.set_value(set_timeout_with_handle(look, PAUSE).ok());
    });
    on_cleanup(clear);
}

fn title(thread: &Thread) -> String {
    if thread.title.is_empty() { "Untitled".to_owned() } else { markdown::words(&thread.title) }
}

impl Goals {
    /// What fits what is typed: conversations by their titles, then those with the words in their messages, agents, actions.
    fn offers(self, typed: &str, found: &(String, Vec<Offer>)) -> Vec<Offer> {
        let words: Vec<String> = typed.split_whitespace().map(str::to_lowercase).collect();
        let fits = |offer: &Offer| offer.holds(&words);
        let threads = self.store.with_value(|store| store.threads.clone());
        let threads = threads.with(|threads| {
            let offer = |thread: &Thread| Offer::new(Goal::Thread(thread.id, None), title(thread), "Conversation");
            threads.iter().map(offer).filter(fits).take(MOST).collect::<Vec<_>>()
        });
        let is_new = |offer: &&Offer| match &offer.goal {
            Goal::Thread(id, _) => {
                threads.iter().all(|known| !matches!(&known.goal, Goal::Thread(other, _) if other == id))
            }
            _ => true,
        };
        let in_messages: Vec<Offer> = if found.0 == typed.trim() {
            found.1.iter().filter(is_new).take(MOST).cloned().collect()
        } else {
            Vec::new()
        };
        let rest = self.agents().into_iter().chain(self.actions()).filter(fits);
        if words.is_empty() {
            // With nothing typed, what was last and what can be done.
            return threads.into_iter().take(5).chain(rest).collect();
        }
        threads.into_iter().chain(rest).chain(in_messages).collect()
    }

    fn agents(self) -> Vec<Offer> {
        let discovery = self.store.with_value(|store| store.discovery.clone());
        discovery.with(|discovery| {
            let offer = |agent: &netra_ws::discovery::AgentInfo| {
                Offer::new(Goal::Agent(agent.name.clone()), format!("New chat with {}", agent.title), "Agent")
            };
            discovery.agents.iter().map(offer).collect()
        })
    }

    fn actions(self) -> Vec<Offer> {
        let act = |does: Does, words: &str| Offer::new(Goal::Do(does), words, shortcuts::of(does).unwrap_or_default());
        let mut all = vec![
            act(Does::NewChat, "New chat"),
            act(Does::Search, "Search the conversations"),
            Offer::new(Goal::Picking, "Select several conversations", "Action"),
            Offer::new(Goal::Archived, "Archived conversations", "Action"),
        ];
        let path = self.address.path();
        if let Some(thread) = path.strip_prefix("/t/") {
            for (format, name) in [("markdown", "Markdown"), ("json", "JSON")] {
                let file = format!("/api/threads/{thread}/export?format={format}");
                all.push(Offer::new(Goal::File(file), format!("Export this conversation as {name}"), "Action"));
            }
        }
        for theme in [Theme::Light, Theme::Dark, Theme::System] {
            if theme != self.theme.0.get() {
                all.push(Offer::new(Goal::Theme(theme), theme.words(), "Action"));
            }
        }
        all.push(act(Does::Sidebar, "Close or open the sidebar"));
        all.push(Offer::new(Goal::Page("/settings"), "Settings", "Page"));
        all.push(Offer::new(Goal::Page("/account"), "Account: password, sign-ins, tokens", "Page"));
        if self.store.with_value(|store| store.user().is_some_and(|user| user.role == Role::Admin)) {
            all.push(Offer::new(Goal::Page("/admin"), "Administration", "Page"));
        }
        all.push(act(Does::Shortcuts, "Keyboard shortcuts"));
        all.push(Offer::new(Goal::SignOut, "Sign out", "Action"));
        all
    }

    fn go(self, goal: Goal) {
        match goal {
            Goal::Thread(id, words) => {
                self.looked_for.open(id, words);
                self.layout.leave_sheet();
                self.address.go(&format!("/t/{id}"));
            }
            Goal::Agent(name) => {
                let user = self.store.with_value(|store| store.user().map(|user| user.id));
                if let Some(key) = agent_key(user, None) {
                    remember(&key, &name);
                }
                self.layout.agent.set(Some(name));
                self.layout.carry_out(Does::NewChat);
            }
            Goal::Do(does) => self.layout.carry_out(does),
            Goal::Theme(theme) => self.theme.set(theme),
            Goal::Page(path) => {
                self.layout.leave_sheet();
                self.address.go(path);
            }
            Goal::File(path) => {
                // It comes as a file: the page stays.
                if window().location().assign(&path).is_err() {
                    leptos::logging::error!("the file cannot be fetched");
                }
            }
            Goal::Archived => self.layout.show_list(|archived, _| archived.set(true)),
            Goal::Picking => self.layout.show_list(|_, picking| picking.set(true)),
            // The button knows what has to be done before.
            Goal::SignOut => keyboard::press(".account [data-action=sign-out]"),
        }
    }
}
