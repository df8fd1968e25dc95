//! What has been read of each conversation, and what the page tells of the rest: marks in the sidebar, the tab's title.
//!
//! The protocol keeps no such thing, so it lies with the other small choices of this browser: all of its tabs share the marks, and
//! another browser has marks of its own.

use std::fmt::Write as _;

use leptos::{ev, prelude::*};
use netra_ws::{ThreadId, model::Thread};

use super::{
    remembered::{NOTIFIES, recall, remember},
    store::{AppStore, ThreadStore},
    view::{effect, memo},
};

/// Conversations of which it is remembered how far they were read; of older ones it is taken that they were.
const MOST: usize = 300;

/// How far one was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Mark {
    thread: ThreadId,
    /// Its last event that was seen.
    seq: u64,
    /// When its newest message was added, in milliseconds.
    at: u64,
}

/// What is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Marks {
    /// What has no mark and is not newer than this counts as read.
    since: u64,
    marks: Vec<Mark>,
}

impl Marks {
    /// A line for the time, and one for each mark; what cannot be read is left out.
    fn of_text(text: &str) -> Option<Self> {
        let mut lines = text.lines();
        let since = lines.next()?.parse().ok()?;
        let mark = |line: &str| {
            let mut words = line.split(' ');
            let thread = words.next()?.parse().ok()?;
            Some(Mark { thread, seq: words.next()?.parse().ok()?, at: words.next()?.parse().ok()? })
        };
        Some(Self { since, marks: lines.filter_map(mark).collect() })
    }

    fn to_text(&self) -> String {
        let mut text = self.since.to_string();
        for Mark { thread, seq, at } in &self.marks {
            _ = write!(text, "\n{thread} {seq} {at}");
        }
        text
    }

    fn has_news(&self, thread: &Thread) -> bool {
        if thread.head_seq == 0 {
            return false;
        }
        match self.marks.iter().find(|mark| mark.thread == thread.id) {
            Some(mark) => thread.head_seq > mark.seq,
            None => thread.updated_at.as_millis() > self.since,
        }
    }

    fn read(&mut self, read: Mark) {
        let seq = match self.marks.iter().position(|mark| mark.thread == read.thread) {
            Some(at) => self.marks.remove(at).seq.max(read.seq),
            None => read.seq,
        };
        self.marks.push(Mark { seq, ..read });
        if self.marks.len() > MOST
            && let Some(oldest) = (0..self.marks.len()).min_by_key(|at| self.marks[*at].at)
        {
            self.since = self.since.max(self.marks.remove(oldest).at);
        }
    }
}

/// What was read, for whoever is drawn inside the application.
#[derive(Clone, Copy)]
pub(crate) struct Seen {
    /// Nothing before the page is alive.
    marks: RwSignal<Option<Marks>>,
    /// Whether somebody can see the page.
    pub(crate) visible: RwSignal<bool>,
    /// Whether the reader wants to be told outside of the page.
    pub(crate) notifies: RwSignal<bool>,
    key: StoredValue<Option<String>>,
    /// What counts as read where nothing was kept: what there was when the page was drawn.
    first: u64,
}

/// What was read.
pub(crate) fn use_seen() -> Seen {
    expect_context()
}

impl Seen {
    /// Of the page's user.
    pub(crate) fn provide(store: &AppStore) -> Self {
        let seen = Self {
            marks: RwSignal::new(None),
            visible: RwSignal::new(true),
            notifies: RwSignal::new(false),
            key: StoredValue::new(store.user().map(|user| format!("netra.seen.{}", user.id))),
            first: store.rendered_at().as_millis(),
        };
        provide_context(seen);
        effect(move || {
            seen.visible.set(is_visible());
            seen.recall();
            // What was there at a first visit was read: from now on that is remembered.
            seen.keep(|_| {});
        });
        // What another tab wrote.
        let kept = window_event_listener(ev::storage, move |_| seen.recall());
        let shown = window_event_listener_untyped("visibilitychange", move |_| seen.visible.set(is_visible()));
        on_cleanup(move || {
            kept.remove();
            shown.remove();
        });
        seen
    }

    fn stored(self) -> Marks {
        let text = self.key.get_value().and_then(|key| recall(&key));
        text.as_deref().and_then(Marks::of_text).unwrap_or_else(|| Marks { since: self.first, marks: Vec::new() })
    }

    fn recall(self) {
        let stored = Some(self.stored());
        if self.marks.with_untracked(|known| *known != stored) {
            self.marks.set(stored);
        }
        let notifies = recall(NOTIFIES).as_deref() == Some("on");
        if self.notifies.get_untracked() != notifies {
            self.notifies.set(notifies);
        }
    }

    /// Changes what is kept; other tabs may have changed it since.
    fn keep(self, change: impl FnOnce(&mut Marks)) {
        let (Some(key), before) = (self.key.get_value(), self.stored()) else { return };
        let mut marks = before.clone();
        change(&mut marks);
        if marks != before || recall(&key).is_none() {
            remember(&key, &marks.to_text());
        }
        if self.marks.with_untracked(|known| known.as_ref() != Some(&marks)) {
            self.marks.set(Some(marks));
        }
    }

    /// Whether something happened in a conversation that nobody has seen here; follows that.
    pub(crate) fn has_news(self, thread: &Thread) -> bool {
        self.marks.with(|marks| marks.as_ref().is_some_and(|marks| marks.has_news(thread)))
    }

    /// Conversations were read as far as they go.
    pub(crate) fn read(self, threads: &[Thread]) {
        self.keep(|marks| {
            for thread in threads.iter().filter(|thread| thread.head_seq > 0) {
                marks.read(Mark { thread: thread.id, seq: thread.head_seq, at: thread.updated_at.as_millis() });
            }
        });
    }

    /// What comes to a conversation is read as long as it is shown and the page can be seen.
    pub(crate) fn follow(self, head: Memo<Option<Thread>>, store: ThreadStore) {
        effect(move || {
            if let (true, Some(thread)) = (self.visible.get(), head.get()) {
                self.read(&[thread]);
            }
        });
        on_cleanup(move || {
            if let (true, Some(mut thread), Some((_, seq))) =
                (self.visible.get_untracked(), head.try_get_untracked().flatten(), store.cursor())
            {
                // The word of the last event may still be on its way.
                thread.head_seq = thread.head_seq.max(seq);
                self.read(&[thread]);
            }
        });
    }

    /// What stands before the title of a page that nobody sees; follows that.
    pub(crate) fn attention(self, store: &AppStore) -> Memo<String> {
        let threads = store.threads.clone();
        memo(move || {
            if self.visible.get() {
                return String::new();
            }
            threads.with(|threads| {
                if threads.iter().any(|thread| thread.waiting) {
                    return "Waits for you · ".to_owned();
                }
                match threads.iter().filter(|thread| !thread.running && self.has_news(thread)).count() {
                    0 => String::new(),
                    news => format!("({news}) "),
                }
            })
        })
    }
}

#[cfg(feature = "hydrate")]
fn is_visible() -> bool {
    document().visibility_state() == web_sys::VisibilityState::Visible
}

#[cfg(not(feature = "hydrate"))]
fn is_visible() -> bool {
    true
}

#[cfg(test)]
mod tests {
    use netra_ws::{Timestamp, UserId};

    use super::*;

    fn thread(head_seq: u64, updated_at: &str) -> Thread {
        let at: Timestamp = serde_json::from_value(updated_at.into()).expect("a time");
        Thread {
            id: ThreadId::new(),
            title: String::new(),
            agent: String::new(),
            owner_id: UserId::new(),
            shared: false,
            pinned: false,
            archived: false,
            running: false,
            waiting: false,
            head_seq,
            version: 0,
            created_at: at,
            updated_at: at,
        }
    }

    fn mark(thread: &Thread) -> Mark {
        Mark { thread: thread.id, seq: thread.head_seq, at: thread.updated_at.as_millis() }
    }

    #[test]
    fn what_came_after_the_last_look_is_news() {
        let mut thread = thread(7, "2026-11-20T10:00:00.000Z");
        let mut marks = Marks { since: thread.updated_at.as_millis(), marks: Vec::new() };
        assert!(!marks.has_news(&thread));
        marks.since -= 1;
        assert!(marks.has_news(&thread));
        marks.read(mark(&thread));
        assert!(!marks.has_news(&thread));
        thread.head_seq += 1;
        assert!(marks.has_news(&thread));
        // An older word does not take back what was read.
        marks.read(mark(&thread));
        marks.read(Mark { seq: 1, ..mark(&thread) });
        assert!(!marks.has_news(&thread));
    }

    #[test]
    fn it_is_kept_as_text_and_does_not_grow_for_ever() {
        let mut marks = Marks { since: 5, marks: Vec::new() };
        assert_eq!(Marks::of_text(&marks.to_text()), Some(marks.clone()));
        for at in 0..MOST as u64 + 10 {
            let thread = ThreadId::new();
            marks.read(Mark { thread, seq: 1, at: 100 + at });
        }
        assert_eq!(marks.marks.len(), MOST);
        assert_eq!(marks.since, 109);
        assert_eq!(Marks::of_text(&marks.to_text()), Some(marks));
        assert_eq!(Marks::of_text("nothing of the kind"), None);
        assert_eq!(Marks::of_text("7\nbroken 1\n"), Some(Marks { since: 7, marks: Vec::new() }));
    }
}
