//! The audit log: what was done to accounts, tokens and members, and by whom.

use leptos::prelude::*;

use super::{
    board::Board,
    cell::{time, words},
    table::{Table, outcome, search},
};
use crate::app::view::{Erase, view};

const TABLE: Table = Table {
    rows: "/lines",
    columns: &[
        ("When", |row| time(row, "/at")),
        ("What", |row| words(row, "/action")),
        ("By", |row| words(row, "/actor")),
        ("To", |row| words(row, "/subject")),
        ("From", |row| words(row, "/address")),
    ],
    offers: None,
    empty: "The log has no such line.",
};

pub(super) fn view() -> AnyView {
    let board = Board::reading("/api/admin/audit?newest=true&limit=200");
    view! {
        <div class="admin-form">
            {search(board, "Action, person's id, or network address")}
            <a class="button" href="/api/admin/audit.jsonl" rel="external" download="netra-audit.jsonl">
                "Export all"
            </a>
        </div>
        {outcome(board)}
        {TABLE.view(board)}
    }
    .erase()
}
