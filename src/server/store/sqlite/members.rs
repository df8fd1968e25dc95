//! Who besides its owner may read a thread.

use netra_ws::{ThreadId, UserId, model::Member};
use sqlx::{Row, query, query_scalar};
use uuid::Uuid;

use super::{
    super::{MAX_MEMBERS, StoreError},
    SqliteStore, now, to_i64,
};

impl SqliteStore {
    pub(super) async fn select_members(&self, thread: ThreadId) -> Result<Vec<Member>, StoreError> {
        let rows = query(
            "SELECT u.id, u.name, u.email, TRUE AS owner, 0 AS added_at
             FROM threads AS t JOIN users AS u ON u.id = t.user_id WHERE t.id = ?1
             UNION ALL
             SELECT u.id, u.name, u.email, FALSE, m.added_at
             FROM members AS m JOIN users AS u ON u.id = m.user_id WHERE m.thread_id = ?1
             ORDER BY 4 DESC, 5, 1",
        )
        .bind(thread.uuid())
        .fetch_all(&self.readers)
        .await?;
        let member = |row: &sqlx::sqlite::SqliteRow| {
            Ok(Member {
                id: row.try_get::<Uuid, _>("id")?.into(),
                name: row.try_get("name")?,
                email: row.try_get("email")?,
                owner: row.try_get("owner")?,
            })
        };
        rows.iter().map(member).collect()
    }

    pub(super) async fn insert_member(&self, thread: ThreadId, user: UserId) -> Result<bool, StoreError> {
        let added = query(
            "INSERT INTO members (thread_id, user_id, added_at)
             SELECT id, ?2, ?3 FROM threads
             WHERE id = ?1 AND (SELECT COUNT(*) FROM members WHERE thread_id = ?1) < ?4
             ON CONFLICT DO NOTHING",
        )
        .bind(thread.uuid())
        .bind(user.uuid())
        .bind(now())
        .bind(to_i64(MAX_MEMBERS))
        .execute(&self.writer)
        .await?;
        Ok(added.rows_affected() > 0)
    }

    pub(super) async fn delete_member(&self, thread: ThreadId, user: UserId) -> Result<bool, StoreError> {
        let removed = query("DELETE FROM members WHERE thread_id = ? AND user_id = ?")
            .bind(thread.uuid())
            .bind(user.uuid())
            .execute(&self.writer)
            .await?;
        Ok(removed.rows_affected() > 0)
    }

    pub(super) async fn select_audience(&self, thread: ThreadId) -> Result<Vec<UserId>, StoreError> {
        let ids: Vec<Uuid> = query_scalar(
            "SELECT user_id FROM threads WHERE id = ?1 UNION ALL SELECT user_id FROM members WHERE thread_id = ?1",
        )
        .bind(thread.uuid())
        .fetch_all(&self.readers)
        .await?;
        Ok(ids.into_iter().map(UserId::from).collect())
    }
}
