//! The way that leads to a message, in a conversation that branches.

use std::collections::HashMap;

use netra_ws::{MessageId, RunId, ThreadId, model::Message};
use sqlx::{FromRow as _, Row as _, SqliteConnection, query, query_as};
use uuid::Uuid;

use super::{
    super::{Asked, Path, StoreError},
    rows::MessageRow,
    to_i64,
};

/// The messages of people that lead to `?2`, and of each the run whose answer the next one names. A message without a parent
/// follows the one before it; a parent is always older, so that this ends whatever stands there.
const WAY: &str = "WITH RECURSIVE way (id, seq, parent_id, run_id, steps) AS (
        SELECT id, seq, parent_id, NULL, 1 FROM messages WHERE thread_id = ?1 AND id = ?2 AND role <> 'assistant'
        UNION ALL
        SELECT q.id, q.seq, q.parent_id, a.run_id, w.steps + 1
        FROM way AS w
        LEFT JOIN messages AS a ON a.thread_id = ?1 AND a.id = w.parent_id AND a.role = 'assistant'
        LEFT JOIN runs AS r ON r.id = a.run_id
        JOIN messages AS q ON q.thread_id = ?1 AND q.seq < w.seq AND q.id = CASE WHEN w.parent_id IS NULL
            THEN (SELECT b.id FROM messages AS b WHERE b.thread_id = ?1 AND b.seq < w.seq AND b.role <> 'assistant'
                  ORDER BY b.seq DESC LIMIT 1)
            ELSE COALESCE(r.message_id, w.parent_id) END
        WHERE w.steps < ?3
    )";

pub(super) async fn read(
    tx: &mut SqliteConnection,
    thread: ThreadId,
    message: MessageId,
    limit: usize,
) -> Result<Path, StoreError> {
    let runs = format!(
        "{WAY} SELECT r.id, w.id FROM way AS w JOIN runs AS r ON r.thread_id = ?1 AND r.message_id = w.id
         WHERE w.run_id IS NULL OR w.run_id = r.id"
    );
    let rows: Vec<(Uuid, Uuid)> = query_as(sqlx::AssertSqlSafe(runs))
        .bind(thread.uuid())
        .bind(message.uuid())
        .bind(to_i64(limit))
        .fetch_all(&mut *tx)
        .await?;
    let answers: HashMap<RunId, MessageId> =
        rows.into_iter().map(|(run, message)| (run.into(), message.into())).collect();
    // Of several answers the one that the next message names, or else the newest that says something.
    let said = format!(
        "{WAY}, counts (id, run_id) AS (
             SELECT w.id, COALESCE(w.run_id, (SELECT a.run_id FROM runs AS r JOIN messages AS a ON a.run_id = r.id
                 WHERE r.thread_id = ?1 AND r.message_id = w.id AND trim(a.content) <> '' ORDER BY a.seq DESC LIMIT 1))
             FROM way AS w)
         SELECT m.* FROM messages AS m WHERE m.thread_id = ?1
             AND (m.id IN (SELECT id FROM way) OR m.id IN (
                 SELECT a.id FROM counts AS c JOIN messages AS a ON a.run_id = c.run_id WHERE a.thread_id = ?1))
         ORDER BY m.seq"
    );
    let rows = query(sqlx::AssertSqlSafe(said))
        .bind(thread.uuid())
        .bind(message.uuid())
        .bind(to_i64(limit))
        .fetch_all(tx)
        .await?;
    let messages: Result<Vec<Message>, _> = rows.iter().map(|row| MessageRow::from_row(row).map(|row| row.0)).collect();
    Ok(Path { messages: messages?, answers })
}

pub(super) async fn asked(
    tx: &mut SqliteConnection,
    thread: ThreadId,
    message: MessageId,
) -> Result<Option<Asked>, StoreError> {
    let row = query(
        "SELECT m.id, m.role, m.run_id, r.message_id FROM messages AS m LEFT JOIN runs AS r ON r.id = m.run_id
         WHERE m.thread_id = ? AND m.id = ?",
    )
    .bind(thread.uuid())
    .bind(message.uuid())
    .fetch_optional(tx)
    .await?;
    let Some(row) = row else { return Ok(None) };
    if row.try_get::<&str, _>("role")? != "assistant" {
        return Ok(Some(Asked { message, run: None }));
    }
    let (asked, run) = (row.try_get::<Option<Uuid>, _>("message_id")?, row.try_get::<Option<Uuid>, _>("run_id")?);
    Ok(asked.map(|asked| Asked { message: asked.into(), run: run.map(Into::into) }))
}
