//! Keeps the log small: from time to time, deltas of runs that ended long ago are trimmed.

use std::{sync::Arc, time::Duration};

use netra_ws::Timestamp;
use tokio::time::{MissedTickBehavior, interval, sleep};

use super::store::{StoreError, Upkeep};

/// Runs looked up at a time.
const BATCH: usize = 50;

/// The pause between them.
const PAUSE: Duration = Duration::from_millis(50);

/// The longest pause between two looks.
const LONGEST: Duration = Duration::from_mins(1);

/// Ends what a former process began to delete, and trims runs that ended longer than `after` ago, for as long as the task lives. Never when `after` is zero.
pub(super) async fn run(store: Arc<dyn Upkeep>, after: Duration) {
    if let Err(error) = store.bury().await {
        tracing::error!(%error, "removing what belonged to deleted threads failed");
    }
    if after.is_zero() {
        return;
    }
    let mut ticks = interval((after / 4).clamp(Duration::from_secs(1), LONGEST));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        if let Err(error) = pass(&*store, after).await {
            tracing::error!(%error, "trimming the log failed");
        }
    }
}

async fn pass(store: &dyn Upkeep, after: Duration) -> Result<(), StoreError> {
    let after = u64::try_from(after.as_millis()).unwrap_or(u64::MAX);
    let before = Timestamp::from_millis(Timestamp::now().as_millis().saturating_sub(after));
    let (mut runs, mut events) = (0, 0);
    loop {
        let trimmed = store.trim(before, BATCH).await?;
        runs += trimmed.runs;
        events += trimmed.events;
        if trimmed.runs < BATCH {
            break;
        }
        sleep(PAUSE).await;
    }
    if events > 0 {
        tracing::info!(runs, events, "the log was trimmed");
    }
    Ok(())
}
