//! One-time links.

use async_trait::async_trait;
use netra_ws::{
    Timestamp, UserId,
    model::{Role, User},
};
use sqlx::{Row, SqliteConnection, query, query_as, query_scalar};
use uuid::Uuid;

use super::{
    super::{InvitationUse, LinkStore, NewUser, Purpose, StoreError},
    SqliteStore, millis, now,
    rows::UserRow,
};

const INVITATION: &str = "invitation";
const PASSWORD: &str = "password";

/// Whoever set a password by one link, or by knowing the old one, means the others no more.
pub(super) async fn forget_password_links(tx: &mut SqliteConnection, user: Uuid) -> Result<(), StoreError> {
    query("DELETE FROM links WHERE user_id = ? AND purpose = ?").bind(user).bind(PASSWORD).execute(tx).await?;
    Ok(())
}

#[async_trait]
impl LinkStore for SqliteStore {
    async fn add_link(
        &self,
        digest: &[u8],
        purpose: Purpose,
        made_by: Option<UserId>,
        expires_at: Timestamp,
    ) -> Result<(), StoreError> {
        let (name, user, role) = match purpose {
            Purpose::Invitation { role } => (INVITATION, None, role),
            Purpose::Password { user } => (PASSWORD, Some(user.uuid()), Role::User),
        };
        let mut tx = self.write().await?;
        query("DELETE FROM links WHERE expires_at <= ?").bind(now()).execute(&mut *tx).await?;
        query(
            "INSERT INTO links (id, purpose, user_id, role, made_by, created_at, expires_at) VALUES (?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(digest)
        .bind(name)
        .bind(user)
        .bind(role.as_str())
        .bind(made_by.map(UserId::uuid))
        .bind(now())
        .bind(millis(expires_at))
        .execute(&mut *tx)
        .await?;
        Ok(tx.commit().await?)
    }

    async fn link_purpose(&self, digest: &[u8]) -> Result<Option<Purpose>, StoreError> {
        let row = query("SELECT purpose, user_id, role FROM links WHERE id = ? AND expires_at > ?")
            .bind(digest)
            .bind(now())
            .fetch_optional(&self.checkers)
            .await?;
        let Some(row) = row else { return Ok(None) };
        Ok(match (row.try_get::<&str, _>("purpose")?, row.try_get::<Option<Uuid>, _>("user_id")?) {
            (INVITATION, _) => Some(Purpose::Invitation { role: Role::from(row.try_get::<&str, _>("role")?) }),
            (PASSWORD, Some(user)) => Some(Purpose::Password { user: user.into() }),
            _ => None,
        })
    }

    async fn add_invited(&self, user: NewUser, invitation: &[u8]) -> Result<InvitationUse, StoreError> {
        let mut tx = self.write().await?;
        // Two who use it at once: the second finds it gone.
        let granted: Option<String> =
            query_scalar("DELETE FROM links WHERE id = ? AND purpose = ? AND expires_at > ? RETURNING role")
                .bind(invitation)
                .bind(INVITATION)
                .bind(now())
                .fetch_optional(&mut *tx)
                .await?;
        let Some(granted) = granted else { return Ok(InvitationUse::NoInvitation) };
        let id = UserId::new();
        let added = query(
            "INSERT INTO users (id, email, name, role, password_hash, created_at) VALUES (?, ?, ?, ?, ?, ?)
             ON CONFLICT (email) DO NOTHING",
        )
        .bind(id.uuid())
        .bind(&user.email)
        .bind(&user.name)
        .bind(&granted)
        .bind(&user.password_hash)
        .bind(now())
        .execute(&mut *tx)
        .await?;
        if added.rows_affected() == 0 {
            return Ok(InvitationUse::AddressTaken);
        }
        tx.commit().await?;
        Ok(InvitationUse::Added(User {
            id,
            name: user.name,
            role: Role::from(granted.as_str()),
            email: Some(user.email),
        }))
    }

    async fn reset_password(&self, link: &[u8], hash: &str) -> Result<Option<User>, StoreError> {
        let mut tx = self.write().await?;
        let user: Option<Uuid> =
            query_scalar("DELETE FROM links WHERE id = ? AND purpose = ? AND expires_at > ? RETURNING user_id")
                .bind(link)
                .bind(PASSWORD)
                .bind(now())
                .fetch_optional(&mut *tx)
                .await?;
        let Some(user) = user else { return Ok(None) };
        let changed: Option<UserRow> =
            query_as("UPDATE users SET password_hash = ? WHERE id = ? RETURNING id, name, role, email")
                .bind(hash)
                .bind(user)
                .fetch_optional(&mut *tx)
                .await?;
        // Whoever had got in has nothing left: no sign-in, no token, and no other link.
        query("DELETE FROM sessions WHERE user_id = ?").bind(user).execute(&mut *tx).await?;
        query("DELETE FROM api_tokens WHERE user_id = ?").bind(user).execute(&mut *tx).await?;
        forget_password_links(&mut tx, user).await?;
        tx.commit().await?;
        Ok(changed.map(|UserRow(user)| user))
    }
}
