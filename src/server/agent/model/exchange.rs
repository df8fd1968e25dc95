//! Exchanges of a conversation: a question, calls with their results, and an answer. Where calls cannot go to a server, an exchange
//! is told as its words.

use super::{ChatMessage, Replay, named};

/// Whether a person's message begins here.
pub(in super::super) fn is_question(message: &ChatMessage) -> bool {
    matches!(message, ChatMessage::User { .. })
}

/// Whether something is called here.
pub(in super::super) fn calls(message: &ChatMessage) -> bool {
    matches!(message, ChatMessage::Assistant { calls, .. } if !calls.is_empty())
}

/// Whether an exchange before the last question has calls.
pub(super) fn any_called(messages: &[ChatMessage]) -> bool {
    before_the_last(messages).0.iter().any(calls)
}

/// The conversation with all exchanges before the last question told as their words.
pub(super) fn earlier_in_words(messages: &[ChatMessage]) -> Vec<ChatMessage> {
    let (before, last) = before_the_last(messages);
    let mut told: Vec<ChatMessage> = before.chunk_by(|_, next| !is_question(next)).flat_map(in_words).collect();
    told.extend_from_slice(last);
    told
}

/// Whether a message comes with files.
fn has_files(message: &ChatMessage) -> bool {
    matches!(message, ChatMessage::User { files, .. } if !files.is_empty())
}

/// Whether any message has files, and whether both the last question and one before it do.
pub(super) fn with_files(messages: &[ChatMessage]) -> (bool, bool) {
    let (before, last) = before_the_last(messages);
    let (before, last) = (before.iter().any(has_files), last.iter().any(has_files));
    (before || last, before && last)
}

/// The conversation with the files of all messages before the last question told as their names.
pub(super) fn earlier_files_named(messages: &[ChatMessage]) -> Vec<ChatMessage> {
    let (before, last) = before_the_last(messages);
    let told = before.iter().map(|message| match message {
        ChatMessage::User { text, files } => ChatMessage::user(named(text, files)),
        ChatMessage::Assistant { .. } | ChatMessage::Tool { .. } => message.clone(),
    });
    told.chain(last.iter().cloned()).collect()
}

fn before_the_last(messages: &[ChatMessage]) -> (&[ChatMessage], &[ChatMessage]) {
    messages.split_at(messages.iter().rposition(is_question).unwrap_or_default())
}

/// An exchange as a question and an answer.
pub(in super::super) fn in_words(exchange: &[ChatMessage]) -> Vec<ChatMessage> {
    if !exchange.iter().any(calls) {
        return exchange.to_vec();
    }
    let said = exchange.iter().filter_map(|message| match message {
        ChatMessage::Assistant { text, .. } => Some(text.as_str()).filter(|text| !text.trim().is_empty()),
        ChatMessage::User { .. } | ChatMessage::Tool { .. } => None,
    });
    let text = said.collect::<Vec<_>>().join("\n\n");
    let answer = ChatMessage::Assistant { text, calls: Vec::new(), replay: Replay::default() };
    exchange.iter().filter(|message| is_question(message)).cloned().chain([answer]).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::Map;

    use super::*;
    use crate::server::tool::ToolRequest;

    #[test]
    fn earlier_exchanges_are_told_in_words() {
        let said = |text: &str, ids: &[&str]| ChatMessage::Assistant {
            text: text.to_owned(),
            calls: ids
                .iter()
                .map(|id| ToolRequest { id: (*id).to_owned(), tool: "t".into(), arguments: Ok(Map::default()) })
                .collect(),
            replay: Replay::default(),
        };
        let result = |id: &str| ChatMessage::Tool { id: id.into(), name: "t".into(), result: "1".into() };
        let conversation = [
            ChatMessage::user("q1"),
            said("one", &["a", "b"]),
            result("a"),
            result("b"),
            said("", &["c"]),
            result("c"),
            said("two", &[]),
            ChatMessage::user("q2"),
            said("three", &[]),
            ChatMessage::user("q3"),
            said("", &["d"]),
            result("d"),
        ];
        assert!(any_called(&conversation));
        assert!(!any_called(&conversation[7..]));
        let told = earlier_in_words(&conversation);
        let words: Vec<&str> = told
            .iter()
            .map(|message| match message {
                ChatMessage::User { text, .. } => text.as_str(),
                ChatMessage::Assistant { text, calls, .. } if calls.is_empty() => text.as_str(),
                ChatMessage::Assistant { .. } => "call",
                ChatMessage::Tool { .. } => "result",
            })
            .collect();
        assert_eq!(words, ["q1", "one\n\ntwo", "q2", "three", "q3", "call", "result"]);
    }
}
