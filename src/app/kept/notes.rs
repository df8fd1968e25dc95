//! Notes in `localStorage`: what a message needs to survive a reload in the milliseconds before the disk has it.
//!
//! They are written at once, and a page that goes away cannot be too early for them. Chromium has them on the disk up to a minute
//! later, so a message is called kept only once it is in the database; its note goes then. Version 0.1 kept all its entries in this
//! place and under these names, so one way brings over both.

use leptos::prelude::*;
use netra_ws::{ClientFrame, UserId};
use web_sys::Storage;

use super::{Kind, database, drafts};
use crate::app::store::content_of;

const PREFIX: &str = "netra.";

fn storage() -> Option<Storage> {
    window().local_storage().ok().flatten()
}

/// Notes an entry. A storage that has no room for it is no loss: the database is asked all the same.
pub(super) fn write(key: &str, text: &str) {
    if let Some(storage) = storage() {
        let _ = storage.set_item(&format!("{PREFIX}{key}"), text);
    }
}

/// Forgets an entry: the database has it, or nobody needs it any more.
pub(super) fn remove(key: &str) {
    if let Some(storage) = storage() {
        let _ = storage.remove_item(&format!("{PREFIX}{key}"));
    }
}

/// Moves all notes of the user into the database.
pub(super) async fn bring_over(user: UserId) -> Result<(), String> {
    let Some(storage) = storage() else { return Ok(()) };
    let prefixes = [Kind::Outbox, Kind::Refused, Kind::Draft].map(|kind| kind.prefix(user));
    let noted: Vec<(String, String)> = (0..storage.length().unwrap_or_default())
        .filter_map(|at| storage.key(at).ok().flatten())
        .filter_map(|name| {
            let key = name.strip_prefix(PREFIX)?;
            let text = storage.get_item(&name).ok().flatten()?;
            prefixes.iter().any(|prefix| key.starts_with(prefix)).then(|| (key.to_owned(), text))
        })
        .collect();
    if noted.is_empty() {
        return Ok(());
    }
    let mut changes = Vec::new();
    for (key, text) in &noted {
        if key.starts_with(&prefixes[0]) {
            changes.extend(spent(user, text).await?.into_iter().map(|draft| (draft, None)));
        }
        changes.push((key.clone(), Some(text.clone())));
    }
    database::write(&changes).await?;
    for (key, _) in noted {
        remove(&key);
    }
    Ok(())
}

/// The entries of the draft that a noted message was. A draft that says something else was begun after it.
async fn spent(user: UserId, frame: &str) -> Result<Vec<String>, String> {
    let Ok(frame) = ClientFrame::decode(frame) else { return Ok(Vec::new()) };
    let Some(content) = content_of(&frame.message) else { return Ok(Vec::new()) };
    let keys = drafts::keys(user, frame.thread_id);
    let draft = database::entries(&keys[0]).await?.into_iter().next().map(|(_, text)| text).unwrap_or_default();
    Ok(if draft == content { keys.into() } else { Vec::new() })
}
