//! The keyboard: what its Enter means, and where it points. Focus goes into what opens, comes back from what closes, and returns
//! to the message box when a message went out.

use leptos::{
    ev::{KeyboardEvent, MouseEvent},
    prelude::*,
    wasm_bindgen::JsCast,
    web_sys::HtmlElement,
};

/// The id of the message box.
pub(crate) const COMPOSER: &str = "message";

/// Whether an input method is at work: its Enter picks a candidate, its Escape gives up. Safari ends the composition before it
/// tells of the key, so that only the key code 229 gives it away.
pub(crate) fn composes(event: &KeyboardEvent) -> bool {
    event.is_composing() || event.key_code() == 229
}

/// Whether Enter sends. Shift makes a new line; so does the keyboard on a phone's screen, which has no Shift+Enter to offer:
/// there the button sends. A keyboard that is plugged into a tablet works as on a desk.
pub(crate) fn sends(event: &KeyboardEvent) -> bool {
    event.key() == "Enter"
        && !composes(event)
        && !event.shift_key()
        && !event.alt_key()
        && (event.ctrl_key() || event.meta_key() || !screen::has_keyboard(event))
}

/// Whether Escape is free to mean something to the page: no field, menu or panel wants it.
pub(crate) fn escapes(event: &KeyboardEvent) -> bool {
    if event.key() != "Escape" || composes(event) || event.default_prevented() {
        return false;
    }
    let focused = document().active_element();
    let field = focused.as_ref().is_some_and(|element| element.id() != COMPOSER && is_field(element));
    let panel = document().query_selector("dialog[open], :popover-open").ok().flatten().is_some();
    !field && !panel
}

fn is_field(element: &leptos::web_sys::Element) -> bool {
    matches!(element.tag_name().as_str(), "INPUT" | "TEXTAREA" | "SELECT")
}

/// Whether a click is no second half of a double click, as the browser counts: however late a busy page hears of it.
pub(crate) fn is_first(click: &MouseEvent) -> bool {
    click.detail() < 2
}

/// Puts the focus on the first element that the selector finds and that takes it.
pub(crate) fn focus(selector: &str) {
    let found = document().query_selector(selector).ok().flatten();
    if let Some(element) = found.and_then(|element| element.dyn_into::<HtmlElement>().ok()) {
        let _ = element.focus();
    }
}

/// The same, after what is being changed now has been drawn.
pub(crate) fn focus_next(selector: impl Into<String>) {
    let selector = selector.into();
    request_animation_frame(move || focus(&selector));
}

/// Back to writing. Where the keyboard would come up over half of the screen, the reader decides.
pub(crate) fn focus_composer() {
    if !screen::is_touched() {
        focus("#message");
    }
}

/// The same for a page that has just opened: whoever has begun to write elsewhere is left there.
pub(crate) fn offer_composer() {
    if !document().active_element().as_ref().is_some_and(is_field) {
        focus_composer();
    }
}

pub(crate) use screen::{each, is_narrow};

#[cfg(feature = "hydrate")]
mod screen {
    use leptos::{ev::KeyboardEvent, prelude::*};
    use wasm_bindgen::JsCast;
    use web_sys::Element;

    /// An attribute of each element that the selector finds, in the order of the page.
    pub(crate) fn each(selector: &str, attribute: &str) -> Vec<String> {
        let Ok(found) = document().query_selector_all(selector) else { return Vec::new() };
        let read = |at| found.get(at)?.dyn_into::<Element>().ok()?.get_attribute(attribute);
        (0..found.length()).filter_map(read).collect()
    }

    fn matches(query: &str) -> bool {
        window().match_media(query).ok().flatten().is_some_and(|query| query.matches())
    }

    /// Whether fingers are what the screen is made for.
    pub(super) fn is_touched() -> bool {
        matches("(pointer: coarse)")
    }

    /// Whether the sidebar is a sheet over the page: the width at which `layout.css` makes it one.
    pub(crate) fn is_narrow() -> bool {
        matches("(width < 820px)")
    }

    /// Whether a key was struck on the screen. Android names no place for such a key; iOS does, and lays its keyboard over the
    /// page, so that what is seen of the page is shorter than the page.
    pub(super) fn has_keyboard(event: &KeyboardEvent) -> bool {
        let covered = || {
            let seen = window().visual_viewport().map(|seen| seen.height());
            let whole = window().inner_height().ok().and_then(|height| height.as_f64());
            seen.zip(whole).is_some_and(|(seen, whole)| seen < whole * 0.8)
        };
        is_touched() && (event.code().is_empty() || covered())
    }
}

#[cfg(not(feature = "hydrate"))]
mod screen {
    use leptos::ev::KeyboardEvent;

    pub(crate) fn each(_: &str, _: &str) -> Vec<String> {
        Vec::new()
    }

    pub(super) fn is_touched() -> bool {
        false
    }

    pub(crate) fn is_narrow() -> bool {
        false
    }

    pub(super) fn has_keyboard(_: &KeyboardEvent) -> bool {
        false
    }
}
