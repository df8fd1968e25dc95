//! What the browser keeps for a user across reloads and crashes: commands without an answer, messages that were refused, and
//! drafts with their files.
//!
//! One entry each, so that tabs do not overwrite each other's. Keys begin with what it is and whose it is; those of commands
//! end in the command's id, which sorts by time.

mod database;
mod drafts;

use leptos::{prelude::*, task::spawn_local};
use netra_ws::{ClientFrame, FrameId, UserId, payload::ErrorMessage};

use super::store::{AppStore, Kept, Pending, PendingState, Storage};
pub(super) use drafts::{keep as keep_draft, keep_files as keep_draft_files};

/// What an entry is.
#[derive(Clone, Copy)]
enum Kind {
    /// A command without an answer: the frame.
    Outbox,
    /// A refused message: the frame and the error, a line each.
    Refused,
    /// What is being written: the text.
    Draft,
    /// The files that go with it and are at the server: JSON, a line each.
    DraftFiles,
}

impl Kind {
    fn prefix(self, user: UserId) -> String {
        let name = match self {
            Self::Outbox => "outbox",
            Self::Refused => "refused",
            Self::Draft => "draft",
            Self::DraftFiles => "draft-files",
        };
        format!("{name}.{user}.")
    }

    fn key(self, user: UserId, id: FrameId) -> String {
        format!("{}{id}", self.prefix(user))
    }
}

/// Reads what was kept for the user: commands without an answer, oldest first. Refused messages and drafts go into the store.
pub(super) async fn load(store: &AppStore, user: UserId) -> Vec<ClientFrame> {
    let loaded = async {
        bring_over(user).await?;
        drafts::load(user).await?;
        let refused = database::entries(&Kind::Refused.prefix(user)).await?;
        let outbox = database::entries(&Kind::Outbox.prefix(user)).await?;
        Ok::<_, String>((refused, outbox))
    };
    match loaded.await {
        Ok((refused, outbox)) => {
            store.storage.set(Storage::Open);
            store.pending.update(|pending| pending.extend(refused.iter().filter_map(|(_, text)| read_refused(text))));
            // What cannot be read is of another version, and may be read by it.
            outbox.iter().filter_map(|(_, text)| ClientFrame::decode(text).ok()).collect()
        }
        Err(why) => {
            leptos::logging::warn!("this browser keeps nothing: {why}");
            store.storage.set(Storage::Closed(why));
            Vec::new()
        }
    }
}

fn read_refused(text: &str) -> Option<Pending> {
    let (frame, error) = text.split_once('\n')?;
    let state = PendingState::Failed(serde_json::from_str::<ErrorMessage>(error).ok()?);
    Some(Pending { frame: ClientFrame::decode(frame).ok()?, state, kept: Kept::Saved })
}

/// Version 0.1 kept its entries in `localStorage`, under the same names with `netra.` before.
async fn bring_over(user: UserId) -> Result<(), String> {
    let Some(storage) = window().local_storage().ok().flatten() else { return Ok(()) };
    let prefixes = [Kind::Outbox, Kind::Refused, Kind::Draft].map(|kind| format!("netra.{}", kind.prefix(user)));
    let old: Vec<String> = (0..storage.length().unwrap_or_default())
        .filter_map(|at| storage.key(at).ok().flatten())
        .filter(|key| prefixes.iter().any(|prefix| key.starts_with(prefix)))
        .collect();
    if old.is_empty() {
        return Ok(());
    }
    let entry =
        |key: &String| Some((key.strip_prefix("netra.")?.to_owned(), Some(storage.get_item(key).ok().flatten()?)));
    database::write(&old.iter().filter_map(entry).collect::<Vec<_>>()).await?;
    for key in old {
        let _ = storage.remove_item(&key);
    }
    Ok(())
}

/// Writes, and tells the store whether it may rely on that; then does what waits for it.
fn write(store: &AppStore, changes: Vec<(String, Option<String>)>, then: impl FnOnce(Kept) + 'static) {
    let store = store.clone();
    spawn_local(async move {
        let kept = match database::write(&changes).await {
            Ok(()) => {
                store.storage.set(Storage::Open);
                Kept::Saved
            }
            Err(why) => {
                leptos::logging::warn!("this browser did not keep what was written: {why}");
                store.storage.set(Storage::Closed(why.clone()));
                Kept::Unsaved(why)
            }
        };
        then(kept);
    });
}

/// Brings what is kept in line with the outbox, which was `before`. Entries of other tabs are theirs.
pub(super) fn keep_outbox(store: &AppStore, user: UserId, before: &[Pending], outbox: &[Pending]) {
    let has = |list: &[Pending], id: FrameId| list.iter().any(|item| item.frame.id == id);
    let fresh = |item: &&Pending| !has(before, item.frame.id) && store.kept(item.frame.id) == Kept::Saving;
    for item in outbox.iter().filter(fresh) {
        keep_command(store, user, &item.frame);
    }
    let gone: Vec<_> = before
        .iter()
        .filter(|item| !matches!(item.state, PendingState::Failed(_)) && !has(outbox, item.frame.id))
        .map(|item| (Kind::Outbox.key(user, item.frame.id), None))
        .collect();
    if !gone.is_empty() {
        write(store, gone, |_| {});
    }
}

fn keep_command(store: &AppStore, user: UserId, frame: &ClientFrame) {
    let Ok(text) = frame.encode() else { return };
    let (id, told) = (frame.id, store.clone());
    write(store, vec![(Kind::Outbox.key(user, id), Some(text))], move |kept| told.set_kept(id, kept));
}

/// Keeps a refused message.
pub(super) fn keep_refused(store: &AppStore, user: UserId, frame: &ClientFrame, error: &ErrorMessage) {
    if let (Ok(frame_text), Ok(error)) = (frame.encode(), serde_json::to_string(error)) {
        let text = format!("{frame_text}\n{error}");
        write(store, vec![(Kind::Refused.key(user, frame.id), Some(text))], |_| {});
    }
}

/// Forgets a refused message.
pub(super) fn forget_refused(store: &AppStore, user: UserId, id: FrameId) {
    write(store, vec![(Kind::Refused.key(user, id), None)], |_| {});
}

/// Keeps nothing more while the user signs out: what the server has the browser clear would be written again for whoever comes
/// next.
pub(super) fn rest(rests: bool) {
    database::rest(rests);
}

/// Writes everything again when the browser's storage is cleared under the page.
pub(super) fn keep_through_clearing(store: &AppStore, user: UserId) {
    let (store, lost) = (store.clone(), database::lost());
    Effect::new(move |began: Option<()>| {
        lost.track();
        if began.is_none() {
            return;
        }
        for item in store.pending.get_untracked() {
            match &item.state {
                PendingState::Failed(error) => keep_refused(&store, user, &item.frame, error),
                PendingState::Queued | PendingState::Sent => keep_command(&store, user, &item.frame),
            }
        }
    });
}
