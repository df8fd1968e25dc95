//! Nothing here.

use leptos::prelude::*;
use leptos_meta::Title;

use crate::app::view::Erase;

/// The page for addresses that lead nowhere, and for conversations that are not the reader's.
#[component]
pub(crate) fn NotFoundPage() -> impl IntoView {
    view! {
        <Title text="Not found" />
        <div class="page">
            <h1>"Nothing here"</h1>
            <p>"This conversation does not exist, was deleted, or belongs to someone else."</p>
            <a class="button" href="/">
                "New chat"
            </a>
        </div>
    }
    .erase()
}
