//! Pages and pieces whose program comes when somebody asks for them: the first visit does not load what it does not show.
//!
//! `tools/bindgen` cuts the program at the two functions below: what only they lead to becomes a file of its own. The server has
//! all of it, and draws at once.

// A part that does not come is an error that its loader gives, not its function.
#![allow(clippy::unnecessary_wraps)]

use leptos::prelude::*;

use super::{
    address::{Address, Page},
    components::{Commands, Files, Invited, Notifier, Palette, Picking, Shortcuts, Undoing, send_given},
    pages::{AccountPage, AdminPage, SettingsPage, ThreadPage, UnknownPage},
    view::{Erase, view},
};

/// A part of the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// Conversations: messages, answers, Markdown, and who takes part.
    Conversation,
    /// Pages of forms: the account, settings, administration.
    Forms,
}

impl Part {
    /// What a page needs beside the part that is always there.
    pub(crate) fn of(page: Page) -> Option<Self> {
        match page {
            Page::Thread => Some(Self::Conversation),
            Page::Account | Page::Settings | Page::Admin => Some(Self::Forms),
            Page::Login | Page::Home | Page::Unknown => None,
        }
    }
}

/// Where the style of what comes with conversations stands: no first visit needs it.
pub(crate) const CONVERSATION_STYLE: &str = "/conversation.css";

/// What a part draws: a page, or something that stands on any page once it is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    Page(Page),
    /// Where one goes anywhere from the keyboard.
    Palette,
    /// The list of keys.
    Shortcuts,
    /// The list of conversations, to choose several.
    Picking,
    /// What is offered when a message begins with a slash.
    Commands,
    /// Tells outside of the page; nothing of it is seen.
    Notifier,
    /// Invitations that wait for an answer.
    Invited(Invited),
    /// Does what was asked for of conversations, by its number; nothing of it is seen.
    Doing(Undoing, usize),
    /// What was done to conversations, and the way back.
    Undone(Undoing, usize),
    /// The files of the message that is being written.
    Files(Files),
    /// Sends the files that were given; nothing of it is seen.
    #[cfg_attr(not(feature = "hydrate"), allow(dead_code))]
    Sending,
}

/// The files that the document's page needs beside the program itself, by their names: its part, and what both parts need.
pub(super) fn files() -> &'static [&'static str] {
    match Part::of(Address::current().page()) {
        None => &[],
        Some(Part::Conversation) => &["split_conversation", "split_both"],
        Some(Part::Forms) => &["split_forms", "split_both"],
    }
}

/// Where the style of the document's page stands that is not that of every page.
pub(super) fn style(folder: &str) -> Option<String> {
    let part = Part::of(Address::current().page());
    (part == Some(Part::Conversation)).then(|| format!("{CONVERSATION_STYLE}?{folder}"))
}

/// Draws a page, or a piece of one.
type Draw = fn(Piece) -> AnyView;

/// The part did not come. The server has all of them.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(not(feature = "hydrate"), allow(dead_code))]
pub(crate) struct Missing;

#[cfg(feature = "hydrate")]
impl From<leptos::wasm_split::SplitLoaderError> for Missing {
    fn from(_: leptos::wasm_split::SplitLoaderError) -> Self {
        Self
    }
}

// Each returns the address of a function: what calls that is known not to run before the part is there.
#[cfg_attr(feature = "hydrate", leptos::wasm_split::wasm_split(conversation, wasm_split_path = ::leptos::wasm_split, fallible))]
fn conversation() -> Result<Draw, Missing> {
    Ok(|piece| match piece {
        Piece::Page(_) => view! { <ThreadPage /> }.erase(),
        Piece::Palette => view! { <Palette /> }.erase(),
        Piece::Shortcuts => view! { <Shortcuts /> }.erase(),
        Piece::Picking => view! { <Picking /> }.erase(),
        Piece::Commands => view! { <Commands /> }.erase(),
        Piece::Notifier => view! { <Notifier /> }.erase(),
        Piece::Invited(invited) => invited.view(),
        Piece::Doing(undoing, number) => undoing.carry_on(number),
        Piece::Undone(undoing, number) => undoing.view(number),
        Piece::Files(files) => files.list(),
        Piece::Sending => send_given(),
    })
}

#[cfg_attr(feature = "hydrate", leptos::wasm_split::wasm_split(forms, wasm_split_path = ::leptos::wasm_split, fallible))]
fn forms() -> Result<Draw, Missing> {
    Ok(|piece| match piece {
        Piece::Page(Page::Account) => view! { <AccountPage /> }.erase(),
        Piece::Page(Page::Settings) => view! { <SettingsPage /> }.erase(),
        Piece::Page(Page::Admin) => view! { <AdminPage /> }.erase(),
        Piece::Page(Page::Login | Page::Home | Page::Thread | Page::Unknown)
        | Piece::Palette
        | Piece::Shortcuts
        | Piece::Picking
        | Piece::Commands
        | Piece::Notifier
        | Piece::Invited(_)
        | Piece::Doing(..)
        | Piece::Undone(..)
        | Piece::Files(_)
        | Piece::Sending => view! { <UnknownPage /> }.erase(),
    })
}

pub(crate) use side::*;

#[cfg(not(feature = "hydrate"))]
mod side {
    use super::{AnyView, Erase, Part, Piece, conversation, forms};
    use crate::app::store::AppStore;

    pub(crate) fn provide_parts(_: &AppStore) {}

    /// Nobody does anything on the server.
    pub(crate) fn run(_: Part, _: Piece, _: impl FnOnce() + 'static) {}

    /// What the part draws.
    pub(crate) fn draw(part: Part, piece: Piece) -> AnyView {
        let drawn = match part {
            Part::Conversation => conversation(),
            Part::Forms => forms(),
        };
        drawn.map_or_else(|_| ().erase(), |draw| draw(piece))
    }
}

#[cfg(feature = "hydrate")]
mod side {
    use std::{
        cell::{Cell, RefCell},
        time::Duration,
    };

    use leptos::{ev, prelude::*, task::spawn_local};
    use netra_ws::session::Link;

    use super::{Draw, Missing, Page, Part, Piece, conversation, forms};
    use crate::app::{
        address::use_address,
        store::AppStore,
        view::{Erase, effect, view},
    };

    /// How far a part is.
    #[derive(Clone, Copy)]
    enum State {
        Away,
        Coming,
        Here(Draw),
        Failed,
    }

    /// The parts, for whoever is drawn inside the application.
    #[derive(Clone, Copy)]
    struct Parts {
        conversation: RwSignal<State>,
        forms: RwSignal<State>,
    }

    thread_local! {
        /// What came before the application was alive.
        static FIRST: RefCell<Option<(Part, Draw)>> = const { RefCell::new(None) };
        /// The parts, for whoever goes somewhere from an event's handler.
        static PARTS: Cell<Option<Parts>> = const { Cell::new(None) };
        /// The step to a page whose part is on its way; whoever goes elsewhere meanwhile replaces it.
        static NEXT: RefCell<Option<Box<dyn FnOnce()>>> = const { RefCell::new(None) };
    }

    /// How long the page that is shown stays while the part of the next one comes; then the next one says that it loads.
    const LONGEST_STAY: Duration = Duration::from_millis(500);

    /// Goes to a page when its part is here, so that address and page change together.
    pub(crate) fn when_here(page: Page, go: impl FnOnce() + 'static) {
        NEXT.take();
        let coming = Part::of(page).zip(PARTS.get()).filter(|(part, parts)| {
            matches!(parts.state(*part).try_get_untracked(), Some(State::Away | State::Coming))
        });
        let Some((part, parts)) = coming else {
            go();
            return;
        };
        NEXT.set(Some(Box::new(go)));
        parts.fetch(part);
        set_timeout(go_on, LONGEST_STAY);
    }

    fn go_on() {
        if let Some(go) = NEXT.take() {
            go();
        }
    }

    async fn load(part: Part) -> Result<Draw, Missing> {
        match part {
            Part::Conversation => conversation().await,
            Part::Forms => forms().await,
        }
    }

    /// Loads what the document's own page needs: it is there when the application takes over what the server has drawn.
    pub(crate) async fn load_first() -> Result<(), Missing> {
        let path = window().location().pathname().unwrap_or_default();
        if let Some(part) = Part::of(Page::of(&path)) {
            let draw = load(part).await?;
            FIRST.set(Some((part, draw)));
        }
        Ok(())
    }

    /// Holds what is here. Conversations are fetched once somebody begins to use the page, so that the first one opens at once.
    pub(crate) fn provide_parts(store: &AppStore) {
        let parts = Parts { conversation: RwSignal::new(State::Away), forms: RwSignal::new(State::Away) };
        if let Some((part, draw)) = FIRST.take() {
            parts.state(part).set(State::Here(draw));
        }
        provide_context(parts);
        PARTS.set(Some(parts));
        let (link, now) = (store.link.clone(), store.link.clone());
        effect(move || {
            // What did not come while the server was away is asked for again.
            if matches!(link.get(), Link::Live) {
                for state in [parts.conversation, parts.forms] {
                    if matches!(state.get_untracked(), State::Failed) {
                        state.set(State::Away);
                    }
                }
            }
        });
        // Whoever signs in goes on with a document of its own.
        if untrack(|| use_address().page()) == Page::Login {
            return;
        }
        let begun = StoredValue::new(move || {
            if matches!(now.get_untracked(), Link::Live) {
                parts.fetch(Part::Conversation);
            }
        });
        let press = window_event_listener(ev::pointerdown, move |_| begun.with_value(|begun| begun()));
        let key = window_event_listener(ev::keydown, move |_| begun.with_value(|begun| begun()));
        on_cleanup(move || {
            press.remove();
            key.remove();
        });
    }

    impl Parts {
        fn state(self, part: Part) -> RwSignal<State> {
            match part {
                Part::Conversation => self.conversation,
                Part::Forms => self.forms,
            }
        }

        /// Has a part come, unless it is here or on its way.
        fn fetch(self, part: Part) {
            let state = self.state(part);
            if !matches!(state.get_untracked(), State::Away) {
                return;
            }
            state.set(State::Coming);
            spawn_local(async move {
                let _ = state.try_set(load(part).await.map_or(State::Failed, State::Here));
                go_on();
            });
        }
    }

    /// Has a part do something of which nothing is seen: at once, or when it is here.
    pub(crate) fn run(part: Part, piece: Piece, missing: impl FnOnce() + 'static) {
        let Some(parts) = PARTS.get() else { return missing() };
        let state = parts.state(part);
        if let Some(State::Here(draw)) = state.try_get_untracked() {
            drop(draw(piece));
            return;
        }
        spawn_local(async move {
            match load(part).await {
                Ok(draw) => {
                    let _ = state.try_set(State::Here(draw));
                    drop(draw(piece));
                }
                Err(Missing) => missing(),
            }
        });
    }

    /// What the part draws, once it is here.
    pub(crate) fn draw(part: Part, piece: Piece) -> AnyView {
        let parts = expect_context::<Parts>();
        let state = parts.state(part);
        match state.get() {
            State::Here(draw) => draw(piece),
            State::Away | State::Coming => {
                parts.fetch(part);
                if piece == Piece::Notifier {
                    return ().erase();
                }
                view! { <p class="apart" role="status">"Loading…"</p> }.erase()
            }
            State::Failed => view! {
                <p class="apart" role="alert">
                    "This page did not come. The connection may be gone, or the server was replaced. "
                    <button type="button" class="button" on:click=move |_| state.set(State::Away)>
                        "Try again"
                    </button>
                    " or "
                    <a class="button" href="" rel="external">
                        "Reload"
                    </a>
                </p>
            }
            .erase(),
        }
    }
}
