//! The keyboard: what its Enter means, and where it points. Focus goes into what opens, comes back from what closes, and returns
//! to the message box when a message went out.

use leptos::{
    ev::{KeyboardEvent, MouseEvent},
    prelude::*,
    wasm_bindgen::JsCast,
    web_sys::HtmlElement,
};

use super::remembered::{SENDS, recall};

/// The id of the message box.
pub(crate) const COMPOSER: &str = "message";

/// Whether an input method is at work: its Enter picks a candidate, its Escape gives up. Safari ends the composition before it
/// tells of the key, so that only the key code 229 gives it away.
pub(crate) fn composes(event: &KeyboardEvent) -> bool {
    event.is_composing() || event.key_code() == 229
}

/// What a key does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Does {
    /// Sends, unless the reader wants a new line of it.
    Enter,
    NewLine,
    Send,
    /// Closes what is open, or stops what works.
    Escape,
    Palette,
    Search,
    NewChat,
    Sidebar,
    Shortcuts,
    /// The event panel of the conversation that is open.
    Events,
}

/// What is held while the key is struck.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum With {
    Nothing,
    Shift,
    /// Control, or ⌘.
    Control,
    ControlShift,
    /// Whatever the keyboard needs to write this sign.
    Sign,
}

/// Where it means that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Anywhere,
    /// Where nothing is being written.
    Beside,
    /// In the message box.
    Message,
}

/// A key, and what it does.
pub(crate) struct Shortcut {
    pub(crate) key: &'static str,
    pub(crate) with: With,
    pub(crate) place: Place,
    pub(crate) does: Does,
}

/// All of them: what is struck is looked up here, and the list of shortcuts shows them.
pub(crate) const SHORTCUTS: [Shortcut; 10] = [
    Shortcut { key: "k", with: With::Control, place: Place::Anywhere, does: Does::Palette },
    Shortcut { key: "/", with: With::Sign, place: Place::Beside, does: Does::Search },
    Shortcut { key: "o", with: With::ControlShift, place: Place::Anywhere, does: Does::NewChat },
    Shortcut { key: "s", with: With::ControlShift, place: Place::Anywhere, does: Does::Sidebar },
    Shortcut { key: "d", with: With::ControlShift, place: Place::Anywhere, does: Does::Events },
    Shortcut { key: "?", with: With::Sign, place: Place::Beside, does: Does::Shortcuts },
    Shortcut { key: "Enter", with: With::Nothing, place: Place::Message, does: Does::Enter },
    Shortcut { key: "Enter", with: With::Shift, place: Place::Message, does: Does::NewLine },
    Shortcut { key: "Enter", with: With::Control, place: Place::Message, does: Does::Send },
    Shortcut { key: "Escape", with: With::Nothing, place: Place::Anywhere, does: Does::Escape },
];

/// What a key does at a place.
fn struck(event: &KeyboardEvent, place: Place) -> Option<Does> {
    if composes(event) {
        return None;
    }
    let control = event.ctrl_key() || event.meta_key();
    let key = event.key();
    let fits = |shortcut: &&Shortcut| {
        shortcut.place == place
            && key.eq_ignore_ascii_case(shortcut.key)
            && !event.alt_key()
            && match shortcut.with {
                With::Nothing => !control && !event.shift_key(),
                With::Shift => !control && event.shift_key(),
                With::Control => control && !event.shift_key(),
                With::ControlShift => control && event.shift_key(),
                With::Sign => !control,
            }
    };
    SHORTCUTS.iter().find(fits).map(|shortcut| shortcut.does)
}

/// What a key does wherever one is in the page, or nothing.
pub(crate) fn asks(event: &KeyboardEvent) -> Option<Does> {
    if event.default_prevented() {
        return None;
    }
    let writes = || document().active_element().as_ref().is_some_and(is_field);
    struck(event, Place::Anywhere).or_else(|| struck(event, Place::Beside).filter(|_| !writes()))
}

/// Whether a key sends. Where Enter does, Shift makes a new line; so does the keyboard on a phone's screen, which has no
/// Shift+Enter to offer: there the button sends. A keyboard that is plugged into a tablet works as on a desk.
pub(crate) fn sends(event: &KeyboardEvent) -> bool {
    match struck(event, Place::Message) {
        Some(Does::Send) => true,
        Some(Does::Enter) => !screen::has_keyboard(event) && enter_sends(),
        _ => false,
    }
}

/// Whether the reader wants Enter to send.
pub(crate) fn enter_sends() -> bool {
    recall(SENDS).as_deref() != Some("control")
}

/// Whether a panel is open over the page.
pub(crate) fn has_panel() -> bool {
    document().query_selector("dialog[open]").ok().flatten().is_some()
}

/// Whether Escape is free to mean something to the page: no field, menu or panel wants it.
pub(crate) fn escapes(event: &KeyboardEvent) -> bool {
    if event.default_prevented() || struck(event, Place::Anywhere) != Some(Does::Escape) {
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

/// Whether the focus is in an element that the selector finds.
pub(crate) fn is_within(selector: &str) -> bool {
    document().active_element().is_some_and(|focused| focused.closest(selector).ok().flatten().is_some())
}

/// Puts the focus on the first element that the selector finds and that takes it.
pub(crate) fn focus(selector: &str) {
    let found = document().query_selector(selector).ok().flatten();
    if let Some(element) = found.and_then(|element| element.dyn_into::<HtmlElement>().ok()) {
        let _ = element.focus();
    }
}

/// Presses the first element that the selector finds.
pub(crate) fn press(selector: &str) {
    let found = document().query_selector(selector).ok().flatten();
    if let Some(element) = found.and_then(|element| element.dyn_into::<HtmlElement>().ok()) {
        element.click();
    }
}

/// Brings the first element that the selector finds into sight, after what is being changed now has been drawn.
pub(crate) fn show_next(selector: &'static str) {
    request_animation_frame(move || screen::show(selector));
}

/// Puts the focus there, after what is being changed now has been drawn.
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

/// Hears the keys of the message box before the box does, for as long as the owner lives. Those that are taken are nobody else's.
pub(crate) fn before_composer(takes: impl Fn(&KeyboardEvent) -> bool + 'static) {
    screen::before(COMPOSER, Box::new(takes));
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

    /// Hears the keys of an element before it does.
    pub(super) fn before(id: &'static str, takes: Box<dyn Fn(&KeyboardEvent) -> bool>) {
        use send_wrapper::SendWrapper;
        use wasm_bindgen::closure::Closure;
        let hear = Closure::<dyn Fn(KeyboardEvent)>::new(move |event: KeyboardEvent| {
            let here = document().active_element().is_some_and(|focused| focused.id() == id);
            if here && !super::composes(&event) && takes(&event) {
                event.prevent_default();
                event.stop_propagation();
            }
        });
        let window = window();
        let _ = window.add_event_listener_with_callback_and_bool("keydown", hear.as_ref().unchecked_ref(), true);
        let hear = SendWrapper::new(hear);
        on_cleanup(move || {
            let hear = hear.take();
            let _ = leptos::prelude::window().remove_event_listener_with_callback_and_bool(
                "keydown",
                hear.as_ref().unchecked_ref(),
                true,
            );
        });
    }

    /// Brings an element into sight, and moves nothing when it is.
    pub(super) fn show(selector: &str) {
        use wasm_bindgen::JsValue;
        let Ok(Some(element)) = document().query_selector(selector) else { return };
        let how = js_sys::Object::new();
        let _ = js_sys::Reflect::set(&how, &"block".into(), &"nearest".into());
        let scroll = js_sys::Reflect::get(&element, &"scrollIntoView".into()).ok();
        if let Some(scroll) = scroll.and_then(|scroll| scroll.dyn_into::<js_sys::Function>().ok()) {
            let _ = scroll.call1(&element, &JsValue::from(how));
        }
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

    pub(super) fn show(_: &str) {}

    pub(super) fn before(_: &'static str, _: Box<dyn Fn(&KeyboardEvent) -> bool>) {}

    pub(crate) fn is_narrow() -> bool {
        false
    }

    pub(super) fn has_keyboard(_: &KeyboardEvent) -> bool {
        false
    }
}
