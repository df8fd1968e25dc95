//! Runs that are ended by somebody else than a reader of their conversation.

use async_trait::async_trait;
use netra_ws::{RunId, UserId};
use sqlx::{query, query_scalar};
use uuid::Uuid;

use super::{
    super::{StoreError, stopping::Stopping},
    SqliteStore,
};

#[async_trait]
impl Stopping for SqliteStore {
    async fn stop_runs_of(&self, user: UserId) -> Result<Vec<RunId>, StoreError> {
        let runs: Vec<Uuid> = query_scalar(
            "UPDATE runs SET stop_requested = 1 WHERE asked_by = ? AND status IN ('queued', 'running') RETURNING id",
        )
        .bind(user.uuid())
        .fetch_all(&self.writer)
        .await?;
        Ok(runs.into_iter().map(Into::into).collect())
    }

    async fn stop_run(&self, run: RunId) -> Result<bool, StoreError> {
        let stopped = query("UPDATE runs SET stop_requested = 1 WHERE id = ? AND status IN ('queued', 'running')")
            .bind(run.uuid())
            .execute(&self.writer)
            .await?;
        Ok(stopped.rows_affected() > 0)
    }
}
