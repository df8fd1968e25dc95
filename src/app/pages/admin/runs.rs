//! What works or waits for its turn; each can be stopped.

use leptos::prelude::*;
use serde_json::Value;

use super::{
    board::{Board, Deed},
    cell::{Cell, text, time, words},
    table::{Offer, Table, outcome},
};
use crate::app::view::{Erase, view};

const TABLE: Table = Table {
    rows: "/runs",
    columns: &[
        ("For whom", |row| words(row, "/name")),
        ("Agent", |row| words(row, "/agent")),
        ("State", |row| Cell::Words(if text(row, "/status") == "queued" { "Waits" } else { "Works" }.to_owned())),
        ("Since", |row| time(row, "/created_at")),
    ],
    offers: Some(offers),
    empty: "Nothing works now.",
};

fn offers(row: &Value) -> Vec<Offer> {
    let deed = Deed {
        method: "DELETE",
        path: format!("/api/admin/runs/{}", text(row, "/id")),
        body: None,
        done: "The run is told to stop.",
    };
    vec![Offer::Press { label: "Stop", danger: true, deed }]
}

pub(super) fn view() -> AnyView {
    let board = Board::reading("/api/admin/runs");
    view! {
        <div class="admin-form">
            <button type="button" class="button" on:click=move |_| board.read()>
                "Look again"
            </button>
        </div>
        {outcome(board)}
        {TABLE.view(board)}
    }
    .erase()
}
