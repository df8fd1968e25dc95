//! Times as people read them.

use netra_ws::Timestamp;

const DAY_MS: u64 = 24 * 3600 * 1000;

/// `380 ms`, `3.2 s`, `2 min 5 s`.
pub(crate) fn duration(millis: u64) -> String {
    match millis {
        0..1_000 => format!("{millis} ms"),
        1_000..60_000 => {
            let tenths = (millis + 50) / 100;
            format!("{}.{} s", tenths / 10, tenths % 10)
        }
        _ => format!("{} min {} s", millis / 60_000, millis % 60_000 / 1_000),
    }
}

/// Which group of the sidebar a moment belongs to. `offset_ms` is the reader's zone, east of UTC.
pub(crate) fn day_group(at: Timestamp, now: Timestamp, offset_ms: i64) -> &'static str {
    let day = |moment: Timestamp| moment.as_millis().saturating_add_signed(offset_ms) / DAY_MS;
    match day(now).saturating_sub(day(at)) {
        0 => "Today",
        1 => "Yesterday",
        2..7 => "Last 7 days",
        7..30 => "Last 30 days",
        _ => "Older",
    }
}

/// The reader's zone, east of UTC.
#[cfg(feature = "hydrate")]
pub(crate) fn zone_offset_ms() -> i64 {
    #[allow(clippy::cast_possible_truncation)]
    let minutes = js_sys::Date::new_0().get_timezone_offset() as i64;
    -minutes * 60_000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        let check = |millis: u64, text: &str| assert_eq!(duration(millis), text);
        check(0, "0 ms");
        check(999, "999 ms");
        check(1_000, "1.0 s");
        check(3_249, "3.2 s");
        check(59_949, "59.9 s");
        check(125_000, "2 min 5 s");
    }

    #[test]
    fn days() {
        let now = Timestamp::from_millis(20_000 * DAY_MS + 3_600_000);
        let ago = |millis: u64| Timestamp::from_millis(now.as_millis() - millis);
        assert_eq!(day_group(ago(0), now, 0), "Today");
        assert_eq!(day_group(ago(2 * 3_600_000), now, 0), "Yesterday");
        assert_eq!(day_group(ago(2 * 3_600_000), now, 5 * 3_600_000), "Today");
        assert_eq!(day_group(ago(3 * DAY_MS), now, 0), "Last 7 days");
        assert_eq!(day_group(ago(90 * DAY_MS), now, 0), "Older");
    }
}
