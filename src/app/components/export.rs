//! Taking the conversation along as a file.

use leptos::prelude::*;
use netra_ws::ThreadId;

use super::Icon;
use crate::app::view::{Erase, view};

/// The button in the top bar, and what it offers. The browser opens and closes it, and knows the way back for the keyboard.
#[component]
pub(crate) fn Export(thread: ThreadId) -> impl IntoView {
    let file = move |format: &str| format!("/api/threads/{thread}/export?format={format}");
    view! {
        <div class="export">
            <button type="button" class="icon-button" aria-label="Export" title="Export" popovertarget="export">
                {Icon::Export.view()}
            </button>
            <div class="export-files" id="export" popover="auto">
                <p>"Take this conversation along"</p>
                <a class="button" href=file("markdown") rel="external" download="">
                    "Markdown"
                </a>
                <a class="button" href=file("json") rel="external" download="">
                    "JSON"
                </a>
            </div>
        </div>
    }
    .erase()
}
