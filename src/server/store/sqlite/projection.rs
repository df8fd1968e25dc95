//! What an event means for the tables beside the log, written in the same transaction.

use netra_ws::{
    RunId, ThreadId,
    frame::StoredEvent,
    message::ServerMessage,
    model::{Attachment, Author, MessageRole, Run, RunStatus},
    payload::CompletedStatus,
};
use sqlx::{Row, SqliteConnection, query, query_as};
use uuid::Uuid;

use super::{super::StoreError, corrupt, millis, rows::EventRow, to_i64};

pub(super) async fn project(
    tx: &mut SqliteConnection,
    event: &StoredEvent,
    run_id: Option<RunId>,
    message: &ServerMessage,
) -> Result<(), StoreError> {
    match message {
        ServerMessage::ThreadMessage(added) => {
            let message = NewMessage {
                id: added.message_id.uuid(),
                role: added.role,
                content: &added.content,
                run_id: None,
                author: added.author.as_ref(),
                attachments: &added.attachments,
            };
            add_message(tx, event, message).await
        }
        ServerMessage::AgentStarted(_) => {
            // A run that is taken up again keeps its first start.
            query("UPDATE runs SET start_seq = COALESCE(start_seq, ?) WHERE id = ?")
                .bind(to_i64(event.seq))
                .bind(run_id.map(RunId::uuid))
                .execute(tx)
                .await?;
            Ok(())
        }
        ServerMessage::AgentResponse(answer) => {
            let message = NewMessage {
                id: answer.message_id.uuid(),
                role: MessageRole::Assistant,
                content: &answer.content,
                run_id,
                author: None,
                attachments: &[],
            };
            add_message(tx, event, message).await
        }
        ServerMessage::AgentCompleted(done) => {
            let status = match done.status {
                CompletedStatus::Completed => RunStatus::Completed,
                CompletedStatus::Stopped => RunStatus::Stopped,
            };
            end_run(tx, event, run_id, status).await
        }
        ServerMessage::AgentError(_) => end_run(tx, event, run_id, RunStatus::Failed).await,
        ServerMessage::AgentThinking(_)
        | ServerMessage::ToolExecuting(_)
        | ServerMessage::ToolApprovalRequired(_)
        | ServerMessage::ToolCompleted(_)
        | ServerMessage::AgentProgress(_)
        | ServerMessage::PartialResult(_) => Ok(()),
        ServerMessage::Connect(_)
        | ServerMessage::Disconnect(_)
        | ServerMessage::Heartbeat(_)
        | ServerMessage::Pong(_)
        | ServerMessage::Authenticated(_)
        | ServerMessage::Subscribed(_)
        | ServerMessage::ThreadSnapshot(_)
        | ServerMessage::Ack(_)
        | ServerMessage::Unsubscribed(_)
        | ServerMessage::ErrorMessage(_)
        | ServerMessage::ThreadCreated(_)
        | ServerMessage::ThreadUpdate(_)
        | ServerMessage::ThreadDeleted(_)
        | ServerMessage::SystemMessage(_)
        | ServerMessage::Broadcast(_)
        | ServerMessage::RoomMessage(_)
        | ServerMessage::JsonrpcResponse(_)
        | ServerMessage::JsonrpcNotification(_) => Err(StoreError::Protocol(format!("{} is not durable", event.name))),
    }
}

/// A message as an event tells of it.
struct NewMessage<'a> {
    id: Uuid,
    role: MessageRole,
    content: &'a str,
    run_id: Option<RunId>,
    author: Option<&'a Author>,
    attachments: &'a [Attachment],
}

async fn add_message(
    tx: &mut SqliteConnection,
    event: &StoredEvent,
    message: NewMessage<'_>,
) -> Result<(), StoreError> {
    let role = match message.role {
        MessageRole::User => "user",
        MessageRole::Assistant => "assistant",
    };
    query(
        "INSERT INTO messages (thread_id, id, seq, role, content, run_id, attachments, created_at, author_id,
             author_name)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(event.thread_id.uuid())
    .bind(message.id)
    .bind(to_i64(event.seq))
    .bind(role)
    .bind(message.content)
    .bind(message.run_id.map(RunId::uuid))
    .bind(serde_json::to_string(message.attachments).map_err(corrupt)?)
    .bind(millis(event.ts))
    .bind(message.author.map(|author| author.id.uuid()))
    .bind(message.author.map(|author| &author.name))
    .execute(&mut *tx)
    .await?;
    query("UPDATE threads SET updated_at = ? WHERE id = ?")
        .bind(millis(event.ts))
        .bind(event.thread_id.uuid())
        .execute(tx)
        .await?;
    Ok(())
}

/// Ends a run and keeps its folded state, so that a snapshot need not read its events again.
async fn end_run(
    tx: &mut SqliteConnection,
    event: &StoredEvent,
    run_id: Option<RunId>,
    status: RunStatus,
) -> Result<(), StoreError> {
    let Some(run_id) = run_id else { return Err(StoreError::Protocol("a run's end without a run".to_owned())) };
    let row = query("SELECT message_id, agent, start_seq FROM runs WHERE id = ?")
        .bind(run_id.uuid())
        .fetch_one(&mut *tx)
        .await?;
    let message: Option<Uuid> = row.try_get("message_id")?;
    let start: Option<i64> = row.try_get("start_seq")?;
    let queued = Run::queued(run_id, row.try_get("agent")?, message.map(Into::into));
    let run = fold_run(tx, event.thread_id, start.unwrap_or_else(|| to_i64(event.seq)), queued, &event.epoch).await?;
    query("UPDATE runs SET status = ?, state = ?, ended_at = ?, end_seq = ?, owner = NULL, lease_expires_at = 0 WHERE id = ?")
        .bind(status.as_str())
        .bind(serde_json::to_string(&run).map_err(corrupt)?)
        .bind(millis(event.ts))
        .bind(to_i64(event.seq))
        .bind(run_id.uuid())
        .execute(tx)
        .await?;
    Ok(())
}

/// Folds a run's events from `start` on into its state.
pub(super) async fn fold_run(
    tx: &mut SqliteConnection,
    thread: ThreadId,
    start: i64,
    mut run: Run,
    epoch: &str,
) -> Result<Run, StoreError> {
    let rows: Vec<EventRow> =
        query_as("SELECT * FROM events WHERE thread_id = ? AND seq >= ? AND run_id = ? ORDER BY seq")
            .bind(thread.uuid())
            .bind(start)
            .bind(run.run_id.uuid())
            .fetch_all(tx)
            .await?;
    for row in rows {
        let frame = row.into_event(epoch)?.decode().map_err(corrupt)?;
        run.apply(&frame.message, frame.ts.unwrap_or_default());
    }
    Ok(run)
}
