//! Users' sign-ins.

use async_trait::async_trait;
use netra_ws::{Timestamp, UserId, model::User};
use sqlx::{Row, query, query_scalar};

use super::{
    super::{MAX_SESSIONS, SignIn, SignInStore, StoreError},
    SqliteStore, millis, now,
    rows::UserRow,
    timestamp, to_i64,
    users::DEV_USER,
};

/// How exactly the last use of a sign-in is kept, in milliseconds.
const USE_RESOLUTION: i64 = 60_000;

#[async_trait]
impl SignInStore for SqliteStore {
    async fn add_session(
        &self,
        digest: &[u8],
        user: UserId,
        expires_at: Timestamp,
        shown: Option<&str>,
    ) -> Result<bool, StoreError> {
        let mut tx = self.write().await?;
        if let Some(shown) = shown {
            let same: bool = query_scalar("SELECT EXISTS (SELECT 1 FROM users WHERE id = ? AND password_hash = ?)")
                .bind(user.uuid())
                .bind(shown)
                .fetch_one(&mut *tx)
                .await?;
            if !same {
                return Ok(false);
            }
        }
        query("DELETE FROM sessions WHERE expires_at <= ?").bind(now()).execute(&mut *tx).await?;
        query("INSERT INTO sessions (id, user_id, created_at, expires_at) VALUES (?, ?, ?, ?)")
            .bind(digest)
            .bind(user.uuid())
            .bind(now())
            .bind(millis(expires_at))
            .execute(&mut *tx)
            .await?;
        query(
            "DELETE FROM sessions WHERE id IN (
                 SELECT id FROM sessions WHERE user_id = ? ORDER BY created_at DESC, rowid DESC LIMIT -1 OFFSET ?)",
        )
        .bind(user.uuid())
        .bind(to_i64(MAX_SESSIONS))
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(true)
    }

    async fn signed_in_from(&self, email: &str, address: &str) -> Result<bool, StoreError> {
        let known = query_scalar(
            "SELECT EXISTS (SELECT 1 FROM users AS u JOIN sessions AS s ON s.user_id = u.id
                 WHERE u.email = ? AND s.address = ? AND s.expires_at > ?)",
        )
        .bind(email)
        .bind(address)
        .bind(now())
        .fetch_one(&self.checkers)
        .await?;
        Ok(known)
    }

    async fn session(&self, digest: &[u8]) -> Result<Option<User>, StoreError> {
        let row = query(
            "SELECT u.id, u.name, u.role, u.email, s.seen_at FROM sessions AS s JOIN users AS u ON u.id = s.user_id
             WHERE s.id = ? AND s.expires_at > ? AND u.disabled_at IS NULL",
        )
        .bind(digest)
        .bind(now())
        .fetch_optional(&self.checkers)
        .await?;
        let Some(row) = row else { return Ok(None) };
        let seen: Option<i64> = row.try_get("seen_at")?;
        if seen.is_none_or(|seen| seen < now() - USE_RESOLUTION)
            && let Some(note) = self.noting.begin(digest)
        {
            let writer = self.writer.clone();
            // Noted beside: the check does not wait for the writer.
            tokio::spawn(async move {
                let noted =
                    query("UPDATE sessions SET seen_at = ? WHERE id = ?").bind(now()).bind(note.digest.as_slice());
                if let Err(error) = noted.execute(&writer).await {
                    tracing::warn!(%error, "a sign-in's use could not be noted");
                }
            });
        }
        let UserRow(user) = sqlx::FromRow::from_row(&row)?;
        Ok(Some(user))
    }

    async fn end_session(&self, digest: &[u8]) -> Result<(), StoreError> {
        query("DELETE FROM sessions WHERE id = ?").bind(digest).execute(&self.writer).await?;
        Ok(())
    }

    async fn describe_sign_in(&self, digest: &[u8], address: &str, device: Option<&str>) -> Result<(), StoreError> {
        query("UPDATE sessions SET address = ?, device = ?, seen_at = ? WHERE id = ?")
            .bind(address)
            .bind(device)
            .bind(now())
            .bind(digest)
            .execute(&self.writer)
            .await?;
        Ok(())
    }

    async fn sign_ins(&self, user: UserId) -> Result<Vec<SignIn>, StoreError> {
        let rows = query(
            "SELECT id, created_at, COALESCE(seen_at, created_at) AS seen_at, address, device FROM sessions
             WHERE user_id = ? AND expires_at > ? ORDER BY created_at DESC",
        )
        .bind(user.uuid())
        .bind(now())
        .fetch_all(&self.checkers)
        .await?;
        let sign_in = |row: &sqlx::sqlite::SqliteRow| {
            Ok(SignIn {
                digest: row.try_get("id")?,
                created_at: timestamp(row.try_get("created_at")?),
                seen_at: timestamp(row.try_get("seen_at")?),
                address: row.try_get("address")?,
                device: row.try_get("device")?,
            })
        };
        rows.iter().map(sign_in).collect()
    }

    async fn end_sign_ins(&self, user: UserId, except: Option<&[u8]>) -> Result<u64, StoreError> {
        let ended = query("DELETE FROM sessions WHERE user_id = ? AND id IS NOT ?")
            .bind(user.uuid())
            .bind(except)
            .execute(&self.writer)
            .await?;
        Ok(ended.rows_affected())
    }

    async fn end_developer(&self) -> Result<u64, StoreError> {
        let mut tx = self.write().await?;
        let sessions = query("DELETE FROM sessions WHERE user_id = ?").bind(DEV_USER).execute(&mut *tx).await?;
        let tokens = query("DELETE FROM api_tokens WHERE user_id = ?").bind(DEV_USER).execute(&mut *tx).await?;
        tx.commit().await?;
        Ok(sessions.rows_affected() + tokens.rows_affected())
    }
}
