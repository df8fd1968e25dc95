//! What the page knows: threads, the open ones with their state, messages on their way, and the link.
//!
//! The state of a thread is the shared reducer's, kept as plain data. Views follow it through triggers, one per run, so that
//! a piece of text re-renders one card; triggers fire at most once per animation frame.

mod open;
mod pending;
mod thread;

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use leptos::prelude::*;
use netra_ws::{
    ClientFrame, FrameId, ServerFrame, ThreadId, ThreadState, Timestamp,
    discovery::Discovery,
    frame::Place,
    message::ServerMessage,
    model::{Thread, User},
    payload::{ErrorMessage, Level, Notice},
    session::{Link, Millis},
};

use open::OpenThreads;
#[cfg(feature = "hydrate")]
pub(crate) use pending::content_of;
pub(crate) use pending::{Kept, Pending, PendingState, adds_message};
pub(crate) use thread::ThreadStore;

use super::{
    api::ThreadPage,
    boot::Boot,
    offline,
    room_view::{self, RoomView},
};

/// The application's state. Cloning it clones a handle.
#[derive(Clone)]
pub(crate) struct AppStore {
    shared: Arc<Shared>,
    /// Discovery; read again when the server was replaced.
    pub(crate) discovery: ArcRwSignal<Discovery>,
    /// What the link is doing.
    pub(crate) link: ArcRwSignal<Link>,
    /// The client's clock as the session knows it, for countdowns.
    pub(crate) clock: ArcRwSignal<Millis>,
    /// The user's threads, newest first, as far as the list has been read.
    pub(crate) threads: ArcRwSignal<Vec<Thread>>,
    /// Where the list of threads goes on; none when all have been read.
    pub(crate) threads_next: ArcRwSignal<Option<String>>,
    /// Messages that are not in their thread yet.
    pub(crate) pending: ArcRwSignal<Vec<Pending>>,
    /// Who is in the room of the thread that is shown.
    pub(crate) room: ArcRwSignal<RoomView>,
    /// The server's notices that the user has not put away.
    pub(crate) notices: ArcRwSignal<Vec<Notice>>,
    /// The server is another version than this page, or says what this page does not know.
    pub(crate) outdated: ArcRwSignal<bool>,
    /// The user's name, which the user can change.
    pub(crate) name: ArcRwSignal<String>,
    /// Whether this browser keeps what is written.
    pub(crate) storage: ArcRwSignal<Storage>,
}

/// Whether the browser keeps what is written.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "ssr", allow(dead_code))]
pub(crate) enum Storage {
    /// It is being asked for what it has kept.
    Loading,
    /// It does.
    Open,
    /// It does not, for this reason.
    Closed(String),
}

struct Shared {
    boot: Boot,
    /// The thread that the page came with, where its reader may only read it.
    read_only: Option<ThreadId>,
    /// How far commands are on their way to the disk; what is not in here is at its beginning.
    kept: Mutex<HashMap<FrameId, Kept>>,
    /// Counts what events did to the list of threads.
    threads_version: AtomicU64,
    open: Mutex<OpenThreads>,
}

impl AppStore {
    pub(crate) fn new(mut boot: Boot) -> Self {
        // Taken, so that a conversation that is let go is nowhere.
        let shown = boot.thread.take();
        let read_only = shown.as_ref().filter(|_| boot.reads_only).map(|shown| shown.thread.id);
        let shown = shown.map(|shown| (shown.thread.id, ThreadStore::new(ThreadState::from_snapshot(shown))));
        let missing = boot.missing.iter().map(|id| {
            let thread = ThreadStore::new(ThreadState::default());
            thread.gone.set(true);
            (*id, thread)
        });
        let open = shown.into_iter().chain(missing);
        Self {
            discovery: ArcRwSignal::new(boot.discovery.clone()),
            link: ArcRwSignal::new(Link::Connecting),
            clock: ArcRwSignal::new(0),
            threads: ArcRwSignal::new(boot.threads.threads.clone()),
            threads_next: ArcRwSignal::new(boot.threads.next.clone()),
            pending: ArcRwSignal::new(Vec::new()),
            room: ArcRwSignal::new(RoomView::default()),
            notices: ArcRwSignal::new(Vec::new()),
            outdated: ArcRwSignal::new(false),
            name: ArcRwSignal::new(boot.user.as_ref().map(|user| user.name.clone()).unwrap_or_default()),
            storage: ArcRwSignal::new(Storage::Loading),
            shared: Arc::new(Shared {
                open: Mutex::new(OpenThreads::new(open)),
                kept: Mutex::default(),
                threads_version: AtomicU64::new(0),
                read_only,
                boot,
            }),
        }
    }

    pub(crate) fn user(&self) -> Option<&User> {
        self.shared.boot.user.as_ref()
    }

    /// Whether the server sends mail.
    pub(crate) fn sends_mail(&self) -> bool {
        self.shared.boot.mail
    }

    /// Whether the page came with this thread for somebody who may only read it.
    pub(crate) fn reads_only(&self, thread: ThreadId) -> bool {
        self.shared.read_only == Some(thread)
    }

    /// The token that the page came with.
    #[cfg(not(feature = "ssr"))]
    pub(crate) fn token(&self) -> Option<netra_ws::session::Token> {
        self.shared.boot.token.clone()
    }

    /// The server's clock when the page was rendered.
    pub(crate) fn rendered_at(&self) -> Timestamp {
        self.shared.boot.now
    }

    fn open(&self) -> MutexGuard<'_, OpenThreads> {
        self.shared.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The thread's state; empty until its snapshot comes, unless the page came with it.
    pub(crate) fn thread(&self, id: ThreadId) -> ThreadStore {
        self.open().show(id, ThreadState::default)
    }

    /// Whether the page has the thread's state.
    #[cfg(not(feature = "ssr"))]
    pub(crate) fn holds(&self, id: ThreadId) -> bool {
        self.open().get(id).is_some_and(|thread| thread.cursor().is_some())
    }

    /// The page no longer shows a thread: what is known of it is let go, in time. It comes again from the server.
    pub(crate) fn leave(&self, id: ThreadId) {
        self.open().leave(id);
    }

    /// A thread that this page has just made: it is followed from its first event.
    pub(crate) fn begin(&self, id: ThreadId) {
        let thread = self.threads.with_untracked(|threads| threads.iter().find(|thread| thread.id == id).cloned());
        self.open().show(id, || ThreadState { thread, ..ThreadState::default() });
    }

    /// Takes in a frame that the session let through.
    pub(crate) fn deliver(&self, frame: &ServerFrame) {
        if frame.message.says_unknown() {
            self.outdated.set(true);
        }
        match &frame.message {
            ServerMessage::ThreadCreated(thread) | ServerMessage::ThreadUpdate(thread) => {
                self.shared.threads_version.fetch_add(1, Ordering::Relaxed);
                self.put_thread(thread.clone());
                self.apply(thread.id, frame);
            }
            ServerMessage::ThreadDeleted(deleted) => {
                self.shared.threads_version.fetch_add(1, Ordering::Relaxed);
                self.threads.update(|threads| threads.retain(|thread| thread.id != deleted.id));
                offline::drop_thread(deleted.id);
                // What the page holds of it stays, so that it goes on from there should the user be let in again.
                let gone = self.open().get(deleted.id).map(|thread| thread.gone.clone());
                if let Some(gone) = gone {
                    gone.set(true);
                }
            }
            ServerMessage::ThreadSnapshot(snapshot) => self.apply(snapshot.thread.id, frame),
            ServerMessage::Event(_) => {
                if let Some(thread) = frame.thread_id {
                    self.apply(thread, frame);
                }
            }
            ServerMessage::SystemMessage(notice) | ServerMessage::Broadcast(notice) => {
                self.notices.update(|notices| notices.push(notice.clone()));
            }
            ServerMessage::RoomMessage(heard) => room_view::hear(self, heard),
            // The session handles the link's own frames; JSON-RPC has no view.
            ServerMessage::Connect(_)
            | ServerMessage::Disconnect(_)
            | ServerMessage::Heartbeat(_)
            | ServerMessage::Pong(_)
            | ServerMessage::Authenticated(_)
            | ServerMessage::Subscribed(_)
            | ServerMessage::Ack(_)
            | ServerMessage::Unsubscribed(_)
            | ServerMessage::ErrorMessage(_)
            | ServerMessage::JsonrpcResponse(_)
            | ServerMessage::JsonrpcNotification(_) => {}
        }
    }

    fn apply(&self, thread: ThreadId, frame: &ServerFrame) {
        let store = self.open().get(thread).cloned();
        if let Some(store) = store {
            store.apply(frame);
            // What the server speaks of is there.
            if store.gone.get_untracked() {
                store.gone.set(false);
            }
        }
    }

    /// Moves over an event that this page does not know.
    pub(crate) fn skip(&self, place: &Place) {
        let store = self.open().get(place.thread_id).cloned();
        if let Some(store) = store {
            store.skip(place);
        }
    }

    /// Puts a thread where it belongs in the list.
    pub(crate) fn put_thread(&self, thread: Thread) {
        self.threads.update(|threads| {
            // An older word, overtaken on its way, does not win.
            if threads.iter().any(|known| known.id == thread.id && known.version > thread.version) {
                return;
            }
            threads.retain(|other| other.id != thread.id);
            if !thread.archived {
                threads.push(thread);
            }
            sort(threads);
        });
    }

    /// Changes whenever an event changes the list of threads.
    #[cfg(not(feature = "ssr"))]
    pub(crate) fn threads_version(&self) -> u64 {
        self.shared.threads_version.load(Ordering::Relaxed)
    }

    /// Takes the first part of the list of threads as the server has it, for events that this page did not hear.
    #[cfg(not(feature = "ssr"))]
    pub(crate) fn replace_threads(&self, page: ThreadPage) {
        let ThreadPage { mut threads, next, .. } = page;
        for thread in &threads {
            self.apply(thread.id, &netra_ws::frame::Frame::new(ServerMessage::ThreadUpdate(thread.clone())));
        }
        // What was read of the list beyond this part stays.
        let last = threads.last().map(place).filter(|_| next.is_some());
        let beyond = |thread: &&Thread| last.is_some_and(|last| place(thread) < last);
        let kept: Vec<Thread> = self.threads.with_untracked(|known| known.iter().filter(beyond).cloned().collect());
        if kept.is_empty() {
            self.threads_next.set(next);
        }
        threads.extend(kept);
        if self.threads.with_untracked(|known| *known != threads) {
            self.threads.set(threads);
        }
    }

    /// Adds the next part of the list of threads.
    pub(crate) fn add_threads(&self, page: ThreadPage) {
        self.threads_next.set(page.next);
        self.threads.update(|threads| {
            // What an event said of a thread is newer than the list.
            let new = page.threads.into_iter().filter(|thread| threads.iter().all(|known| known.id != thread.id));
            let new: Vec<Thread> = new.collect();
            threads.extend(new);
            sort(threads);
        });
    }

    /// Forgets all conversations: whoever looks at this page now is not signed in.
    #[cfg(not(feature = "ssr"))]
    pub(crate) fn forget(&self) {
        self.threads.set(Vec::new());
        self.threads_next.set(None);
        let open: Vec<ThreadStore> = self.open().all();
        for thread in open {
            thread.clear();
        }
    }

    /// A command was refused; a message among them stays visible.
    pub(crate) fn fail(&self, frame: ClientFrame, error: ErrorMessage) {
        let kept = self.kept(frame.id);
        let failed = Pending { frame, state: PendingState::Failed(error), kept };
        if failed.content().is_some() {
            self.pending.update(|pending| pending.push(failed));
        } else {
            // A refused Stop, say: there is no message to keep it beside.
            let PendingState::Failed(error) = failed.state else { return };
            self.notify(Level::Warn, format!("That did not work: {}.", error.message));
        }
    }

    /// Tells the user something that has no other place. Said again, it is not shown twice.
    pub(crate) fn notify(&self, level: Level, message: String) {
        self.notices.update(|notices| {
            if notices.iter().all(|notice| notice.message != message) {
                notices.push(Notice { level, message });
            }
        });
    }

    /// Mirrors the session's outbox; failed messages stay.
    pub(crate) fn mirror_outbox(&self, outbox: Vec<Pending>) {
        self.pending.update(|pending| {
            pending.retain(|item| {
                matches!(item.state, PendingState::Failed(_))
                    && outbox.iter().all(|other| other.frame.id != item.frame.id)
            });
            pending.extend(outbox);
        });
    }

    /// Whether a command would survive the browser.
    pub(crate) fn kept(&self, id: FrameId) -> Kept {
        let kept = self.shared.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.get(&id).cloned().unwrap_or(Kept::Saving)
    }

    /// The disk has a command, or will not have it.
    #[cfg(not(feature = "ssr"))]
    pub(crate) fn set_kept(&self, id: FrameId, kept: Kept) {
        self.shared.kept.lock().unwrap_or_else(PoisonError::into_inner).insert(id, kept.clone());
        let known = self.pending.with_untracked(|pending| pending.iter().any(|item| item.frame.id == id));
        if known {
            self.pending.update(|pending| {
                pending.iter_mut().filter(|item| item.frame.id == id).for_each(|item| item.kept = kept.clone());
            });
        }
    }

    /// A command is to be written again: what the disk had of it went when it was answered.
    pub(crate) fn keep_anew(&self, id: FrameId) {
        self.shared.kept.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
    }

    /// Takes a failed message off the page.
    pub(crate) fn forget_failed(&self, id: FrameId) {
        self.pending.update(|pending| pending.retain(|item| item.frame.id != id));
    }
}

/// Puts threads in the order of the list.
pub(crate) fn sort(threads: &mut [Thread]) {
    threads.sort_by_key(|thread| std::cmp::Reverse(place(thread)));
}

/// Where a thread stands in the list: pinned ones first, then the newest.
fn place(thread: &Thread) -> (bool, Timestamp, ThreadId) {
    (thread.pinned, thread.updated_at, thread.id)
}

/// The application's state, anywhere below `App`.
pub(crate) fn use_store() -> AppStore {
    expect_context()
}
