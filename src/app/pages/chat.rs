//! The frame around every conversation: sidebar and outlet.

use leptos::{ev, prelude::*};

use super::{HomePage, UnknownPage};
use crate::app::{
    address::{Address, Page, use_address},
    apart::{Part, Piece, draw},
    components::{LookedFor, Sidebar},
    keyboard::{self, Does},
    remembered::{SIDEBAR, recall, remember},
    seen::use_seen,
    view::{Erase, effect, live, memo, part, view, when},
};

/// Whether the sidebar is shown: beside the page, and, on a narrow screen, as a sheet over it.
#[derive(Clone, Copy)]
pub(crate) struct Layout {
    beside: RwSignal<bool>,
    sheet: RwSignal<bool>,
    /// What stands over the page.
    over: RwSignal<Option<Piece>>,
    /// Whether the sidebar lists what was put away, and whether several are chosen there.
    archived: RwSignal<bool>,
    picking: RwSignal<bool>,
    /// The agent that was chosen for a new conversation.
    pub(crate) agent: RwSignal<Option<String>>,
    address: Address,
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

    /// Does what a key, or somebody in the palette, asks for.
    pub(crate) fn carry_out(self, does: Does) {
        match does {
            Does::Palette => self.put_over(Piece::Palette),
            Does::Shortcuts => self.put_over(Piece::Shortcuts),
            Does::Search => {
                self.show();
                keyboard::focus_next("#sidebar input[type=search]");
            }
            Does::NewChat => {
                self.leave_sheet();
                self.address.go("/");
                keyboard::focus_next("#message");
            }
            Does::Sidebar if self.is_shown() => self.close(),
            Does::Sidebar => self.open(),
            // Whoever has the focus knows what these mean.
            Does::Enter | Does::NewLine | Does::Send | Does::Escape | Does::Events => {}
        }
    }

    /// Whether the sidebar lists what was put away, and whether several are chosen there.
    pub(crate) fn lists(self) -> (RwSignal<bool>, RwSignal<bool>) {
        (self.archived, self.picking)
    }

    /// Shows the sidebar with one of its lists.
    pub(crate) fn show_list(self, choose: impl FnOnce(RwSignal<bool>, RwSignal<bool>)) {
        self.show();
        choose(self.archived, self.picking);
    }

    fn is_shown(self) -> bool {
        if keyboard::is_narrow() { self.sheet.get_untracked() } else { self.beside.get_untracked() }
    }

    /// Shows something over the page; what is asked for again goes.
    fn put_over(self, piece: Piece) {
        let shown = self.over.get_untracked();
        // A panel that is open comes first.
        if shown.is_some() || !keyboard::has_panel() {
            self.over.set((shown != Some(piece)).then_some(piece));
        }
    }

    /// What stood over the page is gone.
    pub(crate) fn uncover(self) {
        let _ = self.over.try_set(None);
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
    let layout = Layout {
        beside: RwSignal::new(true),
        sheet: RwSignal::new(false),
        over: RwSignal::new(None),
        archived: RwSignal::new(false),
        picking: RwSignal::new(false),
        agent: RwSignal::new(None),
        address: use_address(),
    };
    let notifies = use_seen().notifies;
    provide_context(layout);
    provide_context(LookedFor::new());
    effect(move || layout.recall());
    let keys = window_event_listener(ev::keydown, move |event| {
        // What is open in the sheet, such as a title's field, takes its Escape first.
        let free = !event.default_prevented() && !keyboard::composes(&event);
        if event.key() == "Escape" && free && layout.sheet.get_untracked() {
            event.prevent_default();
            layout.close();
        } else if let Some(does) = keyboard::asks(&event).filter(|does| !matches!(does, Does::Escape | Does::Events)) {
            event.prevent_default();
            layout.carry_out(does);
        } else if event.key() == "Escape" && !keyboard::has_panel() {
            // What was to stand over the page did not come.
            layout.uncover();
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
            {part(move || layout.over.get().map_or_else(|| ().erase(), over))}
            {when(move || notifies.get(), || draw(Part::Conversation, Piece::Notifier))}
        </div>
    }
    .erase()
}

/// What stands over the page, or what is said until it does.
fn over(piece: Piece) -> AnyView {
    view! { <div class="over">{part(move || draw(Part::Conversation, piece))}</div> }.erase()
}

/// What the address names.
fn page() -> AnyView {
    let address = use_address();
    let page = memo(move || address.page());
    part(move || match page.get() {
        Page::Home => view! { <HomePage /> }.erase(),
        page @ Page::Thread => draw(Part::Conversation, Piece::Page(page)),
        page @ (Page::Account | Page::Settings | Page::Admin) => draw(Part::Forms, Piece::Page(page)),
        // Signing in has no frame around it, and is on its way.
        Page::Login | Page::Unknown => view! { <UnknownPage /> }.erase(),
    })
}
