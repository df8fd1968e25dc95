//! A panel over the page: a modal dialog of the browser's own, so that the page behind it is inert, Escape closes it, and the focus
//! goes in and comes back.

use leptos::{html, prelude::*, web_sys::EventTarget};

use crate::app::{
    pages::Layout,
    view::{Erase, effect, view},
};

/// The panel.
#[derive(Clone, Copy)]
pub(super) struct Overlay {
    dialog: NodeRef<html::Dialog>,
    layout: Layout,
}

impl Overlay {
    pub(super) fn new() -> Self {
        Self { dialog: NodeRef::new(), layout: expect_context() }
    }

    /// Closes it: the focus is back where it was when this returns.
    pub(super) fn close(self) {
        if let Some(dialog) = self.dialog.get_untracked() {
            dialog.close();
        }
        self.layout.uncover();
    }

    /// The panel with what stands in it.
    pub(super) fn view(self, class: &'static str, label: &'static str, content: AnyView) -> AnyView {
        let Self { dialog, layout } = self;
        effect(move || {
            let Some(dialog) = dialog.get() else { return };
            // After it is in the page.
            request_animation_frame(move || {
                if dialog.is_connected() && !dialog.open() {
                    _ = dialog.show_modal();
                }
            });
        });
        view! {
            <dialog
                class=class
                aria-label=label
                node_ref=dialog
                on:close=move |_| layout.uncover()
                on:click=move |event| {
                    // The content covers the dialog: what hits the dialog itself has gone beside it.
                    let hit = event.target().zip(dialog.get_untracked());
                    let beside = hit.is_some_and(|(target, dialog)| {
                        let dialog: &EventTarget = dialog.as_ref();
                        target == *dialog
                    });
                    if beside {
                        self.close();
                    }
                }
            >
                {content}
            </dialog>
        }
        .erase()
    }
}
