//! People: who they are, what they may do, and whether they may come in.

use leptos::prelude::*;
use serde_json::{Value, json};

use super::{
    board::{Board, Deed},
    cell::{Cell, has, person, text, time},
    table::{Offer, Table, outcome, search},
};
use crate::app::view::{Erase, view};

/// The roles, as the API names them and as people do.
const ROLES: &[(&str, &str)] = &[("admin", "Administrator"), ("user", "Member"), ("guest", "Guest")];

const TABLE: Table = Table {
    rows: "/users",
    columns: &[
        ("Who", |row| person(&text(row, "/name"), &text(row, "/email"))),
        ("State", state),
        ("Seen last", |row| time(row, "/last_seen_at")),
        ("Since", |row| time(row, "/created_at")),
    ],
    offers: Some(offers),
    empty: "Nobody has an account with this in their name or address.",
};

fn state(row: &Value) -> Cell {
    let state = match (has(row, "/disabled_at"), has(row, "/delete_at")) {
        (true, _) => "Disabled",
        (false, true) => "Closed by its owner",
        (false, false) => "Open",
    };
    let factor = row.pointer("/second_factor").and_then(Value::as_bool).unwrap_or_default();
    Cell::Words(if factor { format!("{state}, second factor") } else { state.to_owned() })
}

fn path(row: &Value) -> String {
    format!("/api/admin/users/{}", text(row, "/id"))
}

fn offers(row: &Value) -> Vec<Offer> {
    let disabled = has(row, "/disabled_at");
    let change = |body, done| Deed { method: "PATCH", path: path(row), body: Some(body), done };
    vec![
        Offer::Choose {
            label: format!("Role of {}", text(row, "/name")),
            now: text(row, "/role"),
            values: ROLES,
            deed: |row, role| Deed {
                method: "PATCH",
                path: path(row),
                body: Some(json!({ "role": role })),
                done: "The role is changed.",
            },
        },
        if disabled {
            Offer::Press {
                label: "Enable",
                danger: false,
                deed: change(json!({ "disabled": false }), "They can sign in again."),
            }
        } else {
            Offer::Press {
                label: "Disable",
                danger: true,
                deed: change(
                    json!({ "disabled": true }),
                    "They are signed out everywhere, and what worked for them ends.",
                ),
            }
        },
        Offer::Press {
            label: "New password",
            danger: false,
            deed: Deed {
                method: "POST",
                path: "/api/admin/password-links".to_owned(),
                body: Some(json!({ "email": text(row, "/email") })),
                done: "With this link they set a new password, within a day.",
            },
        },
        Offer::Press {
            label: "Sign out",
            danger: false,
            deed: Deed {
                method: "DELETE",
                path: format!("{}/sign-ins", path(row)),
                body: None,
                done: "All of their sign-ins have ended.",
            },
        },
    ]
}

pub(super) fn view() -> AnyView {
    let board = Board::reading("/api/admin/users?limit=500");
    view! {
        {search(board, "Name or address")}
        {outcome(board)}
        {TABLE.view(board)}
    }
    .erase()
}
