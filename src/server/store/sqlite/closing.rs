//! Accounts as a whole.

use async_trait::async_trait;
use netra_ws::{Timestamp, UserId, model::Role};
use sqlx::{Row, SqliteConnection, query, query_scalar, sqlite::SqliteRow};
use uuid::Uuid;

use super::{
    super::{
        StoreError,
        closing::{AccountChange, AccountInfo, Changed, Closing},
    },
    SqliteStore, millis, now, timestamp, to_i64,
};

/// The columns of an account, of `users AS u`.
const ACCOUNT: &str = "SELECT u.id, u.name, u.email, u.role, u.created_at, u.disabled_at, u.delete_at, \
     u.totp_confirmed_at IS NOT NULL AS second_factor, \
     (SELECT MAX(COALESCE(s.seen_at, s.created_at)) FROM sessions AS s WHERE s.user_id = u.id) AS last_seen_at \
     FROM users AS u";

fn account(row: &SqliteRow) -> Result<AccountInfo, StoreError> {
    let time = |column| Ok::<_, StoreError>(row.try_get::<Option<i64>, _>(column)?.map(timestamp));
    Ok(AccountInfo {
        id: row.try_get::<Uuid, _>("id")?.into(),
        name: row.try_get("name")?,
        email: row.try_get("email")?,
        role: Role::from(row.try_get::<&str, _>("role")?),
        created_at: timestamp(row.try_get("created_at")?),
        last_seen_at: time("last_seen_at")?,
        disabled_at: time("disabled_at")?,
        delete_at: time("delete_at")?,
        second_factor: row.try_get("second_factor")?,
    })
}

/// Whether somebody who can sign in administers the server, apart from this user.
async fn others_administer(tx: &mut SqliteConnection, user: UserId) -> Result<bool, StoreError> {
    let others = query_scalar(
        "SELECT EXISTS (SELECT 1 FROM users WHERE role = 'admin' AND id <> ?
             AND (password_hash IS NOT NULL OR id IN (SELECT user_id FROM identities))
             AND disabled_at IS NULL AND delete_at IS NULL)",
    )
    .bind(user.uuid())
    .fetch_one(tx)
    .await?;
    Ok(others)
}

/// What an administrator handed out is good for nothing once the administrator is none.
async fn forget_links_of(tx: &mut SqliteConnection, user: UserId) -> Result<(), StoreError> {
    query("DELETE FROM links WHERE made_by = ?").bind(user.uuid()).execute(tx).await?;
    Ok(())
}

#[async_trait]
impl Closing for SqliteStore {
    async fn accounts(
        &self,
        text: Option<&str>,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<AccountInfo>, StoreError> {
        let sql = format!(
            "{ACCOUNT} WHERE u.email IS NOT NULL AND (?1 IS NULL OR instr(lower(u.email), ?1) OR instr(lower(u.name), ?1))
             AND (?2 IS NULL OR u.email > ?2) ORDER BY u.email LIMIT ?3"
        );
        let rows = query(sqlx::AssertSqlSafe(sql))
            .bind(text.map(str::to_lowercase))
            .bind(after)
            .bind(to_i64(limit))
            .fetch_all(&self.readers)
            .await?;
        rows.iter().map(account).collect()
    }

    async fn account(&self, user: UserId) -> Result<Option<AccountInfo>, StoreError> {
        let sql = format!("{ACCOUNT} WHERE u.id = ?");
        let row = query(sqlx::AssertSqlSafe(sql)).bind(user.uuid()).fetch_optional(&self.checkers).await?;
        row.as_ref().map(account).transpose()
    }

    async fn change_account(&self, user: UserId, change: AccountChange) -> Result<Changed, StoreError> {
        let mut tx = self.write().await?;
        let role: Option<String> = query_scalar("SELECT role FROM users WHERE id = ? AND email IS NOT NULL")
            .bind(user.uuid())
            .fetch_optional(&mut *tx)
            .await?;
        let Some(role) = role else { return Ok(Changed::Unknown) };
        let ends = change.disabled == Some(true) || change.role.is_some_and(|role| role != Role::Admin);
        if role == Role::Admin.as_str() && ends && !others_administer(&mut tx, user).await? {
            return Ok(Changed::LastAdministrator);
        }
        if let Some(role) = change.role {
            query("UPDATE users SET role = ? WHERE id = ?")
                .bind(role.as_str())
                .bind(user.uuid())
                .execute(&mut *tx)
                .await?;
        }
        if let Some(disabled) = change.disabled {
            query("UPDATE users SET disabled_at = ? WHERE id = ?")
                .bind(disabled.then(now))
                .bind(user.uuid())
                .execute(&mut *tx)
                .await?;
            if disabled {
                query("DELETE FROM sessions WHERE user_id = ?").bind(user.uuid()).execute(&mut *tx).await?;
            }
        }
        if ends {
            forget_links_of(&mut tx, user).await?;
        }
        tx.commit().await?;
        Ok(Changed::Done)
    }

    async fn set_deletion(&self, user: UserId, at: Option<Timestamp>) -> Result<Changed, StoreError> {
        let mut tx = self.write().await?;
        let role: Option<String> = query_scalar("SELECT role FROM users WHERE id = ? AND email IS NOT NULL")
            .bind(user.uuid())
            .fetch_optional(&mut *tx)
            .await?;
        let Some(role) = role else { return Ok(Changed::Unknown) };
        if at.is_some() && role == Role::Admin.as_str() && !others_administer(&mut tx, user).await? {
            return Ok(Changed::LastAdministrator);
        }
        query("UPDATE users SET delete_at = ? WHERE id = ?")
            .bind(at.map(millis))
            .bind(user.uuid())
            .execute(&mut *tx)
            .await?;
        if at.is_some() {
            query("DELETE FROM sessions WHERE user_id = ?").bind(user.uuid()).execute(&mut *tx).await?;
            forget_links_of(&mut tx, user).await?;
        }
        tx.commit().await?;
        Ok(Changed::Done)
    }

    async fn accounts_to_delete(&self) -> Result<Vec<UserId>, StoreError> {
        let ids: Vec<Uuid> = query_scalar("SELECT id FROM users WHERE delete_at IS NOT NULL AND delete_at <= ?")
            .bind(now())
            .fetch_all(&self.readers)
            .await?;
        Ok(ids.into_iter().map(UserId::from).collect())
    }

    async fn remove_account(&self, user: UserId) -> Result<bool, StoreError> {
        let removed = query(
            "DELETE FROM users WHERE id = ?1 AND delete_at <= ?2
             AND NOT EXISTS (SELECT 1 FROM threads WHERE user_id = ?1)",
        )
        .bind(user.uuid())
        .bind(now())
        .execute(&self.writer)
        .await?;
        Ok(removed.rows_affected() > 0)
    }
}
