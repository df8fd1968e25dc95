//! The frame around every conversation: sidebar and outlet.

use leptos::{ev, prelude::*};
use leptos_router::components::Outlet;

use crate::app::{
    components::Sidebar,
    view::{Erase, live, when},
};

/// Whether the sidebar is shown: beside the page, and, on a narrow screen, as a sheet over it.
#[derive(Clone, Copy)]
pub(crate) struct Layout {
    beside: RwSignal<bool>,
    sheet: RwSignal<bool>,
}

impl Layout {
    /// Shows the sidebar, in whichever form the screen has room for.
    pub(crate) fn open(self) {
        self.beside.set(true);
        self.sheet.set(true);
    }

    /// Hides it.
    pub(crate) fn close(self) {
        // On a narrow screen the sheet is what the user closes; the other form stays as it was.
        if self.sheet.get_untracked() {
            self.sheet.set(false);
        } else {
            self.beside.set(false);
        }
    }

    /// A choice was made in the sheet.
    pub(crate) fn leave_sheet(self) {
        self.sheet.set(false);
    }
}

/// The frame.
#[component]
pub(crate) fn ChatLayout() -> impl IntoView {
    let layout = Layout { beside: RwSignal::new(true), sheet: RwSignal::new(false) };
    provide_context(layout);
    let keys = window_event_listener(ev::keydown, move |event| {
        if event.key() == "Escape" {
            layout.leave_sheet();
        }
    });
    on_cleanup(move || keys.remove());
    view! {
        <div
            class="shell"
            data-sidebar=live(move || if layout.beside.get() { "open" } else { "closed" })
            data-sheet=live(move || if layout.sheet.get() { "open" } else { "closed" })
        >
            <a class="skip-link" href="#message">
                "Skip to the message box"
            </a>
            <Sidebar />
            {when(
                move || layout.sheet.get(),
                move || view! { <div class="scrim" on:click=move |_| layout.leave_sheet()></div> }.erase(),
            )}
            <main class="main">
                <Outlet />
            </main>
        </div>
    }
    .erase()
}
