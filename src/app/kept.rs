//! What the browser keeps for a user across reloads and crashes: commands without an answer, and messages that were refused.
//!
//! One `localStorage` entry each, so that tabs do not overwrite each other's. Keys end in the command's id, which sorts by time.

use leptos::prelude::*;
use netra_ws::{ClientFrame, FrameId, UserId, payload::ErrorMessage};

use super::store::{Pending, PendingState};

/// What an entry is.
#[derive(Clone, Copy)]
enum Kind {
    /// A command without an answer: the frame.
    Outbox,
    /// A refused message: the frame and the error, a line each.
    Refused,
}

impl Kind {
    fn prefix(self, user: UserId) -> String {
        let name = match self {
            Self::Outbox => "outbox",
            Self::Refused => "refused",
        };
        format!("netra.{name}.{user}.")
    }
}

fn storage() -> Option<web_sys::Storage> {
    window().local_storage().ok().flatten()
}

/// The user's entries of a kind, oldest first. What cannot be read is of another version and is thrown away.
fn entries<T>(user: UserId, kind: Kind, read: fn(&str) -> Option<T>) -> Vec<T> {
    let Some(storage) = storage() else { return Vec::new() };
    let prefix = kind.prefix(user);
    let count = storage.length().unwrap_or_default();
    let mut keys: Vec<String> = (0..count)
        .filter_map(|index| storage.key(index).ok().flatten())
        .filter(|key| key.starts_with(&prefix))
        .collect();
    keys.sort();
    let entry = |key: &String| {
        let kept = storage.get_item(key).ok().flatten().as_deref().and_then(read);
        if kept.is_none() {
            let _ = storage.remove_item(key);
        }
        kept
    };
    keys.iter().filter_map(entry).collect()
}

fn keep(user: UserId, kind: Kind, id: FrameId, text: &str) {
    let kept = storage().is_some_and(|storage| storage.set_item(&format!("{}{id}", kind.prefix(user)), text).is_ok());
    if !kept {
        leptos::logging::warn!("the browser's storage is full or closed; this message would not survive a reload");
    }
}

fn forget(user: UserId, kind: Kind, id: FrameId) {
    if let Some(storage) = storage() {
        let _ = storage.remove_item(&format!("{}{id}", kind.prefix(user)));
    }
}

/// Commands without an answer, oldest first.
pub(super) fn outbox(user: UserId) -> Vec<ClientFrame> {
    entries(user, Kind::Outbox, |text| ClientFrame::decode(text).ok())
}

/// Brings what is kept in line with the outbox, which was `before`. Entries of other tabs are theirs.
pub(super) fn keep_outbox(user: UserId, before: &[Pending], outbox: &[Pending]) {
    let has = |list: &[Pending], id: FrameId| list.iter().any(|item| item.frame.id == id);
    for item in outbox.iter().filter(|item| !has(before, item.frame.id)) {
        if let Ok(text) = item.frame.encode() {
            keep(user, Kind::Outbox, item.frame.id, &text);
        }
    }
    for item in before.iter().filter(|item| !has(outbox, item.frame.id)) {
        forget(user, Kind::Outbox, item.frame.id);
    }
}

/// Messages that were refused and not put away, oldest first.
pub(super) fn refused(user: UserId) -> Vec<Pending> {
    entries(user, Kind::Refused, |text| {
        let (frame, error) = text.split_once('\n')?;
        let state = PendingState::Failed(serde_json::from_str::<ErrorMessage>(error).ok()?);
        Some(Pending { frame: ClientFrame::decode(frame).ok()?, state })
    })
}

/// Keeps a refused message.
pub(super) fn keep_refused(user: UserId, frame: &ClientFrame, error: &ErrorMessage) {
    if let (Ok(frame_text), Ok(error)) = (frame.encode(), serde_json::to_string(error)) {
        keep(user, Kind::Refused, frame.id, &format!("{frame_text}\n{error}"));
    }
}

/// Forgets a refused message.
pub(super) fn forget_refused(user: UserId, id: FrameId) {
    forget(user, Kind::Refused, id);
}
