//! From words to points in time and durations.

use jiff::{
    Span, Timestamp,
    civil::{Date, DateTime, Weekday},
};

use super::{Clock, DateTimeError, Point, zone};

const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];
const WEEKDAYS: [&str; 7] = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
const NUMBERS: [&str; 13] =
    ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"];

/// Splits lower-case text into words, with signs on their own and without what carries no meaning.
pub(super) fn words(text: &str) -> Vec<&str> {
    let mut words = Vec::new();
    for word in text.trim_end_matches(['?', '.', '!', ' ']).split([' ', ',']) {
        let signed = word.find('+').or(word.starts_with('-').then_some(0));
        match signed {
            // Those of `10:00+01:00` and `Etc/GMT+5` stay where they are.
            Some(at) if !word[..at].contains(|c: char| c == ':' || c.is_alphabetic()) => {
                words.extend([&word[..at], &word[at..=at], &word[at + 1..]]);
            }
            _ => words.push(word),
        }
    }
    words.retain(|word| !matches!(*word, "" | "the" | "at" | "on"));
    words
}

/// A point in time, in any of its forms.
pub(super) fn point(words: &[&str], clock: &Clock) -> Result<Point, DateTimeError> {
    match words {
        ["in", rest @ ..] => return shift(["now"].as_slice(), duration(rest)?, clock),
        [rest @ .., "ago"] => return shift(["now"].as_slice(), duration(rest)?.back()?, clock),
        ["day", "after", rest @ ..] => return shift(rest, duration(&["1", "day"])?, clock),
        ["day", "before", rest @ ..] => return shift(rest, duration(&["1", "day"])?.back()?, clock),
        _ => {}
    }
    if let Some(at) = words.iter().position(|word| matches!(*word, "from" | "after" | "before"))
        && let Ok(length) = duration(&words[..at])
    {
        let length = if words[at] == "before" { length.back()? } else { length };
        return shift(&words[at + 1..], length, clock);
    }
    if let Some(at) = words.iter().rposition(|word| matches!(*word, "+" | "-" | "plus" | "minus")) {
        let length = duration(&words[at + 1..])?;
        let length = if matches!(words[at], "-" | "minus") { length.back()? } else { length };
        return point(&words[..at], clock).and_then(|from| add(from, length, clock));
    }
    match words {
        ["now" | "time"] => Ok(Point::Moment(clock.moment())),
        ["today" | "date"] => Ok(Point::Date(clock.today())),
        ["tomorrow"] => shift(&["now"], duration(&["1", "day"])?, clock),
        ["yesterday"] => shift(&["now"], duration(&["1", "day"])?.back()?, clock),
        ["next", unit @ ("week" | "month" | "year")] => shift(&["now"], duration(&["1", unit])?, clock),
        ["last", unit @ ("week" | "month" | "year")] => shift(&["now"], duration(&["1", unit])?.back()?, clock),
        ["next", day] => weekday(day, 1, clock),
        ["last", day] => weekday(day, -1, clock),
        ["this", day] | [day] if position(&WEEKDAYS, day).is_some() => weekday(day, 0, clock),
        _ => match date(words) {
            Err(DateTimeError::NotUnderstood) => Ok(Point::Moment(moment(words, clock)?)),
            date => Ok(Point::Date(date?)),
        },
    }
}

/// A length of time; with a unit under a day it does not fit a plain date.
#[derive(Clone, Copy)]
pub(super) struct Duration {
    span: Span,
    has_time: bool,
}

impl Duration {
    fn back(self) -> Result<Self, DateTimeError> {
        let span = self.span.checked_mul(-1).map_err(|_| DateTimeError::OutOfRange)?;
        Ok(Self { span, ..self })
    }
}

/// `90 days`, `a year and 2 months`, `1 hour 30 minutes`.
pub(super) fn duration(words: &[&str]) -> Result<Duration, DateTimeError> {
    let words: Vec<&str> = words.iter().copied().filter(|word| *word != "and").collect();
    if words.is_empty() || words.len() % 2 == 1 {
        return Err(DateTimeError::NotUnderstood);
    }
    let mut total = Duration { span: Span::new(), has_time: false };
    for pair in words.chunks_exact(2) {
        let count = count(pair[0])?;
        let (old, unit) = (total.span, unit(pair[1]).ok_or(DateTimeError::NotUnderstood)?);
        let sum = |old: i64| old.checked_add(count).ok_or(DateTimeError::OutOfRange);
        let span = match unit {
            jiff::Unit::Year => old.try_years(sum(old.get_years().into())?),
            jiff::Unit::Month => old.try_months(sum(old.get_months().into())?),
            jiff::Unit::Week => old.try_weeks(sum(old.get_weeks().into())?),
            jiff::Unit::Day => old.try_days(sum(old.get_days().into())?),
            jiff::Unit::Hour => old.try_hours(sum(old.get_hours().into())?),
            jiff::Unit::Minute => old.try_minutes(sum(old.get_minutes())?),
            _ => old.try_seconds(sum(old.get_seconds())?),
        };
        total.span = span.map_err(|_| DateTimeError::OutOfRange)?;
        total.has_time |= unit < jiff::Unit::Day;
    }
    Ok(total)
}

/// A unit of time, singular or plural.
pub(super) fn unit(word: &str) -> Option<jiff::Unit> {
    Some(match word.strip_suffix('s').unwrap_or(word) {
        "year" => jiff::Unit::Year,
        "month" => jiff::Unit::Month,
        "week" => jiff::Unit::Week,
        "day" => jiff::Unit::Day,
        "hour" | "hr" => jiff::Unit::Hour,
        "minute" | "min" => jiff::Unit::Minute,
        "second" | "sec" => jiff::Unit::Second,
        _ => return None,
    })
}

fn count(word: &str) -> Result<i64, DateTimeError> {
    if let Some(number) = NUMBERS.iter().position(|name| *name == word) {
        return i64::try_from(number).map_err(|_| DateTimeError::OutOfRange);
    }
    match word {
        "a" | "an" => Ok(1),
        _ if word.is_empty() || !word.bytes().all(|b| b.is_ascii_digit()) => Err(DateTimeError::NotUnderstood),
        _ => word.parse().map_err(|_| DateTimeError::OutOfRange),
    }
}

/// Days and more are counted from a date, so that `90 days from now` is a date; hours and less from a moment.
fn shift(from: &[&str], length: Duration, clock: &Clock) -> Result<Point, DateTimeError> {
    let from = match from {
        ["now" | "today"] if length.has_time => Point::Moment(clock.moment()),
        ["now" | "today"] => Point::Date(clock.today()),
        other => point(other, clock)?,
    };
    add(from, length, clock)
}

fn add(from: Point, length: Duration, clock: &Clock) -> Result<Point, DateTimeError> {
    let sum = match from {
        Point::Date(date) if length.has_time => {
            date.to_zoned(clock.zone.clone()).and_then(|start| start.checked_add(length.span)).map(Point::Moment)
        }
        Point::Date(date) => date.checked_add(length.span).map(Point::Date),
        Point::Moment(moment) => moment.checked_add(length.span).map(Point::Moment),
    };
    sum.map_err(|_| DateTimeError::OutOfRange)
}

/// The first such day after today (`nth` 1), before it (-1), or from today on (0).
fn weekday(name: &str, nth: i32, clock: &Clock) -> Result<Point, DateTimeError> {
    let day = position(&WEEKDAYS, name).ok_or(DateTimeError::NotUnderstood)?;
    let day = Weekday::from_monday_zero_offset(day - 1).map_err(|_| DateTimeError::NotUnderstood)?;
    let today = clock.today();
    if nth == 0 && today.weekday() == day {
        return Ok(Point::Date(today));
    }
    today.nth_weekday(if nth == 0 { 1 } else { nth }, day).map(Point::Date).map_err(|_| DateTimeError::OutOfRange)
}

/// `2026-11-20`, `20 November 2026`, `November 20th, 2026`, with the weekday before it or not.
fn date(words: &[&str]) -> Result<Date, DateTimeError> {
    let words: Vec<&str> = words.iter().copied().filter(|word| *word != "of").collect();
    let words = match words.as_slice() {
        [day, rest @ ..] if !rest.is_empty() && position(&WEEKDAYS, day).is_some() => rest,
        words => words,
    };
    let (day, month, year) = match words {
        [numeric] => return numeric_date(numeric),
        [day, month, year] if position(&MONTHS, month).is_some() => (day, month, year),
        [month, day, year] if position(&MONTHS, month).is_some() => (day, month, year),
        _ => return Err(DateTimeError::NotUnderstood),
    };
    let digits = day.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let is_ordinal = matches!(&day[digits.len()..], "" | "st" | "nd" | "rd" | "th");
    match (digits.parse(), position(&MONTHS, month), year.parse()) {
        (Ok(day), Some(month), Ok(year)) if is_ordinal && year >= 1000 => {
            Date::new(year, month, day).map_err(|_| DateTimeError::NotInCalendar(words.join(" ")))
        }
        _ => Err(DateTimeError::NotUnderstood),
    }
}

fn numeric_date(word: &str) -> Result<Date, DateTimeError> {
    let parts: Vec<&str> = word.split(['-', '/', '.']).collect();
    if !parts.iter().all(|part| part.bytes().all(|b| b.is_ascii_digit())) {
        return Err(DateTimeError::NotUnderstood);
    }
    let [first, second, third] = parts.as_slice() else { return Err(DateTimeError::NotUnderstood) };
    match (first.len(), second.len(), third.len()) {
        (4, 1..=2, 1..=2) => match (first.parse(), second.parse(), third.parse()) {
            (Ok(year), Ok(month), Ok(day)) => Date::new(year, month, day).ok(),
            _ => None,
        }
        .ok_or_else(|| DateTimeError::NotInCalendar(word.to_owned())),
        (1..=2, 1..=2, 4) => Err(DateTimeError::AmbiguousDate(word.to_owned())),
        _ => Err(DateTimeError::NotUnderstood),
    }
}

/// `2026-11-20T10:00`, `2026-11-20 10:00 Europe/Berlin`, `20 November 2026 10:00`, `10:00+02:00`, `10:00 in` the zone.
pub(super) fn moment(words: &[&str], clock: &Clock) -> Result<jiff::Zoned, DateTimeError> {
    let is_time = |word: &str| word.contains(':') && word.starts_with(|c: char| c.is_ascii_digit());
    let at = words.iter().position(|word| is_time(word)).ok_or(DateTimeError::NotUnderstood)?;
    let zone = match &words[at + 1..] {
        [] => clock.zone.clone(),
        name => zone::find(&name.join(" "), clock.now)?,
    };
    let (day, time) = match words[at].split_once('t') {
        Some((day, time)) if at == 0 => (numeric_date(day)?, time),
        None if at == 0 => (clock.now.to_zoned(zone.clone()).date(), words[at]),
        None => (date(&words[..at])?, words[at]),
        Some(_) => return Err(DateTimeError::NotUnderstood),
    };
    let text = format!("{day}T{}", time.to_ascii_uppercase());
    let has_offset = time.ends_with('z') || time.contains(['+', '-']);
    let moment = if has_offset {
        text.parse::<Timestamp>().map(|instant| instant.to_zoned(zone))
    } else {
        text.parse::<DateTime>().and_then(|local| local.to_zoned(zone))
    };
    moment.map_err(|_| DateTimeError::NotInCalendar(words[at].to_owned()))
}

/// The place of `word` in `names`, from 1. Three letters are enough.
fn position(names: &[&str], word: &str) -> Option<i8> {
    let at = names.iter().position(|name| word.len() >= 3 && name.starts_with(word))?;
    i8::try_from(at + 1).ok()
}
