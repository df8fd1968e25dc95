//! Runs and their leases.

use std::time::Duration;

use async_trait::async_trait;
use netra_ws::{RunId, ThreadId, UserId, log::Fence};
use sqlx::{Row, SqliteConnection, query, query_as, query_scalar, sqlite::SqliteRow};
use uuid::Uuid;

use super::{
    super::{ClaimedRun, Nested, RunQueue, StoreError, Wakes},
    SqliteStore, now, seq, timestamp, to_i64,
};

/// Threads with runs that nobody works on. The first condition is the partial index's own, so that runs which have ended are
/// not even looked at.
const WITH_WORK: &str = "SELECT DISTINCT thread_id FROM runs WHERE status IN ('queued', 'running')
    AND (status = 'queued' OR lease_expires_at NOT BETWEEN ? AND ?)";

/// The runs of a thread that may be claimed if nobody holds them: those that work for other runs, and of the others the oldest,
/// unless one before it waits.
const CLAIMABLE: &str =
    "SELECT r.id, r.message_id, r.agent, r.fence, r.start_seq, r.status, r.lease_expires_at, r.stop_requested,
        r.usage, r.parent_run_id, r.parent_call_id, r.task, r.worked_ms, r.wait_seq,
        COALESCE(r.asked_by,
            (SELECT s.author_id FROM messages AS s WHERE s.thread_id = r.thread_id AND s.id = r.message_id),
            t.user_id) AS user_id
    FROM runs AS r JOIN threads AS t ON t.id = r.thread_id
    WHERE r.thread_id = ?1 AND r.status IN ('queued', 'running') AND (r.parent_run_id IS NOT NULL OR (
        r.number = (SELECT MIN(f.number) FROM runs AS f
            WHERE f.thread_id = ?1 AND f.status IN ('queued', 'running') AND f.parent_run_id IS NULL)
        AND NOT EXISTS (SELECT 1 FROM runs AS w
            WHERE w.thread_id = ?1 AND w.status = 'waiting' AND w.parent_run_id IS NULL AND w.number < r.number)))
    ORDER BY r.number";

/// How many runs stand above one.
const DEPTH: &str = "WITH RECURSIVE above (id, depth) AS (
        SELECT ?1, 1 UNION ALL
        SELECT r.parent_run_id, above.depth + 1 FROM above JOIN runs AS r ON r.id = above.id
        WHERE r.parent_run_id IS NOT NULL AND above.depth < 100)
    SELECT MAX(depth) FROM above";

/// For which run a run works.
async fn nested(tx: &mut SqliteConnection, row: &SqliteRow) -> Result<Option<Nested>, StoreError> {
    let Some(parent) = row.try_get::<Option<Uuid>, _>("parent_run_id")? else { return Ok(None) };
    let depth: i64 = query_scalar(DEPTH).bind(parent).fetch_one(tx).await?;
    Ok(Some(Nested {
        parent: parent.into(),
        tool_call_id: row.try_get::<Option<String>, _>("parent_call_id")?.unwrap_or_default(),
        task: row.try_get::<Option<String>, _>("task")?.unwrap_or_default(),
        depth: u32::try_from(depth).unwrap_or(u32::MAX),
    }))
}

fn claimed(row: &SqliteRow, fence: Fence, thread: ThreadId, nested: Option<Nested>) -> Result<ClaimedRun, StoreError> {
    let start_seq = row.try_get::<Option<i64>, _>("start_seq")?.map(seq);
    let worked = row.try_get::<Option<i64>, _>("worked_ms")?.zip(row.try_get::<Option<i64>, _>("wait_seq")?);
    Ok(ClaimedRun {
        fence,
        thread_id: thread,
        user_id: row.try_get::<Uuid, _>("user_id")?.into(),
        message_id: row.try_get::<Option<Uuid>, _>("message_id")?.map(Into::into),
        agent: row.try_get("agent")?,
        start_seq,
        stopped: row.try_get("stop_requested")?,
        usage: row
            .try_get::<Option<&str>, _>("usage")?
            .map(|usage| serde_json::from_str(usage).map_err(StoreError::corrupt))
            .transpose()?,
        nested,
        // Nothing but a wait leads back to the queue.
        woken: start_seq.is_some() && row.try_get::<&str, _>("status")? == "queued",
        worked: worked.map(|(worked, upto)| (Duration::from_millis(seq(worked)), seq(upto))),
    })
}

/// The latest end that a lease can have which somebody renews. One that ends later was taken before the clock was set back,
/// and its owner, if there is one, is stopped by the fence.
fn longest(lease: Duration) -> i64 {
    now() + 2 * to_i64(lease.as_millis())
}

/// Whether someone still works under a lease that ends then.
fn is_held(expires_at: i64, lease: Duration) -> bool {
    expires_at > now() && expires_at <= longest(lease)
}

#[async_trait]
impl RunQueue for SqliteStore {
    async fn claim_another(
        &self,
        thread: ThreadId,
        owner: &str,
        lease: Duration,
        working: &[RunId],
    ) -> Result<Option<ClaimedRun>, StoreError> {
        let mut tx = self.write().await?;
        let rows = query(CLAIMABLE).bind(thread.uuid()).fetch_all(&mut *tx).await?;
        let mut next = None;
        for row in rows {
            let id = RunId::from(row.try_get::<Uuid, _>("id")?);
            let held =
                row.try_get::<&str, _>("status")? == "running" && is_held(row.try_get("lease_expires_at")?, lease);
            if !held && !working.contains(&id) {
                next = Some((id, row));
                break;
            }
        }
        let Some((id, row)) = next else { return Ok(None) };
        let token = row.try_get::<i64, _>("fence")? + 1;
        query("UPDATE runs SET status = 'running', owner = ?, fence = ?, lease_expires_at = ? WHERE id = ?")
            .bind(owner)
            .bind(token)
            .bind(now() + to_i64(lease.as_millis()))
            .bind(id.uuid())
            .execute(&mut *tx)
            .await?;
        let nested = nested(&mut tx, &row).await?;
        tx.commit().await?;
        claimed(&row, Fence { run_id: id, token }, thread, nested).map(Some)
    }

    async fn renew_lease(&self, fence: Fence, lease: Duration) -> Result<bool, StoreError> {
        self.set_lease(fence, now() + to_i64(lease.as_millis())).await
    }

    async fn release_lease(&self, fence: Fence) -> Result<(), StoreError> {
        self.set_lease(fence, 0).await.map(drop)
    }

    async fn threads_with_work(&self, lease: Duration) -> Result<Vec<ThreadId>, StoreError> {
        let ids: Vec<Uuid> =
            query_scalar(WITH_WORK).bind(now() + 1).bind(longest(lease)).fetch_all(&self.readers).await?;
        Ok(ids.into_iter().map(Into::into).collect())
    }

    async fn wake_due(&self) -> Result<Wakes, StoreError> {
        let due: bool = query_scalar("SELECT EXISTS (SELECT 1 FROM runs WHERE status = 'waiting' AND wake_at <= ?)")
            .bind(now())
            .fetch_one(&self.readers)
            .await?;
        let woken: Vec<Uuid> = if due {
            query_scalar(
                "UPDATE runs SET status = 'queued', wake_at = NULL WHERE status = 'waiting' AND wake_at <= ?
                 RETURNING thread_id",
            )
            .bind(now())
            .fetch_all(&self.writer)
            .await?
        } else {
            Vec::new()
        };
        let next: Option<i64> =
            query_scalar("SELECT MIN(wake_at) FROM runs WHERE status = 'waiting'").fetch_one(&self.readers).await?;
        Ok(Wakes { threads: woken.into_iter().map(Into::into).collect(), next: next.map(timestamp) })
    }

    async fn find_run(&self, user: UserId, run: RunId) -> Result<Option<(ThreadId, bool)>, StoreError> {
        let row: Option<(Uuid, bool)> = query_as(
            "SELECT r.thread_id, r.status IN ('queued', 'running', 'waiting') FROM runs AS r JOIN threads AS t ON t.id = r.thread_id
             WHERE r.id = ?1 AND (t.user_id = ?2 OR t.id IN (SELECT m.thread_id FROM members AS m WHERE m.user_id = ?2))",
        )
        .bind(run.uuid())
        .bind(user.uuid())
        .fetch_optional(&self.readers)
        .await?;
        Ok(row.map(|(thread, active)| (thread.into(), active)))
    }
}

impl SqliteStore {
    async fn set_lease(&self, fence: Fence, expires_at: i64) -> Result<bool, StoreError> {
        let changed = query("UPDATE runs SET lease_expires_at = ? WHERE id = ? AND fence = ? AND status = 'running'")
            .bind(expires_at)
            .bind(fence.run_id.uuid())
            .bind(fence.token)
            .execute(&self.writer)
            .await?;
        Ok(changed.rows_affected() > 0)
    }
}

#[cfg(test)]
#[path = "leases_tests.rs"]
mod tests;
