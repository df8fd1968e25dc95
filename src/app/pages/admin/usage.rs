//! What each role may use, and what people use today.

use leptos::prelude::*;
use serde_json::Value;

use super::{
    board::Board,
    cell::{Cell, bytes, person, text, words},
    table::{Table, outcome, search},
};
use crate::app::view::{Erase, view};

const USES: Table = Table {
    rows: "/users",
    columns: &[
        ("Who", |row| person(&text(row, "/name"), &text(row, "/email"))),
        ("Tokens today", |row| words(row, "/tokens_today")),
        ("Cost today", |row| dollars(row, "/cost_today")),
        ("Runs under way", |row| words(row, "/runs")),
        ("Files", |row| bytes(row.pointer("/file_bytes").and_then(Value::as_u64).unwrap_or_default())),
    ],
    offers: None,
    empty: "Nobody has an account with this in their name or address.",
};

const QUOTAS: Table = Table {
    rows: "/quotas",
    columns: &[
        ("Role", |row| Cell::Words(role(&text(row, "/role")).to_owned())),
        ("Runs at once", |row| words(row, "/runs_at_once")),
        ("Runs that wait", |row| words(row, "/queued_runs")),
        ("Sockets", |row| words(row, "/connections")),
        ("Tokens a day", |row| words(row, "/tokens_a_day")),
        ("Cost a day", |row| dollars(row, "/cost_a_day")),
        ("A file", |row| bytes(row.pointer("/file_bytes").and_then(Value::as_u64).unwrap_or_default())),
        ("All files", |row| bytes(row.pointer("/storage_bytes").and_then(Value::as_u64).unwrap_or_default())),
    ],
    offers: None,
    empty: "",
};

fn dollars(row: &Value, field: &str) -> Cell {
    row.pointer(field).and_then(Value::as_f64).map_or(Cell::Nothing, |sum| Cell::Words(format!("${sum:.2}")))
}

fn role(name: &str) -> &'static str {
    match name {
        "admin" => "Administrators",
        "user" => "Members",
        _ => "Guests",
    }
}

pub(super) fn view() -> AnyView {
    let board = Board::reading("/api/admin/usage");
    view! {
        <h3>"Quotas of one person"</h3>
        {QUOTAS.view(board)}
        <h3>"Use"</h3>
        {search(board, "Name or address")}
        {outcome(board)}
        {USES.view(board)}
    }
    .erase()
}
