//! Delays: recorded in microseconds with three digits, passed between processes as pairs.

use std::time::{SystemTime, UNIX_EPOCH};

use hdrhistogram::Histogram;

/// The longest delay that is told apart from longer ones.
const LONGEST_US: u64 = 600_000_000;

/// How often each delay was seen.
pub(crate) struct Delays(Histogram<u64>);

impl Default for Delays {
    fn default() -> Self {
        Self(Histogram::new_with_bounds(1, LONGEST_US, 3).expect("the bounds are in order"))
    }
}

impl Delays {
    /// Records one.
    pub(crate) fn record(&mut self, microseconds: u64) {
        self.0.saturating_record(microseconds);
    }

    /// Forgets all.
    pub(crate) fn clear(&mut self) {
        self.0.reset();
    }

    /// As pairs of a delay and how often it was seen.
    pub(crate) fn pairs(&self) -> Vec<(u64, u64)> {
        self.0.iter_recorded().map(|step| (step.value_iterated_to(), step.count_at_value())).collect()
    }

    /// Takes in another process's.
    pub(crate) fn add(&mut self, pairs: &[(u64, u64)]) {
        for &(delay, count) in pairs {
            self.0.saturating_record_n(delay, count);
        }
    }

    /// The delay that this part of all stayed below, in milliseconds.
    pub(crate) fn quantile_ms(&self, part: f64) -> f64 {
        ms(self.0.value_at_quantile(part))
    }

    /// How many were recorded.
    pub(crate) fn count(&self) -> u64 {
        self.0.len()
    }

    /// The longest, in milliseconds.
    pub(crate) fn max_ms(&self) -> f64 {
        if self.0.is_empty() { 0.0 } else { ms(self.0.max()) }
    }
}

fn ms(microseconds: u64) -> f64 {
    float(microseconds) / 1_000.0
}

/// A count as a number to calculate with.
#[allow(clippy::cast_precision_loss, reason = "no count here comes near 2^53")]
pub(crate) const fn float(count: u64) -> f64 {
    count as f64
}

/// Microseconds since the Unix epoch, on the one clock of the machine.
pub(crate) fn now_us() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::Delays;

    #[test]
    fn delays_of_two_processes_are_as_if_recorded_by_one() {
        let (mut all, mut first, mut second) = (Delays::default(), Delays::default(), Delays::default());
        for delay in 1..=1_000 {
            all.record(delay * 1_000);
            let half = if delay % 2 == 0 { &mut first } else { &mut second };
            half.record(delay * 1_000);
        }
        first.add(&second.pairs());
        assert!((first.quantile_ms(0.5) - all.quantile_ms(0.5)).abs() < 1e-9);
        assert!((first.quantile_ms(0.99) - 990.0).abs() < 1.0, "{}", first.quantile_ms(0.99));
        assert!((first.max_ms() - 1_000.0).abs() < 1.0);
    }

    #[test]
    fn nothing_recorded_is_zero() {
        assert!(Delays::default().max_ms() < f64::EPSILON && Delays::default().pairs().is_empty());
    }
}
