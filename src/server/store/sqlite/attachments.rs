//! Files that go with messages: their rows.

use async_trait::async_trait;
use netra_ws::{AttachmentId, MessageId, ThreadId, Timestamp, UserId, model::Attachment};
use sqlx::{Arguments as _, AssertSqlSafe, Row, SqliteConnection, query, query_as, query_scalar, sqlite::SqliteRow};
use uuid::Uuid;

use super::{
    super::{AttachmentStore, KeptAttachment, NewAttachment, NoRoom, Room, StoreError},
    SqliteStore,
    bulk::Bulk,
    millis, now,
    rows::READABLE,
    seq, to_i64,
};

const COMING: i64 = 0;
const KEPT: i64 = 1;
const GONE: i64 = 2;

fn told(row: &SqliteRow) -> Result<Attachment, StoreError> {
    let id = AttachmentId::from(row.try_get::<Uuid, _>("id")?);
    Ok(Attachment {
        id: Some(id),
        name: row.try_get("name")?,
        media_type: row.try_get("media_type")?,
        bytes: Some(seq(row.try_get("bytes")?)),
        url: Attachment::path(id),
    })
}

/// What the user's files take beside this one.
async fn room_beside(
    tx: &mut SqliteConnection,
    user: UserId,
    id: AttachmentId,
    bytes: u64,
    room: Room,
) -> Result<Result<(), NoRoom>, StoreError> {
    let (taken, unsent): (i64, i64) = query_as(
        "SELECT COALESCE(SUM(bytes), 0), COUNT(*) FILTER (WHERE thread_id IS NULL) FROM attachments
         WHERE user_id = ? AND state < ? AND id <> ?",
    )
    .bind(user.uuid())
    .bind(GONE)
    .bind(id.uuid())
    .fetch_one(tx)
    .await?;
    Ok(if seq(unsent) >= room.unsent {
        Err(NoRoom::Unsent)
    } else if seq(taken).saturating_add(bytes) > room.bytes {
        Err(NoRoom::Bytes)
    } else {
        Ok(())
    })
}

#[async_trait]
impl AttachmentStore for SqliteStore {
    async fn begin_attachment(&self, new: &NewAttachment, room: Room) -> Result<Result<(), NoRoom>, StoreError> {
        let mut tx = self.write().await?;
        if let Err(no_room) = room_beside(&mut tx, new.user_id, new.id, new.bytes, room).await? {
            return Ok(Err(no_room));
        }
        query(
            "INSERT INTO attachments (id, user_id, state, name, media_type, bytes, created_at) VALUES (?, ?, ?, ?, '', ?, ?)",
        )
        .bind(new.id.uuid())
        .bind(new.user_id.uuid())
        .bind(COMING)
        .bind(&new.name)
        .bind(to_i64(new.bytes))
        .bind(now())
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(Ok(()))
    }

    async fn finish_attachment(
        &self,
        user: UserId,
        kept: &KeptAttachment,
        room: Room,
    ) -> Result<Result<(), NoRoom>, StoreError> {
        let (Some(id), Some(bytes)) = (kept.told.id, kept.told.bytes) else {
            return Err(StoreError::Gone("a file without an id or a length".to_owned()));
        };
        let mut tx = self.write().await?;
        if let Err(no_room) = room_beside(&mut tx, user, id, bytes, room).await? {
            return Ok(Err(no_room));
        }
        let finished =
            query("UPDATE attachments SET state = ?, media_type = ?, bytes = ?, digest = ? WHERE id = ? AND state = ?")
                .bind(KEPT)
                .bind(&kept.told.media_type)
                .bind(to_i64(bytes))
                .bind(&kept.digest)
                .bind(id.uuid())
                .bind(COMING)
                .execute(&mut *tx)
                .await?;
        if finished.rows_affected() == 0 {
            return Err(StoreError::Gone("the file was removed while it came".to_owned()));
        }
        tx.commit().await?;
        Ok(Ok(()))
    }

    async fn attachment(&self, user: UserId, id: AttachmentId) -> Result<Option<KeptAttachment>, StoreError> {
        let sql = format!(
            "SELECT id, name, media_type, bytes, digest FROM attachments AS a
             WHERE a.id = ?2 AND a.state = ?3 AND CASE WHEN a.thread_id IS NULL THEN a.user_id = ?1
                 ELSE EXISTS (SELECT 1 FROM threads AS t WHERE t.id = a.thread_id AND {READABLE}) END"
        );
        let row = query(AssertSqlSafe(sql))
            .bind(user.uuid())
            .bind(id.uuid())
            .bind(KEPT)
            .fetch_optional(&self.readers)
            .await?;
        let kept = |row: &SqliteRow| Ok(KeptAttachment { told: told(row)?, digest: row.try_get("digest")? });
        row.as_ref().map(kept).transpose()
    }

    async fn sendable_attachments(
        &self,
        user: UserId,
        thread: Option<ThreadId>,
        ids: &[AttachmentId],
    ) -> Result<Vec<Attachment>, StoreError> {
        let mut found = Vec::with_capacity(ids.len());
        let mut reader = self.readers.acquire().await?;
        for id in ids {
            let row = query(
                "SELECT id, name, media_type, bytes FROM attachments
                 WHERE id = ? AND state = ? AND (thread_id IS NULL AND user_id = ? OR thread_id = ?)",
            )
            .bind(id.uuid())
            .bind(KEPT)
            .bind(user.uuid())
            .bind(thread.map(ThreadId::uuid))
            .fetch_optional(&mut *reader)
            .await?;
            found.extend(row.as_ref().map(told).transpose()?);
        }
        Ok(found)
    }

    async fn discard_attachment(&self, user: UserId, id: AttachmentId) -> Result<bool, StoreError> {
        let discarded = query(
            "UPDATE attachments SET state = ?1 WHERE id = ?2 AND user_id = ?3 AND thread_id IS NULL AND state < ?1",
        )
        .bind(GONE)
        .bind(id.uuid())
        .bind(user.uuid())
        .execute(&self.writer)
        .await?;
        Ok(discarded.rows_affected() > 0)
    }

    async fn removable_attachments(&self, before: Timestamp, limit: usize) -> Result<Vec<AttachmentId>, StoreError> {
        let ids: Vec<Uuid> = query_scalar(
            "SELECT id FROM attachments
             WHERE (state = 2 OR thread_id IS NULL) AND (state = 2 OR created_at < ?) ORDER BY created_at LIMIT ?",
        )
        .bind(millis(before))
        .bind(to_i64(limit))
        .fetch_all(&self.readers)
        .await?;
        Ok(ids.into_iter().map(Into::into).collect())
    }

    async fn forget_attachment(&self, id: AttachmentId) -> Result<(), StoreError> {
        query("DELETE FROM attachments WHERE id = ? AND state = ?")
            .bind(id.uuid())
            .bind(GONE)
            .execute(&self.writer)
            .await?;
        Ok(())
    }

    async fn condemn_attachments(&self, ids: &[AttachmentId]) -> Result<Vec<AttachmentId>, StoreError> {
        let mut condemned = Vec::with_capacity(ids.len());
        let mut tx = self.write().await?;
        for id in ids {
            let marked = query("UPDATE attachments SET state = ?1 WHERE id = ?2 AND (thread_id IS NULL OR state = ?1)")
                .bind(GONE)
                .bind(id.uuid())
                .execute(&mut *tx)
                .await?;
            condemned.extend((marked.rows_affected() > 0).then_some(*id));
        }
        tx.commit().await?;
        Ok(condemned)
    }
}

/// Which of these files are there to be sent by these users to these threads: kept, and theirs and not sent yet, or sent to the
/// thread already.
pub(super) const SENDABLE: Bulk<(AttachmentId, UserId, ThreadId)> = Bulk {
    before: "WITH wanted (id, user_id, thread_id) AS (",
    after: ") SELECT a.id, a.thread_id FROM wanted AS w JOIN attachments AS a ON a.id = w.id
        WHERE a.state = 1 AND (a.thread_id IS NULL AND a.user_id = w.user_id OR a.thread_id = w.thread_id)",
    columns: 3,
    bind: |values, (id, user, thread)| {
        values.add(id.uuid())?;
        values.add(user.uuid())?;
        values.add(thread.uuid())
    },
};

/// Keeps that files were sent, with which message of which thread.
pub(super) const SENT: Bulk<(AttachmentId, ThreadId, MessageId)> = Bulk {
    before: "WITH given (id, thread_id, message_id) AS (",
    after: ") UPDATE attachments SET thread_id = given.thread_id, message_id = given.message_id
        FROM given WHERE attachments.id = given.id",
    columns: 3,
    bind: |values, (id, thread, message)| {
        values.add(id.uuid())?;
        values.add(thread.uuid())?;
        values.add(message.uuid())
    },
};

/// Marks a thread's files for removal.
pub(super) async fn condemn(tx: &mut SqliteConnection, thread: ThreadId) -> Result<(), StoreError> {
    query("UPDATE attachments SET state = ? WHERE thread_id = ?").bind(GONE).bind(thread.uuid()).execute(tx).await?;
    Ok(())
}
