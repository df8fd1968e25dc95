//! What stands in a table: words or a time, read from a row of the API's answer.

use leptos::prelude::*;
use netra_ws::Timestamp;
use serde_json::Value;

use crate::app::{
    components::stamp,
    time::moment,
    view::{Erase, view},
};

/// What a column shows of a row.
pub(super) enum Cell {
    Words(String),
    Time(Timestamp),
    /// A time that may be yet to come: with its date.
    End(Timestamp),
    Nothing,
}

impl Cell {
    pub(super) fn view(self) -> AnyView {
        match self {
            Self::Words(words) => words.erase(),
            Self::Time(at) => stamp(at),
            Self::End(at) => end(at),
            Self::Nothing => view! { <span class="admin-nothing">"–"</span> }.erase(),
        }
    }
}

/// A field as text; empty when it is not there.
pub(super) fn text(row: &Value, field: &str) -> String {
    match row.pointer(field) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Null) | None => String::new(),
        Some(other) => other.to_string(),
    }
}

/// A field as words.
pub(super) fn words(row: &Value, field: &str) -> Cell {
    let text = text(row, field);
    if text.is_empty() { Cell::Nothing } else { Cell::Words(text) }
}

/// A field as a time.
pub(super) fn time(row: &Value, field: &str) -> Cell {
    let at = row.pointer(field).cloned().and_then(|at| serde_json::from_value(at).ok());
    at.map_or(Cell::Nothing, Cell::Time)
}

/// A field as a time that may be yet to come.
pub(super) fn until(row: &Value, field: &str) -> Cell {
    match time(row, field) {
        Cell::Time(at) => Cell::End(at),
        other => other,
    }
}

/// Rows are drawn in the browser alone, which knows the reader's zone.
fn end(at: Timestamp) -> AnyView {
    #[cfg(feature = "hydrate")]
    let offset = crate::app::time::zone_offset_at(at);
    #[cfg(not(feature = "hydrate"))]
    let offset = 0;
    view! {
        <time class="stamp" datetime=at.to_string()>
            {moment(at, Timestamp::default(), offset)}
        </time>
    }
    .erase()
}

/// Whether a field is there.
pub(super) fn has(row: &Value, field: &str) -> bool {
    row.pointer(field).is_some_and(|value| !value.is_null())
}

/// A person: the name, and the address that signs in.
pub(super) fn person(name: &str, email: &str) -> Cell {
    match (name.is_empty(), email.is_empty()) {
        (true, true) => Cell::Nothing,
        (false, false) => Cell::Words(format!("{name} · {email}")),
        (true, false) => Cell::Words(email.to_owned()),
        (false, true) => Cell::Words(name.to_owned()),
    }
}

/// Bytes as people read them.
pub(super) fn bytes(count: u64) -> Cell {
    match count {
        0 => Cell::Nothing,
        1..1_000 => Cell::Words(format!("{count} B")),
        1_000..1_000_000 => Cell::Words(format!("{} kB", count / 1_000)),
        _ => Cell::Words(format!("{} MB", count / 1_000_000)),
    }
}
