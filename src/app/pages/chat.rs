//! The frame around every conversation: sidebar and outlet.

use leptos::{ev, prelude::*};

use super::{HomePage, UnknownPage};
use crate::app::{
    address::{Page, use_address},
    apart::{Part, draw},
    components::{LookedFor, Sidebar},
    keyboard,
    remembered::{SIDEBAR, recall, remember},
    view::{Erase, effect, live, memo, part, view, when},
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
        self.show();
        keyboard::focus_next("#sidebar .icon-button");
    }

    /// Hides it.
    pub(crate) fn close(self) {
        // On a narrow screen the sheet is what the user closes; the other form stays as it was.
        if self.sheet.get_untracked() {
            self.sheet.set(false);
        } else {
            self.beside.set(false);
            remember(SIDEBAR, "closed");
        }
        keyboard::focus_next(".sidebar-toggle");
    }

    /// A choice was made in the sheet.
    pub(crate) fn leave_sheet(self) {
        self.sheet.set(false);
    }

    /// To the search, from anywhere.
    fn search(self) {
        self.show();
        keyboard::focus_next("#sidebar input[type=search]");
    }

    fn show(self) {
        if keyboard::is_narrow() {
            self.sheet.set(true);
        } else {
            self.beside.set(true);
            remember(SIDEBAR, "open");
        }
    }

    /// Takes over what `start.js` has shown before the page was alive.
    fn recall(self) {
        if recall(SIDEBAR).as_deref() == Some("closed") {
            self.beside.set(false);
        }
        if let Some(root) = document().document_element() {
            let _ = root.remove_attribute("data-sidebar");
        }
    }
}

/// The frame.
#[component]
pub(crate) fn ChatLayout() -> impl IntoView {
    let layout = Layout { beside: RwSignal::new(true), sheet: RwSignal::new(false) };
    provide_context(layout);
    provide_context(LookedFor::new());
    effect(move || layout.recall());
    let keys = window_event_listener(ev::keydown, move |event| {
        // What is open in the sheet, such as a title's field, takes its Escape first.
        let free = !event.default_prevented() && !keyboard::composes(&event);
        if event.key() == "Escape" && free && layout.sheet.get_untracked() {
            event.prevent_default();
            layout.close();
        } else if (event.ctrl_key() || event.meta_key()) && event.key().eq_ignore_ascii_case("k") {
            event.prevent_default();
            layout.search();
        }
    });
    // A sheet is for narrow screens; on a wide one nothing would close it.
    let widths = window_event_listener(ev::resize, move |_| {
        if layout.sheet.get_untracked() && !keyboard::is_narrow() {
            layout.leave_sheet();
        }
    });
    on_cleanup(move || {
        keys.remove();
        widths.remove();
    });
    view! {
        <div
            class="shell"
            data-sidebar=live(move || if layout.beside.get() { "open" } else { "closed" })
            data-sheet=live(move || if layout.sheet.get() { "open" } else { "closed" })
        >
            <nav class="skip" aria-label="Skip" inert=live(move || layout.sheet.get())>
                <a class="skip-link" href="#message">
                    "Skip to the message box"
                </a>
            </nav>
            <Sidebar />
            {when(
                move || layout.sheet.get(),
                move || view! { <div class="scrim" on:click=move |_| layout.close()></div> }.erase(),
            )}
            <main class="main" inert=live(move || layout.sheet.get())>
                {page()}
            </main>
        </div>
    }
    .erase()
}

/// What the address names.
fn page() -> AnyView {
    let address = use_address();
    let page = memo(move || address.page());
    part(move || match page.get() {
        Page::Home => view! { <HomePage /> }.erase(),
        Page::Thread => draw(Part::Conversation, Page::Thread),
        page @ (Page::Account | Page::Settings | Page::Admin) => draw(Part::Forms, page),
        // Signing in has no frame around it, and is on its way.
        Page::Login | Page::Unknown => view! { <UnknownPage /> }.erase(),
    })
}
