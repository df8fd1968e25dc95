//! What the model is shown of the thread: questions and answers in turn, the one to answer last.

use std::collections::{HashMap, HashSet};

use netra_ws::{
    MessageId, RunId, UserId,
    model::{Message, MessageRole},
};

use super::model::{ChatMessage, Replay, Takes};
use crate::server::{
    attachments::{Attachments, Given},
    store::{ClaimedRun, HistoryStore, StoreError},
};

/// Messages of the thread that a model is shown.
const CONTEXT_MESSAGES: usize = 60;

/// How many messages behind the newest one the message to answer may be.
const MAX_BEHIND: usize = 2_000;

/// Stands for the answer to a message that got none: many models take only questions and answers in turn.
const UNANSWERED: &str = "(This message was not answered.)";

/// What the agent is shown: the thread's messages up to the one to answer. A model is given what it `takes` of their files, and
/// told in front of each message whose it is where several people wrote: one member's words are not another's.
pub(super) async fn read(
    store: &dyn HistoryStore,
    attachments: &Attachments,
    run: &ClaimedRun,
    takes: Option<Takes>,
) -> Result<Vec<ChatMessage>, StoreError> {
    let mut messages = store.messages(run.thread_id, None, CONTEXT_MESSAGES).await?;
    let place = |messages: &[Message]| messages.iter().position(|message| Some(message.message_id) == run.message_id);
    // Many may have been asked since.
    let mut more = messages.len() == CONTEXT_MESSAGES;
    while more && place(&messages).is_none_or(|at| at + 1 < CONTEXT_MESSAGES) && messages.len() < MAX_BEHIND {
        let oldest = messages.first().map(|message| message.seq);
        let mut earlier = store.messages(run.thread_id, oldest, CONTEXT_MESSAGES).await?;
        more = earlier.len() == CONTEXT_MESSAGES;
        earlier.append(&mut messages);
        messages = earlier;
    }
    let answers = store.answered_messages(run.thread_id, MAX_BEHIND).await?;
    if takes.is_some() {
        tell_authors(&mut messages);
    }
    let upto = place(&messages).map_or(messages.len(), |at| at + 1);
    let files = attachments.give(&messages[upto.saturating_sub(CONTEXT_MESSAGES)..upto], takes).await;
    Ok(in_turn(&messages, run.message_id, &answers, &files))
}

fn tell_authors(messages: &mut [Message]) {
    let authors: HashSet<UserId> = messages.iter().filter_map(|message| Some(message.author.as_ref()?.id)).collect();
    if authors.len() < 2 {
        return;
    }
    for message in messages {
        if let Some(author) = &message.author {
            message.content = format!("{}: {}", author.name, message.content);
        }
    }
}

/// The messages before `asked` with their answers, which may have been written later, and `asked`. Roles alternate, from a
/// person's message to a person's message, whatever failed, was stopped or waited.
fn in_turn(
    messages: &[Message],
    asked: Option<MessageId>,
    answers: &HashMap<RunId, MessageId>,
    files: &HashMap<MessageId, Given>,
) -> Vec<ChatMessage> {
    let is_question = |message: &&Message| message.role == MessageRole::User;
    let upto = messages.iter().position(|message| Some(message.message_id) == asked);
    let questions: Vec<&Message> =
        messages[..upto.map_or(messages.len(), |at| at + 1)].iter().filter(is_question).collect();
    let Some((asked, before)) = questions.split_last() else { return Vec::new() };
    let answer_to = |question: &Message| {
        let answers: Vec<&str> = messages
            .iter()
            .filter(|message| {
                message.role == MessageRole::Assistant
                    && message.run_id.and_then(|run| answers.get(&run)) == Some(&question.message_id)
            })
            .map(|message| message.content.as_str())
            .filter(|content| !content.trim().is_empty())
            .collect();
        if answers.is_empty() { UNANSWERED.to_owned() } else { answers.join("\n\n") }
    };
    let question = |message: &Message| {
        let given = files.get(&message.message_id).cloned().unwrap_or_default();
        ChatMessage::User { text: format!("{}{}", message.content, given.text), files: given.files }
    };
    let before = &before[before.len().saturating_sub(CONTEXT_MESSAGES / 2)..];
    let mut turns: Vec<ChatMessage> = before
        .iter()
        .flat_map(|asked| {
            let text = answer_to(asked);
            [question(asked), ChatMessage::Assistant { text, calls: Vec::new(), replay: Replay::default() }]
        })
        .collect();
    turns.push(question(asked));
    turns
}

#[cfg(test)]
mod tests {
    use netra_ws::Timestamp;

    use super::*;

    fn message(role: MessageRole, content: &str, run_id: Option<RunId>) -> Message {
        Message {
            message_id: MessageId::new(),
            role,
            content: content.to_owned(),
            run_id,
            seq: 0,
            created_at: Timestamp::now(),
            author: None,
            attachments: Vec::new(),
        }
    }

    /// A thread written as `u1 u2 a1`: questions, and answers to them; `answered` is the number of the question to answer.
    fn check(thread: &str, asked: &str, wanted: &str) {
        let mut questions: HashMap<&str, (MessageId, RunId)> = HashMap::new();
        let mut messages = Vec::new();
        for word in thread.split_whitespace() {
            let number = &word[1..];
            if word.starts_with('u') {
                let question = message(MessageRole::User, word, None);
                questions.insert(number, (question.message_id, RunId::new()));
                messages.push(question);
            } else {
                messages.push(message(MessageRole::Assistant, word, Some(questions[number].1)));
            }
        }
        let answers = questions.values().map(|(message, run)| (*run, *message)).collect();
        let turns = in_turn(&messages, Some(questions[asked].0), &answers, &HashMap::new());
        let words: Vec<&str> = turns
            .iter()
            .map(|turn| match turn {
                ChatMessage::User { text, .. } => text.as_str(),
                ChatMessage::Assistant { text, .. } if text == UNANSWERED => "-",
                ChatMessage::Assistant { text, .. } => text.as_str(),
                ChatMessage::Tool { .. } => "tool",
            })
            .collect();
        assert_eq!(words.join(" "), wanted, "{thread}");
    }

    #[test]
    fn roles_alternate_whatever_happened() {
        check("u1", "1", "u1");
        check("u1 a1 u2", "2", "u1 a1 u2");
        // janhq/jan#6254: a run that failed or was stopped
        check("u1 u2", "2", "u1 - u2");
        // ... and three questions asked at once
        check("u1 u2 u3", "1", "u1");
        check("u1 u2 u3 a1", "2", "u1 a1 u2");
        check("u1 u2 u3 a1 a2", "3", "u1 a1 u2 a2 u3");
        check("u1 u2 u3 a2", "3", "u1 - u2 a2 u3");
        // An answer written in two parts.
        check("u1 a1 a1 u2", "2", "u1 a1\n\na1 u2");
    }

    #[test]
    fn the_window_begins_with_a_question() {
        let thread: Vec<String> =
            (1..=100).map(|n| if n == 80 { format!("u{n}") } else { format!("u{n} a{n}") }).collect();
        let mut wanted: Vec<String> =
            (70..100).map(|n| if n == 80 { "u80 -".into() } else { format!("u{n} a{n}") }).collect();
        wanted.push("u100".into());
        check(&thread.join(" "), "100", &wanted.join(" "));
    }
}
