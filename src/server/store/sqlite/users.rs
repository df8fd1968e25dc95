//! Users and their sign-ins.

use netra_ws::{
    Timestamp, UserId,
    model::{Author, Role, User},
};
use sqlx::{Row, SqliteConnection, query, query_as, query_scalar};
use uuid::Uuid;

use super::{
    super::{NewUser, StoreError, role_name},
    SqliteStore, millis, now,
    rows::UserRow,
};

/// The developer's id, the same on every machine, so that a copied database keeps its owner.
const DEV_USER: Uuid = Uuid::from_u128(0x0000_0000_0000_7000_8000_0000_0000_0001);

pub(super) async fn select_author(tx: &mut SqliteConnection, user: UserId) -> Result<Option<Author>, StoreError> {
    let name: Option<String> =
        query_scalar("SELECT name FROM users WHERE id = ?").bind(user.uuid()).fetch_optional(tx).await?;
    Ok(name.map(|name| Author { id: user, name }))
}

impl SqliteStore {
    pub(super) async fn insert_user(&self, user: NewUser) -> Result<Option<User>, StoreError> {
        let mut tx = self.write().await?;
        let first: bool = query_scalar("SELECT NOT EXISTS (SELECT 1 FROM users WHERE password_hash IS NOT NULL)")
            .fetch_one(&mut *tx)
            .await?;
        let id = UserId::new();
        let role = if first { Role::Admin } else { Role::User };
        let added = query(
            "INSERT INTO users (id, email, name, role, password_hash, created_at) VALUES (?, ?, ?, ?, ?, ?)
             ON CONFLICT (email) DO NOTHING",
        )
        .bind(id.uuid())
        .bind(&user.email)
        .bind(&user.name)
        .bind(role_name(role))
        .bind(&user.password_hash)
        .bind(now())
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok((added.rows_affected() > 0).then_some(User { id, name: user.name, role, email: Some(user.email) }))
    }

    pub(super) async fn select_user_by_email(&self, email: &str) -> Result<Option<(User, String)>, StoreError> {
        let row = query(
            "SELECT id, name, role, email, password_hash FROM users WHERE email = ? AND password_hash IS NOT NULL",
        )
        .bind(email)
        .fetch_optional(&self.readers)
        .await?;
        row.map(|row| {
            let UserRow(user) = sqlx::FromRow::from_row(&row)?;
            Ok((user, row.try_get("password_hash")?))
        })
        .transpose()
    }

    pub(super) async fn upsert_dev_user(&self) -> Result<User, StoreError> {
        query(
            "INSERT INTO users (id, name, role, created_at) VALUES (?, 'Developer', 'admin', ?) ON CONFLICT DO NOTHING",
        )
        .bind(DEV_USER)
        .bind(now())
        .execute(&self.writer)
        .await?;
        let UserRow(user) = query_as("SELECT id, name, role, email FROM users WHERE id = ?")
            .bind(DEV_USER)
            .fetch_one(&self.writer)
            .await?;
        Ok(user)
    }

    pub(super) async fn insert_session(
        &self,
        digest: &[u8],
        user: UserId,
        expires_at: Timestamp,
    ) -> Result<(), StoreError> {
        let mut tx = self.write().await?;
        query("DELETE FROM sessions WHERE expires_at <= ?").bind(now()).execute(&mut *tx).await?;
        query("INSERT INTO sessions (id, user_id, created_at, expires_at) VALUES (?, ?, ?, ?)")
            .bind(digest)
            .bind(user.uuid())
            .bind(now())
            .bind(millis(expires_at))
            .execute(&mut *tx)
            .await?;
        tx.commit().await
    }

    pub(super) async fn select_session(&self, digest: &[u8]) -> Result<Option<User>, StoreError> {
        let row: Option<UserRow> = query_as(
            "SELECT u.id, u.name, u.role, u.email FROM sessions AS s JOIN users AS u ON u.id = s.user_id
             WHERE s.id = ? AND s.expires_at > ?",
        )
        .bind(digest)
        .bind(now())
        .fetch_optional(&self.readers)
        .await?;
        Ok(row.map(|UserRow(user)| user))
    }

    pub(super) async fn delete_session(&self, digest: &[u8]) -> Result<(), StoreError> {
        query("DELETE FROM sessions WHERE id = ?").bind(digest).execute(&self.writer).await?;
        Ok(())
    }
}
