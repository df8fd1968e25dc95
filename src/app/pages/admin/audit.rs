//! The audit log: what was done to accounts, tokens and members, and by whom.

use leptos::prelude::*;
use serde_json::Value;

use super::{
    board::Board,
    cell::{Cell, time, words},
    table::{Table, outcome, search},
};
use crate::app::view::{Erase, view};

const TABLE: Table = Table {
    rows: "/lines",
    columns: &[
        ("When", |row| time(row, "/at")),
        ("What", |row| words(row, "/action")),
        ("By", |row| named(row, "actor")),
        ("To", |row| named(row, "subject")),
        ("From", |row| words(row, "/address")),
    ],
    offers: None,
    empty: "The log has no such line.",
};

/// A person's name; the id where there is none.
fn named(row: &Value, field: &str) -> Cell {
    let name = format!("/{field}_name");
    let known = row.pointer(&name).is_some();
    words(row, &if known { name } else { format!("/{field}") })
}

pub(super) fn view() -> AnyView {
    let board = Board::reading("/api/admin/audit?newest=true&limit=200");
    view! {
        <div class="admin-form">
            {search(board, "Action, person, or network address")}
            <a class="button" href="/api/admin/audit.jsonl" rel="external" download="netra-audit.jsonl">
                "Export all"
            </a>
        </div>
        {outcome(board)}
        {TABLE.view(board)}
    }
    .erase()
}
