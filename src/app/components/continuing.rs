//! Going on from a message in a conversation of its own: the server copies what leads to it, and the page goes there.

use leptos::{prelude::*, task::spawn_local};
use netra_ws::{MessageId, ThreadId, payload::Level};
use serde_json::json;

use super::icon::drawn;
use crate::app::{
    address::{Address, use_address},
    fetch,
    socket::{Socket, use_socket},
    store::{AppStore, use_store},
    view::{Erase, live, part, view},
};

/// A way that turns off another.
const TURNS_OFF: &str = "M4 5.5v5M4 5.5a1.5 1.5 0 1 0 0-3 1.5 1.5 0 0 0 0 3ZM4 13.5a1.5 1.5 0 1 0 0-3 1.5 1.5 0 0 0 0 3ZM12 5.5a1.5 1.5 0 1 0 0-3 1.5 1.5 0 0 0 0 3ZM12 5.5c0 3.5-8 2-8 5";

/// The message that a new conversation is to end with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Last {
    pub(super) message: MessageId,
    /// Whether it waits to be answered: a person said it.
    pub(super) asks: bool,
}

/// Makes a new conversation of what leads to a message.
#[derive(Clone)]
pub(super) struct Continuing {
    thread: ThreadId,
    socket: Socket,
    store: AppStore,
    address: Address,
    busy: RwSignal<bool>,
}

impl Continuing {
    pub(super) fn new(thread: ThreadId) -> Self {
        Self { thread, socket: use_socket(), store: use_store(), address: use_address(), busy: RwSignal::new(false) }
    }

    /// Whether one is being made; follows that.
    pub(super) fn is_busy(&self) -> bool {
        self.busy.get()
    }

    /// Makes it and goes there. A person's message is answered there anew.
    pub(super) fn go(&self, last: Last) {
        if self.busy.get_untracked() {
            return;
        }
        self.busy.set(true);
        let this = self.clone();
        spawn_local(async move {
            let body = json!({ "message_id": last.message });
            let path = format!("/api/threads/{}/continue", this.thread);
            let made = fetch::send("POST", &path, Some(&body)).await;
            // The page may be another by now.
            let stayed = this.busy.try_set(false).is_none();
            let made = made.and_then(|made| {
                let id = |at: &str| made.pointer(at).and_then(|id| id.as_str());
                let thread = id("/thread/id").and_then(|id| id.parse::<ThreadId>().ok());
                let message = id("/message_id").and_then(|id| id.parse::<MessageId>().ok());
                thread.zip(message).ok_or_else(|| "the server's answer could not be read".to_owned())
            });
            match made {
                Ok((thread, message)) => {
                    if last.asks {
                        this.socket.regenerate(thread, message, None);
                    }
                    if stayed {
                        this.address.go(&format!("/t/{thread}"));
                    }
                }
                Err(why) => this.store.notify(Level::Warn, format!("No new conversation was made: {why}.")),
            }
        });
    }
}

/// The button beside a message or an answer. `last` says what the conversation ends with, once that is known.
pub(super) fn continue_button(
    thread: ThreadId,
    name: &'static str,
    last: impl Fn() -> Option<Last> + Send + Sync + 'static,
) -> AnyView {
    let continuing = Continuing::new(thread);
    let (busy, drawing, pressed) = (continuing.clone(), continuing.clone(), continuing);
    let words = move || if busy.is_busy() { "Making a new conversation…" } else { name };
    view! {
        <button
            type="button"
            class="icon-button"
            aria-label=live(words.clone())
            title=live(words)
            on:click=move |_| {
                if let Some(last) = last() {
                    pressed.go(last);
                }
            }
        >
            {part(move || {
                if drawing.is_busy() { super::Icon::Clock.view() } else { drawn(TURNS_OFF, "icon") }
            })}
        </button>
    }
    .erase()
}
