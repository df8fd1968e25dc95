//! Rate limits by key.

use std::{hash::Hash, num::NonZeroU32};

use governor::{
    DefaultKeyedRateLimiter, Quota,
    clock::{Clock, DefaultClock},
};

/// So many a minute for each key, with a burst of as many.
pub(super) struct KeyedLimit<K: Hash + Eq + Clone> {
    limiter: DefaultKeyedRateLimiter<K>,
    clock: DefaultClock,
}

impl<K: Hash + Eq + Clone> KeyedLimit<K> {
    pub(super) fn per_minute(count: u32) -> Self {
        let quota = Quota::per_minute(NonZeroU32::new(count).unwrap_or(NonZeroU32::MIN));
        Self { limiter: DefaultKeyedRateLimiter::keyed(quota), clock: DefaultClock::default() }
    }

    /// Counts one; the pause in milliseconds when there was none left.
    pub(super) fn spend(&self, key: &K) -> Option<u64> {
        let refused = self.limiter.check_key(key).err()?;
        let wait = refused.wait_time_from(self.clock.now());
        Some(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX).max(1))
    }
}
