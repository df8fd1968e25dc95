//! A conversation that runs again, as fast as it did or faster.

use netra_ws::recording::Moment;

/// A pause lasts at most this long, in milliseconds: nobody waits for a night to pass.
const LONGEST: u64 = 2_000;

/// How far one is, from `events` on, once this much of the conversation's time has passed; what is left of the time stays.
#[allow(clippy::cast_precision_loss)]
pub(super) fn advance(moments: &[Moment], mut events: usize, time: &mut f64) -> usize {
    while let Some(next) = moments.get(events) {
        let before = events.checked_sub(1).and_then(|last| moments.get(last)).and_then(|last| last.at);
        let pause = next.at.zip(before).map_or(0, |(now, before)| now.millis_since(before).min(LONGEST)) as f64;
        if pause > *time {
            break;
        }
        *time -= pause;
        events += 1;
    }
    events
}

#[cfg(test)]
mod tests {
    use netra_ws::Timestamp;

    use super::*;

    #[test]
    fn time_passes_as_it_did_and_pauses_are_short() {
        let at = |millis| Moment { seq: millis + 1, at: Some(Timestamp::from_millis(millis)), frame: None };
        let moments: Vec<Moment> = [0, 10, 20, 1_000_000].map(at).into();
        let mut time = 0.0;
        assert_eq!(advance(&moments, 0, &mut time), 1);
        time = 15.0;
        assert_eq!(advance(&moments, 1, &mut time), 2);
        assert!((time - 5.0).abs() < 1e-9);
        time += 5.0;
        assert_eq!(advance(&moments, 2, &mut time), 3);
        time = 1_999.0;
        assert_eq!(advance(&moments, 3, &mut time), 3);
        time = 2_000.0;
        assert_eq!(advance(&moments, 3, &mut time), 4);
    }
}
