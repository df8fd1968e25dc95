//! `GET /api/account/export`: everything that one owns, as JSON lines.

use std::sync::LazyLock;

use axum::{
    body::Body,
    extract::State,
    http::header::{CONTENT_DISPOSITION, CONTENT_TYPE},
    response::IntoResponse,
};
use futures::{SinkExt as _, channel::mpsc};
use netra_ws::{ErrorCode, UserId, log::PageLimit, model::Thread};
use serde_json::{Value, json};

use crate::server::{
    auth::{Identity, Visitor},
    error::ApiError,
    state::AppState,
    store::{Deed, ThreadQuery},
    turns::{TurnPermit, Turns},
};

/// Threads, and messages or events read at a time, and their bytes; no more than this is kept for a reader.
const THREADS: usize = 50;
const EVENTS: PageLimit = PageLimit { events: 500, bytes: 1 << 20 };

/// One at a time for each user.
static EXPORTS: LazyLock<Turns<UserId>> = LazyLock::new(|| Turns::new(1, 0));

/// When to try again while one is under way, in milliseconds.
const RETRY_AFTER: u64 = 10_000;

/// Whoever reads went away, or the store failed.
pub(super) enum Ended {
    Gone,
    Failed(ApiError),
}

impl<E: Into<ApiError>> From<E> for Ended {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

type Lines = mpsc::Sender<Result<String, std::io::Error>>;

/// The account, its sign-ins and tokens, whom one blocks, in whose conversations one takes part, and each conversation of one's own
/// with its whole log, one object a line: its `kind` says what it is. The last line is of kind `end`; without it something is missing.
pub async fn export(
    State(state): State<AppState>,
    identity: Identity,
    visitor: Visitor,
) -> Result<impl IntoResponse, ApiError> {
    identity.require_person()?;
    let user = identity.user.id;
    let turn = turn(user).await?;
    let address = Some(visitor.address.to_string());
    state.store.note(Deed { actor: Some(user), action: "account.exported", subject: None, address }).await?;
    let (mut lines, body) = mpsc::channel(1);
    tokio::spawn(async move {
        if let Err(Ended::Failed(error)) = write(&state, &identity, &mut lines).await {
            tracing::error!(%error, user_id = %user, "an export ended early");
            let _ = lines.send(Err(std::io::Error::other("the export ended early"))).await;
        }
        drop(turn);
    });
    let headers =
        [(CONTENT_TYPE, "application/jsonl"), (CONTENT_DISPOSITION, "attachment; filename=\"netra-export.jsonl\"")];
    Ok((headers, Body::from_stream(body)))
}

/// The user's turn to export something.
pub(super) async fn turn(user: UserId) -> Result<TurnPermit, ApiError> {
    EXPORTS.take(user).await.map_err(|_| {
        ApiError::new(ErrorCode::RateLimited, "an export of yours is under way; read it to its end first")
            .retry_after_ms(RETRY_AFTER)
    })
}

async fn line(lines: &mut Lines, value: &Value) -> Result<(), Ended> {
    lines.send(Ok(format!("{value}\n"))).await.map_err(|_| Ended::Gone)
}

async fn write(state: &AppState, identity: &Identity, lines: &mut Lines) -> Result<(), Ended> {
    let account = state.security.account(identity.user.id).await?;
    line(lines, &json!({ "kind": "account", "account": account })).await?;
    for sign_in in state.security.sign_ins(identity).await? {
        line(lines, &json!({ "kind": "sign_in", "sign_in": sign_in })).await?;
    }
    for token in state.security.api_tokens(identity).await? {
        line(lines, &json!({ "kind": "token", "token": token })).await?;
    }
    for blocked in state.threads.blocked(identity.user.id).await? {
        line(lines, &json!({ "kind": "block", "block": blocked })).await?;
    }
    for archived in [false, true] {
        let mut query = ThreadQuery { archived, limit: THREADS, ..ThreadQuery::default() };
        loop {
            let threads = state.store.threads(identity.user.id, &query).await?;
            query.after = threads.last().map(Into::into);
            for thread in &threads {
                if thread.owner_id == identity.user.id {
                    conversation(state, thread, lines).await?;
                } else {
                    let membership = json!({ "thread_id": thread.id, "title": thread.title });
                    line(lines, &json!({ "kind": "membership", "membership": membership })).await?;
                }
            }
            if threads.len() < THREADS {
                break;
            }
        }
    }
    line(lines, &json!({ "kind": "end" })).await
}

async fn conversation(state: &AppState, thread: &Thread, lines: &mut Lines) -> Result<(), Ended> {
    let members = state.store.members(thread.id).await?;
    line(lines, &json!({ "kind": "thread", "thread": thread, "members": members })).await?;
    // Deltas of old runs may have been trimmed; messages are whole.
    let mut before = None;
    loop {
        let messages = state.store.messages_within(thread.id, before, EVENTS).await?;
        let Some(oldest) = messages.first().map(|message| message.seq) else { break };
        before = Some(oldest);
        for message in messages.iter().rev() {
            line(lines, &json!({ "kind": "message", "thread_id": thread.id, "message": message })).await?;
        }
    }
    let mut after = 0;
    loop {
        let page = state.store.read(thread.id, after, EVENTS).await?;
        let Some(last) = page.events.last().map(|event| event.seq) else { return Ok(()) };
        after = last;
        for event in page.events {
            line(lines, &json!({ "kind": "event", "event": event })).await?;
        }
    }
}
