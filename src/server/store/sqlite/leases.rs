//! Runs and their leases.

use std::time::Duration;

use async_trait::async_trait;
use netra_ws::{RunId, ThreadId, UserId, log::Fence};
use sqlx::{Row, query, query_as, query_scalar};
use uuid::Uuid;

use super::{
    super::{ClaimedRun, RunQueue, StoreError},
    SqliteStore, now, seq, to_i64,
};

/// Threads with runs that nobody works on. The first condition is the partial index's own, so that runs which have ended are
/// not even looked at.
const WITH_WORK: &str = "SELECT DISTINCT thread_id FROM runs WHERE status IN ('queued', 'running')
    AND (status = 'queued' OR lease_expires_at NOT BETWEEN ? AND ?)";

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
    async fn claim_run(
        &self,
        thread: ThreadId,
        owner: &str,
        lease: Duration,
    ) -> Result<Option<ClaimedRun>, StoreError> {
        let mut tx = self.write().await?;
        // The oldest unfinished run of the thread, unless its owner is alive: runs of a thread work one after another.
        let next = query(
            "SELECT r.id, r.message_id, r.agent, r.fence, r.start_seq, r.status, r.lease_expires_at, r.stop_requested, r.usage,
                 COALESCE((SELECT s.author_id FROM messages AS s WHERE s.thread_id = r.thread_id AND s.id = r.message_id),
                     t.user_id) AS user_id
             FROM runs AS r JOIN threads AS t ON t.id = r.thread_id
             WHERE r.thread_id = ? AND r.status IN ('queued', 'running') AND r.parent_run_id IS NULL
             ORDER BY r.number LIMIT 1",
        )
        .bind(thread.uuid())
        .fetch_optional(&mut *tx)
        .await?;
        let Some(row) = next else { return Ok(None) };
        let expires_at: i64 = row.try_get("lease_expires_at")?;
        if row.try_get::<&str, _>("status")? == "running" && is_held(expires_at, lease) {
            return Ok(None);
        }
        let id: Uuid = row.try_get("id")?;
        let token = row.try_get::<i64, _>("fence")? + 1;
        query("UPDATE runs SET status = 'running', owner = ?, fence = ?, lease_expires_at = ? WHERE id = ?")
            .bind(owner)
            .bind(token)
            .bind(now() + to_i64(lease.as_millis()))
            .bind(id)
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(Some(ClaimedRun {
            fence: Fence { run_id: id.into(), token },
            thread_id: thread,
            user_id: row.try_get::<Uuid, _>("user_id")?.into(),
            message_id: row.try_get::<Option<Uuid>, _>("message_id")?.map(Into::into),
            agent: row.try_get("agent")?,
            start_seq: row.try_get::<Option<i64>, _>("start_seq")?.map(seq),
            stopped: row.try_get("stop_requested")?,
            usage: row
                .try_get::<Option<&str>, _>("usage")?
                .map(|usage| serde_json::from_str(usage).map_err(StoreError::corrupt))
                .transpose()?,
        }))
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

    async fn find_run(&self, user: UserId, run: RunId) -> Result<Option<(ThreadId, bool)>, StoreError> {
        let row: Option<(Uuid, bool)> = query_as(
            "SELECT r.thread_id, r.status IN ('queued', 'running') FROM runs AS r JOIN threads AS t ON t.id = r.thread_id
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
