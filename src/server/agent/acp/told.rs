//! What an agent is told: the message to answer alone where its session knows the rest, and the conversation otherwise.

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::super::model::{ChatMessage, GivenFile};

/// Bytes of a conversation that is told again; what is older is left out.
const LONGEST: usize = 200 << 10;

/// What the agent takes beside text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Takes {
    /// Pictures.
    pub(super) images: bool,
    /// Files.
    pub(super) files: bool,
}

/// The digest of a conversation, in which an answer counts by its words.
pub(super) fn digest(conversation: &[ChatMessage]) -> String {
    use std::fmt::Write as _;
    let mut hash = Sha256::new();
    for message in conversation {
        let (role, text) = match message {
            ChatMessage::User { text, .. } => (b'u', text.trim()),
            ChatMessage::Assistant { text, .. } => (b'a', text.trim()),
            ChatMessage::Tool { .. } => continue,
        };
        hash.update([role]);
        hash.update(text.len().to_le_bytes());
        hash.update(text);
    }
    hash.finalize().iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// How many messages a session with this digest knows.
pub(super) fn known(conversation: &[ChatMessage], told: &str) -> Option<usize> {
    (0..conversation.len()).rev().find(|upto| digest(&conversation[..*upto]) == told)
}

/// What the session is sent: the messages that it does not know, of which the last is to be answered, and what it did before it was
/// cut off.
pub(super) fn prompt(messages: &[ChatMessage], done: &[ChatMessage], takes: Takes) -> Vec<Value> {
    let Some((last, before)) = messages.split_last() else { return Vec::new() };
    let mut blocks = Vec::new();
    let earlier = transcript(before);
    if !earlier.is_empty() {
        blocks.push(words(&format!("The conversation so far:\n\n{earlier}\n\nThe message to answer now follows.")));
    }
    if let ChatMessage::User { text, files } = last {
        let shown =
            |file: &&GivenFile| !file.base64.is_empty() && if file.is_image() { takes.images } else { takes.files };
        let hidden = files.iter().filter(|file| !shown(file));
        let text = hidden.fold(text.clone(), |text, file| {
            format!("{text}\n\n[The attached file {:?} cannot be shown to you.]", file.name)
        });
        if !text.trim().is_empty() {
            blocks.push(words(&text));
        }
        blocks.extend(files.iter().filter(shown).map(block));
    }
    let done = calls(done);
    if !done.is_empty() {
        blocks.push(words(&format!(
            "The server was interrupted while you worked on this message. What you had done by then, with what it gave:\n\n{done}\n\n\
             Go on from there, and do not do again what was done."
        )));
    }
    blocks
}

fn words(text: &str) -> Value {
    json!({ "type": "text", "text": text })
}

fn block(file: &GivenFile) -> Value {
    if file.is_image() {
        return json!({ "type": "image", "mimeType": file.media_type, "data": file.base64.as_ref() });
    }
    let resource = json!({ "uri": format!("attachment:{}", file.name), "mimeType": file.media_type, "blob": file.base64.as_ref() });
    json!({ "type": "resource", "resource": resource })
}

fn transcript(messages: &[ChatMessage]) -> String {
    let told = messages.iter().filter_map(|message| match message {
        ChatMessage::User { text, .. } => Some(format!("Person: {text}")),
        ChatMessage::Assistant { text, .. } if !text.trim().is_empty() => Some(format!("You: {text}")),
        ChatMessage::Assistant { .. } | ChatMessage::Tool { .. } => None,
    });
    newest(told.collect())
}

fn calls(done: &[ChatMessage]) -> String {
    let told = done.iter().filter_map(|message| match message {
        ChatMessage::Tool { name, result, .. } => {
            let end = result.floor_char_boundary(2_000);
            Some(format!("{name}: {}", &result[..end]))
        }
        ChatMessage::User { .. } | ChatMessage::Assistant { .. } => None,
    });
    newest(told.collect())
}

fn newest(told: Vec<String>) -> String {
    let mut left = LONGEST;
    let fits = told.iter().rev().take_while(|text| {
        let fits = text.len() <= left;
        left = left.saturating_sub(text.len());
        fits
    });
    let from = told.len() - fits.count();
    let left_out = (from > 0).then(|| "[What is older is left out.]".to_owned());
    left_out.into_iter().chain(told.into_iter().skip(from)).collect::<Vec<_>>().join("\n\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::agent::model::Replay;

    #[test]
    fn a_session_is_told_what_it_does_not_know() {
        let said =
            |text: &str| ChatMessage::Assistant { text: text.into(), calls: Vec::new(), replay: Replay::default() };
        let conversation =
            [ChatMessage::user("one"), said("1"), ChatMessage::user("two"), said("2"), ChatMessage::user("three")];
        assert_eq!(known(&conversation, &digest(&conversation[..4])), Some(4));
        assert_eq!(known(&conversation, &digest(&conversation[..2])), Some(2));
        assert_eq!(known(&conversation, &digest(&[])), Some(0));
        assert_eq!(known(&conversation, &digest(&[ChatMessage::user("other")])), None);
        let told = |from: usize| prompt(&conversation[from..], &[], Takes::default());
        assert_eq!(told(4), [words("three")]);
        assert_eq!(told(0).len(), 2);
        assert!(told(0)[0]["text"].as_str().is_some_and(|text| text.contains("Person: one\n\nYou: 1\n\nPerson: two")));
        let done = [ChatMessage::Tool { id: "1".into(), name: "edit".into(), result: "done".into() }];
        let blocks = prompt(&conversation[4..], &done, Takes::default());
        assert!(blocks[1]["text"].as_str().is_some_and(|text| text.contains("edit: done")));
        let long = [ChatMessage::user("x".repeat(LONGEST + 1)), ChatMessage::user("y")];
        assert!(prompt(&long, &[], Takes::default())[0].to_string().contains("left out"));
    }
}
