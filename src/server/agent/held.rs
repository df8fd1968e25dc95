//! How long a run waited for a person while its process held it: that is no work, and no time that the agent has used.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

/// The time that one process held a run for people.
#[derive(Default)]
pub(super) struct Held(Mutex<State>);

#[derive(Default)]
struct State {
    /// Questions that are open, and since when there is one.
    open: u32,
    since: Option<Instant>,
    /// What was waited before.
    before: Duration,
}

/// A person is waited for until this is dropped.
pub(crate) struct Waits<'a>(&'a Held);

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.open -= 1;
        if state.open == 0 {
            let waited = state.since.take().map(|since| since.elapsed()).unwrap_or_default();
            state.before += waited;
        }
    }
}

impl Held {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on a person is waited for.
    pub(super) fn begin(&self) -> Waits<'_> {
        let mut state = self.state();
        state.open += 1;
        state.since.get_or_insert_with(Instant::now);
        drop(state);
        Waits(self)
    }

    /// How long people were waited for; of two questions at a time each moment counts once.
    pub(super) fn total(&self) -> Duration {
        let state = self.state();
        state.before + state.since.map(|since| since.elapsed()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn each_moment_counts_once() {
        let held = Held::default();
        advance(Duration::from_secs(5)).await;
        assert_eq!(held.total(), Duration::ZERO);
        let first = held.begin();
        advance(Duration::from_secs(1)).await;
        let second = held.begin();
        advance(Duration::from_secs(2)).await;
        drop(first);
        advance(Duration::from_secs(3)).await;
        assert_eq!(held.total(), Duration::from_secs(6));
        drop(second);
        advance(Duration::from_secs(9)).await;
        assert_eq!(held.total(), Duration::from_secs(6));
        drop(held.begin());
        assert_eq!(held.total(), Duration::from_secs(6));
    }
}
