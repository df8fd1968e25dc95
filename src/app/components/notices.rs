//! The server's notices, until they are put away.

use leptos::prelude::*;
use netra_ws::payload::{Level, Notice};

use crate::app::store::use_store;

fn numbered(notices: Vec<Notice>) -> Vec<(usize, Notice)> {
    notices.into_iter().enumerate().collect()
}

/// Notices under the top bar.
#[component]
pub(crate) fn Notices() -> impl IntoView {
    let notices = use_store().notices;
    let shown = notices.clone();
    view! {
        <For
            each=move || numbered(shown.get())
            key=|(at, notice)| (*at, notice.message.clone())
            children=move |(at, notice)| {
                let notices = notices.clone();
                let level = match notice.level {
                    Level::Info => "info",
                    Level::Warn => "warn",
                    Level::Danger => "danger",
                };
                view! {
                    <div class="banner" data-level=level role="alert">
                        <span>{notice.message}</span>
                        <button
                            type="button"
                            class="button quiet"
                            on:click=move |_| notices.update(|notices| drop(notices.remove(at)))
                        >
                            "Dismiss"
                        </button>
                    </div>
                }
            }
        />
    }
}
