//! An answer as it grows: Markdown, block by block, so that a new word touches only the last one.

use leptos::prelude::*;

use crate::app::{
    markdown,
    view::{Erase, Key, Row, list, live, memo},
};

/// The text, rendered.
#[component]
pub(crate) fn Answer(#[prop(into)] text: Signal<String>, #[prop(into)] streaming: Signal<bool>) -> impl IntoView {
    let blocks = memo(move || markdown::blocks(&text.get()));
    let count = memo(move || blocks.with(Vec::len));
    view! {
        <div class="answer markdown" data-streaming=live(move || streaming.get().to_string()) on:click=copy::on_click>
            {list(move || (0..count.get()).map(|at| Row::new(Key::At(at), move || block(blocks, at))).collect())}
        </div>
    }
    .erase()
}

fn block(blocks: Memo<Vec<String>>, at: usize) -> AnyView {
    let html = memo(move || blocks.with(|blocks| blocks.get(at).cloned().unwrap_or_default()));
    view! { <div class="md-block" inner_html=live(move || html.get())></div> }.erase()
}

/// Copies a text and says so on the button for a moment.
pub(crate) fn copy_text(text: String, copied: RwSignal<bool>) {
    copy::write(&text);
    copied.set(true);
    set_timeout(move || copied.set(false), std::time::Duration::from_secs(2));
}

#[cfg(feature = "hydrate")]
mod copy {
    use leptos::prelude::*;
    use wasm_bindgen::JsCast;

    pub(super) fn write(text: &str) {
        // The promise fails when the page is not focused; then there is nothing to do.
        let _ = window().navigator().clipboard().write_text(text);
    }

    /// Copy buttons of code blocks are part of the rendered text, so one listener serves them all.
    pub(super) fn on_click(event: leptos::ev::MouseEvent) {
        let Some(button) = event.target().and_then(|target| target.dyn_into::<web_sys::Element>().ok()) else { return };
        if !button.class_list().contains("copy") {
            return;
        }
        let code =
            button.closest(".code-block").ok().flatten().and_then(|block| block.query_selector("code").ok().flatten());
        if let Some(code) = code.and_then(|code| code.text_content()) {
            write(&code);
            button.set_text_content(Some("Copied"));
            set_timeout(move || button.set_text_content(Some("Copy")), std::time::Duration::from_secs(2));
        }
    }
}

#[cfg(not(feature = "hydrate"))]
mod copy {
    pub(super) fn write(_: &str) {}

    pub(super) fn on_click(_: leptos::ev::MouseEvent) {}
}
