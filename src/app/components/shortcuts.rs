//! The list of keys, from the same table that is looked in when one is struck.

use leptos::prelude::*;

use super::{Icon, overlay::Overlay};
use crate::app::{
    keyboard::{Does, Place, SHORTCUTS, Shortcut, With, enter_sends},
    view::{Erase, view},
};

/// The list.
#[component]
pub(crate) fn Shortcuts() -> impl IntoView {
    let overlay = Overlay::new();
    let rows: Vec<AnyView> = SHORTCUTS.iter().map(row).collect();
    let content = view! {
        <div class="shortcuts">
            <div class="members-head">
                <h2 class="members-title">"Keyboard"</h2>
                <button
                    type="button"
                    class="icon-button"
                    aria-label="Close"
                    title="Close"
                    on:click=move |_| overlay.close()
                >
                    {Icon::Cross.view()}
                </button>
            </div>
            <dl class="shortcut-list">{rows}</dl>
            <p class="shortcut-more">
                "Several conversations are chosen with arrows, Space, Shift and arrows, and Ctrl+A; Delete deletes them."
            </p>
        </div>
    };
    overlay.view("overlay-panel", "Keyboard shortcuts", content.erase())
}

fn row(shortcut: &Shortcut) -> AnyView {
    let keys: Vec<AnyView> = keys(shortcut).into_iter().map(|key| view! { <kbd>{key}</kbd> }.erase()).collect();
    view! {
        <div class="shortcut">
            <dt>{words(shortcut.does)}</dt>
            <dd>{keys}</dd>
        </div>
    }
    .erase()
}

fn keys(shortcut: &Shortcut) -> Vec<String> {
    let held: &[&str] = match shortcut.with {
        With::Nothing | With::Sign => &[],
        With::Shift => &["Shift"],
        With::Control => &["Ctrl or ⌘"],
        With::ControlShift => &["Ctrl or ⌘", "Shift"],
    };
    let key = match shortcut.key {
        key if key.len() == 1 => key.to_uppercase(),
        key => key.to_owned(),
    };
    held.iter().map(|held| (*held).to_owned()).chain([key]).collect()
}

/// What a key does, for people.
fn words(does: Does) -> &'static str {
    match does {
        Does::Palette => "Go to a conversation, an agent or an action",
        Does::Search => "Search the conversations",
        Does::NewChat => "New chat",
        Does::Sidebar => "Close or open the sidebar",
        Does::Events => "Close or open the event panel of a conversation",
        Does::Shortcuts => "This list",
        Does::Enter if enter_sends() => "Send the message",
        Does::Enter | Does::NewLine => "A new line in the message",
        Does::Send => "Send the message, whatever Enter does",
        Does::Escape => "Close what is open; when nothing is, stop the answer",
    }
}

/// The key of an action, for others who show it.
pub(super) fn of(does: Does) -> Option<String> {
    let shortcut = SHORTCUTS.iter().find(|shortcut| shortcut.does == does && shortcut.place != Place::Message)?;
    Some(keys(shortcut).join(" + ").replace(" or ⌘", ""))
}
