//! `/api/threads*`

use axum::{Json, extract::State, http::StatusCode};
use netra_ws::{
    ErrorCode, RunId, ThreadId,
    frame::StoredEvent,
    log::PageLimit,
    model::{Message, Run, Thread},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{ApiJson, ApiPath, ApiQuery};
use crate::server::{
    auth::Identity,
    error::ApiError,
    state::AppState,
    store::{History, ThreadChange, ThreadPlace, ThreadQuery},
};

/// Threads in a page unless asked otherwise, and at most.
const THREADS: (usize, usize) = (50, 200);

/// Messages in a page unless asked otherwise, and at most.
const MESSAGES: (usize, usize) = (200, 500);

/// Events in a page unless asked otherwise, and at most.
const EVENTS: (usize, usize) = (500, 1_000);

/// Bytes of text in a page of messages or events, whatever was asked for; what crosses them is the page's last.
const PAGE_BYTES: usize = 1 << 20;

fn page_size(asked: Option<usize>, (default, most): (usize, usize)) -> usize {
    asked.unwrap_or(default).clamp(1, most)
}

/// `GET /api/threads`
#[derive(Deserialize, JsonSchema)]
pub struct ListQuery {
    /// Words in the title or in a message.
    query: Option<String>,
    /// The archived ones instead of the others.
    #[serde(default)]
    archived: bool,
    /// How many; 50 unless asked otherwise, 200 at most.
    limit: Option<usize>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// A page of threads.
#[derive(JsonSchema, Serialize)]
pub struct ThreadList {
    /// Pinned ones first, then the newest.
    threads: Vec<Thread>,
    /// Where the list goes on; absent at its end.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
    /// Of a search, what stands around its words; threads whose title alone holds them are not among these.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    found: Vec<FoundIn>,
}

/// Where a search found its words.
#[derive(JsonSchema, Serialize)]
pub struct FoundIn {
    /// In which of the threads.
    thread_id: ThreadId,
    /// A part of the newest message that holds them.
    excerpt: String,
}

fn bad_cursor() -> ApiError {
    ApiError::new(ErrorCode::InvalidPayload, "`cursor` is not one that this server gave")
}

/// Lists threads.
pub async fn list(
    State(state): State<AppState>,
    identity: Identity,
    ApiQuery(asked): ApiQuery<ListQuery>,
) -> Result<Json<ThreadList>, ApiError> {
    let after = asked.cursor.as_deref().map(|cursor| cursor.parse().map_err(|_| bad_cursor())).transpose()?;
    let limit = page_size(asked.limit, THREADS);
    let query = ThreadQuery { text: asked.query, archived: asked.archived, limit, after };
    let (threads, more) = state.threads.list(identity.user.id, &query).await?;
    let found = state.threads.excerpts(identity.user.id, query.text.as_deref(), &threads).await?;
    let found = found.into_iter().map(|(thread_id, excerpt)| FoundIn { thread_id, excerpt }).collect();
    let last = threads.last().filter(|_| more);
    Ok(Json(ThreadList { next_cursor: last.map(|thread| ThreadPlace::from(thread).to_string()), threads, found }))
}

/// `POST /api/threads`
#[derive(Default, Deserialize, JsonSchema)]
pub struct NewThread {
    /// At most 200 characters; made from the first message when absent.
    title: Option<String>,
    /// Who answers; the first agent when absent.
    agent: Option<String>,
}

/// Makes an empty thread.
pub async fn create(
    State(state): State<AppState>,
    identity: Identity,
    ApiJson(new): ApiJson<NewThread>,
) -> Result<(StatusCode, Json<Thread>), ApiError> {
    let thread = state.threads.create(identity.user.id, new.title.as_deref(), new.agent.as_deref()).await?;
    Ok((StatusCode::CREATED, Json(thread)))
}

/// One thread.
pub async fn get(
    State(state): State<AppState>,
    identity: Identity,
    ApiPath(id): ApiPath<ThreadId>,
) -> Result<Json<Thread>, ApiError> {
    Ok(Json(state.threads.get(identity.user.id, id).await?))
}

/// `PATCH /api/threads/{id}`
#[derive(Deserialize, JsonSchema)]
pub struct Change {
    /// At most 200 characters.
    title: Option<String>,
    /// Kept on top or not, for this user alone.
    pinned: Option<bool>,
    /// Put away or not, for this user alone.
    archived: Option<bool>,
    /// Who answers from now on.
    agent: Option<String>,
}

/// Changes a thread.
pub async fn change(
    State(state): State<AppState>,
    identity: Identity,
    ApiPath(id): ApiPath<ThreadId>,
    ApiJson(change): ApiJson<Change>,
) -> Result<Json<Thread>, ApiError> {
    let Change { title, pinned, archived, agent } = change;
    let change = ThreadChange { title, pinned, archived, agent };
    Ok(Json(state.threads.change(identity.user.id, id, change).await?))
}

/// Deletes a thread.
pub async fn delete(
    State(state): State<AppState>,
    identity: Identity,
    ApiPath(id): ApiPath<ThreadId>,
) -> Result<StatusCode, ApiError> {
    state.threads.delete(identity.user.id, id).await?;
    state.attachments.sweep_soon();
    Ok(StatusCode::NO_CONTENT)
}

/// `GET /api/threads/{id}/events`
#[derive(Deserialize, JsonSchema)]
pub struct EventsQuery {
    /// Only events after this one; 0 for all.
    #[serde(default)]
    after_seq: u64,
    /// How many; 500 unless asked otherwise, 1,000 at most, and fewer when they are large.
    limit: Option<usize>,
}

/// A part of the log, each event as the frame that the socket carries.
#[derive(JsonSchema, Serialize)]
pub struct Events {
    epoch: String,
    head_seq: u64,
    /// Up to here deltas may be missing; absent when the log is whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    trimmed_seq: Option<u64>,
    /// Frames as on the socket: see the AsyncAPI document.
    #[schemars(with = "Vec<netra_ws::model::Object>")]
    events: Vec<StoredEvent>,
}

/// The log of a thread.
pub async fn events(
    State(state): State<AppState>,
    identity: Identity,
    ApiPath(id): ApiPath<ThreadId>,
    ApiQuery(asked): ApiQuery<EventsQuery>,
) -> Result<Json<Events>, ApiError> {
    let head = state.store.head(identity.user.id, id).await?;
    let trimmed_seq = Some(head.trimmed_seq).filter(|seq| *seq > 0);
    let limit = PageLimit { events: page_size(asked.limit, EVENTS), bytes: PAGE_BYTES };
    let page = state.store.read(id, asked.after_seq, limit).await?;
    Ok(Json(Events { epoch: page.epoch, head_seq: page.head_seq, trimmed_seq, events: page.events }))
}

/// `GET /api/threads/{id}/messages`
#[derive(Deserialize, JsonSchema)]
pub struct MessagesQuery {
    /// How many; 200 unless asked otherwise, 500 at most, and fewer when they are large.
    limit: Option<usize>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// A page of messages, oldest first; the next page holds older ones.
#[derive(JsonSchema, Serialize)]
pub struct Messages {
    /// Oldest first.
    messages: Vec<Message>,
    /// The runs that answer or wrote one of them, large arguments and results cut as in a snapshot.
    runs: Vec<Run>,
    /// Where older ones are; absent at the beginning of the thread.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

/// The messages of a thread, the newest page first: as many as fit into about 256 KiB with their runs.
pub async fn messages(
    State(state): State<AppState>,
    identity: Identity,
    ApiPath(id): ApiPath<ThreadId>,
    ApiQuery(asked): ApiQuery<MessagesQuery>,
) -> Result<Json<Messages>, ApiError> {
    let before = asked.cursor.as_deref().map(|cursor| cursor.parse().map_err(|_| bad_cursor())).transpose()?;
    let limit = page_size(asked.limit, MESSAGES);
    let History { messages, runs, earlier } = state.threads.history(identity.user.id, id, before, limit).await?;
    let next_cursor = messages.first().filter(|_| earlier).map(|message| message.seq.to_string());
    Ok(Json(Messages { messages, runs, next_cursor }))
}

/// One run of a thread, with its tools' whole arguments and results.
pub async fn run(
    State(state): State<AppState>,
    identity: Identity,
    ApiPath((id, run)): ApiPath<(ThreadId, RunId)>,
) -> Result<Json<Run>, ApiError> {
    Ok(Json(state.threads.run(identity.user.id, id, run).await?))
}
