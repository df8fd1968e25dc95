//! A message on its way: saved and queued, sent, or refused with a way to send it again.

use super::attachments::{attached, told};
use crate::app::{
    keyboard,
    markdown::plain,
    sentence::sentence,
    socket::use_socket,
    store::{Kept, Pending, PendingState},
    view::{Erase, Key, Row, view},
};
use leptos::prelude::*;

/// A person's words, as they were written; addresses among them are links.
pub(super) fn bubble(content: &str) -> AnyView {
    if content.is_empty() {
        return ().erase();
    }
    view! { <div class="bubble" dir="auto" inner_html=plain(content)></div> }.erase()
}

/// A message on its way, as a row: another state is another row.
pub(crate) fn waiting_row(item: Pending) -> Row {
    let key = Key::Id(item.frame.id.uuid(), name(&item));
    Row::new(key, move || view! { <Waiting item /> }.erase())
}

#[component]
fn Waiting(item: Pending) -> impl IntoView {
    let socket = use_socket();
    let content = item.content().unwrap_or_default().to_owned();
    let state = name(&item);
    let choice = match (&item.state, &item.kept) {
        (PendingState::Queued, Kept::Saving) => view! { "Saving…" }.erase(),
        (PendingState::Queued, Kept::Saved) => view! { "Queued: it goes out when the connection is back." }.erase(),
        (PendingState::Queued, Kept::Unsaved(why)) => {
            let words =
                format!("Queued, but this browser does not keep it: {why}. Leave this page open until it is sent.");
            view! { {words} }.erase()
        }
        (PendingState::Sent, _) => view! { "Sent." }.erase(),
        (PendingState::Failed(error), _) => {
            let (again, frame) = (socket.clone(), item.frame.clone());
            let id = item.frame.id;
            view! {
                "Not sent: "
                {sentence(&error.message)}
                " "
                <button
                    type="button"
                    class="link-button"
                    on:click=move |_| {
                        again.retry(frame.clone());
                        keyboard::focus_composer();
                    }
                >
                    "Retry"
                </button>
                " "
                <button
                    type="button"
                    class="link-button"
                    on:click=move |_| {
                        socket.discard(id);
                        keyboard::focus_composer();
                    }
                >
                    "Discard"
                </button>
            }
            .erase()
        }
    };
    view! {
        <article class="message message-user">
            {attached(&told(item.attachments()))}
            {bubble(&content)}
            <div class="message-state" data-state=state role="status">
                {choice}
            </div>
        </article>
    }
    .erase()
}

/// What is said of it, in one word. `queued` is a promise that the disk keeps.
const fn name(item: &Pending) -> &'static str {
    match (&item.state, &item.kept) {
        (PendingState::Queued, Kept::Saving) => "saving",
        (PendingState::Queued, Kept::Saved) => "queued",
        (PendingState::Queued, Kept::Unsaved(_)) => "unsaved",
        (PendingState::Sent, _) => "sent",
        (PendingState::Failed(_), _) => "failed",
    }
}
