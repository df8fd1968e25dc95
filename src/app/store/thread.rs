//! One thread: its state, and what tells views of changes.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock},
};

use leptos::prelude::*;
use netra_ws::{
    MessageId, RunId, ServerFrame, ThreadState,
    frame::Place,
    history::Earlier,
    model::{Run, RunStatus, Thread},
    state::Applied,
};

/// A thread that the page shows or has shown.
#[derive(Clone)]
pub(crate) struct ThreadStore {
    inner: Arc<ThreadInner>,
    /// The server says that there is no such thread.
    pub(crate) gone: ArcRwSignal<bool>,
}

struct ThreadInner {
    state: RwLock<ThreadState>,
    /// What is shown in its place: the thread as it was.
    past: RwLock<Option<ThreadState>>,
    rewound: ArcRwSignal<bool>,
    /// Whether what is shown has just become another time.
    glances: ArcRwSignal<bool>,
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
    pub(super) fn new(state: ThreadState) -> Self {
        Self {
            inner: Arc::new(ThreadInner {
                state: RwLock::new(state),
                past: RwLock::default(),
                rewound: ArcRwSignal::new(false),
                glances: ArcRwSignal::new(false),
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

    /// What is shown: the thread as it is, unless it is shown as it was.
    fn look<T>(&self, view: impl FnOnce(&ThreadState) -> T) -> T {
        let past = self.inner.past.read().unwrap_or_else(PoisonError::into_inner);
        match &*past {
            Some(past) => view(past),
            None => self.read(view),
        }
    }

    /// Messages and runs as they are shown; follows additions.
    pub(crate) fn with_structure<T>(&self, view: impl FnOnce(&ThreadState) -> T) -> T {
        self.inner.structure.track();
        self.look(view)
    }

    /// Title and settings; follows them.
    pub(crate) fn head(&self) -> Option<Thread> {
        self.inner.head.track();
        self.read(|state| state.thread.clone())
    }

    /// One run as it is shown; follows it.
    pub(crate) fn with_run<T>(&self, id: RunId, view: impl FnOnce(&Run) -> T) -> Option<T> {
        self.run_trigger(id).track();
        self.look(|state| state.run(id).map(view))
    }

    /// Whether the thread is shown as it was; follows that.
    pub(crate) fn is_rewound(&self) -> bool {
        self.inner.rewound.get()
    }

    /// Shows the thread as it was, or as it is. Events change what it is all the same.
    pub(crate) fn rewind(&self, past: Option<ThreadState>) {
        let rewound = past.is_some();
        *self.inner.past.write().unwrap_or_else(PoisonError::into_inner) = past;
        if !self.inner.glances.get_untracked() {
            self.inner.glances.set(true);
        }
        if self.inner.rewound.get_untracked() != rewound {
            self.inner.rewound.set(rewound);
        }
        self.notify_all();
    }

    /// The reader stays at what is shown.
    pub(crate) fn stay(&self) {
        if self.inner.glances.get_untracked() {
            self.inner.glances.set(false);
        }
    }

    /// Whether what is shown is only glanced at, since it has just become another time; follows that.
    pub(crate) fn glances(&self) -> bool {
        self.inner.glances.get()
    }

    /// Takes what is shown of the past on; whether the past is shown.
    pub(crate) fn fold_past(&self, fold: impl FnOnce(&mut ThreadState)) -> bool {
        let folded = {
            let mut past = self.inner.past.write().unwrap_or_else(PoisonError::into_inner);
            past.as_mut().map(fold).is_some()
        };
        if folded {
            self.notify_all();
        }
        folded
    }

    /// The run that a Stop means: the oldest that has not ended. Nothing is stopped in the past. Follows any change.
    pub(crate) fn working(&self) -> Option<RunId> {
        self.inner.any.track();
        if self.is_rewound() {
            return None;
        }
        self.read(|state| state.active_runs().next().map(|run| run.run_id))
    }

    /// What the oldest run that waits for a person tells; nothing does in the past. Follows any change.
    pub(crate) fn waiting<T>(&self, view: impl Fn(&Run) -> Option<T>) -> Option<T> {
        self.inner.any.track();
        if self.is_rewound() {
            return None;
        }
        self.read(|state| state.active_runs().filter(|run| run.status == RunStatus::Waiting).find_map(view))
    }

    /// Messages that were taken back before they were answered: the one run that was to answer each was stopped before it was
    /// worked on, and the message had waited for another answer. Follows any change.
    pub(crate) fn taken_back(&self) -> HashSet<MessageId> {
        self.inner.any.track();
        self.look(|state| {
            let ended = state.runs.iter().filter(|run| run.was_never_worked_on());
            let stopped = ended.filter_map(|run| run.answers);
            stopped.filter(|message| state.was_taken_back(*message)).collect()
        })
    }

    /// Messages that wait for the answers before theirs, each with the one run that is to answer it. Follows any change.
    pub(crate) fn queued(&self) -> Vec<(MessageId, RunId)> {
        self.inner.any.track();
        self.read(|state| {
            let waits = |run: &&Run| run.status == RunStatus::Queued;
            let alone = |message: &MessageId| {
                state.runs.iter().filter(|other| other.answers == Some(*message)).nth(1).is_none()
            };
            let asked = state.active_runs().filter(|run| !run.is_nested()).skip(1).filter(waits);
            asked.filter_map(|run| Some((run.answers.filter(alone)?, run.run_id))).collect()
        })
    }

    /// How many messages are held.
    pub(super) fn len(&self) -> usize {
        self.read(|state| state.messages.len())
    }

    /// Where the messages before the oldest known one are; none when that is the first of all.
    pub(crate) fn earlier_cursor(&self) -> Option<String> {
        self.look(|state| state.earlier_cursor.clone())
    }

    /// Puts a page of older messages before what is known, and shows it at once.
    pub(crate) fn prepend(&self, cursor: &str, page: Earlier) {
        let changed = self.inner.state.write().unwrap_or_else(PoisonError::into_inner).prepend(cursor, page);
        if changed {
            self.inner.structure.notify();
        }
    }

    /// The cursor to resume from; nothing before the first snapshot.
    pub(crate) fn cursor(&self) -> Option<(String, u64)> {
        self.read(|state| state.thread.is_some().then(|| (state.epoch.clone(), state.seq)))
    }

    /// The last event that is known. Follows any change.
    pub(crate) fn seq(&self) -> u64 {
        self.inner.any.track();
        self.read(|state| state.seq)
    }

    /// Moves over an event that this page does not know.
    pub(super) fn skip(&self, place: &Place) {
        self.inner.state.write().unwrap_or_else(PoisonError::into_inner).skip(place);
    }

    fn run_trigger(&self, id: RunId) -> ArcTrigger {
        self.inner.runs.lock().unwrap_or_else(PoisonError::into_inner).entry(id).or_default().clone()
    }

    pub(super) fn apply(&self, frame: &ServerFrame) {
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

    /// Empties it and tells the views, at once.
    #[cfg(not(feature = "ssr"))]
    pub(super) fn clear(&self) {
        *self.inner.state.write().unwrap_or_else(PoisonError::into_inner) = ThreadState::default();
        self.rewind(None);
        self.stay();
    }

    /// Tells all views, at once.
    fn notify_all(&self) {
        let runs = self.inner.runs.lock().unwrap_or_else(PoisonError::into_inner).keys().copied().collect();
        // What was scheduled comes all the same, and has nothing left to tell.
        let scheduled = self.changes().scheduled;
        *self.changes() = Changes { scheduled, structure: true, head: true, runs };
        self.notify();
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
