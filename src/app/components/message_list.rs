//! The conversation: people's messages, each with the card that answers it, and messages on their way.

use leptos::{html, prelude::*};
use netra_ws::{MessageId, RunId, ThreadId, model::MessageRole};

use super::{
    Icon,
    card::Card,
    waiting::{said, waiting_row},
};
use crate::app::{
    store::{Pending, use_store},
    view::{Erase, Key, Row, effect, list, memo, when},
};

/// How near to the end a reader counts as following, in pixels.
const NEAR_END: i32 = 80;

/// What stands in the list, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Item {
    Message(MessageId),
    Card(RunId),
}

/// The conversation of a thread.
#[component]
pub(crate) fn MessageList(thread: ThreadId) -> impl IntoView {
    let app = use_store();
    let store = app.thread(thread);
    let me = app.user().map(|user| user.id);
    let scroller = NodeRef::<html::Div>::new();
    let following = RwSignal::new(true);
    let items = {
        let store = store.clone();
        memo(move || {
            store.with_structure(|state| {
                let mut items = Vec::new();
                for message in state.messages.iter().filter(|message| message.role == MessageRole::User) {
                    items.push(Item::Message(message.message_id));
                    let answers = state.runs.iter().filter(|run| run.answers == Some(message.message_id));
                    items.extend(answers.map(|run| Item::Card(run.run_id)));
                }
                items
            })
        })
    };
    let waiting = {
        let (store, pending) = (store.clone(), app.pending.clone());
        memo(move || {
            let here = |item: &Pending| item.frame.thread_id == Some(thread) && item.content().is_some();
            let waiting: Vec<Pending> = pending.get().into_iter().filter(here).collect();
            // A message has the id of its command: once it is in the thread it is no longer on its way.
            store.with_structure(|state| {
                waiting.into_iter().filter(|item| state.message(item.frame.id.into()).is_none()).collect::<Vec<_>>()
            })
        })
    };
    let content = {
        let store = store.clone();
        move |id: MessageId| {
            store.with_structure(|state| {
                let Some(message) = state.message(id) else { return (String::new(), None) };
                let author = message.author.as_ref().filter(|author| Some(author.id) != me);
                (message.content.clone(), author.map(|author| author.name.clone()))
            })
        }
    };
    let to_end = move || {
        if let Some(scroller) = scroller.get_untracked() {
            scroller.set_scroll_top(scroller.scroll_height());
        }
    };
    let followed = store.clone();
    effect(move || {
        followed.track_any();
        items.track();
        waiting.track();
        if following.get_untracked() {
            // After what changed has been laid out, and unless the reader has gone up in the same frame.
            request_animation_frame(move || {
                if following.try_get_untracked() == Some(true) {
                    to_end();
                }
            });
        }
    });
    let last_top = StoredValue::new(0);
    let on_scroll = move |_| {
        if let Some(scroller) = scroller.get_untracked() {
            let top = scroller.scroll_top();
            let left = scroller.scroll_height() - top - scroller.client_height();
            // Growth never moves the content up, so whoever goes up wants to read; the smallest step counts.
            if top < last_top.get_value() && left > 1 {
                following.set(false);
            } else if top > last_top.get_value() && left < NEAR_END {
                following.set(true);
            }
            last_top.set_value(top);
        }
    };
    // The wheel says it before the first pixel has moved, while the next word may already be pulling down.
    let on_wheel = move |event: leptos::ev::WheelEvent| {
        let scrolls = scroller
            .get_untracked()
            .is_some_and(|scroller| scroller.scroll_height() > scroller.client_height() && scroller.scroll_top() > 0);
        if event.delta_y() < 0.0 && scrolls {
            following.set(false);
        }
    };
    let rows = move || {
        let row = |item: Item| {
            let content = content.clone();
            match item {
                Item::Message(id) => Row::new(Key::Id(id.uuid(), "message"), move || {
                    let (content, author) = content(id);
                    said(content, author)
                }),
                Item::Card(run) => Row::new(Key::Id(run.uuid(), "run"), move || view! { <Card thread run /> }.erase()),
            }
        };
        items.get().into_iter().map(row).collect()
    };
    let waiting_rows = move || waiting.get().into_iter().map(waiting_row).collect();
    let jump = move || {
        let jump = move |_| {
            following.set(true);
            to_end();
        };
        view! {
            <button type="button" class="jump-latest" on:click=jump>
                {Icon::Down.view()}
                "Latest"
            </button>
        }
        .erase()
    };
    view! {
        <div
            class="scroller"
            node_ref=scroller
            on:scroll=on_scroll
            on:wheel=on_wheel
            tabindex="0"
            role="region"
            aria-label="Conversation"
        >
            <div class="column" role="log" aria-live="polite">
                {list(rows)}
                {list(waiting_rows)}
            </div>
        </div>
        {when(move || !following.get(), jump)}
    }
    .erase()
}
