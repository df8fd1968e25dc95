//! What an event means for the tables beside the log, written in the same transaction.

use netra_ws::{
    RunId, ThreadId,
    frame::StoredEvent,
    message::ServerMessage,
    model::{Attachment, MessageRole, Run, RunStatus},
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
            add_message(tx, event, added.message_id.uuid(), added.role, &added.content, None, &added.attachments).await
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
            let id = answer.message_id.uuid();
            add_message(tx, event, id, MessageRole::Assistant, &answer.content, run_id, &[]).await
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

async fn add_message(
    tx: &mut SqliteConnection,
    event: &StoredEvent,
    id: Uuid,
    role: MessageRole,
    content: &str,
    run_id: Option<RunId>,
    attachments: &[Attachment],
) -> Result<(), StoreError> {
    let role = match role {
        MessageRole::User => "user",
        MessageRole::Assistant => "assistant",
    };
    query(
        "INSERT INTO messages (thread_id, id, seq, role, content, run_id, attachments, created_at)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(event.thread_id.uuid())
    .bind(id)
    .bind(to_i64(event.seq))
    .bind(role)
    .bind(content)
    .bind(run_id.map(RunId::uuid))
    .bind(serde_json::to_string(attachments).map_err(corrupt)?)
    .bind(millis(event.ts))
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
