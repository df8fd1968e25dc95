//! The server's notices, until they are put away.

use leptos::prelude::*;
use netra_ws::payload::Notice;

use crate::app::{
    keyboard,
    store::use_store,
    view::{Erase, Key, Row, list, view, when},
};

/// Notices under the top bar.
#[component]
pub(crate) fn Notices() -> impl IntoView {
    let store = use_store();
    let (notices, outdated) = (store.notices, store.outdated);
    let rows = move || {
        let row = |(at, notice): (usize, Notice)| {
            let notices = notices.clone();
            // Their order is their age: a notice that moves up is another row, and that is seldom.
            Row::new(Key::Name(format!("{at} {}", notice.message)), move || banner(notices, at, notice))
        };
        notices.get().into_iter().enumerate().map(row).collect()
    };
    view! {
        {when(move || outdated.get(), reload)}
        {list(rows)}
    }
    .erase()
}

/// What waits to be sent is kept across a reload, and so is the place: the address says which thread is shown.
fn reload() -> AnyView {
    let reload = |_| {
        if let Err(error) = window().location().reload() {
            leptos::logging::error!("the page does not reload: {error:?}");
        }
    };
    view! {
        <div class="banner outdated" data-level="info" role="status">
            <span>"The server is newer than this page: some of what it says may show as unknown."</span>
            <button type="button" class="button" on:click=reload>
                "Reload"
            </button>
        </div>
    }
    .erase()
}

fn banner(notices: ArcRwSignal<Vec<Notice>>, at: usize, notice: Notice) -> AnyView {
    let level = notice.level.as_str();
    view! {
        <div class="banner" data-level=level role="alert">
            <span>{notice.message}</span>
            <button
                type="button"
                class="button quiet"
                on:click=move |_| {
                    notices.update(|notices| drop(notices.remove(at)));
                    keyboard::focus_composer();
                }
            >
                "Dismiss"
            </button>
        </div>
    }
    .erase()
}
