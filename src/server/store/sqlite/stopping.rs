//! Runs that are ended by somebody else than a reader of their conversation.

use async_trait::async_trait;
use netra_ws::{RunId, UserId};
use sqlx::query_scalar;
use uuid::Uuid;

use super::{
    super::{StoreError, stopping::Stopping},
    SqliteStore, waiting,
};

#[async_trait]
impl Stopping for SqliteStore {
    async fn stop_runs_of(&self, user: UserId) -> Result<Vec<RunId>, StoreError> {
        let runs: Vec<Uuid> = query_scalar(
            "UPDATE runs SET stop_requested = 1, wake_at = NULL,
                 status = CASE status WHEN 'waiting' THEN 'queued' ELSE status END
             WHERE asked_by = ? AND status IN ('queued', 'running', 'waiting') RETURNING id",
        )
        .bind(user.uuid())
        .fetch_all(&self.writer)
        .await?;
        Ok(runs.into_iter().map(Into::into).collect())
    }

    async fn stop_run(&self, run: RunId) -> Result<Vec<RunId>, StoreError> {
        let mut tx = self.write().await?;
        let stopped = waiting::stop_tree(&mut tx, run).await?;
        tx.commit().await?;
        Ok(stopped)
    }
}
