//! Runs that wait, and what makes them claimable again.

use netra_ws::{
    RunId, ThreadId,
    log::{ChildRun, Wait},
};
use sqlx::{Arguments as _, SqliteConnection, query};
use uuid::Uuid;

use super::{bulk::Bulk, now, to_i64};

/// A run begins to wait, unless what it would wait for has happened already, or there is nothing to wait for: then it can be
/// claimed at once. A run that is to stop waits for those that work for it, which are to stop too.
pub(super) async fn begin(tx: &mut SqliteConnection, run: RunId, wait: Wait, head: u64) -> Result<(), sqlx::Error> {
    query(
        "WITH facts AS (SELECT
             EXISTS (SELECT 1 FROM questions WHERE run_id = ?1 AND taken = 0 AND approved IS NULL AND expires_at > ?4) AS asks,
             EXISTS (SELECT 1 FROM questions WHERE run_id = ?1 AND taken = 0 AND (approved IS NOT NULL OR expires_at <= ?4))
                 AS decided,
             EXISTS (SELECT 1 FROM runs WHERE parent_run_id = ?1 AND ended_at IS NULL) AS works,
             EXISTS (SELECT 1 FROM runs WHERE parent_run_id = ?1 AND ended_at IS NOT NULL AND joined = 0) AS ended)
         UPDATE runs SET owner = NULL, lease_expires_at = 0, worked_ms = ?2, wait_seq = ?3,
             status = CASE
                 WHEN facts.works AND NOT facts.ended AND (stop_requested OR NOT facts.decided) THEN 'waiting'
                 WHEN facts.asks AND NOT facts.ended AND NOT facts.decided AND NOT stop_requested THEN 'waiting'
                 ELSE 'queued' END,
             wake_at = (SELECT MIN(expires_at) FROM questions WHERE run_id = ?1 AND taken = 0 AND approved IS NULL)
         FROM facts WHERE runs.id = ?1",
    )
    .bind(run.uuid())
    .bind(to_i64(wait.worked.as_millis()))
    .bind(to_i64(head))
    .bind(now())
    .execute(tx)
    .await
    .map(drop)
}

/// Adds a run that works for another. Its parent's stop is its own.
pub(super) async fn add_child(
    tx: &mut SqliteConnection,
    thread: ThreadId,
    parent: RunId,
    child: &ChildRun,
) -> Result<(), sqlx::Error> {
    query(
        "INSERT INTO runs (id, thread_id, number, agent, status, created_at, asked_by, stop_requested, parent_run_id,
             parent_call_id, task)
         SELECT ?1, ?2, 1 + COALESCE((SELECT MAX(number) FROM runs WHERE thread_id = ?2), 0), ?3, 'queued', ?4, p.asked_by,
             p.stop_requested, p.id, ?6, ?7 FROM runs AS p WHERE p.id = ?5",
    )
    .bind(child.run_id.uuid())
    .bind(thread.uuid())
    .bind(&child.agent)
    .bind(now())
    .bind(parent.uuid())
    .bind(&child.tool_call_id)
    .bind(&child.task)
    .execute(tx)
    .await
    .map(drop)
}

/// A run's end wakes the one that it works for.
pub(super) const PARENTS: Bulk<RunId> = Bulk {
    before: "WITH ended (id) AS (",
    after: ") UPDATE runs SET status = 'queued', wake_at = NULL WHERE status = 'waiting'
        AND id IN (SELECT r.parent_run_id FROM ended JOIN runs AS r ON r.id = ended.id)",
    columns: 1,
    bind: |values, run| values.add(run.uuid()),
};

/// A run and all that work for it are to stop; those that wait are woken. Which they are, the leaves not first.
pub(super) async fn stop_tree(tx: &mut SqliteConnection, run: RunId) -> Result<Vec<RunId>, sqlx::Error> {
    let stopped: Vec<Uuid> = sqlx::query_scalar(
        "WITH RECURSIVE tree (id) AS (
             SELECT ?1 UNION SELECT r.id FROM tree JOIN runs AS r ON r.parent_run_id = tree.id)
         UPDATE runs SET stop_requested = 1, wake_at = NULL,
             status = CASE status WHEN 'waiting' THEN 'queued' ELSE status END
         WHERE id IN (SELECT id FROM tree) AND status IN ('queued', 'running', 'waiting') RETURNING id",
    )
    .bind(run.uuid())
    .fetch_all(tx)
    .await?;
    Ok(stopped.into_iter().map(Into::into).collect())
}
