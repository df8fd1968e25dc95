//! The list of conversations, to choose several and do something with them at once.

use std::collections::HashSet;

use leptos::{html, prelude::*};
use netra_ws::{ThreadId, model::Thread};

use super::{thread_list::Listed, undoing::What};
use crate::app::{
    keyboard, markdown,
    seen::use_seen,
    store::use_store,
    view::{Erase, Key, Row, effect, list, live, memo, view, words},
};

/// What is chosen.
#[derive(Clone, Copy)]
struct Choice {
    listed: Listed,
    chosen: RwSignal<HashSet<ThreadId>>,
    /// Where the keyboard is.
    at: RwSignal<Option<ThreadId>>,
    /// Where a range begins.
    from: RwSignal<Option<ThreadId>>,
}

impl Choice {
    /// The conversations in the order of the list.
    fn all(self) -> Vec<Thread> {
        self.listed.groups.with_untracked(|groups| groups.iter().flat_map(|(_, members)| members.clone()).collect())
    }

    /// Those that are chosen; follows that.
    fn threads(self) -> Vec<Thread> {
        let chosen = self.chosen.get();
        self.listed.groups.with(|groups| {
            let members = groups.iter().flat_map(|(_, members)| members);
            members.filter(|thread| chosen.contains(&thread.id)).cloned().collect()
        })
    }

    /// Chooses one, or no longer; with a range, all from where it begins.
    fn turn(self, thread: ThreadId, ranges: bool) {
        let all: Vec<ThreadId> = self.all().iter().map(|thread| thread.id).collect();
        let place = |wanted: ThreadId| all.iter().position(|id| *id == wanted);
        let begins = self.from.get_untracked().filter(|_| ranges).and_then(place);
        self.chosen.update(|chosen| match (begins, place(thread)) {
            (Some(begins), Some(ends)) => chosen.extend(&all[begins.min(ends)..=begins.max(ends)]),
            _ if chosen.remove(&thread) => {}
            _ => _ = chosen.insert(thread),
        });
        if begins.is_none() {
            self.from.set(Some(thread));
        }
        self.at.set(Some(thread));
    }

    /// The keyboard goes on by so many; with a range it chooses on its way.
    fn step(self, by: isize, ranges: bool) {
        let all = self.all();
        let at = self.at.get_untracked().and_then(|at| all.iter().position(|thread| thread.id == at));
        let next = at.map_or(0, |at| at.saturating_add_signed(by).min(all.len().saturating_sub(1)));
        let Some(next) = all.get(next).map(|thread| thread.id) else { return };
        if ranges {
            if self.from.get_untracked().is_none() {
                self.from.set(self.at.get_untracked().or(Some(next)));
            }
            self.turn(next, true);
        } else {
            self.at.set(Some(next));
            self.from.set(Some(next));
        }
        keyboard::show_next(".pick[data-at=true]");
    }
}

/// The list, and what can be done.
#[component]
pub(crate) fn Picking() -> impl IntoView {
    let listed = expect_context::<Listed>();
    let undoing = listed.undoing;
    let seen = use_seen();
    let me = use_store().user().map(|user| user.id);
    let choice =
        Choice { listed, chosen: RwSignal::new(HashSet::new()), at: RwSignal::new(None), from: RwSignal::new(None) };
    let threads = memo(move || choice.threads());
    let none = move || threads.with(Vec::is_empty);
    // Their owner alone deletes them.
    let may_delete =
        move || threads.with(|threads| !threads.is_empty() && threads.iter().all(|thread| Some(thread.owner_id) == me));
    let leave = move || {
        listed.picking.set(false);
        keyboard::focus_next(".list-views [aria-pressed]:last-child");
    };
    let act = move |what: What| {
        let threads = threads.get_untracked();
        if !threads.is_empty() {
            listed.picking.set(false);
            undoing.begin(what, threads);
        }
    };
    let put_away = move || act(if listed.archived.get_untracked() { What::Restored } else { What::Archived });
    let all = move || {
        let ids = choice.all().into_iter().map(|thread| thread.id).collect::<HashSet<_>>();
        choice.chosen.update(|chosen| *chosen = if *chosen == ids { HashSet::new() } else { ids });
    };
    let delete = move || {
        if untrack(may_delete) {
            act(What::Deleted);
        }
    };
    let said = move || match threads.with(Vec::len) {
        0 => "None selected".to_owned(),
        count => format!("{count} selected"),
    };
    let field = NodeRef::<html::Div>::new();
    effect(move || {
        if let Some(field) = field.get() {
            let _ = field.focus();
        }
    });
    let groups = move || {
        let row =
            |(name, _): (&'static str, Vec<Thread>)| Row::new(Key::Name(name.to_owned()), move || group(name, choice));
        listed.groups.get().into_iter().map(row).collect()
    };
    view! {
        <div class="picking">
            <div class="picking-bar" role="group" aria-label="With what is selected">
                <span class="picking-said" role="status">{words(said)}</span>
                <button type="button" class="button" on:click=move |_| all()>"All or none"</button>
                <button type="button" class="button" disabled=live(none) on:click=move |_| put_away()>
                    {words(move || if listed.archived.get() { "Take back" } else { "Archive" }.to_owned())}
                </button>
                <button
                    type="button"
                    class="button"
                    disabled=live(none)
                    on:click=move |_| {
                        seen.read(&threads.get_untracked());
                        leave();
                    }
                >
                    "Mark as read"
                </button>
                <button
                    type="button"
                    class="button danger"
                    disabled=live(move || !may_delete())
                    title="Only its owner deletes a conversation"
                    on:click=move |_| delete()
                >
                    "Delete"
                </button>
                <button type="button" class="button quiet" on:click=move |_| leave()>"Done"</button>
            </div>
            <div
                class="picks"
                role="listbox"
                aria-label="Conversations to select"
                aria-multiselectable="true"
                aria-activedescendant=live(move || choice.at.get().map(|at| format!("pick-{at}")))
                tabindex="0"
                node_ref=field
                on:keydown=move |event| {
                    let control = event.ctrl_key() || event.meta_key();
                    match event.key().as_str() {
                        "ArrowDown" => choice.step(1, event.shift_key()),
                        "ArrowUp" => choice.step(-1, event.shift_key()),
                        "Home" => choice.step(isize::MIN / 2, event.shift_key()),
                        "End" => choice.step(isize::MAX / 2, event.shift_key()),
                        " " => {
                            if let Some(at) = choice.at.get_untracked() {
                                choice.turn(at, event.shift_key());
                            }
                        }
                        "a" | "A" if control => all(),
                        "Delete" => delete(),
                        "Escape" => leave(),
                        _ => return,
                    }
                    event.prevent_default();
                }
            >
                {list(groups)}
            </div>
        </div>
    }
    .erase()
}

/// The conversations of some days.
fn group(name: &'static str, choice: Choice) -> AnyView {
    let rows = move || {
        let members = choice.listed.groups.with(|groups| {
            let members = groups.iter().find(|(group, _)| *group == name).map(|(_, members)| members.clone());
            members.unwrap_or_default()
        });
        members.into_iter().map(|thread| row(&thread, choice)).collect()
    };
    view! {
        <div role="group" aria-label=name>
            <p class="thread-group-title" aria-hidden="true">{name}</p>
            {list(rows)}
        </div>
    }
    .erase()
}

fn row(thread: &Thread, choice: Choice) -> Row {
    let id = thread.id;
    let title = if thread.title.is_empty() { "Untitled".to_owned() } else { markdown::words(&thread.title) };
    Row::new(Key::Id(id.uuid(), "pick"), move || {
        let chosen = move || choice.chosen.with(|chosen| chosen.contains(&id));
        view! {
            <div
                class="pick"
                role="option"
                id=format!("pick-{id}")
                data-thread=id.to_string()
                data-at=live(move || (choice.at.get() == Some(id)).to_string())
                aria-selected=live(move || chosen().to_string())
                on:mousedown=|event| {
                    // A range of conversations, not of letters.
                    if event.shift_key() {
                        event.prevent_default();
                    }
                }
                on:click=move |event| choice.turn(id, event.shift_key())
            >
                <span class="pick-box" aria-hidden="true"></span>
                <span class="thread-title" dir="auto">{title}</span>
            </div>
        }
        .erase()
    })
}
