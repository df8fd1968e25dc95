//! A section as a table: what is looked for, what was found, and what can be done with each row.

use leptos::prelude::*;
use serde_json::Value;

use super::{
    board::{Board, Deed},
    cell::Cell,
};
use crate::app::{
    components::copy_button,
    view::{Erase, Key, Row, list, live, part, view, when, words},
};

/// A column: its heading, and what it shows of a row.
pub(super) type Column = (&'static str, fn(&Value) -> Cell);

/// What can be done with a row.
pub(super) enum Offer {
    /// A button.
    Press { label: &'static str, danger: bool, deed: Deed },
    /// A choice of one: values with their words, and what choosing one does.
    Choose {
        label: String,
        now: String,
        values: &'static [(&'static str, &'static str)],
        deed: fn(&Value, &str) -> Deed,
    },
}

/// How a section is shown.
#[derive(Clone, Copy)]
pub(super) struct Table {
    /// Where the rows stand in the answer.
    pub(super) rows: &'static str,
    pub(super) columns: &'static [Column],
    /// What can be done with a row.
    pub(super) offers: Option<fn(&Value) -> Vec<Offer>>,
    /// What is said where there are no rows.
    pub(super) empty: &'static str,
}

/// What was done last, the link that came of it, and the question who is there.
pub(super) fn outcome(board: Board) -> AnyView {
    view! {
        {board.confirmation.view()}
        <p role="status" class="admin-said">{words(move || board.said.get())}</p>
        {when(
            move || board.link.with(|link| !link.is_empty()),
            move || {
                view! {
                    <p class="admin-once">
                        <span>"Shown this once; whoever has it can use it: "</span>
                        <code>{words(move || board.link.get())}</code>
                        {copy_button("Copy the link", move || board.link.get_untracked())}
                    </p>
                }
                .erase()
            },
        )}
    }
    .erase()
}

/// A field in which people type what they look for.
pub(super) fn search(board: Board, label: &'static str) -> AnyView {
    view! {
        <label class="field admin-search">
            <span class="field-label">{label}</span>
            <input
                type="search"
                maxlength="200"
                prop:value=board.query
                on:input=move |event| board.query.set(event_target_value(&event))
            />
        </label>
    }
    .erase()
}

impl Table {
    /// The table.
    pub(super) fn view(self, board: Board) -> AnyView {
        let Self { rows, columns, offers, empty } = self;
        let found = move || {
            let row = |row: Value| {
                // The whole row is its key: one that changed is drawn anew.
                Row::new(Key::Name(row.to_string()), move || line(board, columns, offers, row))
            };
            let found = board.found.with(|found| found.pointer(rows).and_then(Value::as_array).cloned());
            found.unwrap_or_default().into_iter().map(row).collect()
        };
        let count = move || board.found.with(|found| found.pointer(rows).and_then(Value::as_array).map(Vec::len));
        let headings = columns.iter().map(|(title, _)| view! { <th scope="col">{*title}</th> }.erase());
        let head: Vec<AnyView> = headings.collect();
        view! {
            <div class="admin-scroll" role="region" aria-label="What was found" tabindex="0">
                <table class="admin-table">
                    <thead>
                        <tr>{head} {offers.map(|_| view! { <th scope="col">"What can be done"</th> }.erase())}</tr>
                    </thead>
                    <tbody>{list(found)}</tbody>
                </table>
            </div>
            {part(move || match count() {
                Some(0) => view! { <p class="admin-empty">{empty}</p> }.erase(),
                Some(_) => ().erase(),
                None => view! { <p class="admin-empty">"Reading…"</p> }.erase(),
            })}
        }
        .erase()
    }
}

fn line(board: Board, columns: &'static [Column], offers: Option<fn(&Value) -> Vec<Offer>>, row: Value) -> AnyView {
    let cells: Vec<AnyView> =
        columns.iter().map(|(title, read)| view! { <td data-label=*title>{read(&row).view()}</td> }.erase()).collect();
    let deeds = offers.map(|offers| {
        let buttons: Vec<AnyView> = offers(&row).into_iter().map(|offer| offer_view(board, &row, offer)).collect();
        view! { <td class="admin-deeds" data-label="">{buttons}</td> }.erase()
    });
    view! { <tr>{cells} {deeds}</tr> }.erase()
}

fn offer_view(board: Board, row: &Value, offer: Offer) -> AnyView {
    match offer {
        Offer::Press { label, danger, deed } => {
            let class = if danger { "button danger" } else { "button" };
            view! {
                <button
                    type="button"
                    class=class
                    disabled=live(move || board.busy.get())
                    on:click=move |_| board.act(deed.clone())
                >
                    {label}
                </button>
            }
            .erase()
        }
        Offer::Choose { label, now, values, deed } => {
            let row = row.clone();
            let options: Vec<AnyView> = values
                .iter()
                .map(|(value, words)| view! { <option value=*value selected=*value == now>{*words}</option> }.erase())
                .collect();
            view! {
                <select
                    aria-label=label
                    disabled=live(move || board.busy.get())
                    on:change=move |event| board.act(deed(&row, &event_target_value(&event)))
                >
                    {options}
                </select>
            }
            .erase()
        }
    }
}
