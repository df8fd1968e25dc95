//! Rate limits by key.

use std::{
    hash::Hash,
    num::NonZeroU32,
    sync::atomic::{AtomicUsize, Ordering},
};

use governor::{
    DefaultKeyedRateLimiter, Quota,
    clock::{Clock, DefaultClock},
};

/// After so many keys, those whose limit is whole again are forgotten.
const SWEEP: usize = 1_024;

/// What may come at once, at least.
const BURST: u32 = 60;

/// So many a minute or an hour for each key.
pub(crate) struct KeyedLimit<K: Hash + Eq + Clone> {
    limiter: DefaultKeyedRateLimiter<K>,
    clock: DefaultClock,
    spent: AtomicUsize,
}

impl<K: Hash + Eq + Clone> KeyedLimit<K> {
    pub(crate) fn per_minute(count: u32) -> Self {
        Self::of(Quota::per_minute(NonZeroU32::new(count).unwrap_or(NonZeroU32::MIN)))
    }

    /// So many an hour.
    pub(crate) fn per_hour(count: u32) -> Self {
        Self::of(Quota::per_hour(NonZeroU32::new(count).unwrap_or(NonZeroU32::MIN)))
    }

    /// So many a minute, of which no more than this come at once.
    pub(crate) fn bursting(count: u32, burst: u32) -> Self {
        let burst = NonZeroU32::new(burst).unwrap_or(NonZeroU32::MIN);
        Self::of(Quota::per_minute(NonZeroU32::new(count).unwrap_or(NonZeroU32::MIN)).allow_burst(burst))
    }

    /// So many an hour, of which a 24th may come at once, and three at least.
    pub(crate) fn steady_per_hour(count: u32) -> Self {
        let burst = NonZeroU32::new((count / 24).max(3)).unwrap_or(NonZeroU32::MIN);
        Self::of(Quota::per_hour(NonZeroU32::new(count).unwrap_or(NonZeroU32::MIN)).allow_burst(burst))
    }

    /// So many a minute, of which a fifth may come at once, and [`BURST`] at least.
    pub(crate) fn steady_per_minute(count: u32) -> Self {
        let burst = NonZeroU32::new((count / 5).max(BURST)).unwrap_or(NonZeroU32::MIN);
        Self::of(Quota::per_minute(NonZeroU32::new(count).unwrap_or(NonZeroU32::MIN)).allow_burst(burst))
    }

    fn of(quota: Quota) -> Self {
        Self {
            limiter: DefaultKeyedRateLimiter::keyed(quota),
            clock: DefaultClock::default(),
            spent: AtomicUsize::new(0),
        }
    }

    /// Counts one; the pause in milliseconds when there was none left.
    pub(crate) fn spend(&self, key: &K) -> Option<u64> {
        if self.spent.fetch_add(1, Ordering::Relaxed) % SWEEP == SWEEP - 1 {
            self.limiter.retain_recent();
            self.limiter.shrink_to_fit();
        }
        let refused = self.limiter.check_key(key).err()?;
        let wait = refused.wait_time_from(self.clock.now());
        Some(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX).max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_limited_and_others_are_not() {
        let limit = KeyedLimit::per_minute(2);
        assert_eq!((limit.spend(&"a"), limit.spend(&"a")), (None, None));
        assert!(limit.spend(&"a").is_some_and(|wait| (1..=30_000).contains(&wait)));
        assert_eq!(limit.spend(&"b"), None);
    }

    #[test]
    fn keys_are_forgotten_once_their_limit_is_whole() {
        // A limit that is whole again after a microsecond.
        let limit = KeyedLimit::per_minute(60_000_000);
        for key in 0..10 * SWEEP {
            assert_eq!(limit.spend(&key), None);
        }
        assert!(limit.limiter.len() <= 2 * SWEEP, "{} keys", limit.limiter.len());
    }
}
