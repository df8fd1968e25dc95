//! What a person said, and saying it again in other words.

use leptos::{ev::KeyboardEvent, html, prelude::*};
use netra_ws::{MessageId, ThreadId, model::Attachment};

use super::{
    attachments::{attached, removable},
    continuing::{Last, continue_button},
    copying::copy_button,
    message_list::Told,
    stamp::stamp,
    variants::{Way, branches},
    waiting::bubble,
};
use crate::app::{
    keyboard,
    socket::use_socket,
    standing::ReadsOnly,
    store::use_store,
    view::{Erase, live, memo, part, view, when},
};

/// A message; the author is named when it is someone else. One's own may be said again: that is a message beside it, which
/// follows what it followed.
pub(super) fn said(thread: ThreadId, id: MessageId, told: Told, way: Way) -> AnyView {
    let Told { content, files, author, at } = told;
    let own = author.is_none();
    let editing = RwSignal::new(false);
    let reads_only = use_context::<ReadsOnly>();
    let store = use_store().thread(thread);
    // What it follows is not known while earlier messages have not come.
    let follows = memo(move || store.with_structure(|state| state.parent_of(id)));
    let may_edit =
        memo(move || own && follows.get().is_some() && !reads_only.is_some_and(|only| only.0.get()) && !editing.get());
    let author = author.map(|name| view! { <span class="message-author">{name}</span> }.erase());
    let kept_files = files.clone();
    let (shown, copied, edited) = (content.clone(), content.clone(), content);
    let may_go_on = memo(move || !reads_only.is_some_and(|only| only.0.get()) && !editing.get());
    let go_on = move || {
        continue_button(thread, "Continue from this message in a new conversation", move || {
            Some(Last { message: id, asks: true })
        })
    };
    let edit = move || {
        view! {
            <button type="button" class="button quiet" on:click=move |_| editing.set(true)>
                "Edit"
            </button>
        }
        .erase()
    };
    let body = move || {
        if !editing.get() {
            return view! { {attached(&files)} {bubble(&shown)} }.erase();
        }
        let done = Callback::new(move |said: bool| {
            if said {
                way.forget_branch(id);
            }
            editing.set(false);
            keyboard::focus_composer();
        });
        view! { <Editor thread content=edited.clone() follows files=kept_files.clone() done /> }.erase()
    };
    view! {
        <article class="message message-user" data-editing=live(move || editing.get().to_string())>
            {author}
            {part(body)}
            <footer class="message-foot">
                {branches(id, way)} {stamp(at)} {when(move || may_edit.get(), edit)}
                {copy_button("Copy message", move || copied.clone())} {when(move || may_go_on.get(), go_on)}
            </footer>
        </article>
    }
    .erase()
}

/// The words of a message, to be changed.
#[component]
fn Editor(
    thread: ThreadId,
    content: String,
    follows: Memo<Option<MessageId>>,
    /// The files that went with it.
    files: Vec<Attachment>,
    /// Hears that the reader is done, and whether something was sent.
    done: Callback<bool>,
) -> impl IntoView {
    let socket = use_socket();
    let store = use_store();
    let text = RwSignal::new(content.clone());
    let field = NodeRef::<html::Textarea>::new();
    focus(field);
    let agent = {
        let thread = store.thread(thread);
        move || untrack(|| thread.head()).map(|thread| thread.agent)
    };
    let limit = store.discovery.with_untracked(|discovery| discovery.ws.limits.max_frame_bytes) / 2;
    let too_long = move || text.with(|text| text.len() > limit);
    // One that the server does not keep cannot go with another message.
    let files = RwSignal::new(files.into_iter().filter(|file| file.id.is_some()).collect::<Vec<_>>());
    let blank = move || text.with(|text| text.trim().is_empty()) && files.with(Vec::is_empty);
    let unfit = memo(move || blank() || too_long());
    let send = move || {
        if unfit.get_untracked() {
            return;
        }
        socket.say(thread, text.get_untracked(), files.get_untracked(), agent(), follows.get_untracked());
        done.run(true);
    };
    let pressed = send.clone();
    let keys = move |event: KeyboardEvent| {
        if event.key() == "Escape" && !keyboard::composes(&event) {
            event.prevent_default();
            event.stop_propagation();
            done.run(false);
        } else if keyboard::sends(&event) {
            event.prevent_default();
            pressed();
        }
    };
    let long =
        move || view! { <p class="message-state" role="status">"This message is too long. Shorten it."</p> }.erase();
    view! {
        <form
            class="message-editor"
            on:submit=move |event| {
                event.prevent_default();
                send();
            }
        >
            <textarea
                node_ref=field
                aria-label="Edit the message"
                dir="auto"
                rows="3"
                prop:value=content
                on:input=move |event| text.set(event_target_value(&event))
                on:keydown=keys
            ></textarea>
            {removable(files)}
            {when(too_long, long)}
            <div class="message-editor-foot">
                <button type="button" class="button" on:click=move |_| done.run(false)>
                    "Cancel"
                </button>
                <button type="submit" class="button primary" disabled=live(move || unfit.get())>
                    "Send"
                </button>
            </div>
        </form>
    }
    .erase()
}

/// The editor has the focus, at the end of the words.
#[cfg(feature = "hydrate")]
fn focus(field: NodeRef<html::Textarea>) {
    crate::app::view::effect(move || {
        if let Some(field) = field.get() {
            let _ = field.focus();
            let end = u32::try_from(field.value().encode_utf16().count()).unwrap_or(u32::MAX);
            let _ = field.set_selection_range(end, end);
        }
    });
}

#[cfg(not(feature = "hydrate"))]
fn focus(_: NodeRef<html::Textarea>) {}
