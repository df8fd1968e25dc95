//! What administrators see of everybody.

use async_trait::async_trait;
use netra_ws::{
    Timestamp,
    model::{Role, RunStatus},
};
use sqlx::{AssertSqlSafe, Row, query, sqlite::SqliteRow};
use uuid::Uuid;

use super::{
    super::{
        AuditLine, StoreError,
        oversight::{OpenLink, OverseenRun, OverseenSignIn, Oversight, Use},
    },
    SqliteStore, audit, millis, now, seq, timestamp, to_i64,
};

fn sign_in(row: &SqliteRow) -> Result<OverseenSignIn, StoreError> {
    Ok(OverseenSignIn {
        user_id: row.try_get::<Uuid, _>("user_id")?.into(),
        name: row.try_get("name")?,
        email: row.try_get("email")?,
        created_at: timestamp(row.try_get("created_at")?),
        last_used_at: timestamp(row.try_get("seen_at")?),
        address: row.try_get("address")?,
        device: row.try_get("device")?,
    })
}

fn link(row: &SqliteRow) -> Result<OpenLink, StoreError> {
    Ok(OpenLink {
        digest: row.try_get("id")?,
        purpose: row.try_get("purpose")?,
        role: Role::from(row.try_get::<&str, _>("role")?),
        for_email: row.try_get("for_email")?,
        made_by: row.try_get("made_by")?,
        created_at: timestamp(row.try_get("created_at")?),
        expires_at: timestamp(row.try_get("expires_at")?),
    })
}

fn run(row: &SqliteRow) -> Result<OverseenRun, StoreError> {
    Ok(OverseenRun {
        id: row.try_get::<Uuid, _>("id")?.into(),
        thread_id: row.try_get::<Uuid, _>("thread_id")?.into(),
        agent: row.try_get("agent")?,
        status: RunStatus::from(row.try_get::<&str, _>("status")?),
        user_id: row.try_get::<Option<Uuid>, _>("asked_by")?.map(Into::into),
        name: row.try_get("name")?,
        created_at: timestamp(row.try_get("created_at")?),
    })
}

fn used(row: &SqliteRow) -> Result<Use, StoreError> {
    Ok(Use {
        user_id: row.try_get::<Uuid, _>("id")?.into(),
        name: row.try_get("name")?,
        email: row.try_get("email")?,
        role: Role::from(row.try_get::<&str, _>("role")?),
        tokens_today: seq(row.try_get("tokens")?),
        cost_today: row.try_get::<f64, _>("micros")? / 1_000_000.0,
        runs: seq(row.try_get("unfinished")?),
        file_bytes: seq(row.try_get("file_bytes")?),
    })
}

#[async_trait]
impl Oversight for SqliteStore {
    async fn all_sign_ins(&self, text: Option<&str>, limit: usize) -> Result<Vec<OverseenSignIn>, StoreError> {
        let rows = query(
            "SELECT s.user_id, u.name, u.email, s.created_at, COALESCE(s.seen_at, s.created_at) AS seen_at, s.address,
                 s.device
             FROM sessions AS s JOIN users AS u ON u.id = s.user_id
             WHERE s.expires_at > ?1
                 AND (?2 IS NULL OR instr(lower(u.email), ?2) OR instr(lower(u.name), ?2) OR instr(s.address, ?2))
             ORDER BY seen_at DESC LIMIT ?3",
        )
        .bind(now())
        .bind(text.map(str::to_lowercase))
        .bind(to_i64(limit))
        .fetch_all(&self.readers)
        .await?;
        rows.iter().map(sign_in).collect()
    }

    async fn newest_audit(&self, limit: usize, text: Option<&str>) -> Result<Vec<AuditLine>, StoreError> {
        let rows = query(AssertSqlSafe(format!(
            "{} WHERE ?2 IS NULL OR instr(action, ?2) OR instr(subject, ?2) OR instr(address, ?2)
                 OR instr(lower(hex(actor)), replace(?2, '-', '')) OR instr(lower(actor_name), lower(?2))
                 OR instr(lower(subject_name), lower(?2))
             ORDER BY id DESC LIMIT ?1",
            audit::NAMED
        )))
        .bind(to_i64(limit))
        .bind(text)
        .fetch_all(&self.readers)
        .await?;
        rows.iter().map(audit::line).collect()
    }

    async fn open_links(&self, limit: usize) -> Result<Vec<OpenLink>, StoreError> {
        let rows = query(
            "SELECT l.id, l.purpose, l.role, u.email AS for_email, m.name AS made_by, l.created_at, l.expires_at
             FROM links AS l LEFT JOIN users AS u ON u.id = l.user_id LEFT JOIN users AS m ON m.id = l.made_by
             WHERE l.expires_at > ? ORDER BY l.created_at DESC LIMIT ?",
        )
        .bind(now())
        .bind(to_i64(limit))
        .fetch_all(&self.readers)
        .await?;
        rows.iter().map(link).collect()
    }

    async fn remove_link(&self, digest: &[u8]) -> Result<bool, StoreError> {
        let removed = query("DELETE FROM links WHERE id = ?").bind(digest).execute(&self.writer).await?;
        Ok(removed.rows_affected() > 0)
    }

    async fn unfinished_runs(&self, limit: usize) -> Result<Vec<OverseenRun>, StoreError> {
        let rows = query(
            "SELECT r.id, r.thread_id, r.agent, r.status, r.asked_by, u.name, r.created_at
             FROM runs AS r LEFT JOIN users AS u ON u.id = r.asked_by
             WHERE r.status IN ('queued', 'running') OR r.status = 'waiting' ORDER BY r.created_at, r.id LIMIT ?",
        )
        .bind(to_i64(limit))
        .fetch_all(&self.readers)
        .await?;
        rows.iter().map(run).collect()
    }

    async fn uses(&self, since: Timestamp, text: Option<&str>, limit: usize) -> Result<Vec<Use>, StoreError> {
        let rows = query(
            "SELECT u.id, u.name, u.email, u.role, COALESCE(r.tokens, 0) AS tokens, COALESCE(r.micros, 0.0) AS micros,
                 (SELECT COUNT(*) FROM runs AS w WHERE w.asked_by = u.id AND w.status IN ('queued', 'running'))
                     + (SELECT COUNT(*) FROM runs AS w WHERE w.asked_by = u.id AND w.status = 'waiting')
                     AS unfinished,
                 (SELECT COALESCE(SUM(a.bytes), 0) FROM attachments AS a WHERE a.user_id = u.id AND a.state < 2)
                     AS file_bytes
             FROM users AS u LEFT JOIN (
                 SELECT asked_by, COALESCE(SUM(usage ->> '$.total_tokens'), 0) AS tokens,
                     TOTAL(usage ->> '$.cost_usd_micros') AS micros
                 FROM runs WHERE created_at >= ?1 GROUP BY asked_by) AS r ON r.asked_by = u.id
             WHERE u.id <> zeroblob(16) AND (?2 IS NULL OR instr(lower(u.email), ?2) OR instr(lower(u.name), ?2))
             ORDER BY tokens DESC, u.email LIMIT ?3",
        )
        .bind(millis(since))
        .bind(text.map(str::to_lowercase))
        .bind(to_i64(limit))
        .fetch_all(&self.readers)
        .await?;
        rows.iter().map(used).collect()
    }
}
