//! `POST /api/threads/import`: conversations from a file.

use std::sync::LazyLock;

use axum::{
    Json,
    body::Bytes,
    extract::{State, rejection::BytesRejection},
    http::StatusCode,
};
use netra_ws::{ErrorCode, ThreadId, UserId};
use schemars::JsonSchema;
use serde::Serialize;
use tokio::sync::Semaphore;

use crate::server::{
    agent::MAX_TITLE,
    auth::Identity,
    error::ApiError,
    import::{self, LeftOut},
    state::AppState,
    store::{Deed, importing::Imported},
    turns::Turns,
    whence,
};

/// The largest file, in bytes.
pub const MAX_FILE: usize = 64 << 20;

/// One at a time for each user.
static IMPORTS: LazyLock<Turns<UserId>> = LazyLock::new(|| Turns::new(1, 0));

/// Files that are read at a time, of all users; others wait.
static READINGS: Semaphore = Semaphore::const_new(2);

/// When to try again while another of the user's is read, in milliseconds.
const RETRY_AFTER: u64 = 5_000;

/// What became of a file.
#[derive(JsonSchema, Serialize)]
pub struct Report {
    /// The conversations that are here now.
    threads: Vec<ImportedThread>,
    /// What was left out, in words, and how often.
    left_out: Vec<LeftOutLine>,
}

/// A conversation that is here now.
#[derive(JsonSchema, Serialize)]
pub struct ImportedThread {
    id: ThreadId,
    title: String,
}

/// Something that was left out.
#[derive(JsonSchema, Serialize)]
pub struct LeftOutLine {
    what: &'static str,
    count: u64,
}

/// Reads a file and takes its conversations in, one after the other.
pub async fn import(
    State(state): State<AppState>,
    identity: Identity,
    file: Result<Bytes, BytesRejection>,
) -> Result<Json<Report>, ApiError> {
    let user = identity.user.id;
    state.threads.may_begin(user).await?;
    let _turn = IMPORTS.take(user).await.map_err(|_| {
        ApiError::new(ErrorCode::RateLimited, "another file of yours is being read; wait for it")
            .retry_after_ms(RETRY_AFTER)
    })?;
    let _reading = READINGS.acquire().await;
    let file = file.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => {
            ApiError::new(ErrorCode::FrameTooLarge, format!("a file may have {} MB", MAX_FILE >> 20))
        }
        _ => ApiError::new(ErrorCode::InvalidPayload, "the file did not come whole"),
    })?;
    let size = file.len();
    let read = tokio::task::spawn_blocking(move || {
        let mut left_out = LeftOut::new();
        let (mut found, mut without) = (Vec::new(), Vec::new());
        let mut take = |conversation| match conversation {
            Ok(events) => found.push(events),
            Err(why) => without.push(why),
        };
        if import::is_archive(&file) {
            for text in import::unpacked(&file)? {
                import::read(&text, &mut left_out, &mut take)?;
            }
        } else {
            let text = str::from_utf8(&file).map_err(|_| "the file is no text".to_owned())?;
            import::read(text, &mut left_out, &mut take)?;
        }
        for why in without {
            *left_out.entry(why).or_default() += 1;
        }
        Ok::<_, String>((found, left_out))
    });
    let (found, left_out) = read
        .await
        .map_err(|error| ApiError::internal(&error))?
        .map_err(|why| ApiError::new(ErrorCode::InvalidPayload, why))?;
    let agent = state.registry.first_for(identity.user.role, identity.user.email.as_deref());
    let agent = agent.map(|agent| agent.name.clone()).unwrap_or_default();
    let mut threads = Vec::with_capacity(found.len());
    // The newest last, as if they had been had here.
    let mut found = found;
    found.sort_by_key(|events| events.created_at);
    for events in found {
        let title: String = events.title.trim().chars().filter(|sign| !sign.is_control()).take(MAX_TITLE).collect();
        let imported = Imported {
            title,
            agent: agent.clone(),
            created_at: events.created_at,
            updated_at: None,
            events: events.events,
            runs: events.runs,
        };
        let thread = state.threads.import(user, &imported).await?;
        threads.push(ImportedThread { id: thread.id, title: thread.title });
    }
    tracing::info!(user_id = %user, conversations = threads.len(), bytes = size, "conversations were imported");
    let subject = Some(threads.len().to_string());
    let deed = Deed { actor: Some(user), action: "conversations.imported", subject, address: whence::address() };
    state.security.note_deed(deed).await;
    let left_out = left_out.into_iter().map(|(what, count)| LeftOutLine { what, count }).collect();
    Ok(Json(Report { threads, left_out }))
}
