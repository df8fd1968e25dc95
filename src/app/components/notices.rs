//! The server's notices, until they are put away.

use leptos::prelude::*;
use netra_ws::payload::{Level, Notice};

use crate::app::{
    store::use_store,
    view::{Erase, Key, Row, list},
};

/// Notices under the top bar.
#[component]
pub(crate) fn Notices() -> impl IntoView {
    let notices = use_store().notices;
    list(move || {
        let row = |(at, notice): (usize, Notice)| {
            let notices = notices.clone();
            // Their order is their age: a notice that moves up is another row, and that is seldom.
            Row::new(Key::Name(format!("{at} {}", notice.message)), move || banner(notices, at, notice))
        };
        notices.get().into_iter().enumerate().map(row).collect()
    })
}

fn banner(notices: ArcRwSignal<Vec<Notice>>, at: usize, notice: Notice) -> AnyView {
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
    .erase()
}
