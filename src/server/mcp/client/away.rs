//! How long a server that is away is left alone.

use std::time::Duration;

/// The first pause; each is twice the one before.
const FIRST: Duration = Duration::from_millis(500);

/// The longest pause.
const LONGEST: Duration = Duration::from_mins(1);

/// A connection that held this long was a good one: what ends it then is no sign that the next will not hold.
const HELD: Duration = Duration::from_secs(30);

/// The pauses between attempts to connect.
#[derive(Debug, Default)]
pub(super) struct BackOff {
    failed: u32,
}

impl BackOff {
    /// The pause after an attempt that failed, or a connection that held for so long; up to a quarter longer or shorter, so that
    /// servers that went away together are not all asked at once.
    pub(super) fn pause(&mut self, held: Option<Duration>) -> Duration {
        if held.is_some_and(|held| held >= HELD) {
            self.failed = 0;
        }
        let pause = FIRST.saturating_mul(1 << self.failed.min(16)).min(LONGEST);
        self.failed = self.failed.saturating_add(1);
        pause.mul_f64(0.75 + fastrand::f64() / 2.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_have_an_end() {
        let mut back_off = BackOff::default();
        let first = back_off.pause(None);
        assert!(first >= FIRST.mul_f64(0.75) && first <= FIRST.mul_f64(1.25));
        for _ in 0..100 {
            assert!(back_off.pause(Some(Duration::from_secs(1))) <= LONGEST.mul_f64(1.25));
        }
        assert!(back_off.pause(None) >= LONGEST.mul_f64(0.75));
        assert!(back_off.pause(Some(HELD)) <= FIRST.mul_f64(1.25), "one that held begins anew");
    }
}
