//! The client's side of the server's rate limit: a bucket like the server's own, a little smaller, so that a client with much
//! to say waits instead of being refused.

use crate::session::Millis;

/// How many frames may be sent on a connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Allowance {
    /// Frames that fit into the bucket.
    capacity: f64,
    /// Frames that may be sent at once.
    left: f64,
    /// When `left` was counted.
    at: Millis,
}

/// The part of the server's limit that is used: its clock is not the client's, and a few frames are sent whatever happens.
const SHARE: f64 = 0.9;

const MINUTE: f64 = 60_000.0;

impl Allowance {
    /// The whole allowance of a new connection.
    pub(crate) fn new(now: Millis, per_minute: u32) -> Self {
        let capacity = (f64::from(per_minute) * SHARE).max(1.0);
        Self { capacity, left: capacity, at: now }
    }

    /// Takes one frame's worth, or says when there will be one.
    pub(crate) fn take(&mut self, now: Millis) -> Result<(), Millis> {
        #[allow(clippy::cast_precision_loss)]
        let passed = now.saturating_sub(self.at) as f64;
        self.left = (self.left + passed * self.capacity / MINUTE).min(self.capacity);
        self.at = self.at.max(now);
        if self.left >= 1.0 {
            self.left -= 1.0;
            return Ok(());
        }
        let wait = (1.0 - self.left) * MINUTE / self.capacity;
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let wait = wait.ceil() as Millis;
        Err(now.saturating_add(wait.max(1)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minute_holds_no_more_than_the_limit() {
        let mut allowance = Allowance::new(0, 600);
        let (mut now, mut sent) = (0, 0);
        while now <= 60_000 {
            match allowance.take(now) {
                Ok(()) => sent += 1,
                Err(next) => {
                    assert!(next > now);
                    now = next;
                }
            }
        }
        assert!((1_070..=1_085).contains(&sent), "a full bucket and a minute's refill: {sent}");
    }

    #[test]
    fn a_small_limit_lets_one_through_and_a_clock_set_back_does_no_harm() {
        let mut allowance = Allowance::new(10_000, 1);
        assert_eq!(allowance.take(10_000), Ok(()));
        assert_eq!(allowance.take(5_000), Err(65_000));
        assert_eq!(allowance.take(69_999), Err(70_000));
        assert_eq!(allowance.take(70_000), Ok(()));
    }
}
