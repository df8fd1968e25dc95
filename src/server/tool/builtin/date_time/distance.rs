//! How far apart two points are.

use jiff::{Span, Unit, Zoned, ZonedDifference};

use super::{
    Clock, DateTimeError, Point,
    parse::{point, unit},
};

/// The distance that `words` ask for, for people and in ISO 8601; `None` when they ask for something else.
pub(super) fn distance(words: &[&str], clock: &Clock) -> Result<Option<(String, String)>, DateTimeError> {
    let [first, rest @ ..] = words else { return Ok(None) };
    let Some(unit) = unit(first).or(matches!(*first, "time" | "long").then_some(Unit::Day)) else { return Ok(None) };
    let is_filler = |word: &&&str| matches!(**word, "are" | "is" | "were" | "was" | "there" | "it");
    let rest = &rest[rest.iter().take_while(is_filler).count()..];
    let two = |rest: &[&str], middle: &[&str]| {
        let at = rest.iter().position(|word| middle.contains(word)).ok_or(DateTimeError::NotUnderstood)?;
        Ok((point(&rest[..at], clock)?, point(&rest[at + 1..], clock)?))
    };
    let now = || if unit < Unit::Day { Point::Moment(clock.moment()) } else { Point::Date(clock.today()) };
    let (span, wrong_way) = match rest {
        ["between", rest @ ..] => {
            let (from, to) = two(rest, &["and"])?;
            (span(from, to, unit, clock)?.abs(), "")
        }
        ["from", rest @ ..] => {
            let (from, to) = two(rest, &["to", "until", "till"])?;
            (span(from, to, unit, clock)?.abs(), "")
        }
        ["until" | "till" | "to", rest @ ..] => (span(now(), point(rest, clock)?, unit, clock)?, " ago"),
        ["since", rest @ ..] => (span(point(rest, clock)?, now(), unit, clock)?, " from now"),
        _ => return Ok(None),
    };
    let direction = if span.is_negative() { wrong_way } else { "" };
    let iso = if span.is_zero() && unit >= Unit::Day { "P0D".to_owned() } else { span.to_string() };
    Ok(Some((in_words(span.abs(), unit) + direction, iso)))
}

fn span(from: Point, to: Point, unit: Unit, clock: &Clock) -> Result<Span, DateTimeError> {
    let start = |point: Point| match point {
        Point::Date(date) => date.to_zoned(clock.zone.clone()),
        Point::Moment(moment) => Ok(moment),
    };
    let between = |from: Zoned, to: Zoned| {
        // Hours come with minutes, weeks with days, and nothing finer.
        let smallest = if unit < Unit::Day { unit.min(Unit::Minute) } else { Unit::Day };
        from.until(ZonedDifference::new(&to).largest(unit).smallest(smallest))
    };
    match (from, to) {
        (Point::Date(from), Point::Date(to)) if unit >= Unit::Day => from.until((unit, to)),
        (from, to) => start(from).and_then(|from| between(from, start(to)?)),
    }
    .map_err(|_| DateTimeError::OutOfRange)
}

/// `4 weeks, 6 days`; a zero in the unit asked for when there is nothing else.
fn in_words(span: Span, asked: Unit) -> String {
    let parts = [
        (Unit::Year, i64::from(span.get_years()), "year"),
        (Unit::Month, i64::from(span.get_months()), "month"),
        (Unit::Week, i64::from(span.get_weeks()), "week"),
        (Unit::Day, i64::from(span.get_days()), "day"),
        (Unit::Hour, i64::from(span.get_hours()), "hour"),
        (Unit::Minute, span.get_minutes(), "minute"),
        (Unit::Second, span.get_seconds(), "second"),
    ];
    let is_zero = parts.iter().all(|(_, count, _)| *count == 0);
    let named: Vec<String> = parts
        .iter()
        .filter(|(unit, count, _)| *count != 0 || (is_zero && *unit == asked))
        .map(|(_, count, name)| if *count == 1 { format!("1 {name}") } else { format!("{count} {name}s") })
        .collect();
    named.join(", ")
}
