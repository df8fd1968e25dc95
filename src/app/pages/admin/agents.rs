//! The agents, and who may use them.

use leptos::prelude::*;
use serde_json::Value;

use super::{
    board::Board,
    cell::{Cell, words},
    table::{Table, outcome},
};
use crate::app::view::{Erase, view};

const TABLE: Table = Table {
    rows: "/agents",
    columns: &[
        ("Agent", |row| words(row, "/title")),
        ("Name", |row| words(row, "/name")),
        ("For whom", audience),
        ("Found last", |row| words(row, "/found")),
    ],
    offers: None,
    empty: "There are no agents.",
};

fn audience(row: &Value) -> Cell {
    let named = row.pointer("/users").and_then(Value::as_array);
    let named: Vec<&str> = named.into_iter().flatten().filter_map(Value::as_str).collect();
    Cell::Words(if named.is_empty() { "Everyone".to_owned() } else { named.join(", ") })
}

pub(super) fn view() -> AnyView {
    let board = Board::reading("/api/admin/agents");
    view! {
        <p class="admin-empty">
            "Who may use an agent is said in netra.toml. Models are asked what works under " <a href="/settings">"Settings"</a>
            "."
        </p>
        {outcome(board)}
        {TABLE.view(board)}
    }
    .erase()
}
