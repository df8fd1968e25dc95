//! Who besides its owner may read a thread.

use async_trait::async_trait;
use netra_ws::{
    ThreadId, UserId,
    model::{Member, MemberRole, Thread},
};
use sqlx::{AssertSqlSafe, FromRow, Row, SqliteConnection, query, query_scalar, sqlite::SqliteRow};
use uuid::Uuid;

use super::{
    super::{MemberStore, StoreError},
    SqliteStore,
    rows::{THREAD_COLUMNS, ThreadRow},
};

#[async_trait]
impl MemberStore for SqliteStore {
    async fn members(&self, thread: ThreadId) -> Result<Vec<Member>, StoreError> {
        let rows = query(
            "SELECT u.id, u.name, u.email, TRUE AS owner, 0 AS added_at, 'writer' AS role, FALSE AS invited
             FROM threads AS t JOIN users AS u ON u.id = t.user_id WHERE t.id = ?1
             UNION ALL
             SELECT u.id, u.name, u.email, FALSE, m.added_at, m.role, m.accepted_at IS NULL
             FROM members AS m JOIN users AS u ON u.id = m.user_id WHERE m.thread_id = ?1
             ORDER BY 4 DESC, 5, 1",
        )
        .bind(thread.uuid())
        .fetch_all(&self.readers)
        .await?;
        let member = |row: &SqliteRow| {
            Ok(Member {
                id: row.try_get::<Uuid, _>("id")?.into(),
                name: row.try_get("name")?,
                email: row.try_get("email")?,
                owner: row.try_get("owner")?,
                role: MemberRole::from(row.try_get::<&str, _>("role")?),
                invited: row.try_get("invited")?,
            })
        };
        rows.iter().map(member).collect()
    }

    async fn remove_member(&self, thread: ThreadId, user: UserId) -> Result<bool, StoreError> {
        let mut tx = self.write().await?;
        let removed = query("DELETE FROM members WHERE thread_id = ? AND user_id = ?")
            .bind(thread.uuid())
            .bind(user.uuid())
            .execute(&mut *tx)
            .await?;
        query("DELETE FROM thread_settings WHERE thread_id = ? AND user_id = ?")
            .bind(thread.uuid())
            .bind(user.uuid())
            .execute(&mut *tx)
            .await?;
        let removed = removed.rows_affected() > 0;
        if removed {
            count_change(&mut tx, thread).await?;
        }
        tx.commit().await?;
        Ok(removed)
    }

    async fn for_readers(&self, thread: ThreadId) -> Result<Vec<(UserId, Thread)>, StoreError> {
        let sql = format!(
            "SELECT a.reader, {THREAD_COLUMNS}
             FROM (SELECT user_id AS reader FROM threads WHERE id = ?1
                   UNION ALL SELECT user_id FROM members WHERE thread_id = ?1 AND accepted_at IS NOT NULL) AS a
             JOIN threads AS t ON t.id = ?1
             LEFT JOIN thread_settings AS s ON s.thread_id = t.id AND s.user_id = a.reader"
        );
        let rows = query(AssertSqlSafe(sql)).bind(thread.uuid()).fetch_all(&self.readers).await?;
        let told = |row: &SqliteRow| -> Result<(UserId, Thread), StoreError> {
            let ThreadRow(thread) = ThreadRow::from_row(row)?;
            Ok((row.try_get::<Uuid, _>("reader")?.into(), thread))
        };
        rows.iter().map(told).collect()
    }

    async fn audience(&self, thread: ThreadId) -> Result<Vec<UserId>, StoreError> {
        let ids: Vec<Uuid> = query_scalar(
            "SELECT user_id FROM threads WHERE id = ?1 UNION ALL SELECT user_id FROM members WHERE thread_id = ?1",
        )
        .bind(thread.uuid())
        .fetch_all(&self.readers)
        .await?;
        Ok(ids.into_iter().map(UserId::from).collect())
    }
}

/// Who may read a thread is part of what a thread is.
pub(super) async fn count_change(tx: &mut SqliteConnection, thread: ThreadId) -> Result<(), sqlx::Error> {
    query("UPDATE threads SET changes = changes + 1 WHERE id = ?").bind(thread.uuid()).execute(tx).await?;
    Ok(())
}
