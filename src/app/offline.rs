//! What the page tells its service worker, by way of `start.js`, so that conversations can be read while the server is out of
//! reach; and the way to those that it does not hold itself. What the worker does with it is in `src/worker`.

use leptos::prelude::*;
use netra_ws::{ThreadId, model::Thread};

use super::view::{effect, memo};

/// Has what is shown kept, now and whenever it has come to rest after a change.
pub(crate) fn keep(head: Memo<Option<Thread>>) {
    let rests = memo(move || {
        head.with(|head| head.as_ref().filter(|thread| thread.waiting || !thread.running).map(|thread| thread.head_seq))
    });
    let mut first = true;
    effect(move || {
        if rests.get().is_some() || first {
            first = false;
            tell("netra:keep", None);
        }
    });
}

/// Nothing of the user's is kept any more.
#[cfg(feature = "hydrate")]
pub(crate) fn forget() {
    tell("netra:forget", None);
}

/// A conversation is gone, for this user at least.
pub(crate) fn drop_thread(thread: ThreadId) {
    tell("netra:drop", Some(thread));
}

use side::tell;
#[cfg(feature = "hydrate")]
pub(crate) use side::{asks_for_document, provide};

#[cfg(not(feature = "hydrate"))]
mod side {
    use super::ThreadId;

    pub(super) fn tell(_: &str, _: Option<ThreadId>) {}
}

#[cfg(feature = "hydrate")]
mod side {
    use std::cell::RefCell;

    use leptos::prelude::*;
    use netra_ws::{ThreadId, session::Link};
    use web_sys::Event;

    use crate::app::store::{AppStore, Kept, PendingState, Storage};

    thread_local! {
        /// What the page knows, for whoever goes somewhere from an event's handler.
        static STORE: RefCell<Option<AppStore>> = const { RefCell::new(None) };
    }

    pub(super) fn tell(name: &str, thread: Option<ThreadId>) {
        if let (Some(thread), Some(root)) = (thread, document().document_element()) {
            let _ = root.set_attribute("data-gone", &thread.to_string());
        }
        if let Ok(event) = Event::new(name) {
            let _ = window().dispatch_event(&event);
        }
    }

    /// From now on this is what the page knows.
    pub(crate) fn provide(store: &AppStore) {
        STORE.set(Some(store.clone()));
    }

    /// Whether an address is better asked for as a document: a conversation that the page does not hold and cannot hear of now,
    /// where a service worker may have kept it. Nothing may be on the page alone.
    pub(crate) fn asks_for_document(path: &str) -> bool {
        let Some(thread) = path.strip_prefix("/t/").and_then(|id| id.parse::<ThreadId>().ok()) else { return false };
        let has_worker = document().document_element().is_some_and(|root| root.has_attribute("data-worker"));
        let away = |link: &Link| matches!(link, Link::Reconnecting { .. } | Link::Offline | Link::Unreachable { .. });
        STORE.with_borrow(|store| {
            store.as_ref().is_some_and(|store| {
                let is_safe = store.storage.with_untracked(|storage| *storage == Storage::Open)
                    && store.pending.with_untracked(|pending| {
                        pending
                            .iter()
                            .all(|item| item.kept == Kept::Saved || matches!(item.state, PendingState::Failed(_)))
                    });
                has_worker && is_safe && store.link.with_untracked(away) && !store.holds(thread)
            })
        })
    }
}
