//! What is being written, kept with every letter.

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    rc::Rc,
};

use leptos::{prelude::*, task::spawn_local};
use netra_ws::{ThreadId, UserId};

use super::{Kind, database};
use crate::app::store::{AppStore, Storage};

thread_local! {
    /// The drafts as this page knows them, so that one is back at once when its conversation is.
    static KNOWN: RefCell<HashMap<String, String>> = RefCell::default();
}

/// Reads the user's drafts.
pub(super) async fn load(user: UserId) -> Result<(), String> {
    for kind in [Kind::Draft, Kind::DraftFiles] {
        let found = database::entries(&kind.prefix(user)).await?;
        KNOWN.with_borrow_mut(|known| known.extend(found));
    }
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
    let thread = thread.map_or_else(|| "new".to_owned(), |thread| thread.to_string());
    let key = format!("{}{thread}", kind.prefix(user));
    let writer = Writer::new(store, key.clone());
    let (storage, lost) = (store.storage.clone(), database::lost());
    let brought = Cell::new(false);
    Effect::new(move |_| {
        lost.track();
        if !brought.get() {
            if matches!(storage.get(), Storage::Loading) {
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
    next: Rc<RefCell<Option<String>>>,
}

impl Writer {
    fn new(store: &AppStore, key: String) -> Self {
        Self { store: store.clone(), key: key.into(), busy: Rc::default(), next: Rc::default() }
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
        *self.next.borrow_mut() = Some(text.to_owned());
        if !self.busy.replace(true) {
            let this = self.clone();
            spawn_local(async move {
                while let Some(text) = this.next.take() {
                    this.put(text).await;
                }
                this.busy.set(false);
            });
        }
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
