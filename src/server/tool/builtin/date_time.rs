//! The tool `date_time`: calendar arithmetic and time zones, over `jiff` and its bundled IANA database.
//!
//! An expression is one of: a point in time, however it is put (`next friday`, `90 days after 2026-11-20`); a point
//! seen from another time zone (`now in Tokyo`); the distance of two points (`weeks until 2026-12-25`).

mod distance;
mod parse;
mod zone;

use jiff::{Timestamp, Zoned, civil::Date, tz::TimeZone};

use parse::{duration, point};

/// Longest expression, in characters.
const LIMIT: usize = 200;

/// What an expression came to.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub(crate) struct DateTimeAnswer {
    /// The expression, without needless white space.
    pub expression: String,
    /// For people: `Friday, 20 November 2026`, `34 days`.
    pub result: String,
    /// For programs, in ISO 8601: a date `2026-11-20`, a time `2026-11-20T19:00:00+09:00`, a duration `P34D`.
    pub iso: String,
    /// The IANA name of the zone that the result holds in.
    pub zone: String,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum DateTimeError {
    /// Nothing but white space.
    #[error("the expression is empty")]
    Empty,
    /// More than `limit` characters.
    #[error("the expression is longer than {limit} characters")]
    TooLong {
        /// The most characters taken.
        limit: usize,
    },
    /// None of the forms.
    #[error(
        "there is no date or time in it that can be read; forms that work: `now`, `today`, `next friday`, \
         `in 3 weeks`, `2026-11-20 + 90 days`, `10 days before 1 March 2026`, \
         `days between 2026-01-01 and 2026-12-25`, `weeks until 2026-12-25`, `weekday of 2026-11-20`, `time in Tokyo`, \
         `2026-11-20T10:00 Europe/Berlin in Asia/Tokyo`"
    )]
    NotUnderstood,
    /// Reads as a date or time, but there is none such.
    #[error("`{0}` is not in the calendar")]
    NotInCalendar(String),
    /// Day and month cannot be told apart.
    #[error("`{0}` can be read two ways; write year, month, day, as in 2026-11-20")]
    AmbiguousDate(String),
    /// Neither an IANA name nor the city of one.
    #[error("`{0}` is not a known time zone; use an IANA name such as Europe/Berlin, or its city")]
    UnknownZone(String),
    /// A city of several zones that differ.
    #[error("`{name}` names several time zones: {}", candidates.join(", "))]
    AmbiguousZone {
        /// As given.
        name: String,
        /// IANA names.
        candidates: Vec<String>,
    },
    /// Before the year -9999 or after the year 9999.
    #[error("the result is outside the years -9999 to 9999")]
    OutOfRange,
}

/// Works out `expression` at the instant `now`. Today, and times that name no zone, are those of `zone`; UTC when it
/// is absent.
pub(crate) fn date_time(expression: &str, zone: Option<&str>, now: Timestamp) -> Result<DateTimeAnswer, DateTimeError> {
    if expression.chars().nth(LIMIT).is_some() {
        return Err(DateTimeError::TooLong { limit: LIMIT });
    }
    let expression = expression.split_whitespace().collect::<Vec<_>>().join(" ");
    if expression.is_empty() {
        return Err(DateTimeError::Empty);
    }
    let zone = match zone.map(str::trim) {
        None | Some("") => TimeZone::UTC,
        Some(name) => zone::find(name, now)?,
    };
    // ASCII only, so that what an error quotes has the same place in `expression`.
    let lower = expression.to_ascii_lowercase();
    let words = parse::words(&lower);
    let (result, iso, zone) =
        answer(&words, &Clock { now, zone }).map_err(|error| as_written(error, &lower, &expression))?;
    Ok(DateTimeAnswer { expression, result, iso, zone })
}

/// What now is, and for whom.
#[derive(Clone)]
struct Clock {
    now: Timestamp,
    zone: TimeZone,
}

impl Clock {
    fn moment(&self) -> Zoned {
        self.now.to_zoned(self.zone.clone())
    }

    fn today(&self) -> Date {
        self.moment().date()
    }
}

/// A day, or an instant seen from a time zone.
#[derive(Debug, Clone)]
enum Point {
    Date(Date),
    Moment(Zoned),
}

/// The result, its ISO form and its zone.
fn answer(words: &[&str], clock: &Clock) -> Result<(String, String, String), DateTimeError> {
    let words = match words {
        ["what" | "which", "weekday" | "day", "is" | "was", rest @ ..]
        | ["weekday" | "date", "of", rest @ ..]
        | ["day", "of", "the", "week", "of", rest @ ..]
        | ["how", "many", rest @ ..] => rest,
        ["how", "long", ..] => &words[1..],
        words => words,
    };
    if let Some((result, iso)) = distance::distance(words, clock)? {
        return Ok((result, iso, zone::name(&clock.zone)));
    }
    let (point, clock) = seen_from(words, clock)?;
    Ok(match point {
        Point::Date(date) => (long_date(date), date.to_string(), zone::name(&clock.zone)),
        Point::Moment(moment) => {
            let zone = zone::name(moment.time_zone());
            let time = if moment.second() == 0 { "%H:%M" } else { "%H:%M:%S" };
            let offset = if zone == "UTC" { zone.clone() } else { format!("{zone}, UTC{}", moment.strftime("%:z")) };
            let result = format!("{}, {} ({offset})", long_date(moment.date()), moment.strftime(time));
            (result, moment.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string(), zone)
        }
    })
}

/// A point, with `in` and a zone behind it or not, and the clock of that zone.
fn seen_from(words: &[&str], clock: &Clock) -> Result<(Point, Clock), DateTimeError> {
    let at = words.iter().rposition(|word| *word == "in").filter(|at| *at > 0 && at + 1 < words.len());
    let Some(at) = at else { return Ok((point(words, clock)?, clock.clone())) };
    let (head, tail) = (&words[..at], &words[at + 1..]);
    if matches!(head, ["now" | "today" | "time" | "date"]) && duration(tail).is_ok() {
        return Ok((point(&words[at..], clock)?, clock.clone()));
    }
    let here = point(head, clock)?;
    let there = Clock { now: clock.now, zone: zone::find(&tail.join(" "), clock.now)? };
    // A time of day is that of here; today and now are those of there.
    let point = if head.iter().any(|word| word.contains(':')) { here } else { point(head, &there)? };
    Ok(match point {
        Point::Moment(moment) => (Point::Moment(moment.with_time_zone(there.zone.clone())), there),
        date @ Point::Date(_) => (date, there),
    })
}

fn long_date(date: Date) -> String {
    date.strftime("%A, %-d %B %Y").to_string()
}

/// The error with its quotation in the case it was written in.
fn as_written(error: DateTimeError, lower: &str, expression: &str) -> DateTimeError {
    let original = |quoted: String| match lower.find(&quoted).and_then(|at| expression.get(at..at + quoted.len())) {
        Some(original) => original.to_owned(),
        None => quoted,
    };
    match error {
        DateTimeError::UnknownZone(name) => DateTimeError::UnknownZone(original(name)),
        DateTimeError::AmbiguousZone { name, candidates } => {
            DateTimeError::AmbiguousZone { name: original(name), candidates }
        }
        DateTimeError::NotInCalendar(text) => DateTimeError::NotInCalendar(original(text)),
        other => other,
    }
}

#[cfg(test)]
mod tests;
