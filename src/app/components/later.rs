//! How much of the past is drawn, and when. Whoever drags through it sees what is in sight with the next frame, whatever else the
//! conversation holds. Rows further up, and the insides of what is folded, come once they stay, a little with each frame.

use std::collections::VecDeque;

use leptos::prelude::*;
use netra_ws::{
    ThreadState,
    model::{Run, Step},
};

use super::{
    message_list::Item,
    scan::Scan,
    window::{MOST, Window},
};
use crate::app::{
    store::ThreadStore,
    view::{effect, memo},
};

/// Heights of the window that rows of the past fill once the reader stays; those above come when they scroll there.
const AHEAD: f64 = 3.0;

/// Of such a height, what is drawn with each frame.
const STEP: f64 = 0.5;

/// Insides that are drawn with each frame.
const INSIDES: usize = 4;

/// Insides that may wait before those are looked for whose rows are gone.
const MANY: usize = 512;

/// How near to the top more is drawn, in pixels.
const NEAR_TOP: i32 = 1_000;

/// Steps of one answer that are drawn for each height of the window. No step is lower than a line.
const STEPS: f64 = 40.0;

/// The end of a longer text that is drawn, in bytes.
const TAIL: usize = 8 * 1024;

/// What a row takes at least, in pixels: the margins and the foot of a message or a card, a folded step, and a letter of a line
/// as wide as the column. To take too little draws a row too many, which nobody sees.
const ROW: f64 = 80.0;
const FOLDED: f64 = 32.0;
const LETTER: f64 = 0.25;

/// How much is drawn, for whatever stands in the conversation.
#[derive(Clone, Copy)]
pub(super) struct Later {
    store: StoredValue<ThreadStore>,
    /// Heights of the window that are filled; infinite for a page that was not turned to another time.
    heights: RwSignal<f64>,
    /// Rows, counted from the newest, that fill them.
    rows: Memo<usize>,
    /// Rows that there are in the window.
    window: StoredValue<usize>,
    /// Folded things whose insides are not drawn yet.
    insides: StoredValue<VecDeque<RwSignal<bool>>>,
    /// Whether something is drawn with the next frame.
    goes_on: StoredValue<bool>,
}

impl Later {
    /// For the conversation with these rows.
    pub(super) fn new(store: &ThreadStore, items: Memo<Vec<Item>>) -> Self {
        let heights = RwSignal::new(f64::INFINITY);
        let shown = store.clone();
        let rows = memo(move || {
            let heights = if shown.glances() { 1.0 } else { heights.get() };
            if heights.is_infinite() {
                return usize::MAX;
            }
            let room = heights * window_height();
            items.with(|items| shown.with_structure(|state| filling(room, items, state)))
        });
        let later = Self {
            store: StoredValue::new(store.clone()),
            heights,
            rows,
            window: StoredValue::new(0),
            insides: StoredValue::new(VecDeque::new()),
            goes_on: StoredValue::new(false),
        };
        let glanced = store.clone();
        effect(move || {
            if glanced.glances() {
                heights.set(1.0);
            } else if heights.get_untracked().is_finite() {
                later.go_on();
            }
        });
        provide_context(later);
        later
    }

    /// The rows that are drawn: of those in the window the newest, when the window is at the end.
    pub(super) fn range(self, window: Window, rows: usize) -> std::ops::Range<usize> {
        let range = window.range(rows);
        self.window.set_value(range.len());
        if !window.is_at_end() {
            return range;
        }
        range.start.max(range.end.saturating_sub(self.rows.get()))..range.end
    }

    /// Whether the page was turned to another time, and not all of it is drawn; follows that.
    fn is_behind(self) -> bool {
        self.heights.get().is_finite() || self.store.with_value(ThreadStore::glances)
    }

    /// The first step of so many that is drawn; follows that.
    pub(super) fn first_step(self, steps: usize) -> usize {
        // Few are the same with every height.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let most = |heights: f64| (heights * STEPS) as usize;
        if steps <= most(1.0) || !self.is_behind() {
            return 0;
        }
        let glances = self.store.with_value(ThreadStore::glances);
        steps.saturating_sub(most(if glances { 1.0 } else { self.heights.get() }))
    }

    /// The text of an answer, as much of its end as is in sight. What goes up from there comes once the reader stays.
    pub(super) fn text(whole: Memo<String>) -> Memo<String> {
        let Some(later) = use_context::<Self>().filter(|later| untrack(|| later.is_behind())) else { return whole };
        memo(move || {
            let glances = later.store.with_value(ThreadStore::glances);
            whole.with(|whole| if glances { tail(whole) } else { whole.as_str() }.to_owned())
        })
    }

    /// Whether the inside of something folded is drawn: at once, or later; setting it draws it.
    pub(super) fn inside() -> RwSignal<bool> {
        let Some(later) = use_context::<Self>().filter(|later| untrack(|| later.is_behind())) else {
            return RwSignal::new(true);
        };
        let inside = RwSignal::new(false);
        later.insides.update_value(|insides| {
            if insides.len() > MANY {
                insides.retain(|inside| inside.try_get_untracked() == Some(false));
            }
            insides.push_back(inside);
        });
        later.go_on();
        inside
    }

    /// A reader who comes near the top of what is drawn has all of the window drawn.
    pub(super) fn scrolled(self, top: i32) {
        if top < NEAR_TOP && untrack(|| self.heights.get().is_finite() && !self.store.with_value(ThreadStore::glances))
        {
            self.heights.set(f64::INFINITY);
        }
    }

    fn go_on(self) {
        if !self.goes_on.try_update_value(|goes_on| std::mem::replace(goes_on, true)).unwrap_or(true) {
            request_animation_frame(move || self.step());
        }
    }

    /// Draws a little of what is not there yet.
    fn step(self) {
        let Some(store) = self.store.try_get_value() else { return };
        self.goes_on.set_value(false);
        if untrack(|| store.glances()) {
            return;
        }
        let heights = self.heights.get_untracked();
        let most = if untrack(|| store.is_rewound()) { AHEAD } else { f64::INFINITY };
        if heights < most {
            let all = self.rows.get_untracked() >= self.window.get_value();
            self.heights.set(if all { f64::INFINITY } else { heights + STEP });
        } else if !self.draw_insides() {
            return;
        }
        self.go_on();
    }

    /// Draws the insides of a few folded things; whether there were any.
    fn draw_insides(self) -> bool {
        let mut drawn = 0;
        while drawn < INSIDES
            && let Some(inside) = self.insides.try_update_value(VecDeque::pop_front).flatten()
        {
            // One whose row is gone takes none.
            drawn += usize::from(inside.try_set(true).is_none());
        }
        drawn > 0
    }
}

/// How many rows, from the newest, take at least this many pixels; without end when all of them take less.
fn filling(room: f64, items: &[Item], state: &ThreadState) -> usize {
    let mut filled = 0.0;
    let full = items.iter().rev().take(MOST).position(|item| {
        filled += match item {
            Item::Message(_) => ROW,
            Item::Card(run) => state.run(*run).map_or(ROW, height),
        };
        filled >= room
    });
    full.map_or(usize::MAX, |before| before + 1)
}

/// What an answer takes at least.
#[allow(clippy::cast_precision_loss)]
fn height(run: &Run) -> f64 {
    let is_seen = |step: &&Step| match step {
        Step::Tool(_) => true,
        Step::Thinking { text, .. } => !text.trim().is_empty(),
        Step::Progress { .. } | Step::Unknown(_) => false,
    };
    let steps = run.steps.iter().filter(is_seen).count();
    ROW + FOLDED * steps as f64 + LETTER * run.text.len() as f64
}

/// The end of a text, from where a block begins for certain.
fn tail(text: &str) -> &str {
    let Some(end) = text.len().checked_sub(TAIL) else { return text };
    let mut scan = Scan::default();
    scan.read(&text[..text.floor_char_boundary(end)]);
    scan.cut().map_or(text, |cut| &text[cut..])
}

/// How high the window is. What is drawn on the server is all of it.
fn window_height() -> f64 {
    if !cfg!(feature = "hydrate") {
        return f64::INFINITY;
    }
    window().inner_height().ok().and_then(|height| height.as_f64()).unwrap_or(f64::INFINITY)
}

#[cfg(test)]
mod tests {
    use netra_ws::{MessageId, RunId};

    use super::*;

    #[test]
    fn of_a_long_text_the_end_is_drawn_from_where_a_block_begins() {
        assert_eq!(tail("short"), "short");
        let text = "A paragraph with ümläuts.\n\n".repeat(1_000);
        let end = tail(&text);
        assert!(end.starts_with("A paragraph") && text.ends_with(end));
        assert!(end.len() >= TAIL && end.len() < TAIL + 100, "{}", end.len());
        let code = format!("Before.\n\n```\n{}", "let a = 1;\n\n".repeat(1_000));
        assert!(tail(&code).starts_with("```"), "a block of code is whole");
        let one = "word ".repeat(4_000);
        assert_eq!(tail(&one), one);
    }

    #[test]
    fn rows_are_drawn_until_the_window_is_full() {
        let mut state = ThreadState::default();
        let mut items = Vec::new();
        for _ in 0..50 {
            let mut run = Run::queued(RunId::new(), "guide".to_owned(), None);
            run.text = "word ".repeat(64);
            items.extend([Item::Message(MessageId::new()), Item::Card(run.run_id)]);
            state.runs.push(run.into());
        }
        // A message of 80 pixels, a card of 160.
        assert_eq!(filling(1.0, &items, &state), 1);
        assert_eq!(filling(160.0, &items, &state), 1);
        assert_eq!(filling(161.0, &items, &state), 2);
        assert_eq!(filling(800.0, &items, &state), 7);
        assert_eq!(filling(50.0 * 240.0, &items, &state), 100);
        assert_eq!(filling(50.0 * 240.0 + 1.0, &items, &state), usize::MAX, "there is no more");
        if let Some(last) = state.runs.last_mut() {
            last.text = "word ".repeat(1_000);
        }
        assert_eq!(filling(800.0, &items, &state), 1, "a long answer fills it alone");
        assert_eq!(filling(800.0, &[], &state), usize::MAX);
    }
}
