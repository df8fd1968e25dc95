//! How long a socket rests between flushes.
//!
//! Frames that follow each other quickly travel together: one write in place of several is what makes a fan-out to thousands
//! cheap. The first frame after a rest goes at once, so a single stream, whose pieces come 25 ms apart, never waits. On a machine
//! that is out of breath the rests grow: the less often each of a thousand sockets wants to write, the sooner all of them can.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// A rest while there is time for everything.
const SHORTEST: Duration = Duration::from_millis(4);

/// The longest one: pieces of text wait as long to be joined.
const LONGEST: Duration = Duration::from_millis(25);

/// Timers go off late by as much on a machine that has nothing to do: they count in milliseconds.
const USUAL: Duration = Duration::from_micros(1_500);

/// One socket's rests.
pub(super) struct Rest {
    until: Instant,
    /// By how much rests were overslept lately: the time that a task waits for its turn.
    overslept: Duration,
}

impl Rest {
    /// A socket that has not written yet.
    pub(super) fn new(now: Instant) -> Self {
        Self { until: now, overslept: Duration::ZERO }
    }

    /// Waits for the rest's end.
    pub(super) async fn end(&mut self) {
        let now = Instant::now();
        if now < self.until {
            sleep_until(self.until).await;
            self.woke(Instant::now());
        } else {
            self.woke(self.until);
        }
    }

    /// Takes note of how late the rest's end was noticed. Whoever came after it did not wait for anything.
    fn woke(&mut self, now: Instant) {
        self.overslept = (self.overslept * 3 + now.saturating_duration_since(self.until)) / 4;
    }

    /// The socket was flushed.
    pub(super) fn begin(&mut self, now: Instant) {
        let rest = SHORTEST + self.overslept.saturating_sub(USUAL) * 2;
        self.until = now + rest.min(LONGEST);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The rest after one that was overslept by `late` a hundred times.
    fn after(rest: &mut Rest, late: Duration) -> Duration {
        for _ in 0..100 {
            rest.woke(rest.until + late);
        }
        let now = Instant::now();
        rest.begin(now);
        rest.until - now
    }

    #[test]
    fn rests_grow_with_the_load_have_an_end_and_shrink_again() {
        let mut rest = Rest::new(Instant::now());
        for (late_ms, least, most) in [(1, 4, 4), (4, 8, 9), (60, 25, 25), (0, 4, 4)] {
            let length = after(&mut rest, Duration::from_millis(late_ms));
            let within = Duration::from_millis(least)..=Duration::from_millis(most);
            assert!(within.contains(&length), "{late_ms} ms late: {length:?}");
        }
    }

    #[tokio::test]
    async fn only_what_comes_within_a_rest_waits() {
        let start = Instant::now();
        let mut rest = Rest::new(start);
        rest.begin(start);
        rest.end().await;
        assert!(start.elapsed() >= SHORTEST, "the one right behind a flush");
        rest.begin(start);
        let (until, overslept) = (rest.until, rest.overslept);
        assert!(Instant::now() >= until);
        rest.end().await;
        assert!(rest.overslept <= overslept, "the one after a pause waits for nothing");
    }
}
