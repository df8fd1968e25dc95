//! Tokens for programs.

use async_trait::async_trait;
use netra_ws::{Timestamp, UserId};
use sqlx::{Row, query, query_scalar};
use uuid::Uuid;

use super::{
    super::{ApiToken, KnownToken, MAX_API_TOKENS, Scope, StoreError, TokenStore},
    SqliteStore, millis, now,
    rows::UserRow,
    timestamp, to_i64,
};

/// How exactly the last use is kept, in milliseconds: a busy program does not write with every request.
const USE_RESOLUTION: i64 = 60_000;

#[async_trait]
impl TokenStore for SqliteStore {
    async fn add_api_token(
        &self,
        user: UserId,
        name: &str,
        digest: &[u8],
        scope: Scope,
        expires_at: Option<Timestamp>,
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
        query(
            "INSERT INTO api_tokens (digest, id, user_id, name, created_at, scope, expires_at) VALUES (?, ?, ?, ?, ?, ?, ?)",
        )
            .bind(digest)
            .bind(id)
            .bind(user.uuid())
            .bind(name)
            .bind(created_at)
            .bind(scope.as_str())
            .bind(expires_at.map(millis))
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(Some(ApiToken {
            id,
            name: name.to_owned(),
            created_at: timestamp(created_at),
            last_used_at: None,
            last_used_from: None,
            scope,
            expires_at,
        }))
    }

    async fn api_tokens(&self, user: UserId) -> Result<Vec<ApiToken>, StoreError> {
        let rows =
            query("SELECT id, name, created_at, last_used_at, last_used_from, scope, expires_at FROM api_tokens WHERE user_id = ? ORDER BY created_at")
                .bind(user.uuid())
                .fetch_all(&self.readers)
                .await?;
        let token = |row: sqlx::sqlite::SqliteRow| -> Result<ApiToken, StoreError> {
            Ok(ApiToken {
                id: row.try_get("id")?,
                name: row.try_get("name")?,
                created_at: timestamp(row.try_get("created_at")?),
                last_used_at: row.try_get::<Option<i64>, _>("last_used_at")?.map(timestamp),
                last_used_from: row.try_get("last_used_from")?,
                scope: Scope::named(row.try_get("scope")?),
                expires_at: row.try_get::<Option<i64>, _>("expires_at")?.map(timestamp),
            })
        };
        rows.into_iter().map(token).collect()
    }

    async fn remove_api_token(&self, user: UserId, id: Uuid) -> Result<bool, StoreError> {
        let gone = query("DELETE FROM api_tokens WHERE id = ? AND user_id = ?")
            .bind(id)
            .bind(user.uuid())
            .execute(&self.writer)
            .await?;
        Ok(gone.rows_affected() > 0)
    }

    async fn api_token_user(&self, digest: &[u8], from: Option<&str>) -> Result<Option<KnownToken>, StoreError> {
        let row = query(
            "SELECT u.id, u.name, u.role, u.email, t.last_used_at, t.last_used_from, t.scope, t.expires_at
             FROM api_tokens AS t
             JOIN users AS u ON u.id = t.user_id WHERE t.digest = ? AND (t.expires_at IS NULL OR t.expires_at > ?)
             AND u.disabled_at IS NULL AND u.delete_at IS NULL",
        )
        .bind(digest)
        .bind(now())
        .fetch_optional(&self.checkers)
        .await?;
        let Some(row) = row else { return Ok(None) };
        let last: Option<i64> = row.try_get("last_used_at")?;
        let last_from: Option<String> = row.try_get("last_used_from")?;
        // Another address counts with the next note: one that changes with each request writes no more than one that does not.
        let placed = from.is_some() && last_from.is_none();
        if (placed || last.is_none_or(|last| last < now() - USE_RESOLUTION))
            && let Some(note) = self.noting.begin(digest)
        {
            let (writer, from) = (self.writer.clone(), from.map(str::to_owned));
            // Noted beside: the check does not wait for the writer.
            tokio::spawn(async move {
                let noted = query(
                    "UPDATE api_tokens SET last_used_at = ?, last_used_from = COALESCE(?, last_used_from) WHERE digest = ?",
                )
                .bind(now())
                .bind(from)
                .bind(note.digest.as_slice());
                if let Err(error) = noted.execute(&writer).await {
                    tracing::warn!(%error, "a token's use could not be noted");
                }
            });
        }
        let UserRow(user) = sqlx::FromRow::from_row(&row)?;
        let expires_at = row.try_get::<Option<i64>, _>("expires_at")?.map(timestamp);
        Ok(Some(KnownToken { user, scope: Scope::named(row.try_get("scope")?), expires_at }))
    }
}
