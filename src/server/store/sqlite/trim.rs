//! Trimming: what only mattered while a run was being watched goes, once the run has been over for long enough.

use netra_ws::Timestamp;
use sqlx::{Row, query, query_scalar};
use uuid::Uuid;

use super::{
    super::{StoreError, Trimmed},
    SqliteStore, millis, to_i64,
};

impl SqliteStore {
    /// Deltas of runs that ended before `before`, of `limit` runs at most. The whole answer, tools and outcome stay; the run's
    /// folded state holds its thoughts.
    pub(super) async fn trim_runs(&self, before: Timestamp, limit: usize) -> Result<Trimmed, StoreError> {
        let mut tx = self.write().await?;
        let runs = query(
            "SELECT id, thread_id, start_seq, end_seq FROM runs
             WHERE trimmed = 0 AND ended_at IS NOT NULL AND ended_at < ? ORDER BY ended_at LIMIT ?",
        )
        .bind(millis(before))
        .bind(to_i64(limit))
        .fetch_all(&mut *tx)
        .await?;
        let mut events = 0;
        for run in &runs {
            let (id, thread): (Uuid, Uuid) = (run.try_get("id")?, run.try_get("thread_id")?);
            let (start, end): (Option<i64>, Option<i64>) = (run.try_get("start_seq")?, run.try_get("end_seq")?);
            let gone: Vec<i64> = query_scalar(
                "DELETE FROM events WHERE thread_id = ? AND seq BETWEEN ? AND ? AND run_id = ?
                 AND type IN ('agent_thinking', 'agent_progress', 'partial_result') RETURNING seq",
            )
            .bind(thread)
            .bind(start.unwrap_or_default())
            .bind(end.unwrap_or_default())
            .bind(id)
            .fetch_all(&mut *tx)
            .await?;
            query("UPDATE threads SET trimmed_seq = MAX(trimmed_seq, ?) WHERE id = ?")
                .bind(gone.iter().max().copied().unwrap_or_default())
                .bind(thread)
                .execute(&mut *tx)
                .await?;
            query("UPDATE runs SET trimmed = 1 WHERE id = ?").bind(id).execute(&mut *tx).await?;
            events += gone.len();
        }
        tx.commit().await?;
        if events > 0 {
            // Gives free pages back to the file system, as far as the file was made to allow it.
            query("PRAGMA incremental_vacuum").execute(&self.writer).await?;
        }
        Ok(Trimmed { runs: runs.len(), events })
    }
}

#[cfg(test)]
#[path = "trim_tests.rs"]
mod tests;
