//! Guessing is slow, and nobody is locked out by it.
//!
//! After a few failures from one network, what it tries for an account waits in a line of its own, with a pause that grows with
//! each failure. A right password gets through at the end of its pause. Other networks have other lines, so that a stranger who
//! guesses all day costs the owner nothing.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::{Instant, sleep};

use crate::server::turns::{LineIsFull, TurnPermit, Turns};

/// Failures before the first pause.
const FREE: u32 = 5;

/// What each further failure adds to the pause, and the longest pause: a person waits that long, and a sign-in form, too.
const STEP: Duration = Duration::from_millis(250);
const LONGEST: Duration = Duration::from_secs(3);

/// After so long without a failure all is forgotten.
const MEMORY: Duration = Duration::from_mins(30);

/// Tries of one line that wait for the one under way.
const IN_LINE: usize = 4;

/// So many new lines before those that are forgotten are looked for.
const SWEEP: usize = 1_024;

/// Lines that are remembered, at most, beside those that have pauses.
const MOST: usize = 50_000;

/// Failures by key.
pub(super) struct Throttle<K> {
    turns: Turns<K>,
    failures: Mutex<HashMap<K, Failures>>,
}

#[derive(Clone, Copy)]
struct Failures {
    count: u32,
    last: Instant,
}

/// Leave to try once.
pub(super) struct Try {
    /// Whether failures came before, so many that a further one is answered with a pause.
    pub(super) slowed: bool,
    /// The line's: the next try waits for this one.
    _turn: TurnPermit,
}

impl<K: Hash + Eq + Clone> Throttle<K> {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self { turns: Turns::new(1, IN_LINE), failures: Mutex::default() })
    }

    fn failures(&self) -> MutexGuard<'_, HashMap<K, Failures>> {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How long the key's next try waits.
    fn pause(&self, key: &K) -> Duration {
        let known = self.failures().get(key).copied();
        known.filter(|failures| failures.last.elapsed() < MEMORY).map_or(Duration::ZERO, |failures| {
            STEP.saturating_mul(failures.count.saturating_sub(FREE - 1)).min(LONGEST)
        })
    }

    /// Waits for the key's turn, and then for its pause.
    pub(super) async fn begin(&self, key: &K) -> Result<Try, LineIsFull> {
        let turn = self.turns.take(key.clone()).await?;
        let pause = self.pause(key);
        sleep(pause).await;
        Ok(Try { slowed: !pause.is_zero(), _turn: turn })
    }

    /// The try failed.
    pub(super) fn failed(&self, key: K) {
        let mut failures = self.failures();
        // From time to time: each look goes through all of them.
        if failures.len() % SWEEP == SWEEP - 1 && !failures.contains_key(&key) {
            failures.retain(|_, failures| failures.last.elapsed() < MEMORY);
            if failures.len() >= MOST {
                // Many names from many networks: what is worth keeping is who tries one again and again.
                failures.retain(|_, failures| failures.count >= FREE);
            }
        }
        let now = Instant::now();
        let known = failures.entry(key).or_insert(Failures { count: 0, last: now });
        if known.last.elapsed() >= MEMORY {
            known.count = 0;
        }
        *known = Failures { count: known.count.saturating_add(1), last: now };
    }

    /// The try succeeded: whoever it is knows the password.
    pub(super) fn succeeded(&self, key: &K) {
        self.failures().remove(key);
    }

    /// How long to wait before the next try, in milliseconds.
    pub(super) fn retry_after_ms(&self, key: &K) -> u64 {
        u64::try_from(self.pause(key).as_millis()).unwrap_or(u64::MAX).max(1_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn pauses_grow_and_end() {
        let throttle = Throttle::new();
        let mut waited = Vec::new();
        for _ in 0..20 {
            let before = Instant::now();
            let attempt = throttle.begin(&"ada").await.expect("a turn");
            waited.push(before.elapsed());
            assert_eq!(attempt.slowed, !before.elapsed().is_zero());
            throttle.failed("ada");
        }
        assert_eq!(waited[..6], [0, 0, 0, 0, 0, 250].map(Duration::from_millis));
        assert!(waited.is_sorted());
        assert_eq!(waited[19], LONGEST);
        let before = Instant::now();
        throttle.begin(&"eve").await.expect("a turn");
        assert!(before.elapsed().is_zero(), "another's line");
        throttle.succeeded(&"ada");
        throttle.begin(&"ada").await.expect("a turn");
        assert!(before.elapsed().is_zero(), "who knows the password starts afresh");
        for _ in 0..9 {
            throttle.failed("ada");
        }
        tokio::time::advance(MEMORY).await;
        assert!(throttle.pause(&"ada").is_zero(), "failures are forgotten");
    }

    /// A million wrong passwords from 10,000 networks cost the owner, who comes from another, nothing, and bounded memory.
    #[tokio::test(start_paused = true)]
    async fn a_million_guesses_lock_nobody_out() {
        let throttle = Throttle::new();
        for guess in 0..1_000_000_u32 {
            throttle.failed((guess % 10_000, "ada"));
        }
        assert_eq!(throttle.failures().len(), 10_000);
        assert_eq!(throttle.pause(&(7, "ada")), LONGEST, "each of them is slowed");
        let before = Instant::now();
        throttle.begin(&(u32::MAX, "ada")).await.expect("a turn");
        assert!(before.elapsed().is_zero());
        // Names without end: those who try once are forgotten first.
        for name in 0..200_000_u32 {
            throttle.failed((name, "somebody"));
        }
        assert!(throttle.failures().len() <= MOST + 10_000, "{}", throttle.failures().len());
        assert_eq!(throttle.pause(&(7, "ada")), LONGEST);
    }

    #[tokio::test(start_paused = true)]
    async fn guesses_at_once_wait_for_each_other() {
        let throttle = Throttle::new();
        for _ in 0..50 {
            throttle.failed("ada");
        }
        let before = Instant::now();
        let tries = (0..20).map(|_| async {
            let attempt = throttle.begin(&"ada").await;
            if attempt.is_ok() {
                throttle.failed("ada");
            }
            attempt.is_ok()
        });
        let looked_at = futures::future::join_all(tries).await.into_iter().filter(|ok| *ok).count();
        assert_eq!(looked_at, 1 + IN_LINE);
        assert!(before.elapsed() >= LONGEST * 5, "{:?}", before.elapsed());
    }
}
