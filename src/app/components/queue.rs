//! What was said while an answer is being written: it waits above the message box, and can be taken back from there.

use leptos::prelude::*;
use netra_ws::{MessageId, RunId, ThreadId};

use super::{Icon, variants::Way};
use crate::app::{
    keyboard,
    socket::use_socket,
    standing::ReadsOnly,
    store::use_store,
    view::{Erase, Key, Row, list, memo, view, when},
};

/// Longer words are cut, in characters; the whole stands in the title.
const LONGEST: usize = 200;

/// The messages that wait. `back` takes the words of one that is taken back.
#[component]
pub(crate) fn Queue(thread: ThreadId, back: RwSignal<Option<String>>) -> impl IntoView {
    let way = expect_context::<Way>();
    let reads_only = use_context::<ReadsOnly>();
    let store = use_store().thread(thread);
    let socket = StoredValue::new(use_socket());
    let waiting = memo(move || way.queued());
    let words = move |message: MessageId| {
        store.with_structure(|state| {
            let Some(message) = state.message(message) else { return (String::new(), String::new()) };
            let files = match message.attachments.len() {
                0 => String::new(),
                1 => " · 1 file".to_owned(),
                count => format!(" · {count} files"),
            };
            (message.content.clone(), files)
        })
    };
    let row = move |(message, run): (MessageId, RunId)| {
        let words = words.clone();
        Row::new(Key::Id(message.uuid(), "queued"), move || {
            let (content, files) = untrack(|| words(message));
            let short: String = content.chars().take(LONGEST).collect();
            let label = format!("Take back: {short}");
            let take_back = move |_| {
                socket.with_value(|socket| socket.stop(thread, run));
                way.take_back(message);
                back.set(untrack(|| Some(words(message).0)));
                keyboard::focus_composer();
            };
            let may = move || !reads_only.is_some_and(|only| only.0.get());
            let button = {
                let (label, take_back) = (label.clone(), take_back.clone());
                move || {
                    view! {
                        <button
                            type="button"
                            class="icon-button"
                            aria-label=label.clone()
                            title="Take back"
                            on:click=take_back.clone()
                        >
                            {Icon::Cross.view()}
                        </button>
                    }
                    .erase()
                }
            };
            view! {
                <li class="queued">
                    <span class="queued-words" dir="auto" title=content>{short}</span>
                    <span class="queued-files">{files}</span>
                    {when(may, button)}
                </li>
            }
            .erase()
        })
    };
    let rows = move || waiting.get().into_iter().map(row.clone()).collect::<Vec<_>>();
    let rows = StoredValue::new(rows);
    let shown = move || {
        view! {
            <ul class="queue" aria-label="Waits for the answer before it">
                {list(move || rows.with_value(|rows| rows()))}
            </ul>
        }
        .erase()
    };
    when(move || waiting.with(|waiting| !waiting.is_empty()), shown)
}
