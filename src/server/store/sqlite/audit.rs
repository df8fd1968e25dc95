//! The audit log.

use async_trait::async_trait;
use netra_ws::UserId;
use sqlx::{AssertSqlSafe, Row, query, sqlite::SqliteRow};
use uuid::Uuid;

use super::{
    super::{AuditLine, AuditLog, Deed, StoreError},
    SqliteStore, now, timestamp, to_i64,
};

/// A line with the names of those in it.
pub(super) const NAMED: &str = "SELECT a.id, a.at, a.actor, a.action, a.subject, a.address,
        (SELECT name FROM users WHERE id = a.actor) AS actor_name,
        (SELECT name FROM users WHERE length(a.subject) = 36 AND id = unhex(replace(a.subject, '-', ''))) AS subject_name
    FROM audit AS a";

/// A row of the table.
pub(super) fn line(row: &SqliteRow) -> Result<AuditLine, StoreError> {
    Ok(AuditLine {
        id: row.try_get("id")?,
        at: timestamp(row.try_get("at")?),
        actor: row.try_get::<Option<Uuid>, _>("actor")?.map(Into::into),
        actor_name: row.try_get("actor_name")?,
        action: row.try_get("action")?,
        subject: row.try_get("subject")?,
        subject_name: row.try_get("subject_name")?,
        address: row.try_get("address")?,
    })
}

#[async_trait]
impl AuditLog for SqliteStore {
    async fn note(&self, deed: Deed) -> Result<(), StoreError> {
        query("INSERT INTO audit (at, actor, action, subject, address) VALUES (?, ?, ?, ?, ?)")
            .bind(now())
            .bind(deed.actor.map(UserId::uuid))
            .bind(deed.action)
            .bind(deed.subject)
            .bind(deed.address)
            .execute(&self.writer)
            .await?;
        Ok(())
    }

    async fn audit(&self, after: i64, limit: usize, text: Option<&str>) -> Result<Vec<AuditLine>, StoreError> {
        let rows = query(AssertSqlSafe(format!(
            "{NAMED} WHERE id > ?1 AND (?3 IS NULL OR instr(action, ?3) OR instr(subject, ?3) OR instr(address, ?3)
                 OR instr(lower(hex(actor)), replace(?3, '-', '')) OR instr(lower(actor_name), lower(?3))
                 OR instr(lower(subject_name), lower(?3)))
             ORDER BY id LIMIT ?2"
        )))
        .bind(after)
        .bind(to_i64(limit))
        .bind(text)
        .fetch_all(&self.readers)
        .await?;
        rows.iter().map(line).collect()
    }
}
