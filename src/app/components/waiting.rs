//! A message on its way: queued, sent, or refused with a way to send it again.

use leptos::prelude::*;

use crate::app::{
    socket::use_socket,
    store::{Pending, PendingState},
    view::{Erase, Key, Row},
};

/// What a person said; the author is named when it is someone else.
pub(crate) fn said(content: String, author: Option<String>) -> AnyView {
    let author = author.map(|name| view! { <span class="message-author">{name}</span> }.erase());
    view! {
        <article class="message message-user">
            {author}
            <div class="bubble">{content}</div>
        </article>
    }
    .erase()
}

/// A message on its way, as a row: another state is another row.
pub(crate) fn waiting_row(item: Pending) -> Row {
    let key = Key::Id(item.frame.id.uuid(), item.state.name());
    Row::new(key, move || view! { <Waiting item /> }.erase())
}

#[component]
fn Waiting(item: Pending) -> impl IntoView {
    let socket = use_socket();
    let content = item.content().unwrap_or_default().to_owned();
    let state = item.state.name();
    let choice = match &item.state {
        PendingState::Queued => view! { "queued: it goes out when the connection is back" }.erase(),
        PendingState::Sent => view! { "sent" }.erase(),
        PendingState::Failed(error) => {
            let (again, frame) = (socket.clone(), item.frame.clone());
            let id = item.frame.id;
            view! {
                "not sent: "
                {error.message.clone()}
                " "
                <button type="button" class="link-button" on:click=move |_| again.retry(frame.clone())>
                    "retry"
                </button>
                " "
                <button type="button" class="link-button" on:click=move |_| socket.discard(id)>
                    "discard"
                </button>
            }
            .erase()
        }
    };
    view! {
        <article class="message message-user">
            <div class="bubble">{content}</div>
            <div class="message-state" data-state=state role="status">
                {choice}
            </div>
        </article>
    }
    .erase()
}

impl PendingState {
    const fn name(&self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Sent => "sent",
            Self::Failed(_) => "failed",
        }
    }
}
