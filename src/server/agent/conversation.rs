//! What the model is shown of the thread.

use netra_ws::model::{Message, MessageRole};

use super::provider::ChatMessage;
use crate::server::store::{ClaimedRun, SharedStore, StoreError};

/// Messages of the thread that a model is shown.
const CONTEXT_MESSAGES: usize = 60;

/// How many messages behind the newest one the message to answer may be.
const MAX_BEHIND: usize = 2_000;

/// What the model is shown: the thread's messages up to the one to answer.
pub(super) async fn read(store: &SharedStore, run: &ClaimedRun) -> Result<Vec<ChatMessage>, StoreError> {
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
    let asked = place(&messages);
    let upto = asked.map_or(messages.len(), |at| at + 1);
    // An answer to an earlier message may have been written after this one was asked.
    let late = messages[upto..].iter().filter(|message| message.role == MessageRole::Assistant);
    let (before, asked) = messages[..upto].split_at(upto.saturating_sub(1));
    let before = &before[before.len().saturating_sub(CONTEXT_MESSAGES)..];
    Ok(before
        .iter()
        .chain(late)
        .chain(asked)
        .map(|message| match message.role {
            MessageRole::User => ChatMessage::User(message.content.clone()),
            MessageRole::Assistant => ChatMessage::Assistant { text: message.content.clone(), calls: Vec::new() },
        })
        .collect())
}
