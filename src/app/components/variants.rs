//! Ways through a conversation: several answers to one message, several messages that follow one. The newest is shown, until a
//! reader turns to another.

use std::collections::{HashMap, HashSet};

use leptos::prelude::*;
use netra_ws::{
    ClientMessage, MessageId, RunId, ThreadId, ThreadState,
    branch::{Choices, Turn},
};

use super::{continuing::Last, turned};
use crate::app::{
    store::{Pending, ThreadStore, use_store},
    view::{Erase, live, memo, view, words},
};

/// The way that a reader is shown through a conversation, and where the reader turned off the newest.
#[derive(Clone, Copy)]
pub(crate) struct Way {
    choices: RwSignal<Choices>,
    path: Memo<Vec<Turn>>,
    /// Messages that wait for the answers before theirs.
    queued: Memo<Vec<(MessageId, RunId)>>,
    /// Messages that were taken back here before they were answered.
    taken: RwSignal<HashSet<MessageId>>,
    /// Messages that others could stand in the place of, which are few.
    branches: Memo<HashMap<MessageId, Turn>>,
    /// Where the reader goes on from, before the message that does so has come.
    onwards: RwSignal<Option<Onwards>>,
    /// Whether there is such a place.
    goes_on: Memo<bool>,
}

/// A place in the past that the next message follows.
#[derive(Clone, PartialEq)]
struct Onwards {
    /// When it was, in words.
    when: String,
    /// The last message that is shown; none before the first.
    last: Option<MessageId>,
    /// What the next message names.
    parent: MessageId,
    /// What the log had when the reader turned to it.
    seq: u64,
}

impl Onwards {
    /// Whether the message that goes on from here has come.
    fn is_passed(&self, state: &ThreadState) -> bool {
        let newer = state.messages.iter().rev().take_while(|message| message.seq > self.seq);
        newer.into_iter().any(|message| message.parent_id == Some(self.parent))
    }

    /// Cuts a way off at this place.
    fn cut(&self, path: &mut Vec<Turn>) {
        let end = self.last.map(|last| path.iter().position(|turn| turn.message == last));
        match end {
            None => path.clear(),
            Some(Some(at)) => path.truncate(at + 1),
            // It is on another way.
            Some(None) => {}
        }
    }
}

/// The way through a thread, for whoever is drawn in its page.
pub(crate) fn provide_way(thread: ThreadId) -> Way {
    let store = use_store().thread(thread);
    let choices = RwSignal::new(Choices::default());
    turned::keep(thread, choices);
    let waits = store.clone();
    let queued = memo(move || waits.queued());
    let taken = RwSignal::new(HashSet::new());
    let stopped = store.clone();
    let told = memo(move || stopped.taken_back());
    let onwards = RwSignal::new(None::<Onwards>);
    let goes_on = {
        let store = store.clone();
        memo(move || {
            !store.is_rewound()
                && onwards.with(|onwards| {
                    let ahead = |onwards: &Onwards| store.with_structure(|state| !onwards.is_passed(state));
                    onwards.as_ref().is_some_and(ahead)
                })
        })
    };
    let path = memo(move || {
        let mut path = store.with_structure(|state| choices.with(|choices| state.path(choices)));
        if goes_on.get() {
            onwards.with(|onwards| onwards.iter().for_each(|onwards| onwards.cut(&mut path)));
        }
        // What is said next follows what came before them, and no agent reads them. Here it is known at once, and in every
        // other tab from the end of the run that was to answer.
        taken.with(|taken| {
            told.with(|told| {
                while path.last().is_some_and(|turn| taken.contains(&turn.message) || told.contains(&turn.message)) {
                    path.pop();
                }
            });
        });
        path
    });
    let branches = memo(move || {
        let several = |turn: &&Turn| !turn.siblings.is_empty();
        path.with(|path| path.iter().filter(several).map(|turn| (turn.message, turn.clone())).collect())
    });
    let way = Way { choices, path, queued, taken, branches, onwards, goes_on };
    provide_context(way);
    way
}

impl Way {
    /// Messages and answers, in order; follows them.
    pub(super) fn with_path<T>(&self, view: impl FnOnce(&[Turn]) -> T) -> T {
        self.path.with(|path| view(path))
    }

    /// What the next message names as its parent: the end of what is shown.
    pub(crate) fn end(&self, thread: ThreadId) -> Option<MessageId> {
        let app = use_store();
        if let Some(parent) = untrack(|| self.parent_onwards(&app.pending)) {
            return Some(parent);
        }
        // What is on its way will be the newest.
        let on_its_way = |item: &Pending| item.frame.thread_id == Some(thread) && item.content().is_some();
        if app.pending.with_untracked(|pending| pending.iter().any(on_its_way)) {
            return None;
        }
        let store = app.thread(thread);
        untrack(|| self.path.with(|path| store.with_structure(|state| state.parent_at_end(path))))
    }

    /// What the next message names, when the reader goes on from the past and no message that does so is on its way.
    fn parent_onwards(&self, pending: &ArcRwSignal<Vec<Pending>>) -> Option<MessageId> {
        let parent =
            self.goes_on.get().then(|| self.onwards.with(|onwards| onwards.as_ref().map(|on| on.parent)))??;
        let names = |item: &Pending| match &item.frame.message {
            ClientMessage::UserMessage(message) => message.parent_id == Some(parent),
            _ => false,
        };
        (!pending.with(|pending| pending.iter().any(names))).then_some(parent)
    }

    /// The last message that is shown: the answer, or what it is to answer while there is none.
    pub(super) fn last(&self, store: &ThreadStore) -> Option<Last> {
        untrack(|| {
            self.path.with(|path| {
                let end = path.last()?;
                store.with_structure(|state| {
                    let answer = end.answer.and_then(|run| state.run(run)).and_then(|run| run.message_id);
                    let answer = answer.filter(|answer| state.message(*answer).is_some());
                    Some(Last { message: answer.unwrap_or(end.message), asks: answer.is_none() })
                })
            })
        })
    }

    /// Shows the conversation up to what is shown of its past, for the next message to follow it.
    pub(super) fn go_on(&self, store: &ThreadStore, when: String) {
        let path = self.path.get_untracked();
        let parent = self.last(store).map_or_else(MessageId::beginning, |last| last.message);
        let last = path.last().map(|turn| turn.message);
        self.choices.update(|choices| {
            for turn in path {
                choices.branches.insert(turn.follows, turn.message);
                choices.answers.extend(turn.answer.map(|answer| (turn.message, answer)));
            }
            // What follows is what is newest.
            choices.branches.remove(&last.unwrap_or_else(MessageId::beginning));
        });
        let seq = store.cursor().map_or(0, |(_, seq)| seq);
        self.onwards.set(Some(Onwards { when, last, parent, seq }));
    }

    /// Whether the next message goes on from the past; follows that.
    pub(super) fn goes_on(&self) -> bool {
        self.goes_on.get()
    }

    /// When that was, in words.
    pub(super) fn onwards(&self) -> String {
        self.onwards.with(|onwards| onwards.as_ref().map(|onwards| onwards.when.clone())).unwrap_or_default()
    }

    /// Shows what is newest instead.
    pub(super) fn stay(&self) {
        self.onwards.set(None);
        self.choices.set(Choices::default());
    }

    /// Messages that wait for the answers before theirs, and were not taken back; follows them.
    pub(super) fn queued(&self) -> Vec<(MessageId, RunId)> {
        self.taken.with(|taken| {
            self.queued.with(|queued| queued.iter().filter(|(message, _)| !taken.contains(message)).copied().collect())
        })
    }

    /// A message is not to be answered, and the reader goes on without it.
    pub(super) fn take_back(&self, message: MessageId) {
        self.taken.update(|taken| _ = taken.insert(message));
    }

    /// Turns to where a message is shown, with this answer; whether that is known.
    pub(super) fn turn_onto(&self, store: &ThreadStore, message: MessageId, answer: Option<RunId>) -> bool {
        let found = untrack(|| store.with_structure(|state| state.choices_to(message, answer)));
        let Some(found) = found else { return false };
        self.choices.update(|choices| {
            choices.branches.extend(found.branches);
            choices.answers.extend(found.answers);
        });
        true
    }

    fn turn_to_answer(&self, message: MessageId, run: RunId) {
        self.choices.update(|choices| _ = choices.answers.insert(message, run));
    }

    fn turn_to(&self, follows: MessageId, message: MessageId) {
        self.choices.update(|choices| _ = choices.branches.insert(follows, message));
    }

    /// The newest answer is shown again.
    pub(super) fn forget_answer(&self, message: MessageId) {
        self.choices.update(|choices| _ = choices.answers.remove(&message));
    }

    /// The newest of those that could stand in this message's place is shown again.
    pub(super) fn forget_branch(&self, message: MessageId) {
        let place = |path: &Vec<Turn>| path.iter().find(|turn| turn.message == message).map(|turn| turn.follows);
        if let Some(follows) = self.path.with_untracked(place) {
            self.choices.update(|choices| _ = choices.branches.remove(&follows));
        }
    }
}

/// A message's place among those that could stand here, and ways to the others.
pub(super) fn branches(message: MessageId, way: Way) -> AnyView {
    let turn = memo(move || way.branches.with(|branches| branches.get(&message).cloned()));
    let place = move || {
        turn.with(|turn| {
            let turn = turn.as_ref()?;
            Some((turn.siblings.iter().position(|other| *other == message)?, turn.siblings.len()))
        })
    };
    let step = move |by: isize| {
        turn.with_untracked(|turn| {
            let Some(turn) = turn else { return };
            let at = turn.siblings.iter().position(|other| *other == message).and_then(|at| at.checked_add_signed(by));
            if let Some(other) = at.and_then(|at| turn.siblings.get(at)) {
                way.turn_to(turn.follows, *other);
            }
        });
    };
    pager("Versions of this message", "Earlier version", "Later version", place, step)
}

/// The answer's place among its variants, and ways to the others.
pub(super) fn variants(store: &ThreadStore, run: RunId, way: Option<Way>) -> AnyView {
    let store = store.clone();
    let siblings = memo(move || {
        store.with_structure(|state| {
            let message = state.run(run)?.answers?;
            let runs = state.runs.iter().filter(|other| other.answers == Some(message)).map(|other| other.run_id);
            Some((message, runs.collect::<Vec<_>>()))
        })
    });
    let place = move || {
        siblings.with(|siblings| {
            let (_, runs) = siblings.as_ref()?;
            Some((runs.iter().position(|other| *other == run)?, runs.len()))
        })
    };
    let step = move |by: isize| {
        siblings.with_untracked(|siblings| {
            let (Some((message, runs)), Some(way)) = (siblings, way) else { return };
            let at = runs.iter().position(|other| *other == run).and_then(|at| at.checked_add_signed(by));
            if let Some(other) = at.and_then(|at| runs.get(at)) {
                way.turn_to_answer(*message, *other);
            }
        });
    };
    pager("Answers", "Earlier answer", "Later answer", place, step)
}

/// A place among several, and ways to the others; nothing where there is one.
fn pager(
    label: &'static str,
    earlier: &'static str,
    later: &'static str,
    place: impl Fn() -> Option<(usize, usize)> + Copy + Send + Sync + 'static,
    step: impl Fn(isize) + Copy + Send + Sync + 'static,
) -> AnyView {
    let at_first = move || place().is_none_or(|(at, _)| at == 0);
    let at_last = move || place().is_none_or(|(at, count)| at + 1 == count);
    let told = move || place().map_or_else(|| "1/1".to_owned(), |(at, count)| format!("{}/{count}", at + 1));
    let alone = move || place().is_none_or(|(_, count)| count < 2);
    view! {
        <span class="variants" role="group" aria-label=label hidden=live(alone)>
            <button
                type="button"
                class="button quiet"
                aria-label=earlier
                disabled=live(at_first)
                on:click=move |_| step(-1)
            >
                "‹"
            </button>
            <span>{words(told)}</span>
            <button
                type="button"
                class="button quiet"
                aria-label=later
                disabled=live(at_last)
                on:click=move |_| step(1)
            >
                "›"
            </button>
        </span>
    }
    .erase()
}
