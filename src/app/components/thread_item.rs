//! A conversation in the sidebar: open, rename, pin, delete; all in place.

use leptos::{html, prelude::*, task::spawn_local};
use leptos_router::hooks::{use_location, use_navigate};
use netra_ws::{ThreadId, model::Thread};

use super::Icon;
use crate::app::{
    api,
    pages::Layout,
    store::use_store,
    view::{Erase, effect, live, memo, part, when},
};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Rest,
    Renaming,
    Deleting,
}

/// One row.
#[component]
pub(crate) fn ThreadItem(id: ThreadId, thread: Memo<Thread>) -> impl IntoView {
    let layout = expect_context::<Layout>();
    let href = format!("/t/{id}");
    let pathname = use_location().pathname;
    let active = {
        let href = href.clone();
        memo(move || pathname.get() == href)
    };
    let mode = RwSignal::new(Mode::Rest);
    let failure = RwSignal::new(None::<String>);
    let title = memo(move || {
        thread.with(|thread| if thread.title.is_empty() { "Untitled".to_owned() } else { thread.title.clone() })
    });
    let me = use_store().user().map(|user| user.id);
    let own = memo(move || thread.with(|thread| Some(thread.owner_id) == me));
    let running = memo(move || thread.with(|thread| thread.running));
    let pinned = memo(move || thread.with(|thread| thread.pinned));
    let pin = move || if pinned.get() { "Unpin" } else { "Pin" };
    let store = StoredValue::new(use_store());
    // The row may be gone when the server answers: what is needed then is taken along.
    let change = move |title: Option<String>, pinned: Option<bool>| {
        let store = store.get_value();
        spawn_local(async move {
            match api::change_thread(id, title, pinned).await {
                Ok(thread) => store.put_thread(thread),
                Err(error) => _ = failure.try_set(Some(api::reason(&error))),
            }
        });
    };
    let navigate = StoredValue::new(use_navigate());
    let delete = move |_| {
        let (store, navigate, shown) = (store.get_value(), navigate.get_value(), active.get_untracked());
        spawn_local(async move {
            match api::delete_thread(id).await {
                Ok(()) => {
                    store.threads.update(|threads| threads.retain(|thread| thread.id != id));
                    if shown {
                        navigate("/", leptos_router::NavigateOptions::default());
                    }
                }
                Err(error) => _ = failure.try_set(Some(api::reason(&error))),
            }
        });
    };
    let input = NodeRef::<html::Input>::new();
    effect(move || {
        if let Some(input) = input.get() {
            // The field has just been put into the page.
            let _ = input.focus();
            input.select();
        }
    });
    let rename = move || {
        let Some(input) = input.get_untracked() else { return };
        let wanted = input.value().trim().to_owned();
        mode.set(Mode::Rest);
        if !wanted.is_empty() && wanted != title.get_untracked() {
            change(Some(wanted), None);
        }
    };
    // Members look at a thread; its owner alone changes it.
    let actions = move || {
        view! {
            <div class="thread-actions">
                <button
                    type="button"
                    class="icon-button"
                    aria-label="Rename"
                    title="Rename"
                    on:click=move |_| mode.set(Mode::Renaming)
                >
                    {Icon::Pencil.view()}
                </button>
                <button
                    type="button"
                    class="icon-button"
                    aria-label=live(pin)
                    title=live(pin)
                    on:click=move |_| change(None, Some(!pinned.get_untracked()))
                >
                    {Icon::Pin.view()}
                </button>
                <button
                    type="button"
                    class="icon-button"
                    aria-label="Delete"
                    title="Delete"
                    on:click=move |_| mode.set(Mode::Deleting)
                >
                    {Icon::Bin.view()}
                </button>
            </div>
        }
        .erase()
    };
    let row = move || match mode.get() {
        Mode::Renaming => view! {
            <input
                class="thread-rename"
                aria-label="New title"
                maxlength="200"
                node_ref=input
                prop:value=title.get_untracked()
                on:keydown=move |event| match event.key().as_str() {
                    "Enter" => rename(),
                    "Escape" => mode.set(Mode::Rest),
                    _ => {}
                }
                on:blur=move |_| {
                    // Leaving the page blurs the field after its row is gone.
                    if mode.try_get_untracked() == Some(Mode::Renaming) {
                        rename();
                    }
                }
            />
        }
        .erase(),
        Mode::Deleting => view! {
            <div class="thread-confirm">
                <span>"Delete for good?"</span>
                <button type="button" class="button danger" on:click=delete>
                    "Delete"
                </button>
                <button type="button" class="button" on:click=move |_| mode.set(Mode::Rest)>
                    "Keep"
                </button>
            </div>
        }
        .erase(),
        Mode::Rest => view! {
            <a
                class="thread-link"
                href=href.clone()
                aria-current=live(move || active.get().then_some("page"))
                on:click=move |_| layout.leave_sheet()
            >
                <span class="thread-title">{title}</span>
                {when(move || running.get(), dot)}
            </a>
            {when(move || own.get(), actions)}
        }
        .erase(),
    };
    view! {
        <li
            class="thread-item"
            data-active=live(move || active.get().to_string())
            data-running=live(move || running.get().to_string())
            data-editing=live(move || (mode.get() != Mode::Rest).to_string())
        >
            {part(row)}
            {part(move || match failure.get() {
                Some(why) => view! { <p class="form-error" role="alert">{why}</p> }.erase(),
                None => ().erase(),
            })}
        </li>
    }
    .erase()
}

fn dot() -> AnyView {
    view! {
        <span class="running-dot">
            <span class="visually-hidden">"an agent works here"</span>
        </span>
    }
    .erase()
}
