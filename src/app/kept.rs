//! What the browser keeps for a user across reloads and crashes: commands without an answer, messages that were refused, and
//! drafts with their files.
//!
//! One entry each, so that tabs do not overwrite each other's. Keys begin with what it is and whose it is; those of commands
//! end in the command's id, which sorts by time.

mod database;
mod drafts;
mod notes;

use std::time::Duration;

use leptos::{prelude::*, task::spawn_local};
use netra_ws::{ClientFrame, FrameId, UserId, payload::ErrorMessage};

use super::{
    store::{AppStore, Kept, Pending, PendingState, Storage},
    within::within,
};
pub(super) use drafts::{keep as keep_draft, keep_files as keep_draft_files, spend as spend_draft};

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

/// How long after a storage that did not answer it is asked again, at first and at last.
const PAUSES: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(30)];

/// Reads what was kept for the user: commands without an answer, oldest first. Refused messages and drafts go into the store. A
/// storage that does not answer is asked until it does: what it holds is neither lost nor written over.
pub(super) async fn load(store: &AppStore, user: UserId) -> Vec<ClientFrame> {
    let [mut pause, longest] = PAUSES;
    loop {
        match read(user).await {
            Ok((refused, outbox)) => {
                store.storage.set(Storage::Open);
                let known =
                    |item: &Pending, pending: &[Pending]| pending.iter().any(|one| one.frame.id == item.frame.id);
                store.pending.update(|pending| {
                    for item in refused.iter().filter_map(|(_, text)| read_refused(text)) {
                        if !known(&item, pending) {
                            pending.push(item);
                        }
                    }
                });
                // What cannot be read is of another version, and may be read by it.
                return outbox.iter().filter_map(|(_, text)| ClientFrame::decode(text).ok()).collect();
            }
            Err(why) => {
                leptos::logging::warn!("this browser keeps nothing: {why}");
                store.storage.set(Storage::Closed(why));
            }
        }
        let _ = within(pause, std::future::pending::<()>()).await;
        pause = longest.min(pause * 2);
    }
}

/// Entries by their keys.
type Entries = Vec<(String, String)>;

/// Refused messages and the outbox; drafts are read on the way.
async fn read(user: UserId) -> Result<(Entries, Entries), String> {
    notes::bring_over(user).await?;
    drafts::load(user).await?;
    let refused = database::entries(&Kind::Refused.prefix(user)).await?;
    let outbox = database::entries(&Kind::Outbox.prefix(user)).await?;
    Ok((refused, outbox))
}

fn read_refused(text: &str) -> Option<Pending> {
    let (frame, error) = text.split_once('\n')?;
    let state = PendingState::Failed(serde_json::from_str::<ErrorMessage>(error).ok()?);
    Some(Pending { frame: ClientFrame::decode(frame).ok()?, state, kept: Kept::Saved })
}

/// Writes, and tells the store whether it may rely on that; then does what waits for it.
fn write(store: &AppStore, changes: Vec<(String, Option<String>)>, then: impl FnOnce(Kept) + 'static) {
    let store = store.clone();
    spawn_local(async move {
        let kept = match database::write(&changes).await {
            Ok(()) => {
                // As long as drafts were not read, none is written.
                if drafts::are_read() {
                    store.storage.set(Storage::Open);
                }
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
    let gone =
        before.iter().filter(|item| !matches!(item.state, PendingState::Failed(_)) && !has(outbox, item.frame.id));
    for id in gone.map(|item| item.frame.id) {
        settle(store, user, id, None, |_| {});
    }
}

/// Writes a command, or takes it away when it was answered; with the draft that it was, in one: the disk has the one or the other
/// until the answer is there, and never both. The note of it stays until that is on the disk.
fn settle(store: &AppStore, user: UserId, id: FrameId, text: Option<String>, then: impl FnOnce(Kept) + 'static) {
    let key = Kind::Outbox.key(user, id);
    let mut changes: Vec<_> = drafts::spent_on(id).into_iter().map(|draft| (draft, None)).collect();
    changes.push((key.clone(), text));
    write(store, changes, move |kept| {
        if kept == Kept::Saved {
            notes::remove(&key);
            drafts::unbind(id);
        }
        then(kept);
    });
}

fn keep_command(store: &AppStore, user: UserId, frame: &ClientFrame) {
    let Ok(text) = frame.encode() else { return };
    let (id, told) = (frame.id, store.clone());
    settle(store, user, id, Some(text), move |kept| told.set_kept(id, kept));
}

/// A message is about to go out, with the draft that was spent last.
pub(super) fn begin(user: UserId, frame: &ClientFrame) {
    drafts::bind(frame.id);
    if let Ok(text) = frame.encode()
        && !database::rests()
    {
        notes::write(&Kind::Outbox.key(user, frame.id), &text);
    }
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
