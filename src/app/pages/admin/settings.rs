//! Settings in force, and where each came from.

use leptos::prelude::*;
use serde_json::Value;

use super::{
    board::Board,
    cell::{Cell, words},
    table::{Table, outcome},
};
use crate::app::view::{Erase, view};

const TABLE: Table = Table {
    rows: "/settings",
    columns: &[("Setting", |row| words(row, "/name")), ("Value", value), ("Comes from", |row| words(row, "/source"))],
    offers: None,
    empty: "",
};

fn value(row: &Value) -> Cell {
    let secret = row.pointer("/secret").and_then(Value::as_bool).unwrap_or_default();
    let given = row.pointer("/source").and_then(Value::as_str) != Some("default");
    match (secret, given) {
        (true, true) => Cell::Words("Set, and not shown".to_owned()),
        (true, false) => Cell::Words("Not set".to_owned()),
        (false, _) => words(row, "/value"),
    }
}

pub(super) fn view() -> AnyView {
    let board = Board::reading("/api/admin/settings");
    view! {
        {outcome(board)}
        {TABLE.view(board)}
    }
    .erase()
}
