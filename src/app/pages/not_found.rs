//! Nothing here.

use leptos::prelude::*;
use leptos_meta::Title;

use crate::app::{
    components::Topbar,
    view::{Erase, view},
};

/// The page of a conversation that does not exist, or is not the reader's.
#[component]
pub(crate) fn NotFoundPage() -> impl IntoView {
    nothing("This conversation does not exist, was deleted, or belongs to someone else.")
}

/// The page of an address that leads nowhere.
#[component]
pub(crate) fn UnknownPage() -> impl IntoView {
    nothing("There is no page at this address.")
}

fn nothing(why: &'static str) -> AnyView {
    view! {
        <Title text="Not found" />
        <Topbar title="Not found" agent="" />
        <div class="page">
            <h2>"Nothing here"</h2>
            <p>{why}</p>
            <a class="button primary" href="/">
                "Start a new chat"
            </a>
        </div>
    }
    .erase()
}
