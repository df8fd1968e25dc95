//! The bar above the conversation: where one is, who answers, and the link.

use leptos::prelude::*;

use super::{Icon, link_status::LinkStatus};
use crate::app::{
    pages::Layout,
    view::{Erase, live, view, words},
};

/// The bar.
#[component]
pub(crate) fn Topbar(
    #[prop(into)] title: Signal<String>,
    #[prop(into)] agent: Signal<String>,
    /// What stands before the link's state.
    #[prop(optional)]
    children: Option<Children>,
) -> impl IntoView {
    let layout = expect_context::<Layout>();
    view! {
        <header class="topbar">
            <button
                type="button"
                class="icon-button sidebar-toggle"
                aria-label="Open sidebar"
                aria-controls="sidebar"
                on:click=move |_| layout.open()
            >
                {Icon::Menu.view()}
            </button>
            <h1 class="topbar-title" dir="auto" title=live(move || title.get())>
                {words(move || title.get())}
            </h1>
            <span class="topbar-agent">{words(move || agent.get())}</span>
            {children.map(|children| children())}
            <LinkStatus />
        </header>
    }
    .erase()
}
