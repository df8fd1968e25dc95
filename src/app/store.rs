//! What the page knows: threads, the open ones with their state, messages on their way, and the link.
//!
//! The state of a thread is the shared reducer's, kept as plain data. Views follow it through triggers, one per run, so that
//! a piece of text re-renders one card; triggers fire at most once per animation frame.

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
};

use leptos::prelude::*;
use netra_ws::{
    ClientFrame, FrameId, RunId, ServerFrame, ThreadId, ThreadState, Timestamp,
    discovery::Discovery,
    frame::Place,
    message::{ClientMessage, ServerMessage},
    model::{Run, Thread, User},
    payload::{ErrorMessage, Level, Notice},
    session::{Link, Millis},
    state::Applied,
};

use super::{
    boot::Boot,
    room::{self, RoomView},
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
    /// The user's threads, newest first.
    pub(crate) threads: ArcRwSignal<Vec<Thread>>,
    /// Messages that are not in their thread yet.
    pub(crate) pending: ArcRwSignal<Vec<Pending>>,
    /// Who is in the room of the thread that is shown.
    pub(crate) room: ArcRwSignal<RoomView>,
    /// The server's notices that the user has not put away.
    pub(crate) notices: ArcRwSignal<Vec<Notice>>,
}

struct Shared {
    boot: Boot,
    /// Counts what events did to the list of threads.
    threads_version: AtomicU64,
    open: Mutex<HashMap<ThreadId, ThreadStore>>,
}

/// A message on its way.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Pending {
    /// The command, kept to be sent again.
    pub(crate) frame: ClientFrame,
    /// How far it is.
    pub(crate) state: PendingState,
}

/// How far a message is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum PendingState {
    /// Waits for the link.
    Queued,
    /// Went out, not answered.
    Sent,
    /// Refused.
    Failed(ErrorMessage),
}

/// Whether the command adds a message to a thread.
pub(crate) fn adds_message(message: &ClientMessage) -> bool {
    content_of(message).is_some()
}

impl Pending {
    /// The message's text, if the command is one that adds a message.
    pub(crate) fn content(&self) -> Option<&str> {
        content_of(&self.frame.message)
    }
}

fn content_of(message: &ClientMessage) -> Option<&str> {
    match message {
        ClientMessage::UserMessage(message) => Some(&message.content),
        ClientMessage::StartAgent(start) => Some(&start.content),
        ClientMessage::StopAgent(_)
        | ClientMessage::ToolApproval(_)
        | ClientMessage::Subscribe(_)
        | ClientMessage::Unsubscribe(_)
        | ClientMessage::Authenticate(_)
        | ClientMessage::HeartbeatAck(_)
        | ClientMessage::Ping(_)
        | ClientMessage::JoinRoom(_)
        | ClientMessage::LeaveRoom(_)
        | ClientMessage::RoomMessage(_)
        | ClientMessage::JsonrpcRequest(_)
        | ClientMessage::JsonrpcNotification(_) => None,
    }
}

impl AppStore {
    pub(crate) fn new(boot: Boot) -> Self {
        let shown = boot
            .thread
            .iter()
            .map(|snapshot| (snapshot.thread.id, ThreadStore::new(ThreadState::from_snapshot(snapshot.clone()))));
        let missing = boot.missing.iter().map(|id| {
            let thread = ThreadStore::new(ThreadState::default());
            thread.gone.set(true);
            (*id, thread)
        });
        let open = shown.chain(missing);
        Self {
            discovery: ArcRwSignal::new(boot.discovery.clone()),
            link: ArcRwSignal::new(Link::Connecting),
            clock: ArcRwSignal::new(0),
            threads: ArcRwSignal::new(boot.threads.clone()),
            pending: ArcRwSignal::new(Vec::new()),
            room: ArcRwSignal::new(RoomView::default()),
            notices: ArcRwSignal::new(Vec::new()),
            shared: Arc::new(Shared { open: Mutex::new(open.collect()), threads_version: AtomicU64::new(0), boot }),
        }
    }

    pub(crate) fn user(&self) -> Option<&User> {
        self.shared.boot.user.as_ref()
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

    fn open(&self) -> MutexGuard<'_, HashMap<ThreadId, ThreadStore>> {
        self.shared.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The thread's state; empty until its snapshot comes, unless the page came with it.
    pub(crate) fn thread(&self, id: ThreadId) -> ThreadStore {
        self.open().entry(id).or_insert_with(|| ThreadStore::new(ThreadState::default())).clone()
    }

    /// A thread that this page has just made: it is followed from its first event.
    pub(crate) fn begin(&self, id: ThreadId) {
        let thread = self.threads.with_untracked(|threads| threads.iter().find(|thread| thread.id == id).cloned());
        self.open().entry(id).or_insert_with(|| ThreadStore::new(ThreadState { thread, ..ThreadState::default() }));
    }

    /// Takes in a frame that the session let through.
    pub(crate) fn deliver(&self, frame: &ServerFrame) {
        match &frame.message {
            ServerMessage::ThreadCreated(thread) | ServerMessage::ThreadUpdate(thread) => {
                self.shared.threads_version.fetch_add(1, Ordering::Relaxed);
                self.put_thread(thread.clone());
                self.apply(thread.id, frame);
            }
            ServerMessage::ThreadDeleted(deleted) => {
                self.shared.threads_version.fetch_add(1, Ordering::Relaxed);
                self.threads.update(|threads| threads.retain(|thread| thread.id != deleted.id));
                // What the page holds of it stays, so that it goes on from there should the user be let in again.
                let gone = self.open().get(&deleted.id).map(|thread| thread.gone.clone());
                if let Some(gone) = gone {
                    gone.set(true);
                }
            }
            ServerMessage::ThreadSnapshot(snapshot) => self.apply(snapshot.thread.id, frame),
            ServerMessage::ThreadMessage(_)
            | ServerMessage::AgentStarted(_)
            | ServerMessage::AgentThinking(_)
            | ServerMessage::ToolExecuting(_)
            | ServerMessage::ToolApprovalRequired(_)
            | ServerMessage::ToolCompleted(_)
            | ServerMessage::AgentProgress(_)
            | ServerMessage::PartialResult(_)
            | ServerMessage::AgentResponse(_)
            | ServerMessage::AgentCompleted(_)
            | ServerMessage::AgentError(_) => {
                if let Some(thread) = frame.thread_id {
                    self.apply(thread, frame);
                }
            }
            ServerMessage::SystemMessage(notice) | ServerMessage::Broadcast(notice) => {
                self.notices.update(|notices| notices.push(notice.clone()));
            }
            ServerMessage::RoomMessage(heard) => room::hear(self, heard),
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
        let store = self.open().get(&thread).cloned();
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
        let store = self.open().get(&place.thread_id).cloned();
        if let Some(store) = store {
            store.inner.state.write().unwrap_or_else(PoisonError::into_inner).skip(place);
        }
    }

    /// Puts a thread where it belongs in the list.
    pub(crate) fn put_thread(&self, thread: Thread) {
        self.threads.update(|threads| {
            threads.retain(|other| other.id != thread.id);
            if !thread.archived {
                threads.push(thread);
            }
            threads.sort_by_key(|thread| std::cmp::Reverse((thread.pinned, thread.updated_at, thread.id)));
        });
    }

    /// Changes whenever an event changes the list of threads.
    #[cfg(not(feature = "ssr"))]
    pub(crate) fn threads_version(&self) -> u64 {
        self.shared.threads_version.load(Ordering::Relaxed)
    }

    /// Takes the list of threads as the server has it, for events that this page did not hear.
    #[cfg(not(feature = "ssr"))]
    pub(crate) fn replace_threads(&self, threads: Vec<Thread>) {
        if self.threads.with_untracked(|known| *known == threads) {
            return;
        }
        for thread in &threads {
            self.apply(thread.id, &netra_ws::frame::Frame::new(ServerMessage::ThreadUpdate(thread.clone())));
        }
        self.threads.set(threads);
    }

    /// A command was refused; a message among them stays visible.
    pub(crate) fn fail(&self, frame: ClientFrame, error: ErrorMessage) {
        let failed = Pending { frame, state: PendingState::Failed(error) };
        if failed.content().is_some() {
            self.pending.update(|pending| pending.push(failed));
        } else {
            // A refused Stop, say: there is no message to keep it beside.
            let PendingState::Failed(error) = failed.state else { return };
            let message = format!("That did not work: {}.", error.message);
            self.notices.update(|notices| notices.push(Notice { level: Level::Warn, message }));
        }
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

    /// Takes a failed message off the page.
    pub(crate) fn forget_failed(&self, id: FrameId) {
        self.pending.update(|pending| pending.retain(|item| item.frame.id != id));
    }
}

/// A thread that the page shows or has shown.
#[derive(Clone)]
pub(crate) struct ThreadStore {
    inner: Arc<ThreadInner>,
    /// The server says that there is no such thread.
    pub(crate) gone: ArcRwSignal<bool>,
}

struct ThreadInner {
    state: RwLock<ThreadState>,
    /// Messages and the list of runs.
    structure: ArcTrigger,
    /// Title and settings.
    head: ArcTrigger,
    /// Anything, once per frame: for scrolling.
    any: ArcTrigger,
    runs: Mutex<HashMap<RunId, ArcTrigger>>,
    changes: Mutex<Changes>,
}

/// What changed since the last animation frame.
#[derive(Default)]
struct Changes {
    scheduled: bool,
    structure: bool,
    head: bool,
    runs: HashSet<RunId>,
}

impl ThreadStore {
    fn new(state: ThreadState) -> Self {
        Self {
            inner: Arc::new(ThreadInner {
                state: RwLock::new(state),
                structure: ArcTrigger::new(),
                head: ArcTrigger::new(),
                any: ArcTrigger::new(),
                runs: Mutex::default(),
                changes: Mutex::default(),
            }),
            gone: ArcRwSignal::new(false),
        }
    }

    fn read<T>(&self, view: impl FnOnce(&ThreadState) -> T) -> T {
        view(&self.inner.state.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Messages and runs; follows additions.
    pub(crate) fn with_structure<T>(&self, view: impl FnOnce(&ThreadState) -> T) -> T {
        self.inner.structure.track();
        self.read(view)
    }

    /// Title and settings; follows them.
    pub(crate) fn head(&self) -> Option<Thread> {
        self.inner.head.track();
        self.read(|state| state.thread.clone())
    }

    /// One run; follows it.
    pub(crate) fn with_run<T>(&self, id: RunId, view: impl FnOnce(&Run) -> T) -> Option<T> {
        self.run_trigger(id).track();
        self.read(|state| state.run(id).map(view))
    }

    /// Follows any change, once per frame.
    pub(crate) fn track_any(&self) {
        self.inner.any.track();
    }

    /// The cursor to resume from; nothing before the first snapshot.
    pub(crate) fn cursor(&self) -> Option<(String, u64)> {
        self.read(|state| state.thread.is_some().then(|| (state.epoch.clone(), state.seq)))
    }

    fn run_trigger(&self, id: RunId) -> ArcTrigger {
        self.inner.runs.lock().unwrap_or_else(PoisonError::into_inner).entry(id).or_default().clone()
    }

    fn apply(&self, frame: &ServerFrame) {
        let applied = self.inner.state.write().unwrap_or_else(PoisonError::into_inner).apply(frame);
        let mut changes = self.changes();
        match applied {
            Applied::Nothing => return,
            // The session lets nothing through that is not next in line; a hole here would be a fault worth seeing.
            Applied::Gap => {
                leptos::logging::error!("an event of thread {:?} is out of line", frame.thread_id);
                return;
            }
            Applied::Thread => changes.head = true,
            Applied::Structure => {
                changes.structure = true;
                changes.head = true;
                let runs = self.inner.runs.lock().unwrap_or_else(PoisonError::into_inner);
                changes.runs.extend(runs.keys().copied());
            }
            Applied::Run(run) => _ = changes.runs.insert(run),
        }
        if !std::mem::replace(&mut changes.scheduled, true) {
            drop(changes);
            let this = self.clone();
            request_animation_frame(move || this.notify());
        }
    }

    fn changes(&self) -> MutexGuard<'_, Changes> {
        self.inner.changes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn notify(&self) {
        let changes = std::mem::take(&mut *self.changes());
        if changes.structure {
            self.inner.structure.notify();
        }
        if changes.head {
            self.inner.head.notify();
        }
        for run in changes.runs {
            self.run_trigger(run).notify();
        }
        self.inner.any.notify();
    }
}

/// The application's state, anywhere below `App`.
pub(crate) fn use_store() -> AppStore {
    expect_context()
}
