//! Whether the event panel is there, and how much room it takes: a column at the right, a sheet at the bottom of a narrow screen.

use leptos::{
    ev::{KeyboardEvent, PointerEvent},
    prelude::*,
    wasm_bindgen::JsCast,
    web_sys::{Element, HtmlElement},
};

use netra_ws::session::Link;

use super::Heard;
use crate::app::{
    keyboard::{self, Does},
    remembered::{recall, remember},
    store::use_store,
    view::{Erase, effect, live, view},
};

/// What this browser remembers of it.
const OPEN: &str = "netra.panel";
const WIDTH: &str = "netra.panel.width";
const HEIGHT: &str = "netra.panel.height";

/// How wide or high it may be, in pixels; the style sheet leaves the conversation its share.
const LEAST: i32 = 240;
const MOST: i32 = 1_200;

/// What a key moves the edge by.
const STEP: i32 = 24;

/// The event panel's place in the page.
#[derive(Clone, Copy)]
pub(crate) struct PanelLayout {
    pub(super) open: RwSignal<bool>,
    width: RwSignal<i32>,
    height: RwSignal<i32>,
    narrow: RwSignal<bool>,
}

/// The panel of a conversation's page; Ctrl+Shift+D opens and closes it.
pub(crate) fn provide_panel() -> PanelLayout {
    let layout = PanelLayout {
        open: RwSignal::new(false),
        width: RwSignal::new(420),
        height: RwSignal::new(380),
        narrow: RwSignal::new(false),
    };
    let mut recalled = false;
    effect(move || {
        if !std::mem::replace(&mut recalled, true) {
            layout.recall();
        }
        layout.draw();
    });
    let link = use_store().link;
    effect(move || {
        if link.get() == Link::SignedOut {
            layout.open.set(false);
            Heard::forget();
        }
    });
    let keys = window_event_listener(leptos::ev::keydown, move |event| {
        if keyboard::asks(&event) == Some(Does::Events) {
            event.prevent_default();
            layout.toggle();
        }
    });
    let widths = window_event_listener(leptos::ev::resize, move |_| {
        if layout.narrow.get_untracked() != keyboard::is_narrow() {
            layout.narrow.set(keyboard::is_narrow());
        }
    });
    on_cleanup(move || {
        keys.remove();
        widths.remove();
        if let Some(root) = root() {
            let _ = root.remove_attribute("data-panel");
        }
    });
    layout
}

fn root() -> Option<HtmlElement> {
    // What is cleaned up on the server has no document.
    if !cfg!(feature = "hydrate") {
        return None;
    }
    document().document_element().and_then(|root| root.dyn_into().ok())
}

impl PanelLayout {
    /// Opens or closes it. The focus goes into what opens, and back to where it came from.
    pub(super) fn toggle(self) {
        let opens = !self.open.get_untracked();
        self.open.set(opens);
        remember(OPEN, if opens { "open" } else { "closed" });
        keyboard::focus_next(if opens { ".panel-close" } else { ".panel-button" });
    }

    fn recall(self) {
        let number = |key: &str| recall(key).and_then(|text| text.parse::<i32>().ok());
        if let Some(width) = number(WIDTH) {
            self.width.set(width.clamp(LEAST, MOST));
        }
        if let Some(height) = number(HEIGHT) {
            self.height.set(height.clamp(LEAST, MOST));
        }
        let narrow = keyboard::is_narrow();
        self.narrow.set(narrow);
        // A sheet takes half of the screen: it is opened anew.
        if !narrow && recall(OPEN).as_deref() == Some("open") {
            self.open.set(true);
        }
    }

    fn draw(self) {
        let Some(root) = root() else { return };
        let _ = root.set_attribute("data-panel", if self.open.get() { "open" } else { "closed" });
        let style = root.style();
        let _ = style.set_property("--panel-width", &format!("{}px", self.width.get()));
        let _ = style.set_property("--panel-height", &format!("{}px", self.height.get()));
    }

    fn size(self) -> RwSignal<i32> {
        if self.narrow.get() { self.height } else { self.width }
    }

    fn resize(self, size: i32) {
        untrack(|| self.size()).set(size.clamp(LEAST, MOST));
    }

    fn keep(self) {
        let key = if self.narrow.get_untracked() { HEIGHT } else { WIDTH };
        remember(key, &untrack(|| self.size().get()).to_string());
    }

    /// The edge that makes it larger and smaller.
    pub(super) fn handle(self) -> AnyView {
        let drags = StoredValue::new(false);
        let begin = move |event: PointerEvent| {
            event.prevent_default();
            drags.set_value(true);
            if let Some(edge) = event.target().and_then(|target| target.dyn_into::<Element>().ok()) {
                let _ = edge.set_pointer_capture(event.pointer_id());
            }
        };
        let drag = move |event: PointerEvent| {
            if drags.get_value() {
                let length = |length: Result<_, _>| {
                    let length: leptos::wasm_bindgen::JsValue = length.unwrap_or_default();
                    #[allow(clippy::cast_possible_truncation)]
                    {
                        length.as_f64().unwrap_or_default() as i32
                    }
                };
                self.resize(if self.narrow.get_untracked() {
                    length(window().inner_height()) - event.client_y()
                } else {
                    length(window().inner_width()) - event.client_x()
                });
            }
        };
        let end = move |_: PointerEvent| {
            if drags.get_value() {
                drags.set_value(false);
                self.keep();
            }
        };
        let key = move |event: KeyboardEvent| {
            let size = untrack(|| self.size().get());
            let wanted = match event.key().as_str() {
                "ArrowLeft" | "ArrowUp" => size + STEP,
                "ArrowRight" | "ArrowDown" => size - STEP,
                "Home" => LEAST,
                "End" => MOST,
                _ => return,
            };
            event.prevent_default();
            self.resize(wanted);
            self.keep();
        };
        view! {
            <div
                class="panel-handle"
                role="separator"
                tabindex="0"
                aria-label="Size of the event panel"
                aria-orientation=live(move || if self.narrow.get() { "horizontal" } else { "vertical" })
                aria-valuemin=LEAST.to_string()
                aria-valuemax=MOST.to_string()
                aria-valuenow=live(move || self.size().get().to_string())
                on:pointerdown=begin
                on:pointermove=drag
                on:pointerup=end
                on:pointercancel=end
                on:keydown=key
            ></div>
        }
        .erase()
    }
}
