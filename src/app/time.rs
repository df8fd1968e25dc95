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

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// When something was: `14:05` today, `28 Nov, 14:05` this year, `28 Nov 2025, 14:05` before. `offset_ms` is the reader's zone,
/// east of UTC.
pub(crate) fn moment(at: Timestamp, now: Timestamp, offset_ms: i64) -> String {
    let local = |moment: Timestamp| moment.as_millis().saturating_add_signed(offset_ms);
    let minutes = local(at) / 60_000 % (24 * 60);
    let clock = format!("{:02}:{:02}", minutes / 60, minutes % 60);
    let (day, today) = (local(at) / DAY_MS, local(now) / DAY_MS);
    if day == today {
        return clock;
    }
    let ((year, month, date), (this_year, ..)) = (civil(day), civil(today));
    let month = MONTHS.get(month).unwrap_or(&"");
    if year == this_year { format!("{date} {month}, {clock}") } else { format!("{date} {month} {year}, {clock}") }
}

/// A time of day to the second: `14:05:09`. `offset_ms` is the reader's zone, east of UTC.
pub(crate) fn clock(at: Timestamp, offset_ms: i64) -> String {
    let seconds = at.as_millis().saturating_add_signed(offset_ms) / 1_000 % (24 * 60 * 60);
    format!("{:02}:{:02}:{:02}", seconds / 3_600, seconds / 60 % 60, seconds % 60)
}

/// The year, the month from 0, and the date of a day since 1970-01-01, in the Gregorian calendar. Howard Hinnant's
/// `civil_from_days`: years begin in March, so that a leap day is a year's last.
fn civil(day: u64) -> (u64, usize, u64) {
    let shifted = day + 719_468;
    let (era, of_era) = (shifted / 146_097, shifted % 146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let march_month = (5 * of_year + 2) / 153;
    let date = of_year - (153 * march_month + 2) / 5 + 1;
    let month = (march_month + 2) % 12;
    (era * 400 + year + u64::from(month < 2), usize::try_from(month).unwrap_or_default(), date)
}

/// The reader's zone at a moment, east of UTC.
#[cfg(feature = "hydrate")]
pub(crate) fn zone_offset_at(at: Timestamp) -> i64 {
    #[allow(clippy::cast_possible_truncation, clippy::cast_precision_loss)]
    let minutes = {
        let date = js_sys::Date::new(&wasm_bindgen::JsValue::from_f64(at.as_millis() as f64));
        date.get_timezone_offset() as i64
    };
    -minutes * 60_000
}

/// The server does not know the reader's zone.
#[cfg(not(feature = "hydrate"))]
pub(crate) fn zone_offset_at(_: Timestamp) -> i64 {
    0
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
    fn moments() {
        let at = |text: &str| serde_json::from_value::<Timestamp>(text.into()).expect("a time");
        let now = at("2026-11-28T12:00:00.000Z");
        let check =
            |text: &str, offset: i64, wanted: &str| assert_eq!(moment(at(text), now, offset * 3_600_000), wanted);
        check("2026-11-28T09:05:59.000Z", 0, "09:05");
        check("2026-11-28T09:05:59.000Z", -10, "27 Nov, 23:05");
        check("2026-11-27T22:30:00.000Z", 2, "00:30");
        check("2024-02-29T00:00:00.000Z", 0, "29 Feb 2024, 00:00");
        check("2025-12-31T23:59:00.000Z", 0, "31 Dec 2025, 23:59");
        check("2025-12-31T23:59:00.000Z", 1, "1 Jan, 00:59");
        check("1970-01-01T00:00:00.000Z", 0, "1 Jan 1970, 00:00");
    }

    #[test]
    fn clocks() {
        let check = |millis: u64, offset: i64, text: &str| {
            assert_eq!(clock(Timestamp::from_millis(millis), offset * 3_600_000), text);
        };
        check(0, 0, "00:00:00");
        check(86_399_999, 0, "23:59:59");
        check(86_399_999, 2, "01:59:59");
        check(86_400_000, -1, "23:00:00");
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
