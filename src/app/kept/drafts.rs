//! What is being written, kept with every letter.

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    rc::Rc,
};

use leptos::{prelude::*, task::spawn_local};
use netra_ws::{FrameId, ThreadId, UserId};

use super::{Kind, database};
use crate::app::store::{AppStore, Storage};

thread_local! {
    /// The drafts as this page knows them, so that one is back at once when its conversation is.
    static KNOWN: RefCell<HashMap<String, String>> = RefCell::default();
    /// Whether the storage has said what it holds.
    static READ: Cell<bool> = const { Cell::new(false) };
    /// The entries of a draft whose message is about to get its id.
    static SPENT: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
    /// Those of messages that the disk does not have yet.
    static BOUND: RefCell<HashMap<FrameId, Vec<String>>> = RefCell::default();
}

/// The entries of a conversation's draft: its text, and its files.
pub(super) fn keys(user: UserId, thread: Option<ThreadId>) -> [String; 2] {
    [Kind::Draft, Kind::DraftFiles].map(|kind| key(kind, user, thread))
}

fn key(kind: Kind, user: UserId, thread: Option<ThreadId>) -> String {
    let thread = thread.map_or_else(|| "new".to_owned(), |thread| thread.to_string());
    format!("{}{thread}", kind.prefix(user))
}

/// The draft becomes a message, whose command comes next: its entries go when the message is written, and not before.
pub(crate) fn spend(user: Option<UserId>, thread: Option<ThreadId>) {
    let Some(user) = user else { return };
    SPENT.set(
        KNOWN.with_borrow_mut(|known| {
            keys(user, thread).into_iter().filter(|key| known.remove(key).is_some()).collect()
        }),
    );
}

/// The draft that was spent last is this message.
pub(super) fn bind(id: FrameId) {
    let spent = SPENT.take();
    if !spent.is_empty() {
        BOUND.with_borrow_mut(|bound| bound.insert(id, spent));
    }
}

/// The entries of the draft that the message was, for whoever writes it; not those that another draft has taken.
pub(super) fn spent_on(id: FrameId) -> Vec<String> {
    let spent = BOUND.with_borrow(|bound| bound.get(&id).cloned()).unwrap_or_default();
    KNOWN.with_borrow(|known| spent.into_iter().filter(|key| !known.contains_key(key)).collect())
}

/// They are gone from the disk.
pub(super) fn unbind(id: FrameId) {
    BOUND.with_borrow_mut(|bound| _ = bound.remove(&id));
}

/// Whether the storage has said what it holds. Before that no draft is written: it would be written over an older one.
pub(super) fn are_read() -> bool {
    READ.get()
}

/// Reads the user's drafts.
pub(super) async fn load(user: UserId) -> Result<(), String> {
    for kind in [Kind::Draft, Kind::DraftFiles] {
        let found = database::entries(&kind.prefix(user)).await?;
        KNOWN.with_borrow_mut(|known| known.extend(found));
    }
    READ.set(true);
    Ok(())
}

/// Brings the user's draft back, then keeps it as it changes. Another who signs in with this browser does not see it.
pub(crate) fn keep(store: &AppStore, thread: Option<ThreadId>, text: RwSignal<String>) {
    keep_kind(Kind::Draft, store, thread, text);
}

/// The same for the draft's files, a line each.
pub(crate) fn keep_files(store: &AppStore, thread: Option<ThreadId>, lines: RwSignal<String>) {
    keep_kind(Kind::DraftFiles, store, thread, lines);
}

fn keep_kind(kind: Kind, store: &AppStore, thread: Option<ThreadId>, text: RwSignal<String>) {
    let Some(user) = store.user().map(|user| user.id) else { return };
    let key = key(kind, user, thread);
    let writer = Writer::new(store, key.clone());
    let (storage, lost) = (store.storage.clone(), database::lost());
    let brought = Cell::new(false);
    Effect::new(move |_| {
        lost.track();
        if !brought.get() {
            storage.track();
            if !are_read() {
                return;
            }
            brought.set(true);
            let draft = KNOWN.with_borrow(|known| known.get(&key).cloned()).unwrap_or_default();
            if !draft.is_empty() {
                // Words that were typed before the draft was back are no reason to lose either.
                text.update(|text| {
                    if text.is_empty() {
                        *text = draft;
                    } else if !text.contains(&draft) {
                        *text = format!("{draft}\n{text}");
                    }
                });
            }
        }
        text.with(|text| writer.write(text));
    });
}

/// Writes the newest text, one write at a time: what is typed while the disk is at work goes out in one.
#[derive(Clone)]
struct Writer {
    store: AppStore,
    key: Rc<str>,
    busy: Rc<Cell<bool>>,
}

impl Writer {
    fn new(store: &AppStore, key: String) -> Self {
        Self { store: store.clone(), key: key.into(), busy: Rc::default() }
    }

    fn write(&self, text: &str) {
        let unchanged = KNOWN.with_borrow_mut(|known| {
            let before = if text.is_empty() {
                known.remove(&*self.key)
            } else {
                known.insert(self.key.to_string(), text.to_owned())
            };
            before.unwrap_or_default() == text
        });
        // A storage that was cleared has to be told again.
        if unchanged && text.is_empty() {
            return;
        }
        if !self.busy.replace(true) {
            let this = self.clone();
            spawn_local(async move {
                loop {
                    let text = this.known();
                    this.put(text.clone()).await;
                    if this.known() == text {
                        break;
                    }
                }
                this.busy.set(false);
            });
        }
    }

    /// The text as it is now: changed by whoever types, and gone when it was spent.
    fn known(&self) -> String {
        KNOWN.with_borrow(|known| known.get(&*self.key).cloned()).unwrap_or_default()
    }

    async fn put(&self, text: String) {
        let change = (self.key.to_string(), (!text.is_empty()).then_some(text));
        let now = match database::write(&[change]).await {
            Ok(()) => Storage::Open,
            Err(why) => Storage::Closed(why),
        };
        if self.store.storage.get_untracked() != now {
            self.store.storage.set(now);
        }
    }
}
