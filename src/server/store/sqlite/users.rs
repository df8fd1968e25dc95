//! Users.

use async_trait::async_trait;
use netra_ws::{
    UserId,
    model::{Role, User},
};
use sqlx::{Row, query, query_as, query_scalar};
use uuid::Uuid;

use super::{
    super::{NewUser, StoreError, UserStore},
    SqliteStore,
    links::forget_password_links,
    now,
    rows::UserRow,
};

/// The developer's id, the same on every machine, so that a copied database keeps its owner.
pub(super) const DEV_USER: Uuid = Uuid::from_u128(0x0000_0000_0000_7000_8000_0000_0000_0001);

#[async_trait]
impl UserStore for SqliteStore {
    async fn add_user(&self, user: NewUser) -> Result<Option<User>, StoreError> {
        let mut tx = self.write().await?;
        let first: bool = query_scalar("SELECT NOT EXISTS (SELECT 1 FROM users WHERE password_hash IS NOT NULL)")
            .fetch_one(&mut *tx)
            .await?;
        let id = UserId::new();
        let role = if first && user.first_administers { Role::Admin } else { Role::User };
        let added = query(
            "INSERT INTO users (id, email, name, role, password_hash, created_at) VALUES (?, ?, ?, ?, ?, ?)
             ON CONFLICT (email) DO NOTHING",
        )
        .bind(id.uuid())
        .bind(&user.email)
        .bind(&user.name)
        .bind(role.as_str())
        .bind(&user.password_hash)
        .bind(now())
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok((added.rows_affected() > 0).then_some(User { id, name: user.name, role, email: Some(user.email) }))
    }

    async fn user_by_email(&self, email: &str) -> Result<Option<(User, String)>, StoreError> {
        let row = query(
            "SELECT id, name, role, email, password_hash FROM users WHERE email = ? AND password_hash IS NOT NULL",
        )
        .bind(email)
        .fetch_optional(&self.checkers)
        .await?;
        row.map(|row| {
            let UserRow(user) = sqlx::FromRow::from_row(&row)?;
            Ok((user, row.try_get("password_hash")?))
        })
        .transpose()
    }

    async fn user_by_address(&self, email: &str) -> Result<Option<User>, StoreError> {
        let row: Option<UserRow> = query_as("SELECT id, name, role, email FROM users WHERE email = ?")
            .bind(email)
            .fetch_optional(&self.readers)
            .await?;
        Ok(row.map(|UserRow(user)| user))
    }

    async fn dev_user(&self) -> Result<User, StoreError> {
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

    async fn password_hash(&self, user: UserId) -> Result<Option<String>, StoreError> {
        let hash: Option<Option<String>> = query_scalar("SELECT password_hash FROM users WHERE id = ?")
            .bind(user.uuid())
            .fetch_optional(&self.checkers)
            .await?;
        Ok(hash.flatten())
    }

    async fn set_password(&self, user: UserId, hash: &str, except: Option<&[u8]>) -> Result<(), StoreError> {
        let mut tx = self.write().await?;
        query("UPDATE users SET password_hash = ? WHERE id = ?").bind(hash).bind(user.uuid()).execute(&mut *tx).await?;
        query("DELETE FROM sessions WHERE user_id = ? AND id IS NOT ?")
            .bind(user.uuid())
            .bind(except)
            .execute(&mut *tx)
            .await?;
        forget_password_links(&mut tx, user.uuid()).await?;
        Ok(tx.commit().await?)
    }

    async fn rename_user(&self, user: UserId, name: &str) -> Result<(), StoreError> {
        query("UPDATE users SET name = ? WHERE id = ?").bind(name).bind(user.uuid()).execute(&self.writer).await?;
        Ok(())
    }

    async fn has_administrator(&self) -> Result<bool, StoreError> {
        let there_is = "SELECT EXISTS (SELECT 1 FROM users WHERE role = 'admin' AND email IS NOT NULL
                 AND (password_hash IS NOT NULL OR id IN (SELECT user_id FROM identities)))";
        Ok(query_scalar(there_is).fetch_one(&self.checkers).await?)
    }
}
