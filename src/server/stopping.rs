//! Runs that somebody else than a reader of their conversation ends: whoever runs the server, or the end of an account.

use netra_ws::{RunId, UserId};

use super::{error::ApiError, thread_service::ThreadService};

impl ThreadService {
    /// Ends everything that works for a user or waits for a turn; how much that is.
    pub async fn stop_all_of(&self, user: UserId) -> Result<usize, ApiError> {
        let runs = self.store.stop_runs_of(user).await?;
        for run in &runs {
            self.engine.stop(*run);
        }
        if !runs.is_empty() {
            tracing::info!(user_id = %user, runs = runs.len(), "the user's runs are stopped");
        }
        Ok(runs.len())
    }

    /// Ends a run of anybody's.
    pub async fn stop_any(&self, run: RunId) -> Result<(), ApiError> {
        let stopped = self.store.stop_run(run).await?;
        if stopped.is_empty() {
            return Err(ApiError::not_found());
        }
        for run in stopped {
            self.engine.stop(run);
        }
        Ok(())
    }
}
