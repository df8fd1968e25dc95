//! Who people are at a provider of identities.

use async_trait::async_trait;
use netra_ws::{UserId, model::User};
use sqlx::{Row, query, query_as, query_scalar};
use uuid::Uuid;

use super::{
    super::{
        StoreError,
        identities::{Identities, NewPerson, ProviderSignIn, Subject},
    },
    SqliteStore, now,
    rows::UserRow,
};

const LINK: &str = "INSERT INTO identities (issuer, subject, user_id, created_at) VALUES (?, ?, ?, ?)";

#[async_trait]
impl Identities for SqliteStore {
    async fn known_person(&self, subject: &Subject) -> Result<Option<User>, StoreError> {
        let found: Option<UserRow> = query_as(
            "SELECT u.id, u.name, u.role, u.email FROM identities AS i JOIN users AS u ON u.id = i.user_id
             WHERE i.issuer = ? AND i.subject = ?",
        )
        .bind(&subject.issuer)
        .bind(&subject.subject)
        .fetch_optional(&self.checkers)
        .await?;
        Ok(found.map(|UserRow(user)| user))
    }

    async fn link_person(&self, subject: &Subject, user: UserId) -> Result<(), StoreError> {
        let mut tx = self.write().await?;
        query(
            "UPDATE users SET password_hash = NULL, totp_secret = NULL, totp_confirmed_at = NULL, totp_step = 0,
                 address_due = 0
             WHERE id = ?",
        )
        .bind(user.uuid())
        .execute(&mut *tx)
        .await?;
        for table in [
            "DELETE FROM recovery_codes WHERE user_id = ?",
            "DELETE FROM sessions WHERE user_id = ?",
            "DELETE FROM api_tokens WHERE user_id = ?",
            "DELETE FROM links WHERE user_id = ?",
        ] {
            query(table).bind(user.uuid()).execute(&mut *tx).await?;
        }
        query(LINK)
            .bind(&subject.issuer)
            .bind(&subject.subject)
            .bind(user.uuid())
            .bind(now())
            .execute(&mut *tx)
            .await?;
        Ok(tx.commit().await?)
    }

    async fn add_person(&self, subject: &Subject, person: NewPerson) -> Result<Option<User>, StoreError> {
        let mut tx = self.write().await?;
        let id = UserId::new();
        let added = query(
            "INSERT INTO users (id, email, name, role, created_at) VALUES (?, ?, ?, ?, ?) ON CONFLICT (email) DO NOTHING",
        )
        .bind(id.uuid())
        .bind(&person.email)
        .bind(&person.name)
        .bind(person.role.as_str())
        .bind(now())
        .execute(&mut *tx)
        .await?;
        if added.rows_affected() == 0 {
            return Ok(None);
        }
        query(LINK).bind(&subject.issuer).bind(&subject.subject).bind(id.uuid()).bind(now()).execute(&mut *tx).await?;
        tx.commit().await?;
        let NewPerson { email, name, role } = person;
        Ok(Some(User { id, name, role, email: Some(email) }))
    }

    async fn describe_provider(&self, digest: &[u8], sign_in: &ProviderSignIn) -> Result<(), StoreError> {
        query(
            "INSERT INTO provider_sign_ins (session_id, issuer, subject, sid, id_token) VALUES (?, ?, ?, ?, ?)
             ON CONFLICT (session_id) DO NOTHING",
        )
        .bind(digest)
        .bind(&sign_in.subject.issuer)
        .bind(&sign_in.subject.subject)
        .bind(&sign_in.sid)
        .bind(&sign_in.id_token)
        .execute(&self.writer)
        .await?;
        Ok(())
    }

    async fn provider_of(&self, digest: &[u8]) -> Result<Option<ProviderSignIn>, StoreError> {
        let row = query("SELECT issuer, subject, sid, id_token FROM provider_sign_ins WHERE session_id = ?")
            .bind(digest)
            .fetch_optional(&self.checkers)
            .await?;
        let sign_in = |row: sqlx::sqlite::SqliteRow| {
            Ok(ProviderSignIn {
                subject: Subject { issuer: row.try_get("issuer")?, subject: row.try_get("subject")? },
                sid: row.try_get("sid")?,
                id_token: row.try_get("id_token")?,
            })
        };
        row.map(sign_in).transpose()
    }

    async fn end_provider_sign_ins(
        &self,
        issuer: &str,
        sid: Option<&str>,
        subject: Option<&str>,
    ) -> Result<Vec<UserId>, StoreError> {
        let mut users: Vec<Uuid> = query_scalar(
            "DELETE FROM sessions WHERE id IN (
                 SELECT session_id FROM provider_sign_ins
                 WHERE issuer = ?1 AND (?2 IS NULL OR sid = ?2) AND (?3 IS NULL OR subject = ?3)
                     AND (?2 IS NOT NULL OR ?3 IS NOT NULL))
             RETURNING user_id",
        )
        .bind(issuer)
        .bind(sid)
        .bind(subject)
        .fetch_all(&self.writer)
        .await?;
        users.sort_unstable();
        users.dedup();
        Ok(users.into_iter().map(Into::into).collect())
    }
}
