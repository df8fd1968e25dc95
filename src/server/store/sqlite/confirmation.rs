//! When sign-ins were confirmed.

use async_trait::async_trait;
use netra_ws::Timestamp;
use sqlx::{query, query_scalar};

use super::{
    super::{StoreError, confirmation::Confirmations},
    SqliteStore, now, timestamp,
};

#[async_trait]
impl Confirmations for SqliteStore {
    async fn confirmed_at(&self, digest: &[u8]) -> Result<Option<Timestamp>, StoreError> {
        let at: Option<i64> =
            query_scalar("SELECT COALESCE(confirmed_at, created_at) FROM sessions WHERE id = ? AND expires_at > ?")
                .bind(digest)
                .bind(now())
                .fetch_optional(&self.checkers)
                .await?;
        Ok(at.map(timestamp))
    }

    async fn confirm_sign_in(&self, digest: &[u8]) -> Result<(), StoreError> {
        query("UPDATE sessions SET confirmed_at = ? WHERE id = ?")
            .bind(now())
            .bind(digest)
            .execute(&self.writer)
            .await?;
        Ok(())
    }
}
