//! Where people are signed in.

use leptos::prelude::*;
use serde_json::Value;

use super::{
    board::{Board, Deed},
    cell::{person, text, time, words},
    table::{Offer, Table, outcome, search},
};
use crate::app::view::{Erase, view};

const TABLE: Table = Table {
    rows: "/sign_ins",
    columns: &[
        ("Who", |row| person(&text(row, "/name"), &text(row, "/email"))),
        ("From", |row| words(row, "/address")),
        ("With", |row| words(row, "/device")),
        ("Used last", |row| time(row, "/last_used_at")),
        ("Since", |row| time(row, "/created_at")),
    ],
    offers: Some(offers),
    empty: "Nobody is signed in with this in their name or address.",
};

fn offers(row: &Value) -> Vec<Offer> {
    let deed = Deed {
        method: "DELETE",
        path: format!("/api/admin/users/{}/sign-ins", text(row, "/user_id")),
        body: None,
        done: "All sign-ins of that person have ended.",
    };
    vec![Offer::Press { label: "Sign out everywhere", danger: false, deed }]
}

pub(super) fn view() -> AnyView {
    let board = Board::reading("/api/admin/sign-ins");
    view! {
        {search(board, "Name, address, or network address")}
        {outcome(board)}
        {TABLE.view(board)}
    }
    .erase()
}
