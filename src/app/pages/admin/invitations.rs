//! Invitations, and other links that were not used yet.

use leptos::{html, prelude::*};
use serde_json::{Value, json};

use super::{
    board::{Board, Deed},
    cell::{Cell, text, time, until, words},
    table::{Offer, Table, outcome},
};
use crate::app::view::{Erase, live, view};

const TABLE: Table = Table {
    rows: "/links",
    columns: &[
        ("What for", purpose),
        ("Made by", |row| words(row, "/made_by")),
        ("Made", |row| time(row, "/created_at")),
        ("Ends", |row| until(row, "/expires_at")),
    ],
    offers: Some(offers),
    empty: "No link waits to be used.",
};

fn purpose(row: &Value) -> Cell {
    Cell::Words(match (text(row, "/purpose").as_str(), text(row, "/role").as_str()) {
        ("invitation", "admin") => "Account of an administrator".to_owned(),
        ("invitation", "guest") => "Account of a guest".to_owned(),
        ("invitation", _) => "Account of a member".to_owned(),
        ("password", _) => format!("New password of {}", text(row, "/email")),
        _ => format!("Address {}", text(row, "/email")),
    })
}

fn offers(row: &Value) -> Vec<Offer> {
    let deed = Deed {
        method: "DELETE",
        path: format!("/api/admin/links/{}", text(row, "/id")),
        body: None,
        done: "The link is good for nothing now.",
    };
    vec![Offer::Press { label: "Take back", danger: false, deed }]
}

pub(super) fn view() -> AnyView {
    let board = Board::reading("/api/admin/links");
    let role = NodeRef::<html::Select>::new();
    let invite = move || {
        let role = role.get_untracked().map(|role| role.value()).unwrap_or_default();
        board.act(Deed {
            method: "POST",
            path: "/api/admin/invitations".to_owned(),
            body: Some(json!({ "administrator": role == "admin", "guest": role == "guest" })),
            done: "With this link somebody makes an account, within a week.",
        });
    };
    view! {
        <form
            class="admin-form"
            on:submit=move |event| {
                event.prevent_default();
                invite();
            }
        >
            <label class="field">
                <span class="field-label">"Invite"</span>
                <select node_ref=role>
                    <option value="user">"A member"</option>
                    <option value="guest">"A guest, who reads what is shared"</option>
                    <option value="admin">"An administrator"</option>
                </select>
            </label>
            <button type="submit" class="button primary" disabled=live(move || board.busy.get())>
                "Make a link"
            </button>
        </form>
        {outcome(board)}
        {TABLE.view(board)}
    }
    .erase()
}
