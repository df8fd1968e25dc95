//! Where one reads: what of a conversation is in sight, and coming back to it.

use leptos::prelude::*;
#[cfg(feature = "hydrate")]
use netra_ws::ThreadId;
use uuid::Uuid;

pub(super) use browser::{first_in_sight, forget, on_resize, recall, remember, scroll_by, top_of};

/// A row of the conversation and how far below the upper edge it began, in pixels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Place {
    pub(super) row: Uuid,
    pub(super) offset: f64,
}

#[cfg(any(feature = "hydrate", test))]
impl Place {
    fn to_text(self) -> String {
        format!("{} {}", self.row, self.offset.round())
    }

    fn from_text(text: &str) -> Option<Self> {
        let (row, offset) = text.split_once(' ')?;
        Some(Self { row: row.parse().ok()?, offset: offset.parse().ok()? })
    }
}

#[cfg(feature = "hydrate")]
fn key(thread: ThreadId) -> String {
    format!("netra.place.{thread}")
}

/// Hears of Back and Forward, before the router does.
pub(crate) fn watch_history() {
    let heard = window_event_listener(leptos::ev::popstate, |_| browser::note_traversal());
    on_cleanup(move || heard.remove());
}

#[cfg(feature = "hydrate")]
mod browser {
    use std::cell::Cell;

    use js_sys::Reflect;
    use leptos::{prelude::*, web_sys::Element};
    use netra_ws::ThreadId;
    use wasm_bindgen::{JsCast, closure::Closure};
    use web_sys::ResizeObserver;

    use super::{Place, key};

    /// Remembers for this tab where one reads.
    pub(crate) fn remember(thread: ThreadId, place: &Place) {
        if let Ok(Some(storage)) = window().session_storage() {
            let _ = storage.set_item(&key(thread), &place.to_text());
        }
    }

    /// Whoever is at the end comes back to the end.
    pub(crate) fn forget(thread: ThreadId) {
        if let Ok(Some(storage)) = window().session_storage() {
            let _ = storage.remove_item(&key(thread));
        }
    }

    /// The first row that is in sight, where it begins in the window, and its index.
    pub(crate) fn first_in_sight(scroller: &Element, column: &Element) -> Option<(Element, f64, usize)> {
        let edge = scroller.get_bounding_client_rect().top();
        let rows = column.children();
        // Rows lie one below the other.
        let (mut from, mut to) = (0, rows.length());
        while from < to {
            let middle = u32::midpoint(from, to);
            if rows.item(middle)?.get_bounding_client_rect().bottom() <= edge {
                from = middle + 1;
            } else {
                to = middle;
            }
        }
        let row = rows.item(from)?;
        let top = row.get_bounding_client_rect().top();
        Some((row, top, from as usize))
    }

    /// Where an element begins in the window.
    pub(crate) fn top_of(element: &Element) -> f64 {
        element.get_bounding_client_rect().top()
    }

    /// Scrolls by a distance, if there is one.
    pub(crate) fn scroll_by(scroller: &Element, distance: f64) {
        #[allow(clippy::cast_possible_truncation)]
        let distance = distance.round() as i32;
        if distance != 0 {
            scroller.set_scroll_top(scroller.scroll_top() + distance);
        }
    }

    /// How long after Back or Forward a conversation that opens counts as their target, in milliseconds.
    const TRAVERSAL: f64 = 1_000.0;

    thread_local! {
        static TRAVERSED: Cell<f64> = const { Cell::new(f64::NEG_INFINITY) };
    }

    fn now() -> f64 {
        window().performance().map_or(0.0, |performance| performance.now())
    }

    pub(super) fn note_traversal() {
        TRAVERSED.set(now());
    }

    /// Where one read in this conversation, if the way here was back, forward, or a reload.
    pub(crate) fn recall(thread: ThreadId) -> Option<Place> {
        let traversed = now() - TRAVERSED.get() < TRAVERSAL;
        if !traversed && !was_reloaded() {
            return None;
        }
        let text = window().session_storage().ok().flatten()?.get_item(&key(thread)).ok().flatten()?;
        Place::from_text(&text)
    }

    /// Whether the document itself was come back to, and this is the first conversation that it shows.
    fn was_reloaded() -> bool {
        thread_local! {
            static ASKED: Cell<bool> = const { Cell::new(false) };
        }
        if ASKED.replace(true) {
            return false;
        }
        let navigation = window().performance().map(|performance| performance.get_entries_by_type("navigation").get(0));
        let kind = navigation.and_then(|entry| Reflect::get(&entry, &"type".into()).ok()?.as_string());
        matches!(kind.as_deref(), Some("reload" | "back_forward"))
    }

    /// Calls back whenever one of the elements has another size, before that is drawn. Lives as long as the elements.
    pub(crate) fn on_resize(elements: &[&Element], act: impl Fn() + 'static) {
        let act = Closure::<dyn Fn()>::new(act).into_js_value();
        match ResizeObserver::new(act.unchecked_ref()) {
            Ok(observer) => elements.iter().for_each(|element| observer.observe(element)),
            Err(_) => leptos::logging::warn!("this browser does not tell of sizes"),
        }
    }
}

#[cfg(not(feature = "hydrate"))]
mod browser {
    use leptos::web_sys::Element;
    use netra_ws::ThreadId;

    use super::Place;

    pub(super) fn note_traversal() {}

    pub(crate) fn remember(_: ThreadId, _: &Place) {}

    pub(crate) fn forget(_: ThreadId) {}

    pub(crate) fn first_in_sight(_: &Element, _: &Element) -> Option<(Element, f64, usize)> {
        None
    }

    pub(crate) fn top_of(_: &Element) -> f64 {
        0.0
    }

    pub(crate) fn scroll_by(_: &Element, _: f64) {}

    pub(crate) fn recall(_: ThreadId) -> Option<Place> {
        None
    }

    pub(crate) fn on_resize(_: &[&Element], _: impl Fn() + 'static) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_read_as_it_was_written() {
        let place = Place { row: Uuid::nil(), offset: -13.0 };
        assert_eq!(Place::from_text(&place.to_text()), Some(place));
        assert_eq!(Place::from_text("nonsense"), None);
    }
}
