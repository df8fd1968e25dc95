//! Links by which anybody reads a conversation.

use async_trait::async_trait;
use netra_ws::{ThreadId, Timestamp, UserId};
use sqlx::{Row, query, query_scalar, sqlite::SqliteRow};
use uuid::Uuid;

use super::{
    super::{
        StoreError,
        read_only_links::{MAX_READ_ONLY_LINKS, Opened, ReadOnlyLink, ReadOnlyLinks},
    },
    SqliteStore, millis, now, seq, timestamp, to_i64,
};

fn link(row: &SqliteRow) -> Result<ReadOnlyLink, StoreError> {
    Ok(ReadOnlyLink {
        id: row.try_get("id")?,
        up_to_seq: seq(row.try_get("up_to")?),
        created_at: timestamp(row.try_get("created_at")?),
        expires_at: timestamp(row.try_get("expires_at")?),
    })
}

#[async_trait]
impl ReadOnlyLinks for SqliteStore {
    async fn make_read_only_link(
        &self,
        owner: UserId,
        thread: ThreadId,
        digest: &[u8],
        expires_at: Timestamp,
    ) -> Result<Option<Option<ReadOnlyLink>>, StoreError> {
        let mut tx = self.write().await?;
        let head: Option<i64> = query_scalar("SELECT head_seq FROM threads WHERE id = ? AND user_id = ?")
            .bind(thread.uuid())
            .bind(owner.uuid())
            .fetch_optional(&mut *tx)
            .await?;
        let Some(head) = head else { return Ok(None) };
        query("DELETE FROM thread_links WHERE thread_id = ? AND expires_at <= ?")
            .bind(thread.uuid())
            .bind(now())
            .execute(&mut *tx)
            .await?;
        let count: i64 = query_scalar("SELECT COUNT(*) FROM thread_links WHERE thread_id = ?")
            .bind(thread.uuid())
            .fetch_one(&mut *tx)
            .await?;
        if count >= to_i64(MAX_READ_ONLY_LINKS) {
            return Ok(Some(None));
        }
        let row = query(
            "INSERT INTO thread_links (id, digest, thread_id, made_by, up_to, created_at, expires_at)
             VALUES (?, ?, ?, ?, ?, ?, ?) RETURNING *",
        )
        .bind(Uuid::now_v7())
        .bind(digest)
        .bind(thread.uuid())
        .bind(owner.uuid())
        .bind(head)
        .bind(now())
        .bind(millis(expires_at))
        .fetch_one(&mut *tx)
        .await?;
        let made = link(&row)?;
        tx.commit().await?;
        Ok(Some(Some(made)))
    }

    async fn read_only_links(&self, owner: UserId, thread: ThreadId) -> Result<Vec<ReadOnlyLink>, StoreError> {
        let rows = query(
            "SELECT * FROM thread_links WHERE thread_id = ? AND made_by = ? AND expires_at > ? ORDER BY created_at DESC",
        )
        .bind(thread.uuid())
        .bind(owner.uuid())
        .bind(now())
        .fetch_all(&self.readers)
        .await?;
        rows.iter().map(link).collect()
    }

    async fn remove_read_only_link(&self, owner: UserId, thread: ThreadId, id: Uuid) -> Result<bool, StoreError> {
        let mut tx = self.write().await?;
        let gone = query("DELETE FROM thread_links WHERE id = ? AND thread_id = ? AND made_by = ?")
            .bind(id)
            .bind(thread.uuid())
            .bind(owner.uuid())
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(gone.rows_affected() > 0)
    }

    async fn open_read_only_link(&self, digest: &[u8]) -> Result<Option<Opened>, StoreError> {
        let row = query(
            "SELECT l.*, u.name FROM thread_links AS l
             JOIN threads AS t ON t.id = l.thread_id AND t.user_id = l.made_by
             JOIN users AS u ON u.id = l.made_by AND u.disabled_at IS NULL AND u.delete_at IS NULL
             WHERE l.digest = ? AND l.expires_at > ?",
        )
        .bind(digest)
        .bind(now())
        .fetch_optional(&self.readers)
        .await?;
        let opened = |row: &SqliteRow| {
            Ok(Opened {
                thread: row.try_get::<Uuid, _>("thread_id")?.into(),
                owner: row.try_get::<Uuid, _>("made_by")?.into(),
                owner_name: row.try_get("name")?,
                link: link(row)?,
            })
        };
        row.as_ref().map(opened).transpose()
    }
}
