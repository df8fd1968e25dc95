//! What was just done to conversations and can still be taken back, said where they were.
//!
//! Putting away is done at once, and taken back by its opposite. Deleting waits until its time is over; whoever leaves the page
//! before that keeps the conversation, for nobody can bring back what is deleted.
//!
//! All but the list of it comes with the part that holds conversations (`apart.rs`).

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use leptos::{prelude::*, task::spawn_local};
use netra_ws::{ThreadId, model::Thread, payload::Level};

use super::thread_item::{neighbour, row_of};
use crate::app::{
    address::Address,
    apart::{Part, Piece, run},
    api, keyboard,
    store::AppStore,
    view::{Erase, view, when},
};

/// How long it can be taken back.
const TIME: Duration = Duration::from_secs(8);

/// How many times something was done.
static COUNT: AtomicUsize = AtomicUsize::new(1);

/// What was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    Archived,
    Restored,
    Deleted,
}

/// Something that was done.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Done {
    /// Counts them, from 1.
    number: usize,
    what: What,
    threads: Vec<Thread>,
    /// Whether the page showed the one that was deleted.
    shown: bool,
    /// Its time is over.
    settled: bool,
}

impl Done {
    /// The one conversation that it was done to, in whose place it is said.
    fn alone(&self) -> Option<&Thread> {
        if let [thread] = self.threads.as_slice() { Some(thread) } else { None }
    }

    fn said(&self) -> String {
        let (alone, several) = match self.what {
            What::Archived => ("Archived.", "archived"),
            What::Restored => ("Taken back.", "taken back"),
            What::Deleted => ("Deleted.", "deleted"),
        };
        match self.alone() {
            Some(_) => alone.to_owned(),
            None => format!("{} conversations {several}", self.threads.len()),
        }
    }
}

/// What can be taken back, for whoever is drawn in the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Undoing {
    done: RwSignal<Vec<Done>>,
    store: StoredValue<AppStore>,
    address: Address,
}

impl Undoing {
    pub(super) fn new(store: AppStore, address: Address) -> Self {
        Self { done: RwSignal::new(Vec::new()), store: StoredValue::new(store), address }
    }

    /// Puts those that stay in the list in the meantime where they were, and takes out several that were done at once. Whether
    /// the list may be out of order now.
    pub(super) fn lay_over(self, archived: bool, threads: &mut Vec<Thread>) -> bool {
        let mut added = false;
        self.done.with(|all| {
            for done in all {
                let Some(thread) = done.alone() else {
                    threads.retain(|thread| done.threads.iter().all(|gone| gone.id != thread.id));
                    continue;
                };
                if done.what != What::Deleted && thread.archived == archived {
                    threads.retain(|other| other.id != thread.id);
                    threads.push(thread.clone());
                    added = true;
                }
            }
        });
        added
    }

    /// The number of what was done to this conversation alone, or 0; follows that.
    pub(super) fn of(self, thread: ThreadId) -> usize {
        let here = |done: &&Done| done.alone().is_some_and(|gone| gone.id == thread);
        self.done.with(|all| all.iter().find(here).map_or(0, |done| done.number))
    }

    /// What was done to several at once; follows that.
    pub(super) fn of_several(self) -> Vec<usize> {
        self.done.with(|all| all.iter().filter(|done| done.alone().is_none()).map(|done| done.number).collect())
    }

    /// Does something that can be taken back.
    pub(super) fn begin(self, what: What, threads: Vec<Thread>) {
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = self.address.path_now();
        let shown = what == What::Deleted && threads.iter().any(|thread| path == format!("/t/{}", thread.id));
        self.done.update(|all| all.push(Done { number, what, threads, shown, settled: false }));
        run(Part::Conversation, Piece::Doing(self, number), move || {
            self.forget(number);
            let words = "That was not done: the page could not load what does it.";
            self.store.with_value(|store| store.notify(Level::Warn, words.to_owned()));
        });
    }

    /// Goes on with what was begun.
    pub(crate) fn carry_on(self, number: usize) -> AnyView {
        let Some(done) = self.find(number) else { return ().erase() };
        let place = done.alone().map_or_else(|| ".undo-several".to_owned(), |thread| row_of(thread.id));
        let shown = done.shown;
        if done.what != What::Deleted {
            let archived = done.what == What::Archived;
            self.carry_out(done, Some(archived), Box::new(|| {}));
        }
        if shown {
            self.address.go("/");
        }
        // After the page that comes has put the focus into its message box.
        request_animation_frame(move || keyboard::focus_next(format!("{place} .undo")));
        set_timeout(move || self.settle(number), TIME);
        ().erase()
    }

    fn find(self, number: usize) -> Option<Done> {
        self.done.try_with_untracked(|all| all.iter().find(|done| done.number == number).cloned()).flatten()
    }

    fn forget(self, number: usize) {
        self.done.try_update(|all| all.retain(|done| done.number != number));
    }

    /// Puts them away, takes them back from there, or, where nothing is said of that, deletes them; then does the rest.
    fn carry_out(self, done: Done, archived: Option<bool>, then: Box<dyn FnOnce()>) {
        let store = self.store.get_value();
        spawn_local(async move {
            for thread in &done.threads {
                let outcome = match archived {
                    Some(_) => api::change_thread(thread.id, None, None, archived).await.map(Some),
                    None => api::delete_thread(thread.id).await.map(|()| None),
                };
                match outcome {
                    Ok(Some(thread)) => store.put_thread(thread),
                    Ok(None) => store.threads.update(|threads| threads.retain(|known| known.id != thread.id)),
                    Err(error) => {
                        self.forget(done.number);
                        let why = api::reason(&error);
                        let what =
                            if archived.is_some() { "could not be put where you wanted it" } else { "was not deleted" };
                        store.notify(Level::Warn, format!("“{}” {what}. {why}", thread.title));
                    }
                }
            }
            then();
        });
    }

    /// Takes it back.
    fn undo(self, number: usize) {
        let Some(done) = self.find(number).filter(|done| !done.settled) else { return };
        self.forget(number);
        if done.what != What::Deleted {
            self.carry_out(done.clone(), Some(done.what == What::Restored), Box::new(|| {}));
        }
        match done.threads.first() {
            Some(thread) if done.shown => self.address.go(&format!("/t/{}", thread.id)),
            Some(thread) => keyboard::focus_next(format!("{} .thread-link", row_of(thread.id))),
            None => {}
        }
    }

    /// Its time is over: what was deleted is deleted now.
    fn settle(self, number: usize) {
        let Some(done) = self.find(number) else { return };
        let near =
            done.alone().filter(|thread| keyboard::is_within(&row_of(thread.id))).map(|thread| neighbour(thread.id));
        let gone = move || {
            self.forget(number);
            if let Some(near) = near {
                keyboard::focus_next(near);
            }
        };
        if done.what != What::Deleted {
            gone();
            return;
        }
        self.done
            .update(|all| all.iter_mut().filter(|done| done.number == number).for_each(|done| done.settled = true));
        self.carry_out(done, None, Box::new(gone));
    }

    /// What was done, in words, and the way back.
    pub(crate) fn view(self, number: usize) -> AnyView {
        let Some(done) = self.find(number) else { return ().erase() };
        let said = done.said();
        let label = match done.alone() {
            Some(thread) => format!("Undo: “{}”", thread.title),
            None => format!("Undo: {said}"),
        };
        let open = move || self.done.with(|all| all.iter().any(|done| done.number == number && !done.settled));
        let button = move || {
            view! {
                <button type="button" class="button undo" aria-label=label.clone() on:click=move |_| self.undo(number)>
                    "Undo"
                </button>
            }
            .erase()
        };
        view! {
            <div class="undoing">
                <span role="status">{said}</span>
                {when(open, button)}
            </div>
        }
        .erase()
    }
}
