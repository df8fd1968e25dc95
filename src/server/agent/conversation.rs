//! What the model is shown of the thread: questions and answers in turn, the one to answer last.

use std::collections::{HashMap, HashSet};

use netra_ws::{
    MessageId, RunId, UserId,
    model::{Message, MessageRole},
};

use super::{
    Agent,
    kept::KeptTurns,
    model::{ChatMessage, Replay, Source},
};
use crate::server::{
    attachments::{Attachments, Given},
    store::{ClaimedRun, HistoryStore, Path, StoreError, model_turns::ModelTurns},
};

/// Messages of the thread that a model is shown.
const CONTEXT_MESSAGES: usize = 60;

/// Bytes of JSON that the calls of earlier runs may have in a conversation, with their results and what goes back to the model.
/// Exchanges before that are told as their words alone.
const EARLIER_CALLS: usize = 256 << 10;

/// Stands for the answer to a message that got none: many models take only questions and answers in turn.
const UNANSWERED: &str = "(This message was not answered.)";

/// What the agent is shown: the way that leads to the message to answer, in a conversation that may branch. A model is given what
/// it `takes` of the messages' files, and told in front of each message whose it is where several people wrote: one member's words
/// are not another's. What it called in earlier runs is there as it sent it.
pub(super) async fn read<S: HistoryStore + ModelTurns + ?Sized>(
    store: &S,
    attachments: &Attachments,
    run: &ClaimedRun,
    agent: &dyn Agent,
) -> Result<Vec<ChatMessage>, StoreError> {
    let Some(asked) = run.message_id else { return Ok(Vec::new()) };
    let Path { mut messages, answers } = store.path(run.thread_id, asked, CONTEXT_MESSAGES / 2 + 1).await?;
    let takes = agent.takes();
    if takes.is_some() {
        tell_authors(&mut messages);
    }
    let asked = messages.iter().position(|message| message.message_id == asked);
    let upto = asked.map_or(messages.len(), |at| at + 1);
    let files = attachments.give(&messages[upto.saturating_sub(CONTEXT_MESSAGES)..upto], takes).await;
    let called = match agent.source() {
        Some(source) => earlier_calls(store, run, source, &messages[..upto], &answers).await?,
        None => HashMap::new(),
    };
    Ok(in_turn(&messages, run.message_id, &answers, &called, &files))
}

/// What followed each message before the one to answer, where its model called something and all of that was kept: the newest
/// ones, as far as they fit.
async fn earlier_calls<S: HistoryStore + ModelTurns + ?Sized>(
    store: &S,
    run: &ClaimedRun,
    source: &Source,
    messages: &[Message],
    answers: &HashMap<RunId, MessageId>,
) -> Result<HashMap<MessageId, Vec<ChatMessage>>, StoreError> {
    let mut runs: HashMap<MessageId, Vec<RunId>> = HashMap::new();
    for (run, message) in answers {
        runs.entry(*message).or_default().push(*run);
    }
    let (mut called, mut bytes) = (HashMap::new(), 0);
    let questions = messages.iter().rev().filter(|message| message.role == MessageRole::User);
    for question in questions.filter(|message| Some(message.message_id) != run.message_id).take(CONTEXT_MESSAGES / 2) {
        // Where several runs answered, the newest answer counts.
        let Some(runs) = runs.get(&question.message_id) else { continue };
        let newest = messages.iter().rev().find_map(|message| message.run_id.filter(|run| runs.contains(run)));
        let Some(answered_by) = newest.as_ref().or_else(|| runs.iter().max_by_key(|run| run.uuid())) else { continue };
        let kept = KeptTurns::read(store, *answered_by, source).await?;
        if kept.is_empty() {
            continue;
        }
        let Some(answered) = store.run(run.user_id, run.thread_id, *answered_by).await? else { continue };
        let Some(exchange) = kept.exchange(&answered, UNANSWERED) else { continue };
        bytes += exchange.iter().map(length).sum::<usize>();
        if bytes > EARLIER_CALLS {
            tracing::debug!(bytes, most = EARLIER_CALLS, "earlier calls are told in words");
            break;
        }
        called.insert(question.message_id, exchange);
    }
    Ok(called)
}

/// About how many bytes a message has.
fn length(message: &ChatMessage) -> usize {
    match message {
        ChatMessage::User { text, .. } => text.len(),
        ChatMessage::Tool { result, .. } => result.len(),
        ChatMessage::Assistant { text, calls, replay } => {
            let arguments = calls.iter().filter_map(|call| call.arguments.as_ref().ok());
            let arguments = arguments.map(|arguments| serde_json::json!(arguments).to_string().len());
            text.len() + replay.0.to_string().len() + arguments.sum::<usize>()
        }
    }
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
    called: &HashMap<MessageId, Vec<ChatMessage>>,
    files: &HashMap<MessageId, Given>,
) -> Vec<ChatMessage> {
    let is_question = |message: &&Message| message.role == MessageRole::User;
    let upto = messages.iter().position(|message| Some(message.message_id) == asked);
    let questions: Vec<&Message> =
        messages[..upto.map_or(messages.len(), |at| at + 1)].iter().filter(is_question).collect();
    let Some((asked, before)) = questions.split_last() else { return Vec::new() };
    let answer_to = |question: &Message| {
        let answered = || {
            messages.iter().filter(|message| {
                message.role == MessageRole::Assistant
                    && message.run_id.and_then(|run| answers.get(&run)) == Some(&question.message_id)
                    && !message.content.trim().is_empty()
            })
        };
        // The newest of several is what a reader is shown; it may have been written in parts.
        let newest = answered().next_back().and_then(|message| message.run_id);
        let parts: Vec<&str> =
            answered().filter(|message| message.run_id == newest).map(|message| message.content.as_str()).collect();
        if parts.is_empty() { UNANSWERED.to_owned() } else { parts.join("\n\n") }
    };
    let question = |message: &Message| {
        let given = files.get(&message.message_id).cloned().unwrap_or_default();
        ChatMessage::User { text: format!("{}{}", message.content, given.text), files: given.files }
    };
    let before = &before[before.len().saturating_sub(CONTEXT_MESSAGES / 2)..];
    let mut turns: Vec<ChatMessage> = before
        .iter()
        .flat_map(|asked| {
            let answer = called.get(&asked.message_id).cloned().unwrap_or_else(|| {
                let text = answer_to(asked);
                vec![ChatMessage::Assistant { text, calls: Vec::new(), replay: Replay::default() }]
            });
            [vec![question(asked)], answer].concat()
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
            parent_id: None,
            attachments: Vec::new(),
        }
    }

    /// A thread written as `u1 u2 a1 v1`: questions, answers to them, and other answers; `asked` is the number of the question to
    /// answer.
    fn check(thread: &str, asked: &str, wanted: &str) {
        let mut questions: HashMap<&str, (MessageId, RunId)> = HashMap::new();
        let mut variants: HashMap<RunId, MessageId> = HashMap::new();
        let mut messages = Vec::new();
        for word in thread.split_whitespace() {
            let number = &word[1..];
            if word.starts_with('u') {
                let question = message(MessageRole::User, word, None);
                questions.insert(number, (question.message_id, RunId::new()));
                messages.push(question);
            } else if word.starts_with('a') {
                messages.push(message(MessageRole::Assistant, word, Some(questions[number].1)));
            } else {
                let run = RunId::new();
                variants.insert(run, questions[number].0);
                messages.push(message(MessageRole::Assistant, word, Some(run)));
            }
        }
        let first = questions.values().map(|(message, run)| (*run, *message));
        let answers = first.chain(variants).collect();
        let turns = in_turn(&messages, Some(questions[asked].0), &answers, &HashMap::new(), &HashMap::new());
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
        // Two answers, of which the newest counts, whenever it was written.
        check("u1 a1 v1 u2", "2", "u1 v1 u2");
        check("u1 a1 u2 v1 a2 u3", "3", "u1 v1 u2 a2 u3");
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
