//! Sockets that are open now.

use leptos::prelude::*;
use serde_json::Value;

use super::{
    board::Board,
    cell::{bytes, person, text, time, words},
    table::{Table, outcome},
};
use crate::app::view::{Erase, view, words as live_words};

const TABLE: Table = Table {
    rows: "/connections",
    columns: &[
        ("Who", |row| person(&text(row, "/user/name"), &text(row, "/user/email"))),
        ("Open since", |row| time(row, "/connected_at")),
        ("Threads watched", |row| words(row, "/subscriptions")),
        ("Waits for it", |row| bytes(row.pointer("/queued_bytes").and_then(Value::as_u64).unwrap_or_default())),
    ],
    offers: None,
    empty: "No socket is open.",
};

pub(super) fn view() -> AnyView {
    let board = Board::reading("/api/admin/connections");
    let sum = move || {
        board.found.with(|found| match found {
            Value::Null => String::new(),
            found => format!("{} sockets of {} people.", text(found, "/total"), text(found, "/users")),
        })
    };
    view! {
        <div class="admin-form">
            <p>{live_words(sum)}</p>
            <button type="button" class="button" on:click=move |_| board.read()>
                "Look again"
            </button>
        </div>
        {outcome(board)}
        {TABLE.view(board)}
    }
    .erase()
}
