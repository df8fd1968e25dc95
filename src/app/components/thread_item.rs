//! A conversation in the sidebar: open, rename, pin, put away, delete; all in place, and with a way back.

use leptos::{html, prelude::*, task::spawn_local};
use netra_ws::{ThreadId, model::Thread};

use super::{Icon, LookedFor, thread_list::Listed, undoing::What};
use crate::app::{
    address::use_address,
    apart::{Part, Piece, draw},
    api, keyboard, markdown,
    pages::Layout,
    seen::use_seen,
    store::use_store,
    view::{Erase, effect, live, memo, part, view, when, words},
};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Rest,
    Renaming,
}

/// One row.
#[component]
#[allow(clippy::too_many_lines)]
pub(crate) fn ThreadItem(id: ThreadId, thread: Memo<Thread>) -> impl IntoView {
    let layout = expect_context::<Layout>();
    let Listed { found, undoing, editing, .. } = expect_context();
    let looked_for = expect_context::<LookedFor>();
    let href = format!("/t/{id}");
    let address = use_address();
    let active = {
        let href = href.clone();
        memo(move || address.path() == href)
    };
    let mode = RwSignal::new(Mode::Rest);
    keep_in_place(id, mode, editing);
    let failure = RwSignal::new(None::<String>);
    let title = memo(move || {
        thread
            .with(|thread| if thread.title.is_empty() { "Untitled".to_owned() } else { markdown::words(&thread.title) })
    });
    let me = use_store().user().map(|user| user.id);
    let own = memo(move || thread.with(|thread| Some(thread.owner_id) == me));
    let running = memo(move || thread.with(|thread| thread.running));
    let seen = use_seen();
    let state = memo(move || {
        thread.with(|thread| match thread {
            thread if thread.waiting => WAITING,
            thread if thread.running => RUNNING,
            thread if !active.get() && seen.has_news(thread) => UNREAD,
            _ => 0,
        })
    });
    let undone = memo(move || undoing.of(id));
    let pinned = memo(move || thread.with(|thread| thread.pinned));
    let pin = move || if pinned.get() { "Unpin" } else { "Pin" };
    let archived = memo(move || thread.with(|thread| thread.archived));
    let archive = move || if archived.get() { "Take back from the archive" } else { "Archive" };
    let store = StoredValue::new(use_store());
    // The row may be gone when the server answers: what is needed then is taken along.
    let change = move |title: Option<String>, pinned: Option<bool>| {
        let store = store.get_value();
        spawn_local(async move {
            match api::change_thread(id, title, pinned, None).await {
                Ok(thread) => store.put_thread(thread),
                Err(error) => _ = failure.try_set(Some(api::reason(&error))),
            }
        });
    };
    let done = move |what: What| undoing.begin(what, vec![thread.get_untracked()]);
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
        if !wanted.is_empty() && thread.with_untracked(|thread| thread.title != wanted) {
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
                    data-action="rename"
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
                    aria-label=live(archive)
                    title=live(archive)
                    on:click=move |_| done(if archived.get_untracked() { What::Restored } else { What::Archived })
                >
                    {part(move || if archived.get() { Icon::Restore.view() } else { Icon::Archive.view() })}
                </button>
                <button
                    type="button"
                    class="icon-button"
                    aria-label="Delete"
                    title="Delete"
                    data-action="delete"
                    on:click=move |_| done(What::Deleted)
                >
                    {Icon::Bin.view()}
                </button>
            </div>
        }
        .erase()
    };
    let rest = move |mode: RwSignal<Mode>| {
        mode.set(Mode::Rest);
        keyboard::focus_next(format!("{} [data-action=rename]", row_of(id)));
    };
    let row = move || match (undone.get(), mode.get()) {
        (1.., _) => draw(Part::Conversation, Piece::Undone(undoing, undone.get_untracked())),
        (0, Mode::Renaming) => view! {
            <input
                class="thread-rename"
                aria-label="New title"
                maxlength="200"
                dir="auto"
                autocomplete="off"
                node_ref=input
                prop:value=thread.with_untracked(|thread| thread.title.clone())
                on:keydown=move |event| {
                    if keyboard::composes(&event) {
                        return;
                    }
                    match event.key().as_str() {
                        "Enter" => {
                            event.prevent_default();
                            rename();
                            rest(mode);
                        }
                        "Escape" => {
                            event.prevent_default();
                            rest(mode);
                        }
                        _ => {}
                    }
                }
                on:blur=move |_| {
                    // Leaving the page blurs the field after its row is gone.
                    if mode.try_get_untracked() == Some(Mode::Renaming) {
                        rename();
                        mode.set(Mode::Rest);
                    }
                }
            />
        }
        .erase(),
        (0, Mode::Rest) => view! {
            <a
                class="thread-link"
                href=href.clone()
                title=live(move || title.get())
                aria-current=live(move || active.get().then_some("page"))
                on:click=move |_| {
                    looked_for.open(id, found.words(id));
                    layout.leave_sheet();
                }
            >
                <span class="thread-title" dir="auto">
                    {words(move || title.get())}
                </span>
                {part(move || mark(state.get()))}
                {part(move || found.excerpt(id).unwrap_or_else(|| ().erase()))}
            </a>
            {when(move || own.get(), actions)}
        }
        .erase(),
    };
    view! {
        <li
            class="thread-item"
            data-thread=id.to_string()
            data-active=live(move || active.get().to_string())
            data-unread=live(move || (state.get() == UNREAD).to_string())
            data-running=live(move || running.get().to_string())
            data-editing=live(move || (mode.get() != Mode::Rest || undone.get() > 0).to_string())
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

/// The list holds still while something is asked or typed here.
fn keep_in_place(id: ThreadId, mode: RwSignal<Mode>, editing: RwSignal<Option<ThreadId>>) {
    let leave = move || {
        if editing.try_get_untracked() == Some(Some(id)) {
            editing.set(None);
        }
    };
    effect(move || {
        if mode.get() == Mode::Rest {
            leave();
        } else {
            editing.set(Some(id));
        }
    });
    on_cleanup(leave);
}

/// Where a thread's row is.
pub(super) fn row_of(id: ThreadId) -> String {
    format!(".thread-item[data-thread=\"{id}\"]")
}

/// Where the focus goes when this row is gone: to the next conversation, or to the one before, or to a new one.
pub(super) fn neighbour(id: ThreadId) -> String {
    let rows = keyboard::each(".thread-item", "data-thread");
    let at = rows.iter().position(|row| *row == id.to_string());
    let near = at.and_then(|at| rows.get(at + 1).or_else(|| rows.get(at.checked_sub(1)?)));
    near.map_or_else(|| ".new-chat".to_owned(), |id| format!(".thread-item[data-thread=\"{id}\"] .thread-link"))
}

/// What a row's mark tells; nothing is 0.
const WAITING: usize = 1;
const RUNNING: usize = 2;
const UNREAD: usize = 3;

fn mark(state: usize) -> AnyView {
    let (class, title, words, icon) = match state {
        WAITING => ("asking-mark", "Waits for you", "an agent waits for you here", Icon::Clock.view()),
        RUNNING => ("running-dot", "An agent works here", "an agent works here", ().erase()),
        UNREAD => ("unread-mark", "Not read yet", "not read yet", ().erase()),
        _ => return ().erase(),
    };
    view! {
        <span class=class title=title>
            {icon}
            <span class="visually-hidden">{words}</span>
        </span>
    }
    .erase()
}
