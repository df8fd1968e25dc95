//! Taking text along. A button says "Copied" only once the text is on the clipboard.

use std::time::Duration;

use leptos::{prelude::*, task::spawn_local};

use super::Icon;
use crate::app::view::{Erase, live, part, view};

/// How long a button says how it went.
const SAID_FOR: Duration = Duration::from_secs(2);

/// How a copy went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Copied {
    /// Nothing was copied lately.
    Not,
    /// It is on the clipboard.
    Done,
    /// The browser refused.
    Failed,
}

impl Copied {
    /// What a button says.
    pub(crate) const fn words(self, at_rest: &'static str) -> &'static str {
        match self {
            Self::Not => at_rest,
            Self::Done => "Copied",
            Self::Failed => "Not copied: select the text instead",
        }
    }
}

/// A button that copies what `text` gives when it is pressed. `name` says what that is.
pub(crate) fn copy_button(name: &'static str, text: impl Fn() -> String + Send + Sync + 'static) -> AnyView {
    let went = RwSignal::new(Copied::Not);
    let words = move || went.get().words(name);
    let copy = move |_| {
        let text = text();
        spawn_local(async move {
            let done = if clipboard::write(&text).await { Copied::Done } else { Copied::Failed };
            // The button may be gone by now.
            if went.try_set(done).is_none() {
                set_timeout(move || _ = went.try_set(Copied::Not), SAID_FOR);
            }
        });
    };
    view! {
        <button type="button" class="icon-button" aria-label=live(words) title=live(words) on:click=copy>
            {part(move || match went.get() {
                Copied::Not => Icon::Copy.view(),
                Copied::Done => Icon::Check.view(),
                Copied::Failed => Icon::Alert.view(),
            })}
        </button>
    }
    .erase()
}

#[cfg(feature = "hydrate")]
pub(crate) mod clipboard {
    use leptos::prelude::*;
    use wasm_bindgen::{JsCast, JsValue};
    use wasm_bindgen_futures::JsFuture;

    /// Puts a text on the clipboard; whether it is there.
    pub(crate) async fn write(text: &str) -> bool {
        let navigator = window().navigator();
        // Browsers have no clipboard for pages on plain http, and refuse it while the page is not in front.
        let has =
            js_sys::Reflect::get(&navigator, &JsValue::from_str("clipboard")).is_ok_and(|there| there.is_object());
        if has && JsFuture::from(navigator.clipboard().write_text(text)).await.is_ok() {
            return true;
        }
        from_a_field(text).unwrap_or(false)
    }

    /// The older way: a field that is selected and copied from.
    fn from_a_field(text: &str) -> Option<bool> {
        let document = document();
        let focused = document.active_element();
        let field: web_sys::HtmlTextAreaElement = document.create_element("textarea").ok()?.dyn_into().ok()?;
        field.set_value(text);
        field.set_read_only(true);
        field.set_class_name("visually-hidden");
        field.set_attribute("aria-hidden", "true").ok()?;
        document.body()?.append_child(&field).ok()?;
        field.select();
        let copied = document.dyn_ref::<web_sys::HtmlDocument>()?.exec_command("copy").unwrap_or(false);
        field.remove();
        if let Some(focused) = focused.and_then(|element| element.dyn_into::<web_sys::HtmlElement>().ok()) {
            // It had the focus before; without it the keyboard would start at the top of the page.
            let _ = focused.focus();
        }
        Some(copied)
    }
}

#[cfg(not(feature = "hydrate"))]
mod clipboard {
    pub(super) async fn write(_: &str) -> bool {
        std::future::ready(false).await
    }
}
