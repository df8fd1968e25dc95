//! `GET /api/threads/{id}/export`: a conversation to take along, as Markdown or JSON.

use axum::{
    body::Body,
    extract::State,
    http::header::{CONTENT_DISPOSITION, CONTENT_TYPE},
    response::IntoResponse,
};
use futures::{SinkExt as _, channel::mpsc};
use netra_ws::{
    ThreadId, UserId,
    model::{Message, MessageRole, Run, Thread},
};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::{
    ApiPath, ApiQuery,
    export::{Ended, turn},
};
use crate::server::{auth::Identity, error::ApiError, state::AppState, store::History};

/// Messages read at a time; no more than this is kept for a reader.
const PAGE: usize = 200;

/// What a conversation is written as.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// The words, to be read.
    #[default]
    Markdown,
    /// Thread, messages, and runs with all that their tools were given and gave.
    Json,
}

/// `GET /api/threads/{id}/export`
#[derive(Deserialize, JsonSchema)]
pub struct ExportQuery {
    /// `markdown` unless asked otherwise.
    format: Option<Format>,
}

type Parts = mpsc::Sender<Result<String, std::io::Error>>;

/// The whole conversation in the order in which it came, all versions and answers, as a file.
pub async fn export(
    State(state): State<AppState>,
    identity: Identity,
    ApiPath(id): ApiPath<ThreadId>,
    ApiQuery(asked): ApiQuery<ExportQuery>,
) -> Result<impl IntoResponse, ApiError> {
    let user = identity.user.id;
    let thread = state.threads.get(user, id).await?;
    let turn = turn(user).await?;
    let format = asked.format.unwrap_or_default();
    let (kind, ending) = match format {
        Format::Markdown => ("text/markdown; charset=utf-8", "md"),
        Format::Json => ("application/json", "json"),
    };
    tracing::info!(user_id = %user, thread_id = %id, format = ending, "a conversation is exported");
    let (mut parts, body) = mpsc::channel(1);
    tokio::spawn(async move {
        if let Err(Ended::Failed(error)) = write(&state, user, &thread, format, &mut parts).await {
            tracing::error!(%error, user_id = %user, thread_id = %id, "an export ended early");
            let _ = parts.send(Err(std::io::Error::other("the export ended early"))).await;
        }
        drop(turn);
    });
    let name = format!("attachment; filename=\"netra-{id}.{ending}\"");
    Ok(([(CONTENT_TYPE, kind.to_owned()), (CONTENT_DISPOSITION, name)], Body::from_stream(body)))
}

async fn put(parts: &mut Parts, text: String) -> Result<(), Ended> {
    parts.send(Ok(text)).await.map_err(|_| Ended::Gone)
}

async fn write(
    state: &AppState,
    user: UserId,
    thread: &Thread,
    format: Format,
    parts: &mut Parts,
) -> Result<(), Ended> {
    // Pages are found from the newest on, and written from the oldest on.
    let mut pages = vec![None];
    let read = async |before| Ok::<History, ApiError>(state.threads.history(user, thread.id, before, PAGE).await?);
    loop {
        let page = read(pages.last().copied().flatten()).await?;
        match page.messages.first() {
            Some(oldest) if page.earlier => pages.push(Some(oldest.seq)),
            _ => break,
        }
    }
    put(parts, beginning(thread, format)).await?;
    let mut first = true;
    for before in pages.into_iter().rev() {
        let page = read(before).await?;
        for message in &page.messages {
            let written = message.run_id.filter(|_| message.role == MessageRole::Assistant);
            let text = match (format, written) {
                (Format::Markdown, run) => {
                    let run = run.and_then(|id| page.runs.iter().find(|run| run.run_id == id));
                    in_markdown(message, run)
                }
                (Format::Json, run) => {
                    let run = match run {
                        Some(run) => Some(state.threads.run(user, thread.id, run).await?),
                        None => None,
                    };
                    let comma = if std::mem::take(&mut first) { "\n" } else { ",\n" };
                    format!("{comma}{}", json!({ "message": message, "run": run }))
                }
            };
            put(parts, text).await?;
        }
    }
    match format {
        Format::Markdown => Ok(()),
        Format::Json => put(parts, "\n]}\n".to_owned()).await,
    }
}

fn beginning(thread: &Thread, format: Format) -> String {
    match format {
        Format::Markdown => format!("# {}\n", if thread.title.is_empty() { "Conversation" } else { &thread.title }),
        Format::Json => format!("{{\"netra\":\"conversation\",\"version\":1,\"thread\":{},\"turns\":[", json!(thread)),
    }
}

fn in_markdown(message: &Message, run: Option<&Run>) -> String {
    let who = match &message.role {
        MessageRole::Assistant => run.map_or("Agent", |run| run.agent.as_str()),
        MessageRole::User | MessageRole::Unknown(_) => message.author.as_ref().map_or("User", |author| &author.name),
    };
    let mut text = format!("\n## {who}, {}\n\n", message.created_at);
    for file in &message.attachments {
        text += "- File: ";
        text += &file.name;
        text.push('\n');
    }
    text += message.content.trim_end();
    text.push('\n');
    text
}
