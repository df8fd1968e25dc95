//! The sidebar: a search, conversations by day, and the account.

use leptos::{prelude::*, task::spawn_local};
use netra_ws::{model::Role, session::Link};

use super::{Icon, Mark, ThemeSwitch, invitations::Invitations, thread_list::ThreadList};
use crate::app::{
    api,
    pages::Layout,
    socket::{signs_out, use_socket},
    store::use_store,
    view::{Erase, live, memo, view, when, words},
};

/// The sidebar.
#[component]
pub(crate) fn Sidebar() -> impl IntoView {
    let layout = expect_context::<Layout>();
    let link = use_store().link;
    let signed_in = memo(move || link.get() != Link::SignedOut);
    view! {
        <nav class="sidebar" id="sidebar" aria-label="Conversations">
            <div class="sidebar-head">
                <a class="brand" href="/" on:click=move |_| layout.leave_sheet()>
                    <Mark />
                    <span>"Netra"</span>
                </a>
                <button
                    type="button"
                    class="icon-button"
                    aria-label="Close sidebar"
                    title="Close sidebar"
                    on:click=move |_| layout.close()
                >
                    {Icon::Close.view()}
                </button>
            </div>
            {when(move || signed_in.get(), move || view! { <Conversations /> }.erase())}
            {when(
                move || !signed_in.get(),
                || view! { <p class="sidebar-empty">"Sign in to see your conversations."</p> }.erase(),
            )}
        </nav>
    }
    .erase()
}

/// What belongs to the user.
#[component]
fn Conversations() -> impl IntoView {
    let layout = expect_context::<Layout>();
    let search = RwSignal::new(String::new());
    let (archived, picking) = layout.lists();
    let label = move || if archived.get() { "Back to all" } else { "Archived" }.to_owned();
    view! {
        <a class="new-chat" href="/" on:click=move |_| layout.leave_sheet()>
            {Icon::Plus.view()}
            "New chat"
        </a>
        <label class="search">
            {Icon::Search.view()}
            <input
                type="search"
                placeholder="Search"
                aria-label="Search conversations"
                maxlength="500"
                prop:value=search
                on:input=move |event| search.set(event_target_value(&event))
            />
        </label>
        {when(move || archived.get(), || view! { <h2 class="sidebar-title">"Archived"</h2> }.erase())}
        <Invitations />
        <ThreadList search archived picking />
        <div class="list-views">
            <button
                type="button"
                class="archive-view"
                aria-pressed=live(move || archived.get().to_string())
                on:click=move |_| archived.update(|archived| *archived = !*archived)
            >
                {Icon::Archive.view()}
                <span>{words(label)}</span>
            </button>
            <button
                type="button"
                class="archive-view"
                aria-pressed=live(move || picking.get().to_string())
                on:click=move |_| picking.update(|picking| *picking = !*picking)
            >
                {Icon::Check.view()}
                "Select"
            </button>
        </div>
        <Account />
    }
    .erase()
}

#[component]
fn Account() -> impl IntoView {
    let store = use_store();
    let socket = use_socket();
    let name = store.name.clone();
    let role = store.user().and_then(|user| user.email.clone());
    let administers = store.user().is_some_and(|user| user.role == Role::Admin);
    let sign_out = move |_| {
        let socket = socket.clone();
        spawn_local(async move {
            signs_out(true);
            let elsewhere = match api::logout().await {
                Ok(elsewhere) => elsewhere,
                Err(error) => {
                    signs_out(false);
                    leptos::logging::error!("signing out failed: {error}");
                    return;
                }
            };
            socket.sign_out();
            if window().location().assign(elsewhere.as_deref().unwrap_or("/login")).is_err() {
                leptos::logging::error!("the sign-in page cannot be opened");
            }
        });
    };
    view! {
        <footer class="account">
            <span class="account-name">{words(move || name.get())}</span>
            <span class="account-role">{role}</span>
            <ThemeSwitch />
            <div class="account-links">
                <a class="button quiet" href="/account">
                    "Account"
                </a>
                <a class="button quiet" href="/settings">
                    "Settings"
                </a>
                {administers.then(|| view! { <a class="button quiet" href="/admin">"Administration"</a> }.erase())}
                <button type="button" class="button quiet" data-action="sign-out" on:click=sign_out>
                    "Sign out"
                </button>
            </div>
        </footer>
    }
    .erase()
}
