//! Deletes closed accounts once their grace is over: their conversations first, as their owner would, then what is left.

use std::time::Duration;

use netra_ws::{Timestamp, UserId};
use tokio::time::{MissedTickBehavior, interval};

use super::{
    error::ApiError,
    state::AppState,
    store::{Deed, ThreadQuery},
};

/// Threads looked up at a time.
const BATCH: usize = 50;

/// The shortest and the longest pause between two looks.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_mins(10));

/// Looks from time to time, for as long as the task lives.
pub(super) async fn run(state: AppState) {
    let mut ticks = interval((state.config.account_grace / 4).clamp(PAUSES.0, PAUSES.1));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        match state.store.accounts_to_delete().await {
            Ok(users) => {
                for user in users {
                    if let Err(error) = delete(&state, user).await {
                        tracing::error!(%error, user_id = %user, "a closed account could not be deleted");
                    }
                }
            }
            Err(error) => tracing::error!(%error, "the look for closed accounts failed"),
        }
    }
}

async fn is_due(state: &AppState, user: UserId) -> Result<bool, ApiError> {
    let account = state.store.account(user).await?;
    Ok(account.and_then(|account| account.delete_at).is_some_and(|at| at <= Timestamp::now()))
}

async fn delete(state: &AppState, user: UserId) -> Result<(), ApiError> {
    for archived in [false, true] {
        let mut query = ThreadQuery { archived, limit: BATCH, ..ThreadQuery::default() };
        loop {
            let threads = state.store.threads(user, &query).await?;
            query.after = threads.last().map(Into::into);
            for thread in threads.iter().filter(|thread| thread.owner_id == user) {
                // Its owner may have come back since.
                if !is_due(state, user).await? {
                    return Ok(());
                }
                match state.threads.delete(user, thread.id).await {
                    Err(error) if error.code != netra_ws::ErrorCode::NotFound => return Err(error),
                    Ok(()) | Err(_) => {}
                }
            }
            if threads.len() < BATCH {
                break;
            }
        }
    }
    if state.store.remove_account(user).await? {
        tracing::info!(user_id = %user, "closed account deleted");
        let deed = Deed { actor: None, action: "account.deleted", subject: Some(user.to_string()), address: None };
        state.store.note(deed).await?;
    }
    Ok(())
}
