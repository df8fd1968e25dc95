//! Whether people have shown that their addresses are theirs.

use async_trait::async_trait;
use netra_ws::{Timestamp, UserId, model::User};
use sqlx::{query, query_as, query_scalar};
use uuid::Uuid;

use super::{
    super::{StoreError, addresses::Addresses},
    SqliteStore, millis, now,
    rows::UserRow,
};

/// The purpose of such a link.
const ADDRESS: &str = "address";

#[async_trait]
impl Addresses for SqliteStore {
    async fn await_address(&self, user: UserId, digest: &[u8], expires_at: Timestamp) -> Result<(), StoreError> {
        let mut tx = self.write().await?;
        query("UPDATE users SET address_due = 1 WHERE id = ?").bind(user.uuid()).execute(&mut *tx).await?;
        query("DELETE FROM links WHERE user_id = ? AND purpose = ?")
            .bind(user.uuid())
            .bind(ADDRESS)
            .execute(&mut *tx)
            .await?;
        query("INSERT INTO links (id, purpose, user_id, role, created_at, expires_at) VALUES (?, ?, ?, 'user', ?, ?)")
            .bind(digest)
            .bind(ADDRESS)
            .bind(user.uuid())
            .bind(now())
            .bind(millis(expires_at))
            .execute(&mut *tx)
            .await?;
        Ok(tx.commit().await?)
    }

    async fn address_is_due(&self, user: UserId) -> Result<bool, StoreError> {
        let due: Option<bool> = query_scalar("SELECT address_due FROM users WHERE id = ?")
            .bind(user.uuid())
            .fetch_optional(&self.checkers)
            .await?;
        Ok(due.unwrap_or_default())
    }

    async fn confirm_address(&self, digest: &[u8]) -> Result<Option<User>, StoreError> {
        let mut tx = self.write().await?;
        let user: Option<Uuid> =
            query_scalar("DELETE FROM links WHERE id = ? AND purpose = ? AND expires_at > ? RETURNING user_id")
                .bind(digest)
                .bind(ADDRESS)
                .bind(now())
                .fetch_optional(&mut *tx)
                .await?;
        let Some(user) = user else { return Ok(None) };
        let shown: Option<UserRow> =
            query_as("UPDATE users SET address_due = 0 WHERE id = ? RETURNING id, name, role, email")
                .bind(user)
                .fetch_optional(&mut *tx)
                .await?;
        tx.commit().await?;
        Ok(shown.map(|UserRow(user)| user))
    }
}
