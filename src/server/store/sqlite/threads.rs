//! Threads and their messages.

use netra_ws::{
    ThreadId, UserId,
    model::{Message, Thread},
};
use sqlx::{AssertSqlSafe, Executor, Row, Sqlite, query, query_as};
use uuid::Uuid;

use super::{
    super::{Found, StoreError, ThreadChange, ThreadQuery},
    SqliteStore, now,
    rows::{MessageRow, READABLE, THREAD_COLUMNS, ThreadRow},
    timestamp, to_i64,
};

impl SqliteStore {
    pub(super) async fn insert_thread(&self, user: UserId, title: &str, agent: &str) -> Result<Thread, StoreError> {
        let id = ThreadId::new();
        let at = now();
        add_thread(&self.writer, id, user, title, agent, at).await?;
        select_thread(&self.writer, user, id).await?.ok_or(StoreError::RowNotFound)
    }

    pub(super) async fn select_threads(&self, user: UserId, wanted: &ThreadQuery) -> Result<Vec<Thread>, StoreError> {
        let text = wanted.text.as_deref().map(str::trim).filter(|text| !text.is_empty());
        let filter = if text.is_some() {
            "AND (t.title LIKE ?3 ESCAPE '\\' OR t.id IN (
                SELECT m.thread_id FROM messages_fts JOIN messages AS m ON m.rowid = messages_fts.rowid
                WHERE messages_fts MATCH ?4))"
        } else {
            "AND (?3 IS NULL OR ?4 IS NULL OR TRUE)"
        };
        let readable = "(t.user_id = ?1 OR t.id IN (SELECT m.thread_id FROM members AS m WHERE m.user_id = ?1))";
        let sql = format!(
            "SELECT {THREAD_COLUMNS} FROM threads AS t WHERE {readable} AND t.archived = ?2 {filter}
             AND (?6 IS NULL OR (t.pinned, t.updated_at, t.id) < (?6, ?7, ?8))
             ORDER BY t.pinned DESC, t.updated_at DESC, t.id DESC LIMIT ?5"
        );
        let rows: Vec<ThreadRow> = query_as(AssertSqlSafe(sql))
            .bind(user.uuid())
            .bind(wanted.archived)
            .bind(text.map(like_pattern))
            .bind(text.map(match_expression).map(|words| if words.is_empty() { NO_WORD.to_owned() } else { words }))
            .bind(to_i64(wanted.limit))
            .bind(wanted.after.map(|place| place.pinned))
            .bind(wanted.after.map(|place| to_i64(place.updated_at.as_millis())))
            .bind(wanted.after.map(|place| place.id.uuid()))
            .fetch_all(&self.readers)
            .await?;
        Ok(rows.into_iter().map(|ThreadRow(thread)| thread).collect())
    }

    pub(super) async fn update_thread(
        &self,
        user: UserId,
        id: ThreadId,
        change: &ThreadChange,
    ) -> Result<Option<Thread>, StoreError> {
        query(
            "UPDATE threads SET title = COALESCE(?, title), pinned = COALESCE(?, pinned), archived = COALESCE(?, archived),
                 agent = COALESCE(?, agent)
             WHERE id = ? AND user_id = ?",
        )
        .bind(&change.title)
        .bind(change.pinned)
        .bind(change.archived)
        .bind(&change.agent)
        .bind(id.uuid())
        .bind(user.uuid())
        .execute(&self.writer)
        .await?;
        select_thread(&self.writer, user, id).await
    }

    pub(super) async fn delete_thread(&self, user: UserId, id: ThreadId) -> Result<bool, StoreError> {
        let deleted = query("DELETE FROM threads WHERE id = ? AND user_id = ?")
            .bind(id.uuid())
            .bind(user.uuid())
            .execute(&self.writer)
            .await?;
        Ok(deleted.rows_affected() > 0)
    }

    pub(super) async fn match_messages(
        &self,
        user: UserId,
        text: &str,
        limit: usize,
    ) -> Result<Vec<Found>, StoreError> {
        let expression = match_expression(text);
        if expression.is_empty() {
            return Ok(Vec::new());
        }
        let sql = format!(
            "SELECT s.thread_id, t.title, s.created_at, snippet(messages_fts, 0, '', '', ' … ', 24) AS excerpt
             FROM messages_fts JOIN messages AS s ON s.rowid = messages_fts.rowid JOIN threads AS t ON t.id = s.thread_id
             WHERE messages_fts MATCH ? AND {READABLE} ORDER BY bm25(messages_fts), s.rowid DESC LIMIT ?"
        );
        let rows = query(AssertSqlSafe(sql))
            .bind(expression)
            .bind(user.uuid())
            .bind(user.uuid())
            .bind(to_i64(limit))
            .fetch_all(&self.readers)
            .await?;
        rows.iter()
            .map(|row| {
                Ok(Found {
                    thread_id: row.try_get::<Uuid, _>("thread_id")?.into(),
                    title: row.try_get("title")?,
                    excerpt: row.try_get("excerpt")?,
                    created_at: timestamp(row.try_get("created_at")?),
                })
            })
            .collect()
    }
}

pub(super) async fn add_thread<'e>(
    executor: impl Executor<'e, Database = Sqlite>,
    id: ThreadId,
    user: UserId,
    title: &str,
    agent: &str,
    at: i64,
) -> Result<(), StoreError> {
    // The epoch tells this log from one that another database had under the same id.
    let epoch = format!("{:08x}", fastrand::u32(..));
    query(
        "INSERT INTO threads (id, user_id, title, agent, epoch, created_at, updated_at) VALUES (?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(id.uuid())
    .bind(user.uuid())
    .bind(title)
    .bind(agent)
    .bind(epoch)
    .bind(at)
    .bind(at)
    .execute(executor)
    .await?;
    Ok(())
}

pub(super) async fn select_thread<'e>(
    executor: impl Executor<'e, Database = Sqlite>,
    user: UserId,
    id: ThreadId,
) -> Result<Option<Thread>, StoreError> {
    let sql = format!("SELECT {THREAD_COLUMNS} FROM threads AS t WHERE t.id = ? AND {READABLE}");
    let row: Option<ThreadRow> = query_as(AssertSqlSafe(sql))
        .bind(id.uuid())
        .bind(user.uuid())
        .bind(user.uuid())
        .fetch_optional(executor)
        .await?;
    Ok(row.map(|ThreadRow(thread)| thread))
}

pub(super) async fn select_messages<'e>(
    executor: impl Executor<'e, Database = Sqlite>,
    thread: ThreadId,
    before_seq: Option<u64>,
    limit: usize,
) -> Result<Vec<Message>, StoreError> {
    let rows: Vec<MessageRow> = query_as(
        "SELECT id, seq, role, content, run_id, attachments, created_at, author_id, author_name FROM messages
         WHERE thread_id = ? AND seq < ? ORDER BY seq DESC LIMIT ?",
    )
    .bind(thread.uuid())
    .bind(before_seq.map_or(i64::MAX, to_i64))
    .bind(to_i64(limit))
    .fetch_all(executor)
    .await?;
    Ok(rows.into_iter().rev().map(|MessageRow(message)| message).collect())
}

/// Matches no message: FTS5 refuses an empty expression.
const NO_WORD: &str = "\"\"";

/// A person's words as an FTS5 expression: every word must occur, the last one may be the start of one. Words are quoted, so
/// that nothing in them is syntax.
fn match_expression(text: &str) -> String {
    let words: Vec<String> = text
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .take(16)
        .map(|word| format!("\"{word}\""))
        .collect();
    if words.is_empty() { String::new() } else { format!("{}*", words.join(" ")) }
}

fn like_pattern(text: &str) -> String {
    let escaped = text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
    format!("%{escaped}%")
}
