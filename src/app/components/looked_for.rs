//! From a search to the message that was found.

use leptos::prelude::*;
use netra_ws::{MessageId, RunId, ThreadId, ThreadState};

use super::message_list::Item;

/// The words that were looked for, and the conversation that was opened to read on there.
#[derive(Clone, Copy)]
pub(crate) struct LookedFor(RwSignal<Option<(ThreadId, String)>>);

impl LookedFor {
    /// Nothing yet.
    pub(crate) fn new() -> Self {
        Self(RwSignal::new(None))
    }

    /// The reader goes on in this conversation; without words, to its end.
    pub(super) fn open(self, thread: ThreadId, words: Option<String>) {
        self.0.set(words.map(|words| (thread, words)));
    }

    /// The words, if they were looked for in this conversation; follows that.
    pub(super) fn within(self, thread: ThreadId) -> Option<String> {
        self.0.with(|wanted| wanted.as_ref().filter(|(id, _)| *id == thread).map(|(_, words)| words.clone()))
    }

    /// The reader is there.
    pub(super) fn done(self) {
        self.0.set(None);
    }
}

/// Whether a text holds all words.
fn holding(words: &str) -> impl Fn(&str) -> bool {
    let words: Vec<String> = words.split_whitespace().map(str::to_lowercase).collect();
    move |text| {
        let text = text.to_lowercase();
        words.iter().all(|word| text.contains(word.as_str()))
    }
}

/// The newest message with all words on a way that is not shown: a person's, and the answer to it that holds them.
pub(super) fn newest_hidden_with(words: &str, state: &ThreadState) -> Option<(MessageId, Option<RunId>)> {
    let holds = holding(words);
    let found = state.messages.iter().rfind(|message| holds(&message.content))?;
    match found.run_id {
        Some(run) => Some((state.run(run)?.answers?, Some(run))),
        None => Some((found.message_id, None)),
    }
}

/// The newest of these that holds all words.
pub(super) fn newest_with(words: &str, items: &[Item], state: &ThreadState) -> Option<Item> {
    let holds = holding(words);
    let text = |item: &Item| match *item {
        Item::Message(id) => state.message(id).is_some_and(|message| holds(&message.content)),
        Item::Card(id) => state.run(id).is_some_and(|run| holds(&run.text)),
    };
    items.iter().rfind(|item| text(item)).copied()
}
