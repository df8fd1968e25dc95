//! The conversation: people's messages, each with the card that answers it, and messages on their way.

use leptos::{ev, prelude::*, wasm_bindgen::JsCast, web_sys::Element};
use netra_ws::{
    MessageId, RunId, ThreadId, Timestamp,
    branch::Turn,
    model::{Attachment, MessageRole},
};
use uuid::Uuid;

use super::{
    card::Card, later::Later, reader::Reader, said::said, variants::Way, waiting::waiting_row, window::Window,
};
use crate::app::{
    store::{Pending, ThreadStore, use_store},
    view::{Erase, Key, Row, list, memo, part, view, when},
};

/// What stands in the list, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Item {
    Message(MessageId),
    Card(RunId),
}

impl Item {
    pub(super) fn id(self) -> Uuid {
        match self {
            Self::Message(id) => id.uuid(),
            Self::Card(id) => id.uuid(),
        }
    }
}

/// What is shown of a person's message.
#[derive(Default)]
pub(super) struct Told {
    pub(super) content: String,
    pub(super) files: Vec<Attachment>,
    /// Whose it is, when it is somebody else's.
    pub(super) author: Option<String>,
    pub(super) at: Timestamp,
}

/// The conversation of a thread.
#[component]
pub(crate) fn MessageList(thread: ThreadId) -> impl IntoView {
    let app = use_store();
    let store = app.thread(thread);
    let me = app.user().map(|user| user.id);
    let way = expect_context::<Way>();
    let items = items(way);
    let reader = Reader::new(thread, store.clone(), items, way);
    let waiting = waiting(&store, app.pending.clone(), thread);
    reader.start(waiting);
    let later = Later::new(&store, items);
    let glanced = store.clone();
    let content = move |id: MessageId| {
        store.with_structure(|state| {
            let Some(message) = state.message(id) else { return Told::default() };
            let author = message.author.as_ref().filter(|author| Some(author.id) != me);
            let name = match &message.role {
                MessageRole::Unknown(role) => Some(format!("Unknown role: {role}")),
                MessageRole::User | MessageRole::Assistant => author.map(|author| author.name.clone()),
            };
            Told {
                content: message.content.clone(),
                files: message.attachments.clone(),
                author: name,
                at: message.created_at,
            }
        })
    };
    let rows = move || {
        let row = |item: &Item| {
            let content = content.clone();
            match *item {
                Item::Message(id) => Row::new(Key::Id(id.uuid(), "message"), move || {
                    let told = untrack(|| content(id));
                    said(thread, id, told, way)
                }),
                Item::Card(run) => Row::new(Key::Id(run.uuid(), "run"), move || view! { <Card thread run /> }.erase()),
            }
        };
        // Whoever drags through the past sees its end.
        let window = if glanced.glances() { Window::newest() } else { reader.window.get() };
        let range = later.range(window, items.with(Vec::len));
        items.with(|items| items.get(range).unwrap_or_default().iter().map(row).collect())
    };
    let waiting_rows = move || {
        let is_at_end = reader.window.with(|window| window.is_at_end());
        waiting.get().into_iter().filter(|_| is_at_end).map(waiting_row).collect()
    };
    view! {
        <div
            class="scroller"
            node_ref=reader.scroller
            on:scroll=move |_| {
                if !reader.following.get_untracked() {
                    later.scrolled(reader.scroller.get_untracked().map_or(0, |scroller| scroller.scroll_top()));
                }
                reader.scrolled();
            }
            on:click=move |event| {
                if clicked_summary(&event) {
                    reader.unfolded();
                }
            }
            on:wheel=move |event| reader.wheeled(event.delta_y())
            tabindex="0"
            role="region"
            aria-label="Conversation"
        >
            {part(move || reader.earlier())}
            <div class="column" role="log" aria-live="off" node_ref=reader.column>
                {list(rows)}
                {list(waiting_rows)}
            </div>
        </div>
        {when(move || !reader.following.get(), move || reader.jump())}
    }
    .erase()
}

/// Whether a click, or a key that stands for one, unfolds something.
fn clicked_summary(event: &ev::MouseEvent) -> bool {
    let target = event.target().and_then(|target| target.dyn_into::<Element>().ok());
    target.is_some_and(|target| target.closest("summary").ok().flatten().is_some())
}

/// The messages and answers of the way that is shown, in order.
fn items(way: Way) -> Memo<Vec<Item>> {
    memo(move || {
        // Those wait above the message box.
        let queued = way.queued();
        let comes = |turn: &&Turn| queued.iter().all(|(message, _)| *message != turn.message);
        let turn = |turn: &Turn| [Some(Item::Message(turn.message)), turn.answer.map(Item::Card)];
        way.with_path(|path| path.iter().filter(comes).flat_map(turn).flatten().collect())
    })
}

/// The messages of this thread that are on their way.
fn waiting(store: &ThreadStore, pending: ArcRwSignal<Vec<Pending>>, thread: ThreadId) -> Memo<Vec<Pending>> {
    let store = store.clone();
    memo(move || {
        let here = |item: &Pending| item.frame.thread_id == Some(thread) && item.content().is_some();
        // Nothing was on its way in the past.
        if store.is_rewound() {
            return Vec::new();
        }
        let waiting: Vec<Pending> = pending.get().into_iter().filter(here).collect();
        // A message has the id of its command: once it is in the thread it is no longer on its way.
        store.with_structure(|state| {
            waiting.into_iter().filter(|item| state.message(item.frame.id.into()).is_none()).collect::<Vec<_>>()
        })
    })
}
