//! An answer as it grows: Markdown, block by block, changed in place.

use leptos::{html, prelude::*};

use crate::app::{
    markdown,
    view::{Erase, live, view},
};

/// Blocks that are laid out together: with each piece of an answer a browser looks at all that stands beside what has changed.
pub(super) const PART: usize = 64;

/// The text, rendered.
#[component]
pub(crate) fn Answer(#[prop(into)] text: Signal<String>, #[prop(into)] streaming: Signal<bool>) -> impl IntoView {
    let element = NodeRef::<html::Div>::new();
    follow::keep(element, text, streaming);
    // What is taken over from the server is in the page already.
    let hydrates = Owner::current_shared_context().is_some_and(|context| context.during_hydration());
    let html = if cfg!(feature = "hydrate") && hydrates {
        String::new()
    } else {
        in_parts(&text.with_untracked(|text| markdown::blocks(text, streaming.get_untracked())))
    };
    view! {
        <div
            class="answer markdown"
            data-streaming=live(move || streaming.get().to_string())
            on:click=pressed::on_click
            node_ref=element
            inner_html=html
        ></div>
    }
    .erase()
}

/// An answer that is whole, as HTML.
#[cfg(feature = "ssr")]
pub(crate) fn whole(text: &str) -> String {
    in_parts(&markdown::blocks(text, false))
}

fn in_parts(blocks: &[String]) -> String {
    let mut html = String::new();
    for part in blocks.chunks(PART) {
        html.push_str("<div class=\"md-part\">");
        for block in part {
            html.extend(["<div class=\"md-block\" dir=\"auto\">", block, "</div>"]);
        }
        html.push_str("</div>");
    }
    html
}

#[cfg(feature = "hydrate")]
mod follow {
    use std::time::Duration;

    use leptos::{html, prelude::*};

    use super::super::{growing::Growing, patch};
    use crate::app::{markdown, view::effect};

    /// Of the time that a large block takes to draw, how much passes before it is drawn again: the rest of the page has to live.
    const REST: f64 = 3.0;

    /// What the renderer puts on whatever more can be made of: formulas, diagrams, code in a known language. No text can hold it,
    /// since quotes are escaped.
    const RICH: &str = "data-rich=\"";

    /// Blocks that take less are drawn with every frame, in milliseconds.
    const QUICK: f64 = 6.0;

    /// Keeps the element to the text.
    pub(super) fn keep(element: NodeRef<html::Div>, text: Signal<String>, streaming: Signal<bool>) {
        let mut growing: Option<Growing> = None;
        let mut rests_until = 0.0;
        let rested = RwSignal::new(0_u64);
        let waits = StoredValue::new(false);
        effect(move || {
            rested.track();
            let (Some(element), grows) = (element.get(), streaming.get()) else { return };
            let began = now();
            let rest = rests_until - began;
            if grows && rest > 0.0 {
                text.track();
                #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
                let rest = Duration::from_millis(rest as u64 + 1);
                // One timer at a time, however much comes while the block rests.
                if waits.try_update_value(|waits| std::mem::replace(waits, true)) == Some(false) {
                    let wake = move || {
                        waits.try_set_value(false);
                        rested.try_update(|rested| *rested += 1);
                    };
                    set_timeout(wake, rest);
                }
                return;
            }
            text.with(|text| {
                let growing =
                    growing.get_or_insert_with(|| if grows { Growing::default() } else { Growing::shown(text) });
                let shown = growing.blocks().is_empty();
                let change = growing.update(text, grows, markdown::blocks);
                if let Some((block, more)) = &change.code {
                    patch::append_code(&element, *block, more);
                }
                if let Some(from) = change.from {
                    patch::blocks(&element, from, growing.blocks());
                }
                // What the server rendered is not parsed again; it is in the page.
                let rich = match change.from {
                    Some(from) => growing.blocks().iter().skip(from).any(|block| block.contains(RICH)),
                    None => shown && element.inner_html().contains(RICH),
                };
                if rich {
                    super::pressed::load_rich();
                }
            });
            let took = now() - began;
            rests_until = if took > QUICK { began + took * (1.0 + REST) } else { 0.0 };
        });
    }

    fn now() -> f64 {
        window().performance().map_or(0.0, |performance| performance.now())
    }
}

#[cfg(not(feature = "hydrate"))]
mod follow {
    use leptos::{html, prelude::*};

    pub(super) fn keep(_: NodeRef<html::Div>, _: Signal<String>, _: Signal<bool>) {}
}

/// The buttons inside an answer are part of the rendered text, so one listener serves them all.
#[cfg(feature = "hydrate")]
mod pressed {
    use std::time::Duration;

    use leptos::{prelude::*, task::spawn_local};
    use wasm_bindgen::JsCast;
    use web_sys::{Element, HtmlElement};

    use super::super::copying::{Copied, clipboard};

    /// The script that draws formulas, diagrams and the colours of code.
    const SCRIPT: &str = "/rich/rich.js";

    /// Loads it once.
    pub(super) fn load_rich() {
        let document = document();
        let (Some(head), None) = (document.head(), document.get_element_by_id("rich")) else { return };
        let Ok(script) = document.create_element("script") else { return };
        let set = [("id", "rich"), ("type", "module"), ("src", SCRIPT)]
            .iter()
            .all(|(name, value)| script.set_attribute(name, value).is_ok());
        if !set || head.append_child(&script).is_err() {
            leptos::logging::warn!("formulas and diagrams stay as they are written");
        }
    }

    pub(super) fn on_click(event: leptos::ev::MouseEvent) {
        let Some(target) = event.target().and_then(|target| target.dyn_into::<Element>().ok()) else { return };
        let Ok(Some(button)) = target.closest("button") else { return };
        let classes = button.class_list();
        if classes.contains("copy") {
            copy(button);
        } else if classes.contains("wrap") {
            wrap(&button);
        } else if let Some(number) = button.get_attribute("data-footnote") {
            go(&button, &format!("[data-note=\"{number}\"]"));
        } else if let Some(number) = button.get_attribute("data-back") {
            go(&button, &format!("[data-footnote=\"{number}\"]"));
        }
    }

    fn code_of(button: &Element) -> Option<Element> {
        button.closest(".code-block").ok().flatten()?.query_selector("code").ok().flatten()
    }

    fn copy(button: Element) {
        let Some(code) = code_of(&button).and_then(|code| code.text_content()) else { return };
        spawn_local(async move {
            // The last line's end belongs to the block: pasted into a shell it would run what was copied.
            let done = clipboard::write(code.strip_suffix('\n').unwrap_or(&code)).await;
            let went = if done { Copied::Done } else { Copied::Failed };
            button.set_text_content(Some(went.words("Copy")));
            set_timeout(move || button.set_text_content(Some("Copy")), Duration::from_secs(2));
        });
    }

    fn wrap(button: &Element) {
        let wrapped = button.get_attribute("aria-pressed").as_deref() == Some("true");
        // Setting an attribute whose name is well-formed cannot fail.
        let _ = button.set_attribute("aria-pressed", if wrapped { "false" } else { "true" });
    }

    /// Leads to another place of the same answer.
    fn go(from: &Element, to: &str) {
        let place = from.closest(".answer").ok().flatten().and_then(|answer| answer.query_selector(to).ok().flatten());
        if let Some(place) = place.and_then(|place| place.dyn_into::<HtmlElement>().ok()) {
            // Focusing scrolls to it, too.
            let _ = place.focus();
        }
    }
}

#[cfg(not(feature = "hydrate"))]
mod pressed {
    pub(super) fn on_click(_: leptos::ev::MouseEvent) {}
}
