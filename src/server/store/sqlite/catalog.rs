//! Threads.

use async_trait::async_trait;
use netra_ws::{ThreadId, UserId, model::Thread};
use sqlx::{AssertSqlSafe, Executor, Sqlite, query, query_as};

use super::{
    super::{StoreError, ThreadCatalog, ThreadChange},
    SqliteStore, attachments,
    cleaning::NOBODY,
    holds::{Hold, Work},
    now,
    rows::{READABLE, THREAD_COLUMNS, THREADS, ThreadRow},
};

#[async_trait]
impl ThreadCatalog for SqliteStore {
    async fn add_thread(&self, user: UserId, title: &str, agent: &str) -> Result<Thread, StoreError> {
        let id = ThreadId::new();
        let mut tx = self.write().await?;
        insert_thread(&mut *tx, id, user, title, agent, now()).await?;
        let thread = select_thread(&mut *tx, user, id).await?;
        tx.commit().await?;
        thread.ok_or_else(|| StoreError::Gone("no such user".to_owned()))
    }

    async fn thread(&self, user: UserId, id: ThreadId) -> Result<Option<Thread>, StoreError> {
        select_thread(&self.readers, user, id).await
    }

    async fn change_thread(
        &self,
        user: UserId,
        id: ThreadId,
        change: &ThreadChange,
    ) -> Result<Option<Thread>, StoreError> {
        let mut tx = self.write().await?;
        if select_thread(&mut *tx, user, id).await?.is_none() {
            return Ok(None);
        }
        if change.pinned.is_some() || change.archived.is_some() {
            query(
                "INSERT INTO thread_settings (user_id, thread_id, pinned, archived)
                 VALUES (?1, ?2, COALESCE(?3, 0), COALESCE(?4, 0))
                 ON CONFLICT DO UPDATE SET pinned = COALESCE(?3, pinned), archived = COALESCE(?4, archived)",
            )
            .bind(user.uuid())
            .bind(id.uuid())
            .bind(change.pinned)
            .bind(change.archived)
            .execute(&mut *tx)
            .await?;
        }
        // Title and agent are the owner's to change; what one reader set for themselves counts as a change for all.
        query(
            "UPDATE threads SET changes = changes + 1,
                 title = CASE WHEN user_id = ?1 THEN COALESCE(?3, title) ELSE title END,
                 agent = CASE WHEN user_id = ?1 THEN COALESCE(?4, agent) ELSE agent END
             WHERE id = ?2",
        )
        .bind(user.uuid())
        .bind(id.uuid())
        .bind(&change.title)
        .bind(&change.agent)
        .execute(&mut *tx)
        .await?;
        let thread = select_thread(&mut *tx, user, id).await?;
        tx.commit().await?;
        Ok(thread)
    }

    async fn retitle(&self, id: ThreadId, from: &str, to: &str) -> Result<bool, StoreError> {
        let changed = query("UPDATE threads SET title = ?, changes = changes + 1 WHERE id = ? AND title = ?")
            .bind(to)
            .bind(id.uuid())
            .bind(from)
            .execute(&self.writer)
            .await?;
        Ok(changed.rows_affected() > 0)
    }

    async fn remove_thread(&self, user: UserId, id: ThreadId) -> Result<bool, StoreError> {
        let mut tx = self.write().await?;
        let hold = Hold::begin(Work::Delete);
        let deleted = query("UPDATE threads SET user_id = ?, trimmed_seq = head_seq WHERE id = ? AND user_id = ?")
            .bind(NOBODY)
            .bind(id.uuid())
            .bind(user.uuid())
            .execute(&mut *tx)
            .await?;
        if deleted.rows_affected() == 0 {
            return Ok(false);
        }
        query("DELETE FROM members WHERE thread_id = ?").bind(id.uuid()).execute(&mut *tx).await?;
        attachments::condemn(&mut tx, id).await?;
        // Nobody is to take its runs up.
        query("DELETE FROM runs WHERE thread_id = ? AND status IN ('queued', 'running', 'waiting')")
            .bind(id.uuid())
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        hold.end();
        self.bury_soon();
        Ok(true)
    }
}

/// An epoch for a new log: tells it from one that another database had under the same id.
pub(super) fn new_epoch() -> String {
    format!("{:08x}", fastrand::u32(..))
}

pub(super) async fn insert_thread(
    executor: impl Executor<'_, Database = Sqlite>,
    id: ThreadId,
    user: UserId,
    title: &str,
    agent: &str,
    at: i64,
) -> Result<(), StoreError> {
    query(
        "INSERT INTO threads (id, user_id, title, agent, epoch, created_at, updated_at) VALUES (?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(id.uuid())
    .bind(user.uuid())
    .bind(title)
    .bind(agent)
    .bind(new_epoch())
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
    let sql = format!("SELECT {THREAD_COLUMNS} FROM {THREADS} WHERE t.id = ?2 AND {READABLE}");
    let row: Option<ThreadRow> =
        query_as(AssertSqlSafe(sql)).bind(user.uuid()).bind(id.uuid()).fetch_optional(executor).await?;
    Ok(row.map(|ThreadRow(thread)| thread))
}
