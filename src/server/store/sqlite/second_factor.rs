//! The second factor of a sign-in.

use async_trait::async_trait;
use netra_ws::UserId;
use sqlx::{Row, query, query_as};
use uuid::Uuid;

use super::{
    super::{
        StoreError,
        second_factor::{SecondFactor, SecondFactors},
    },
    SqliteStore, now, seq, to_i64,
};

#[async_trait]
impl SecondFactors for SqliteStore {
    async fn second_factor(&self, user: UserId) -> Result<Option<SecondFactor>, StoreError> {
        let row = query(
            "SELECT totp_secret, totp_confirmed_at IS NOT NULL AS confirmed,
                 (SELECT COUNT(*) FROM recovery_codes WHERE user_id = ?1) AS codes_left
             FROM users WHERE id = ?1 AND totp_secret IS NOT NULL",
        )
        .bind(user.uuid())
        .fetch_optional(&self.checkers)
        .await?;
        let factor = |row: sqlx::sqlite::SqliteRow| {
            Ok(SecondFactor {
                secret: row.try_get("totp_secret")?,
                confirmed: row.try_get("confirmed")?,
                codes_left: seq(row.try_get("codes_left")?),
            })
        };
        row.map(factor).transpose()
    }

    async fn begin_second_factor(&self, user: UserId, secret: &[u8]) -> Result<bool, StoreError> {
        let begun = query("UPDATE users SET totp_secret = ?, totp_step = 0 WHERE id = ? AND totp_confirmed_at IS NULL")
            .bind(secret)
            .bind(user.uuid())
            .execute(&self.writer)
            .await?;
        Ok(begun.rows_affected() > 0)
    }

    async fn confirm_second_factor(&self, user: UserId, step: u64, codes: &[Vec<u8>]) -> Result<bool, StoreError> {
        let mut tx = self.write().await?;
        let confirmed = query(
            "UPDATE users SET totp_confirmed_at = ?, totp_step = ?
             WHERE id = ? AND totp_secret IS NOT NULL AND totp_confirmed_at IS NULL",
        )
        .bind(now())
        .bind(to_i64(step))
        .bind(user.uuid())
        .execute(&mut *tx)
        .await?;
        if confirmed.rows_affected() == 0 {
            return Ok(false);
        }
        query("DELETE FROM recovery_codes WHERE user_id = ?").bind(user.uuid()).execute(&mut *tx).await?;
        for code in codes {
            query("INSERT INTO recovery_codes (user_id, digest) VALUES (?, ?)")
                .bind(user.uuid())
                .bind(code)
                .execute(&mut *tx)
                .await?;
        }
        tx.commit().await?;
        Ok(true)
    }

    async fn use_step(&self, user: UserId, step: u64) -> Result<bool, StoreError> {
        let used = query("UPDATE users SET totp_step = ?1 WHERE id = ?2 AND totp_step < ?1")
            .bind(to_i64(step))
            .bind(user.uuid())
            .execute(&self.writer)
            .await?;
        Ok(used.rows_affected() > 0)
    }

    async fn use_recovery_code(&self, user: UserId, digest: &[u8]) -> Result<bool, StoreError> {
        let used = query("DELETE FROM recovery_codes WHERE user_id = ? AND digest = ?")
            .bind(user.uuid())
            .bind(digest)
            .execute(&self.writer)
            .await?;
        Ok(used.rows_affected() > 0)
    }

    async fn plain_secrets(&self, length: usize) -> Result<Vec<(UserId, Vec<u8>)>, StoreError> {
        let rows: Vec<(Uuid, Vec<u8>)> =
            query_as("SELECT id, totp_secret FROM users WHERE totp_secret IS NOT NULL AND length(totp_secret) = ?")
                .bind(to_i64(length))
                .fetch_all(&self.readers)
                .await?;
        Ok(rows.into_iter().map(|(id, secret)| (id.into(), secret)).collect())
    }

    async fn replace_secret(&self, user: UserId, old: &[u8], new: &[u8]) -> Result<(), StoreError> {
        query("UPDATE users SET totp_secret = ? WHERE id = ? AND totp_secret = ?")
            .bind(new)
            .bind(user.uuid())
            .bind(old)
            .execute(&self.writer)
            .await?;
        Ok(())
    }

    async fn end_second_factor(&self, user: UserId) -> Result<(), StoreError> {
        let mut tx = self.write().await?;
        query("UPDATE users SET totp_secret = NULL, totp_confirmed_at = NULL, totp_step = 0 WHERE id = ?")
            .bind(user.uuid())
            .execute(&mut *tx)
            .await?;
        query("DELETE FROM recovery_codes WHERE user_id = ?").bind(user.uuid()).execute(&mut *tx).await?;
        Ok(tx.commit().await?)
    }
}
