//! Conversations from elsewhere: Netra's own export, ChatGPT's `conversations.json`, alone or in its archive, and Open WebUI's export. Each is read into the same
//! [`Conversation`], a tree of what was said, and written as events with the times of then; what has no place here is counted.

mod archive;
mod chatgpt;
mod copy;
mod events;
mod open_webui;
mod own;
mod tree;

use std::collections::BTreeMap;

use netra_ws::Timestamp;
use serde_json::{Value, value::RawValue};

pub(super) use archive::{conversations as unpacked, is_archive};
pub(super) use copy::{Turn, copied};
pub(super) use events::Events;

/// Conversations of one file.
const MOST_CONVERSATIONS: usize = 5_000;

/// Messages of one conversation.
const MOST_MESSAGES: usize = 5_000;

/// The longest text of one message, in bytes; of a longer one the rest is left out.
const LONGEST_TEXT: usize = 1 << 20;

/// What was left out, and how often.
pub(super) type LeftOut = BTreeMap<&'static str, u64>;

/// A conversation as it was somewhere else.
#[derive(Default)]
pub(super) struct Conversation {
    title: String,
    created_at: Option<Timestamp>,
    nodes: Vec<Node>,
    /// The one that was shown last.
    current: Option<usize>,
}

/// Something that was said.
#[derive(Default)]
struct Node {
    /// What it follows.
    parent: Option<usize>,
    by: By,
    text: String,
    thoughts: String,
    /// Names of files that stay behind.
    files: Vec<String>,
    /// Which model.
    model: Option<String>,
    at: Option<Timestamp>,
}

/// Who said it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum By {
    Person,
    Agent,
    /// A place in the tree where nothing was said.
    #[default]
    Nobody,
}

/// A file as it was recognised.
enum Kind {
    Own,
    ChatGpt,
    OpenWebUi,
}

/// Reads a file; gives each conversation to `take`, with what of it was left out. What the file is that cannot be read is said.
pub(super) fn read(
    text: &str,
    left_out: &mut LeftOut,
    mut take: impl FnMut(Result<Events, &'static str>),
) -> Result<(), String> {
    let entries = entries(text)?;
    if entries.len() > MOST_CONVERSATIONS {
        return Err(format!("the file has {} conversations, and may have {MOST_CONVERSATIONS}", entries.len()));
    }
    let mut known = false;
    for entry in entries {
        let room = 2 * entry.get().len() + LONGEST_TEXT;
        let entry: Value =
            serde_json::from_str(entry.get()).map_err(|error| format!("the file is no JSON: {error}"))?;
        let Some(kind) = kind(&entry) else {
            take(Err("entries that are no conversation"));
            continue;
        };
        known = true;
        take(match kind {
            Kind::Own => own::events(entry, left_out),
            Kind::ChatGpt => tree::events(chatgpt::conversation(&entry, left_out), room, left_out),
            Kind::OpenWebUi => tree::events(open_webui::conversation(&entry, left_out), room, left_out),
        });
    }
    if known {
        Ok(())
    } else {
        Err("the file is no export of Netra, ChatGPT (conversations.json) or Open WebUI".to_owned())
    }
}

/// The conversations of a file, each still as text: one is read at a time.
fn entries(text: &str) -> Result<Vec<&RawValue>, String> {
    let wrong = |error: serde_json::Error| format!("the file is no JSON: {error}");
    let start = text.trim_start_matches('\u{feff}').trim_start();
    if start.starts_with('[') {
        serde_json::from_str(start).map_err(wrong)
    } else {
        Ok(vec![serde_json::from_str(start).map_err(wrong)?])
    }
}

fn kind(entry: &Value) -> Option<Kind> {
    if entry["netra"] == "conversation" && entry["turns"].is_array() {
        return Some(Kind::Own);
    }
    if entry["mapping"].is_object() {
        return Some(Kind::ChatGpt);
    }
    let chat = &entry["chat"];
    (chat["history"]["messages"].is_object() || chat["messages"].is_array()).then_some(Kind::OpenWebUi)
}

/// One more of these was left out.
fn count(left_out: &mut LeftOut, what: &'static str) {
    *left_out.entry(what).or_default() += 1;
}

/// Text within bounds.
fn bounded(mut text: String, left_out: &mut LeftOut) -> String {
    if text.len() > LONGEST_TEXT {
        text.truncate(text.floor_char_boundary(LONGEST_TEXT));
        count(left_out, "ends of texts over 1 MB");
    }
    text
}

/// A time in seconds, milliseconds, or smaller parts, as programs write them.
fn time(value: &Value) -> Option<Timestamp> {
    let mut number = value.as_f64().filter(|number| number.is_finite() && *number > 0.0)?;
    if number < 1e11 {
        number *= 1_000.0;
    }
    while number > 1e14 {
        number /= 1_000.0;
    }
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    // it is between nothing and a hundred thousand billions
    let millis = number as u64;
    Some(Timestamp::from_millis(millis))
}

#[cfg(test)]
mod tests;
