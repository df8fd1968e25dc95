//! Time zones by IANA name, or by the city that ends it.

use std::sync::LazyLock;

use jiff::{
    Timestamp, ToSpan,
    tz::{TimeZone, TimeZoneDatabase},
};

use super::DateTimeError;

/// The bundled database and not the system's, so that every installation gives the same answers.
static ZONES: LazyLock<TimeZoneDatabase> = LazyLock::new(TimeZoneDatabase::bundled);

/// Longest name, in bytes; no IANA name comes near.
const LIMIT: usize = 64;

/// The zone called `name`, in any case and with spaces for underscores. A city of several zones is taken when they
/// agree in the year around `now`, as aliases do.
pub(super) fn find(name: &str, now: Timestamp) -> Result<TimeZone, DateTimeError> {
    if name.len() > LIMIT {
        return Err(DateTimeError::UnknownZone(name.chars().take(LIMIT).collect()));
    }
    let id = name.trim().replace(' ', "_");
    if id.eq_ignore_ascii_case("z") || id.eq_ignore_ascii_case("gmt") {
        return Ok(TimeZone::UTC);
    }
    if let Ok(zone) = ZONES.get(&id)
        && zone.iana_name().is_some()
    {
        return Ok(zone);
    }
    let mut found: Vec<TimeZone> = ZONES
        .available()
        .filter(|candidate| candidate.as_str().rsplit('/').next().is_some_and(|city| city.eq_ignore_ascii_case(&id)))
        .filter_map(|candidate| ZONES.get(candidate.as_str()).ok())
        .collect();
    let Some(first) = found.pop() else { return Err(DateTimeError::UnknownZone(name.to_owned())) };
    if found.iter().all(|other| agree(&first, other, now)) {
        return Ok(first);
    }
    found.push(first);
    Err(DateTimeError::AmbiguousZone { name: name.to_owned(), candidates: found.iter().map(self::name).collect() })
}

/// The IANA name of a zone that [`find`] gave.
pub(super) fn name(zone: &TimeZone) -> String {
    zone.iana_name().unwrap_or("UTC").to_owned()
}

fn agree(a: &TimeZone, b: &TimeZone, now: Timestamp) -> bool {
    (0..12_i64).all(|month| {
        let instant = now.checked_add((month * 30 * 24).hours()).unwrap_or(now);
        a.to_offset(instant) == b.to_offset(instant)
    })
}
