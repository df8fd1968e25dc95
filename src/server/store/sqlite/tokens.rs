//! Tokens for programs.

use netra_ws::{UserId, model::User};
use sqlx::{Row, query, query_as, query_scalar};
use uuid::Uuid;

use super::{
    super::{ApiToken, MAX_API_TOKENS, StoreError},
    SqliteStore, now,
    rows::UserRow,
    timestamp, to_i64,
};

/// How exactly the last use is kept, in milliseconds: a busy program does not write with every request.
const USE_RESOLUTION: i64 = 60_000;

impl SqliteStore {
    pub(super) async fn insert_api_token(
        &self,
        user: UserId,
        name: &str,
        digest: &[u8],
    ) -> Result<Option<ApiToken>, StoreError> {
        let mut tx = self.write().await?;
        let count: i64 = query_scalar("SELECT COUNT(*) FROM api_tokens WHERE user_id = ?")
            .bind(user.uuid())
            .fetch_one(&mut *tx)
            .await?;
        if count >= to_i64(MAX_API_TOKENS) {
            return Ok(None);
        }
        let (id, created_at) = (Uuid::now_v7(), now());
        query("INSERT INTO api_tokens (digest, id, user_id, name, created_at) VALUES (?, ?, ?, ?, ?)")
            .bind(digest)
            .bind(id)
            .bind(user.uuid())
            .bind(name)
            .bind(created_at)
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(Some(ApiToken { id, name: name.to_owned(), created_at: timestamp(created_at), last_used_at: None }))
    }

    pub(super) async fn select_api_tokens(&self, user: UserId) -> Result<Vec<ApiToken>, StoreError> {
        let rows =
            query("SELECT id, name, created_at, last_used_at FROM api_tokens WHERE user_id = ? ORDER BY created_at")
                .bind(user.uuid())
                .fetch_all(&self.readers)
                .await?;
        let token = |row: sqlx::sqlite::SqliteRow| -> Result<ApiToken, StoreError> {
            Ok(ApiToken {
                id: row.try_get("id")?,
                name: row.try_get("name")?,
                created_at: timestamp(row.try_get("created_at")?),
                last_used_at: row.try_get::<Option<i64>, _>("last_used_at")?.map(timestamp),
            })
        };
        rows.into_iter().map(token).collect()
    }

    pub(super) async fn delete_api_token(&self, user: UserId, id: Uuid) -> Result<bool, StoreError> {
        let gone = query("DELETE FROM api_tokens WHERE id = ? AND user_id = ?")
            .bind(id)
            .bind(user.uuid())
            .execute(&self.writer)
            .await?;
        Ok(gone.rows_affected() > 0)
    }

    pub(super) async fn use_api_token(&self, digest: &[u8]) -> Result<Option<User>, StoreError> {
        let row = query(
            "SELECT u.id, u.name, u.role, u.email, t.last_used_at FROM api_tokens AS t
             JOIN users AS u ON u.id = t.user_id WHERE t.digest = ?",
        )
        .bind(digest)
        .fetch_optional(&self.readers)
        .await?;
        let Some(row) = row else { return Ok(None) };
        let last: Option<i64> = row.try_get("last_used_at")?;
        if last.is_none_or(|last| last < now() - USE_RESOLUTION) {
            query("UPDATE api_tokens SET last_used_at = ? WHERE digest = ?")
                .bind(now())
                .bind(digest)
                .execute(&self.writer)
                .await?;
        }
        let UserRow(user) = sqlx::FromRow::from_row(&row)?;
        Ok(Some(user))
    }

    pub(super) async fn select_user_by_address(&self, email: &str) -> Result<Option<User>, StoreError> {
        let row: Option<UserRow> = query_as("SELECT id, name, role, email FROM users WHERE email = ?")
            .bind(email)
            .fetch_optional(&self.readers)
            .await?;
        Ok(row.map(|UserRow(user)| user))
    }
}
