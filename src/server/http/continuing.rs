//! `POST /api/threads/{id}/continue`: goes on from a message in a conversation of its own.

use std::sync::LazyLock;

use axum::{Json, extract::State, http::StatusCode};
use netra_ws::{
    AttachmentId, ErrorCode, MessageId, RunId, ThreadId, Timestamp, UserId,
    model::{Attachment, Message, MessageRole, Thread},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{ApiJson, ApiPath};
use crate::server::{
    agent::MAX_TITLE,
    auth::Identity,
    error::ApiError,
    import::{Turn, copied},
    state::AppState,
    store::{Asked, Deed, Path, importing::Imported},
    turns::Turns,
    whence,
};

/// People's messages that are taken along.
const MOST_TURNS: usize = 2_000;

/// Files that are taken along.
const MOST_FILES: usize = 100;

/// Bytes of messages and answers, with what tools gave.
const MOST_BYTES: usize = 64 << 20;

/// What the title of the new conversation ends with.
const CONTINUED: &str = " (continued)";

/// One at a time for each user.
static COPIES: LazyLock<Turns<UserId>> = LazyLock::new(|| Turns::new(1, 0));

/// When to try again while another one is made, in milliseconds.
const RETRY_AFTER: u64 = 2_000;

/// From where.
#[derive(Deserialize, JsonSchema)]
pub struct ContinueFrom {
    /// A message of a person or an answer: the new conversation ends with it.
    message_id: MessageId,
}

/// What is there now.
#[derive(JsonSchema, Serialize)]
pub struct Continued {
    /// The new conversation.
    thread: Thread,
    /// Its last message.
    message_id: MessageId,
}

/// Makes a conversation of the user's with the way that leads to a message.
pub async fn go_on(
    State(state): State<AppState>,
    identity: Identity,
    ApiPath(id): ApiPath<ThreadId>,
    ApiJson(from): ApiJson<ContinueFrom>,
) -> Result<(StatusCode, Json<Continued>), ApiError> {
    let user = identity.user.id;
    if !state.threads.may_write(user, id).await? {
        return Err(ApiError::new(ErrorCode::Forbidden, "you may read this conversation and not take it further"));
    }
    state.threads.may_begin(user).await?;
    let _turn = COPIES.take(user).await.map_err(|_| {
        ApiError::new(ErrorCode::RateLimited, "another conversation of yours is being made; wait for it")
            .retry_after_ms(RETRY_AFTER)
    })?;
    let thread = state.threads.get(user, id).await?;
    let mut files = Vec::new();
    let made = make(&state, &identity, &thread, from.message_id, &mut files).await;
    if made.is_err() {
        for file in files {
            if let Err(error) = state.attachments.discard(user, file).await {
                tracing::warn!(attachment_id = %file, %error, "a copied file is swept later");
            }
        }
    }
    let made = made?;
    tracing::info!(user_id = %user, thread_id = %id, made = %made.thread.id, "a conversation was continued in a new one");
    let subject = Some(format!("{id} {}", made.thread.id));
    let deed = Deed { actor: Some(user), action: "conversation.continued", subject, address: whence::address() };
    state.security.note_deed(deed).await;
    Ok((StatusCode::CREATED, Json(made)))
}

/// Makes it; `files` hears of each file that was copied.
async fn make(
    state: &AppState,
    identity: &Identity,
    thread: &Thread,
    message: MessageId,
    files: &mut Vec<AttachmentId>,
) -> Result<Continued, ApiError> {
    let user = identity.user.id;
    let unknown = || ApiError::new(ErrorCode::NotFound, "this conversation has no such message");
    let asked = state.store.asked(thread.id, message).await?.ok_or_else(unknown)?;
    let path = state.store.path(thread.id, asked.message, MOST_TURNS + 1).await?;
    let way = way(state, user, thread.id, asked, path).await?;
    let named = way.iter().flat_map(|turn| &turn.files).filter(|file| file.id.is_some()).count();
    if named > MOST_FILES {
        let message = format!("what leads to this message has {named} files, and {MOST_FILES} are taken along");
        return Err(ApiError::new(ErrorCode::FrameTooLarge, message));
    }
    let way = with_files(state, identity, way, files).await?;
    let (events, last) = copied(title(&thread.title), way);
    let may_use = state.registry.of(&identity.user).any(|agent| agent.name == thread.agent);
    let first = || state.registry.first_for(identity.user.role, identity.user.email.as_deref());
    let agent =
        if may_use { thread.agent.clone() } else { first().map(|agent| agent.name.clone()).unwrap_or_default() };
    let now = Timestamp::now();
    let imported = Imported {
        title: events.title,
        agent,
        created_at: now,
        updated_at: Some(now),
        events: events.events,
        runs: events.runs,
    };
    let message_id = last.ok_or_else(unknown)?;
    Ok(Continued { thread: state.threads.import(user, &imported).await?, message_id })
}

/// The messages on the way, each with the answer that is shown there.
async fn way(
    state: &AppState,
    user: UserId,
    thread: ThreadId,
    asked: Asked,
    path: Path,
) -> Result<Vec<Turn>, ApiError> {
    let Path { messages, answers } = path;
    let mut bytes = 0;
    let mut count = |more: usize| {
        bytes += more;
        let message = format!("what leads to this message is more than {} MB", MOST_BYTES >> 20);
        if bytes > MOST_BYTES { Err(ApiError::new(ErrorCode::FrameTooLarge, message)) } else { Ok(()) }
    };
    let answer_of = |message: &Message| -> Option<(RunId, Timestamp)> {
        if message.message_id == asked.message {
            // The answer that was named, or none: the message itself was.
            return asked.run.map(|run| (run, message.created_at));
        }
        let answers = |said: &&Message| said.run_id.is_some_and(|run| answers.get(&run) == Some(&message.message_id));
        messages.iter().rev().find(answers).and_then(|said| Some((said.run_id?, said.created_at)))
    };
    let mut way = Vec::new();
    for message in messages.iter().filter(|message| message.role != MessageRole::Assistant) {
        if way.len() == MOST_TURNS {
            let message = format!("more than {MOST_TURNS} messages lead to this one");
            return Err(ApiError::new(ErrorCode::FrameTooLarge, message));
        }
        count(message.content.len())?;
        let answer = match answer_of(message) {
            None => None,
            Some((run, at)) => {
                let run = state.threads.run(user, thread, run).await?;
                count(serde_json::to_vec(&run).map_err(|error| ApiError::internal(&error))?.len())?;
                let worked = run.duration_ms.unwrap_or_default();
                let ended = run.started_at.map_or(at, |began| Timestamp::from_millis(began.as_millis() + worked));
                Some((run, at.max(ended)))
            }
        };
        way.push(Turn { message: message.clone(), files: message.attachments.clone(), answer });
    }
    Ok(way)
}

/// The same with files of the new conversation's own. One that is gone leaves its name.
async fn with_files(
    state: &AppState,
    identity: &Identity,
    mut way: Vec<Turn>,
    made: &mut Vec<AttachmentId>,
) -> Result<Vec<Turn>, ApiError> {
    let quota = state.config.quotas.of(identity.user.role);
    for file in way.iter_mut().flat_map(|turn| &mut turn.files) {
        let Some(id) = file.id else { continue };
        *file = match state.attachments.copy(identity.user.id, quota, id).await {
            Ok(copy) => copy,
            Err(error) if error.code == ErrorCode::NotFound => {
                Attachment { id: None, url: String::new(), ..file.clone() }
            }
            Err(error) => return Err(error),
        };
        made.extend(file.id);
    }
    Ok(way)
}

/// The title of what goes on from a conversation; one without a title gets its own with its next message.
fn title(of: &str) -> String {
    if of.is_empty() || of.ends_with(CONTINUED) {
        return of.to_owned();
    }
    of.chars().take(MAX_TITLE - CONTINUED.len()).chain(CONTINUED.chars()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles_of_what_goes_on() {
        let check = |of: &str, wanted: &str| assert_eq!(title(of), wanted);
        check("", "");
        check("Ownership", "Ownership (continued)");
        check("Ownership (continued)", "Ownership (continued)");
        assert_eq!(title(&"é".repeat(MAX_TITLE)).chars().count(), MAX_TITLE);
    }
}
