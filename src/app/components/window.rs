//! Which rows of a long conversation are in the page: a stretch of bounded length around what is being read.

use std::ops::Range;

/// Rows that are added at a time.
pub(super) const STEP: usize = 60;

/// Rows that are in the page at most. What is read is in the middle third, so that rows go only where nobody looks.
pub(super) const MOST: usize = 3 * STEP;

/// A stretch of rows, counted from the newest: what is put before the oldest row changes nothing in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Window {
    /// Newer rows that are left out.
    newer: usize,
    length: usize,
}

impl Window {
    /// The newest rows.
    pub(super) const fn newest() -> Self {
        Self { newer: 0, length: STEP }
    }

    /// Goes on towards the oldest.
    pub(super) fn earlier(self, rows: usize) -> Self {
        let length = (self.length + STEP).min(rows.saturating_sub(self.newer).max(STEP));
        let over = length.saturating_sub(MOST);
        Self { newer: self.newer + over, length: length - over }
    }

    /// Goes on towards the newest.
    pub(super) fn later(self) -> Self {
        let step = STEP.min(self.newer);
        Self { newer: self.newer - step, length: (self.length + step).min(MOST) }
    }

    /// The rows around this one.
    pub(super) fn around(index: usize, rows: usize) -> Self {
        let behind = rows.saturating_sub(index);
        let newer = behind.saturating_sub(STEP);
        Self { newer, length: behind - newer + STEP / 2 }
    }

    /// Rows were added at the end. Whoever reads further up has them left out once there is no room.
    pub(super) fn grown(self, added: usize) -> Self {
        if self.newer > 0 {
            return Self { newer: self.newer + added, ..self };
        }
        let over = (self.length + added).saturating_sub(MOST);
        Self { newer: over, length: self.length + added - over }
    }

    /// Rows were added at the end, and the end is what is read.
    pub(super) fn followed(self, added: usize) -> Self {
        Self { newer: 0, length: (self.newer + self.length + added).min(MOST) }
    }

    /// Whether the oldest of so many rows is in it.
    pub(super) const fn is_at_beginning(self, rows: usize) -> bool {
        self.newer + self.length >= rows
    }

    /// Whether the newest row is in it.
    pub(super) const fn is_at_end(self) -> bool {
        self.newer == 0
    }

    /// Its rows.
    pub(super) fn range(self, rows: usize) -> Range<usize> {
        let end = rows.saturating_sub(self.newer);
        end.saturating_sub(self.length)..end
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_can_be_reached_both_ways() {
        let rows = 10_000;
        let mut window = Window::newest();
        assert_eq!(window.range(rows), 9_940..10_000);
        while !window.is_at_beginning(rows) {
            let before = window.range(rows);
            window = window.earlier(rows);
            assert!(window.range(rows).start < before.start);
            assert!(window.range(rows).end >= before.start + STEP, "what was in sight stays");
            assert!(window.range(rows).len() <= MOST);
        }
        assert_eq!(window.range(rows), 0..MOST);
        while !window.is_at_end() {
            let before = window.range(rows);
            window = window.later();
            assert!(window.range(rows).end > before.end);
            assert!(window.range(rows).start <= before.end - STEP, "what was in sight stays");
        }
        assert_eq!(window.range(rows), 10_000 - MOST..10_000);
    }

    #[test]
    fn what_is_read_stays_while_rows_are_added() {
        let window = Window::around(100, 1_000);
        assert!(window.range(1_000).contains(&100) && window.range(1_000).len() <= MOST);
        assert_eq!(window.grown(5).range(1_005), window.range(1_000));
        assert_eq!(Window::newest().followed(500).range(1_500), 1_500 - MOST..1_500);
        let mut window = Window::newest();
        for rows in 1_000..2_000 {
            assert_eq!(window.range(rows).start, 940, "rows that are read do not go");
            window = window.grown(1);
            if !window.is_at_end() {
                break;
            }
        }
        assert!(!window.is_at_end());
    }

    #[test]
    fn a_short_conversation_is_whole() {
        for window in [Window::newest(), Window::newest().earlier(3), Window::around(1, 3), Window::newest().later()] {
            assert_eq!(window.range(3), 0..3, "{window:?}");
            assert!(window.is_at_beginning(3) && window.is_at_end());
        }
    }
}
