//! The sidebar: conversations by day, a search, and the account.

use leptos::{prelude::*, task::spawn_local};
use netra_ws::model::Thread;

use super::{Icon, Mark, thread_item::ThreadItem};
use crate::app::{
    api,
    pages::Layout,
    socket::use_socket,
    store::use_store,
    time::day_group,
    view::{Erase, Key, Row, effect, list, memo, part},
};

/// The sidebar.
#[component]
pub(crate) fn Sidebar() -> impl IntoView {
    let store = use_store();
    let layout = expect_context::<Layout>();
    let search = RwSignal::new(String::new());
    let found = RwSignal::new(None::<Vec<Thread>>);
    let offset = RwSignal::new(0_i64);
    #[cfg(feature = "hydrate")]
    effect(move || offset.set(crate::app::time::zone_offset_ms()));
    // The answer to an older search may come after that to a newer one.
    effect(move || {
        let query = search.get().trim().to_owned();
        if query.is_empty() {
            found.set(None);
            return;
        }
        spawn_local(async move {
            let threads = api::search_threads(query.clone()).await;
            if search.get_untracked().trim() == query {
                found.set(Some(threads.unwrap_or_default()));
            }
        });
    });
    let now = store.rendered_at();
    let threads = store.threads.clone();
    let groups = memo(move || {
        let shown = found.get().unwrap_or_else(|| threads.get());
        let newest = shown.iter().map(|thread| thread.updated_at).max().unwrap_or(now).max(now);
        let mut groups: Vec<(&'static str, Vec<Thread>)> = Vec::new();
        for thread in shown {
            let name = if thread.pinned { "Pinned" } else { day_group(thread.updated_at, newest, offset.get()) };
            match groups.iter_mut().find(|(group, _)| *group == name) {
                Some((_, members)) => members.push(thread),
                None => groups.push((name, vec![thread])),
            }
        }
        groups
    });
    let empty = move || {
        if !groups.with(Vec::is_empty) {
            return ().erase();
        }
        let text = if found.with(Option::is_some) { "Nothing found." } else { "Conversations will be listed here." };
        view! { <p class="sidebar-empty">{text}</p> }.erase()
    };
    let rows = move || {
        let row = |(name, _): (&'static str, Vec<Thread>)| {
            Row::new(Key::Name(name.to_owned()), move || view! { <Group groups name /> }.erase())
        };
        groups.get().into_iter().map(row).collect()
    };
    view! {
        <nav class="sidebar" id="sidebar" aria-label="Conversations">
            <div class="sidebar-head">
                <a class="brand" href="/" on:click=move |_| layout.leave_sheet()>
                    <Mark />
                    <span>"Netra"</span>
                </a>
                <button type="button" class="icon-button" aria-label="Close sidebar" on:click=move |_| layout.close()>
                    {Icon::Close.view()}
                </button>
            </div>
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
                    prop:value=search
                    on:input=move |event| search.set(event_target_value(&event))
                />
            </label>
            <div class="thread-groups">
                {list(rows)}
                {part(empty)}
            </div>
            <Account />
        </nav>
    }
    .erase()
}

/// The conversations of some days.
#[component]
fn Group(groups: Memo<Vec<(&'static str, Vec<Thread>)>>, name: &'static str) -> impl IntoView {
    let members = memo(move || {
        let members = |groups: &Vec<(&'static str, Vec<Thread>)>| {
            groups.iter().find(|(group, _)| *group == name).map(|(_, members)| members.clone())
        };
        groups.with(members).unwrap_or_default()
    });
    let rows = move || {
        let row = |first: Thread| {
            let id = first.id;
            Row::new(Key::Id(id.uuid(), "thread"), move || {
                let thread = memo(move || {
                    let known = members.with(|members| members.iter().find(|thread| thread.id == id).cloned());
                    known.unwrap_or_else(|| first.clone())
                });
                view! { <ThreadItem id thread /> }.erase()
            })
        };
        members.get().into_iter().map(row).collect()
    };
    view! {
        <section class="thread-group">
            <h2 class="thread-group-title">{name}</h2>
            <ul class="thread-list">{list(rows)}</ul>
        </section>
    }
    .erase()
}

#[component]
fn Account() -> impl IntoView {
    let store = use_store();
    let socket = use_socket();
    let name = store.user().map(|user| user.name.clone()).unwrap_or_default();
    let role = store.user().and_then(|user| user.email.clone());
    let sign_out = move |_| {
        let socket = socket.clone();
        spawn_local(async move {
            if let Err(error) = api::logout().await {
                leptos::logging::error!("signing out failed: {error}");
                return;
            }
            socket.sign_out();
            if window().location().assign("/login").is_err() {
                leptos::logging::error!("the sign-in page cannot be opened");
            }
        });
    };
    view! {
        <footer class="account">
            <span class="account-name">{name}</span>
            <span class="account-role">{role}</span>
            <button type="button" class="button quiet" on:click=sign_out>
                "Sign out"
            </button>
        </footer>
    }
    .erase()
}
