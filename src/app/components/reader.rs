//! How a conversation moves under whoever reads it: the end is held, older and newer rows come in, and the place is kept.

use leptos::{html, prelude::*, task::spawn_local};
use netra_ws::{FrameId, ThreadId};

use super::{
    Icon, LookedFor,
    looked_for::{newest_hidden_with, newest_with},
    message_list::Item,
    reading::{self, Place},
    variants::Way,
    window::{STEP, Window},
};
use crate::app::{
    fetch,
    store::{Pending, ThreadStore},
    view::{Erase, effect, view, words},
};

/// How near to the end a reader counts as following, in pixels.
const NEAR_END: i32 = 80;

/// How near to the first or last row in the page more are added, in pixels.
const NEAR_EDGE: i32 = 1_000;

/// How far below the upper edge the row stands that was looked for, in pixels.
const FOUND_BELOW: f64 = 24.0;

/// How many pages are read to find the place where the reader was, at most.
const PAGES_BACK: usize = 50;

/// What becomes of older messages that the server has.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Loading {
    Not,
    Now,
    Failed(String),
}

/// Where rows come in.
#[derive(Clone, Copy)]
enum Side {
    Before,
    After,
}

impl Side {
    /// As the style sheet knows it.
    const fn name(self) -> &'static str {
        match self {
            Self::Before => "before",
            Self::After => "after",
        }
    }
}

/// A conversation as it is being read. Copied into whatever moves it.
#[derive(Clone, Copy)]
pub(super) struct Reader {
    thread: ThreadId,
    store: StoredValue<ThreadStore>,
    items: Memo<Vec<Item>>,
    way: Way,
    pub(super) window: RwSignal<Window>,
    pub(super) scroller: NodeRef<html::Div>,
    pub(super) column: NodeRef<html::Div>,
    /// Whether the end is held, whatever comes.
    pub(super) following: RwSignal<bool>,
    loading: RwSignal<Loading>,
    /// Where the scroller was last.
    top: StoredValue<i32>,
}

impl Reader {
    pub(super) fn new(thread: ThreadId, store: ThreadStore, items: Memo<Vec<Item>>, way: Way) -> Self {
        Self {
            thread,
            store: StoredValue::new(store),
            items,
            way,
            window: RwSignal::new(Window::newest()),
            scroller: NodeRef::new(),
            column: NodeRef::new(),
            following: RwSignal::new(true),
            loading: RwSignal::new(Loading::Not),
            top: StoredValue::new(0),
        }
    }

    /// Begins to move the conversation.
    pub(super) fn start(self, waiting: Memo<Vec<Pending>>) {
        self.hold_end();
        self.grow_with_items();
        self.follow_what_is_sent(waiting);
        self.come_back();
        self.go_to_what_was_found();
    }

    /// The end stays in sight when an answer grows, the window or its keyboard changes, or the composer does.
    fn hold_end(self) {
        effect(move || {
            let (Some(scroller), Some(column)) = (self.scroller.get(), self.column.get()) else { return };
            self.to_end();
            reading::on_resize(&[&scroller, &column], move || {
                if self.following.try_get_untracked() == Some(true) {
                    self.to_end();
                }
            });
        });
    }

    fn to_end(self) {
        if let Some(scroller) = self.scroller.try_get_untracked().flatten() {
            scroller.set_scroll_top(scroller.scroll_height());
            self.top.set_value(scroller.scroll_top());
        }
    }

    /// Goes to the newest message and follows.
    fn follow(self) {
        self.following.set(true);
        if !self.window.with_untracked(|window| window.is_at_end()) {
            self.window.set(Window::newest());
        }
        reading::forget(self.thread);
        request_animation_frame(move || self.to_end());
    }

    /// Rows that come at the end move the window's distances from it.
    fn grow_with_items(self) {
        let newest = StoredValue::new(self.items.with_untracked(|items| items.last().copied()));
        let mut was_rewound = false;
        effect(move || {
            let is_rewound = self.store.with_value(ThreadStore::is_rewound);
            let travels = std::mem::replace(&mut was_rewound, is_rewound) || is_rewound;
            let added = self.items.with(|items| {
                let before = newest.get_value();
                newest.set_value(items.last().copied());
                before.and_then(|before| items.iter().rev().position(|item| *item == before))
            });
            match added {
                Some(0) => {}
                // Another time.
                Some(STEP..) if travels => self.window.set(Window::newest()),
                Some(added) => self.window.update(|window| {
                    let follows = self.following.get_untracked() && window.is_at_end();
                    *window = if follows { window.followed(added) } else { window.grown(added) };
                }),
                // Nothing was known, or all is new.
                None => self.window.set(Window::newest()),
            }
        });
    }

    /// Whoever sends a message wants to see it, and what becomes of it.
    fn follow_what_is_sent(self, waiting: Memo<Vec<Pending>>) {
        let known = StoredValue::new(None::<Vec<FrameId>>);
        effect(move || {
            let now: Vec<FrameId> = waiting.with(|waiting| waiting.iter().map(|item| item.frame.id).collect());
            let before = known.get_value();
            let sent = before.is_some_and(|before| now.iter().any(|id| !before.contains(id)));
            known.set_value(Some(now));
            if sent {
                self.follow();
            }
        });
    }

    pub(super) fn scrolled(self) {
        let Some(scroller) = self.scroller.get_untracked() else { return };
        let top = scroller.scroll_top();
        let left = scroller.scroll_height() - top - scroller.client_height();
        let before = self.top.get_value();
        self.top.set_value(top);
        // Growth never moves the content up, so whoever goes up wants to read; the smallest step counts.
        if top < before && left > 1 {
            self.set_following(false);
        } else if top > before && left < NEAR_END && self.window.with_untracked(|window| window.is_at_end()) {
            self.set_following(true);
        }
        if self.following.get_untracked() {
            reading::forget(self.thread);
            return;
        }
        if top < NEAR_EDGE && top <= before {
            self.towards_oldest();
        }
        if left < NEAR_EDGE && top >= before {
            self.towards_newest();
        }
        if let Some(place) = self.place() {
            reading::remember(self.thread, &place);
        }
    }

    /// The wheel says it before the first pixel has moved, while the next word may already be pulling down.
    pub(super) fn wheeled(self, delta: f64) {
        let scrolls = self
            .scroller
            .get_untracked()
            .is_some_and(|scroller| scroller.scroll_height() > scroller.client_height() && scroller.scroll_top() > 0);
        if delta < 0.0 && scrolls {
            self.set_following(false);
        }
    }

    /// What is unfolded opens downwards, where it stands: the end is let go.
    pub(super) fn unfolded(self) {
        if !self.following.get_untracked() {
            return;
        }
        self.following.set(false);
        request_animation_frame(move || {
            let Some(scroller) = self.scroller.try_get_untracked().flatten() else { return };
            if scroller.scroll_height() - scroller.scroll_top() - scroller.client_height() <= 1 {
                self.set_following(true);
            }
        });
    }

    fn set_following(self, following: bool) {
        if self.following.get_untracked() != following {
            self.following.set(following);
        }
    }

    /// Shows older messages: those that are known, and after them those that the server has.
    fn towards_oldest(self) {
        let rows = self.items.with_untracked(Vec::len);
        if !self.window.with_untracked(|window| window.is_at_beginning(rows)) {
            self.keeping_place(Side::Before, move || self.window.update(|window| *window = window.earlier(rows)));
        } else if self.loading.get_untracked() == Loading::Not {
            self.load();
        }
    }

    /// Shows newer messages that were left out.
    fn towards_newest(self) {
        if !self.window.with_untracked(|window| window.is_at_end()) {
            self.keeping_place(Side::After, move || self.window.update(|window| *window = window.later()));
        }
    }

    /// Reads a page of older messages.
    fn load(self) {
        spawn_local(async move {
            if self.read_page().await {
                self.keeping_place(Side::Before, move || {
                    let rows = self.items.with_untracked(Vec::len);
                    self.window.update(|window| *window = window.earlier(rows));
                });
            }
        });
    }

    /// Reads a page of older messages into the store; whether there was one.
    async fn read_page(self) -> bool {
        let Some(store) = self.store.try_get_value() else { return false };
        let Some(cursor) = store.earlier_cursor() else { return false };
        self.loading.set(Loading::Now);
        let thread = self.thread;
        let page = fetch::get(&format!("/api/threads/{thread}/messages?cursor={cursor}")).await;
        // The page may show another thread by now; what was read is kept all the same.
        match page {
            Ok(page) => {
                store.prepend(&cursor, page);
                let _ = self.loading.try_set(Loading::Not);
                true
            }
            Err(why) => {
                let _ = self.loading.try_set(Loading::Failed(why));
                false
            }
        }
    }

    /// Changes what is above or below, and leaves what is being read where it is.
    fn keeping_place(self, side: Side, change: impl FnOnce()) {
        let (Some(scroller), Some(column)) =
            (self.scroller.try_get_untracked().flatten(), self.column.try_get_untracked().flatten())
        else {
            return;
        };
        let anchor = reading::first_in_sight(&scroller, &column);
        // Rows that come in are laid out once, so that their heights are known from then on; out of sight they would be guessed.
        let _ = column.set_attribute("data-measured", side.name());
        change();
        let keep = move || {
            if let Some((row, before, _)) = &anchor
                && row.is_connected()
            {
                reading::scroll_by(&scroller, reading::top_of(row) - before);
                let _ = self.top.try_set_value(scroller.scroll_top());
            }
        };
        // After the rows have changed, and before they are drawn. A browser that anchors by itself has left nothing to do.
        request_animation_frame(move || {
            keep();
            request_animation_frame(move || _ = column.remove_attribute("data-measured"));
        });
    }

    /// Where one reads.
    fn place(self) -> Option<Place> {
        let (scroller, column) = (self.scroller.get_untracked()?, self.column.get_untracked()?);
        let (_, top, index) = reading::first_in_sight(&scroller, &column)?;
        let item = self.items.with_untracked(|items| {
            let range = self.window.get_untracked().range(items.len());
            items.get(range.start + index).copied()
        })?;
        Some(Place { row: item.id(), offset: top - reading::top_of(&scroller) })
    }

    /// Back, forward and a reload lead to where one read.
    fn come_back(self) {
        let mut recalled = None;
        let came = StoredValue::new(false);
        effect(move || {
            let place = *recalled.get_or_insert_with(|| {
                let place = reading::recall(self.thread);
                if place.is_some() {
                    self.following.set(false);
                }
                place
            });
            // A conversation that was let go, or was never there, comes a moment later.
            let known = self.store.with_value(|store| store.with_structure(|state| state.thread.is_some()));
            if !known || self.column.get().is_none() || came.get_value() {
                return;
            }
            came.set_value(true);
            let Some(place) = place else { return };
            spawn_local(async move {
                for _ in 0..PAGES_BACK {
                    let found = self.items.try_with_untracked(|items| {
                        (items.iter().position(|item| item.id() == place.row), items.len())
                    });
                    match found {
                        None => return,
                        Some((Some(index), rows)) => return self.show(index, rows, place.offset),
                        Some((None, _)) if self.read_page().await => {}
                        Some((None, _)) => break,
                    }
                }
                if self.following.try_get_untracked().is_some() {
                    self.follow();
                }
            });
        });
    }

    /// Whoever opens a conversation from a search wants to read what was found there.
    fn go_to_what_was_found(self) {
        let looked_for = expect_context::<LookedFor>();
        effect(move || {
            let Some(words) = looked_for.within(self.thread) else { return };
            let known = self.store.with_value(|store| store.with_structure(|state| state.thread.is_some()));
            if !known || self.column.get().is_none() {
                return;
            }
            looked_for.done();
            self.set_following(false);
            spawn_local(async move {
                for _ in 0..PAGES_BACK {
                    if let Some((index, rows)) = self.find(&words) {
                        return self.show(index, rows, FOUND_BELOW);
                    }
                    if self.turn_to_hidden(&words) {
                        // Once the rows are those of that way.
                        request_animation_frame(move || {
                            if let Some((index, rows)) = self.find(&words) {
                                self.show(index, rows, FOUND_BELOW);
                            }
                        });
                        return;
                    }
                    if !self.read_page().await {
                        break;
                    }
                }
                if self.following.try_get_untracked().is_some() {
                    self.follow();
                }
            });
        });
    }

    /// Turns to the way on which the newest message with these words is; whether there is one.
    fn turn_to_hidden(self, words: &str) -> bool {
        let Some(store) = self.store.try_get_value() else { return false };
        let found = untrack(|| store.with_structure(|state| newest_hidden_with(words, state)));
        found.is_some_and(|(message, answer)| self.way.turn_onto(&store, message, answer))
    }

    /// Where the newest row with these words is, and of how many.
    fn find(self, words: &str) -> Option<(usize, usize)> {
        let store = self.store.try_get_value()?;
        self.items.try_with_untracked(|items| {
            let found = untrack(|| store.with_structure(|state| newest_with(words, items, state)))?;
            Some((items.iter().position(|item| *item == found)?, items.len()))
        })?
    }

    /// Shows a row at this distance from the top.
    fn show(self, index: usize, rows: usize, offset: f64) {
        let window = Window::around(index, rows);
        self.window.set(window);
        let at = index - window.range(rows).start;
        request_animation_frame(move || {
            let (Some(scroller), Some(column)) =
                (self.scroller.try_get_untracked().flatten(), self.column.try_get_untracked().flatten())
            else {
                return;
            };
            if let Some(row) = u32::try_from(at).ok().and_then(|at| column.children().item(at)) {
                let top = reading::top_of(&row) - reading::top_of(&scroller);
                reading::scroll_by(&scroller, top - offset);
                let _ = self.top.try_set_value(scroller.scroll_top());
            }
        });
    }

    /// What is said at the beginning of what is known.
    pub(super) fn earlier(self) -> AnyView {
        match self.loading.get() {
            Loading::Not => ().erase(),
            Loading::Now => view! {
                <p class="earlier" role="status">
                    "Loading earlier messages…"
                </p>
            }
            .erase(),
            Loading::Failed(why) => view! {
                <p class="earlier" role="alert">
                    <span>{words(move || format!("Earlier messages could not be loaded: {why}."))}</span>
                    " "
                    <button type="button" class="link-button" on:click=move |_| self.load()>
                        "Try again"
                    </button>
                </p>
            }
            .erase(),
        }
    }

    pub(super) fn jump(self) -> AnyView {
        view! {
            <button type="button" class="jump-latest" on:click=move |_| self.follow()>
                {Icon::Down.view()}
                "Latest"
            </button>
        }
        .erase()
    }
}
