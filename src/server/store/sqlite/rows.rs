//! Rows as the rest of the program knows them.

use netra_ws::{
    frame::StoredEvent,
    model::{Author, Message, MessageRole, Role, Thread, User},
};
use serde_json::value::RawValue;
use sqlx::{FromRow, Row, sqlite::SqliteRow};
use uuid::Uuid;

use super::{super::StoreError, seq, timestamp};

pub(super) struct UserRow(pub(super) User);

impl FromRow<'_, SqliteRow> for UserRow {
    fn from_row(row: &SqliteRow) -> Result<Self, sqlx::Error> {
        Ok(Self(User {
            id: row.try_get::<Uuid, _>("id")?.into(),
            name: row.try_get("name")?,
            role: Role::from(row.try_get::<&str, _>("role")?),
            email: row.try_get("email")?,
        }))
    }
}

/// The columns of [`ThreadRow`], for a query over [`THREADS`].
pub(super) const THREAD_COLUMNS: &str = "t.id, t.title, t.agent, t.user_id, t.head_seq, t.created_at, t.updated_at, \
     COALESCE(s.pinned, 0) AS pinned, COALESCE(s.archived, 0) AS archived, 1 + t.head_seq + t.changes AS version, \
     EXISTS (SELECT 1 FROM runs AS r WHERE r.thread_id = t.id AND r.status IN ('queued', 'running')) AS running, \
     EXISTS (SELECT 1 FROM questions AS q WHERE q.thread_id = t.id AND q.taken = 0 AND q.approved IS NULL) AS waiting, \
     EXISTS (SELECT 1 FROM members AS m WHERE m.thread_id = t.id) AS shared";

/// Threads with what the user `?1` made of them.
pub(super) const THREADS: &str = "threads AS t LEFT JOIN thread_settings AS s ON s.thread_id = t.id AND s.user_id = ?1";

/// Those that the user `?1` may read, as owner, member, or invited to, for a query over `threads AS t`.
pub(super) const READABLE: &str =
    "(t.user_id = ?1 OR t.id IN (SELECT m.thread_id FROM members AS m WHERE m.user_id = ?1))";

/// Those that are among the user's conversations: an invitation is not yet one.
pub(super) const LISTED: &str = "(t.user_id = ?1 OR t.id IN \
     (SELECT m.thread_id FROM members AS m WHERE m.user_id = ?1 AND m.accepted_at IS NOT NULL))";

pub(super) struct ThreadRow(pub(super) Thread);

impl FromRow<'_, SqliteRow> for ThreadRow {
    fn from_row(row: &SqliteRow) -> Result<Self, sqlx::Error> {
        Ok(Self(Thread {
            id: row.try_get::<Uuid, _>("id")?.into(),
            title: row.try_get("title")?,
            agent: row.try_get("agent")?,
            owner_id: row.try_get::<Uuid, _>("user_id")?.into(),
            shared: row.try_get("shared")?,
            pinned: row.try_get("pinned")?,
            archived: row.try_get("archived")?,
            running: row.try_get("running")?,
            waiting: row.try_get("waiting")?,
            head_seq: seq(row.try_get("head_seq")?),
            version: seq(row.try_get("version")?),
            created_at: timestamp(row.try_get("created_at")?),
            updated_at: timestamp(row.try_get("updated_at")?),
        }))
    }
}

fn author(row: &SqliteRow) -> Result<Option<Author>, sqlx::Error> {
    let id = row.try_get::<Option<Uuid>, _>("author_id")?;
    let name = row.try_get::<Option<String>, _>("author_name")?;
    Ok(id.zip(name).map(|(id, name)| Author { id: id.into(), name }))
}

pub(super) struct MessageRow(pub(super) Message);

impl FromRow<'_, SqliteRow> for MessageRow {
    fn from_row(row: &SqliteRow) -> Result<Self, sqlx::Error> {
        Ok(Self(Message {
            message_id: row.try_get::<Uuid, _>("id")?.into(),
            role: MessageRole::from(row.try_get::<&str, _>("role")?),
            content: row.try_get("content")?,
            run_id: row.try_get::<Option<Uuid>, _>("run_id")?.map(Into::into),
            seq: seq(row.try_get("seq")?),
            created_at: timestamp(row.try_get("created_at")?),
            author: author(row)?,
            parent_id: row.try_get::<Option<Uuid>, _>("parent_id")?.map(Into::into),
            attachments: serde_json::from_str(row.try_get("attachments")?)
                .map_err(|error| sqlx::Error::Decode(error.into()))?,
        }))
    }
}

pub(super) struct EventRow {
    thread_id: Uuid,
    seq: i64,
    id: Uuid,
    ts: i64,
    run_id: Option<Uuid>,
    name: String,
    payload: String,
}

impl FromRow<'_, SqliteRow> for EventRow {
    fn from_row(row: &SqliteRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            thread_id: row.try_get("thread_id")?,
            seq: row.try_get("seq")?,
            id: row.try_get("id")?,
            ts: row.try_get("ts")?,
            run_id: row.try_get("run_id")?,
            name: row.try_get("type")?,
            payload: row.try_get("payload")?,
        })
    }
}

impl EventRow {
    pub(super) fn into_event(self, epoch: &str) -> Result<StoredEvent, StoreError> {
        Ok(StoredEvent {
            id: self.id.into(),
            ts: timestamp(self.ts),
            thread_id: self.thread_id.into(),
            run_id: self.run_id.map(Into::into),
            epoch: epoch.to_owned(),
            seq: seq(self.seq),
            name: self.name,
            payload: RawValue::from_string(self.payload).map_err(StoreError::corrupt)?,
        })
    }
}
