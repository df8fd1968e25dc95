//! What goes: files of deleted threads, files that did not come whole, and files that nobody sent.

use std::time::Duration;

use netra_ws::Timestamp;
use tokio::time::timeout;

use super::{Attachments, Shared};
use crate::server::{metrics::metrics, store::StoreError};

/// How long a file may wait to be sent.
const UNSENT: Duration = Duration::from_hours(24);

/// The longest pause between two looks.
const PAUSE: Duration = Duration::from_mins(1);

/// Files that are removed in one go.
const BATCH: usize = 100;

impl Attachments {
    /// Removes what goes, for as long as the task lives.
    pub async fn sweep(self) {
        loop {
            if let Err(error) = self.0.sweep_all().await {
                tracing::error!(%error, "removing files failed; it is tried again");
            }
            let _ = timeout(PAUSE, self.0.sweep.notified()).await;
        }
    }
}

impl Shared {
    async fn sweep_all(&self) -> Result<(), StoreError> {
        let unsent = u64::try_from(UNSENT.as_millis()).unwrap_or(u64::MAX);
        let before = Timestamp::from_millis(Timestamp::now().as_millis().saturating_sub(unsent));
        loop {
            let ids = self.store.removable_attachments(before, BATCH).await?;
            if ids.is_empty() {
                return Ok(());
            }
            let (mut removed, mut away) = (0_u64, false);
            // From here on nobody sends them.
            for id in self.store.condemn_attachments(&ids).await? {
                match self.place.remove(id).await {
                    Ok(()) => {
                        self.store.forget_attachment(id).await?;
                        removed += 1;
                    }
                    Err(error) => {
                        tracing::warn!(attachment_id = %id, %error, "a file could not be removed yet");
                        // The others would wait for it as long, each.
                        away = self.place.is_away(&error);
                        if away {
                            break;
                        }
                    }
                }
            }
            metrics().swept(removed);
            tracing::info!(files = removed, "files were removed");
            if removed == 0 || away {
                return Ok(());
            }
        }
    }
}
