//! Arithmetic and dates: a text is either when its tool accepts it.

use std::time::Duration;

use jiff::Timestamp;

use super::Call;
use crate::server::tool::builtin::{
    calculate::{CalculateError, calculate},
    date_time::{DateTimeError, date_time},
};

/// How long an expression is tried out.
const TRIAL: Duration = Duration::from_millis(200);

/// What may stand before a question and change nothing about it.
const OPENINGS: &str = "hello; hi; hey; please; can you; could you; would you; tell me; give me; do you know; \
    i want to know; i would like to know; i'd like to know; also; and; then; so; ok; what is; what's; whats; \
    what are; what will be; what would be; what does; how much is; how much are; how much; calculate; compute; \
    evaluate; work out; figure out; solve; convert; the result of; the value of; exactly";
/// What may stand behind it.
const ENDINGS: &str = "please; thanks; thank you; for me; equal; equals; make; exactly; in total";
/// Openings of questions about dates, after the word that stands for them. A day or a time may be all that is asked
/// for; a phrase wants what follows.
const DATE_OPENINGS: &[(&str, &str)] = &[
    ("days until", "how long is it until; how long until; how many days are there until; how many days is it until"),
    ("days since", "how long is it since; how long since"),
    ("days between", "how many days are there between; how many days are between"),
    ("weeks between", "how many weeks are there between; how many weeks are between"),
    ("today", "what day is it; what day of the week is it; what weekday is it; what date is it; the current date"),
    ("today", "current date; today's date; the date; date; the weekday; the day of the week; the day"),
    ("now", "what time is it; the current time; current time; the local time; local time; the time; time"),
    ("", "what day of the week is; what day of the week was; what day of the week will be; which day of the week is"),
    ("", "what weekday is; what weekday was; what weekday will be; which weekday is; on what day is; on which day is"),
    ("", "what day is; what day was; what day will it be; what day will be; which day is; which day was; what date is"),
    ("", "what date was; what date will it be; what date will be; what time will it be; when is; when was"),
    ("", "the day of the week of; the weekday of; weekday of; the date of; the number of; how many; the"),
];
/// Operators in the calculator's spelling; a value without any is no question.
const OPERATORS: &[&str] = &["+", "-", "*", "/", "mod", "to", "in", "as", "of", "choose", "permute"];
/// What the calculator says about arithmetic that it understands and that has no value.
const VERDICTS: &[&str] = &[
    "by zero",
    "incompatible",
    "can be read two ways",
    "not a real number",
    "too many digits",
    "exchange rates",
    "at most",
];

/// The call that a text asks for, if it is a calculation or a date, and the thought about it. A place that is no time
/// zone is one to complain of only if the text `is_one_part`: otherwise it may be what follows the question.
pub(super) fn number_or_date(text: &str, is_one_part: bool) -> Option<(Call, String)> {
    let bare = strip(text);
    date(bare, is_one_part).or_else(|| calculation(bare))
}

/// A calculation that will fail: it is what the question means, and the tool says best why.
pub(super) fn asks_for_arithmetic(text: &str) -> Option<String> {
    let bare = strip(text);
    let Err(CalculateError::Invalid(reason)) = calculate(bare, TRIAL) else { return None };
    let is_formula =
        !bare.contains(char::is_alphabetic) && bare.contains(['+', '-', '*', '/', '^', '%', '!', '×', '÷']);
    let has_digit = bare.contains(|c: char| c.is_ascii_digit());
    let has_verdict = VERDICTS.iter().any(|verdict| reason.contains(verdict));
    (has_digit && (is_formula || has_verdict)).then(|| bare.to_owned())
}

/// Whether two expressions that have a value each have none added up.
pub(super) fn differ_in_unit(a: &str, b: &str) -> bool {
    let sum = calculate(&format!("({a}) + ({b})"), TRIAL);
    matches!(sum, Err(CalculateError::Invalid(reason)) if reason.contains("incompatible"))
}

fn calculation(text: &str) -> Option<(Call, String)> {
    let turned = how_many(text);
    let text = turned.as_deref().unwrap_or(text);
    if !text.contains(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let expression = match calculate(text, TRIAL) {
        Ok(done) if has_operation(&done.expression) => done.expression,
        Err(CalculateError::TimedOut) => text.to_owned(),
        _ => return None,
    };
    let thought = format!("This reads as arithmetic: `{expression}`.");
    Some((Call::Calculate { expression }, thought))
}

fn has_operation(expression: &str) -> bool {
    let is_function = |(at, _): (usize, &str)| expression[..at].ends_with(char::is_alphabetic);
    expression.contains(['^', '%', '!'])
        || expression.split(' ').skip(1).any(|word| OPERATORS.contains(&word))
        || expression.match_indices('(').any(is_function)
}

/// `how many metres are in 3 km` as `3 km in metres`.
fn how_many(text: &str) -> Option<String> {
    let rest = after(text, "how many")?;
    let (unit, amount) =
        [" are there in ", " are in ", " is ", " are ", " in "].iter().find_map(|joint| rest.split_once(joint))?;
    let amount = match after(amount, "a").or_else(|| after(amount, "an")).or_else(|| after(amount, "one")) {
        Some(thing) => format!("1 {thing}"),
        None => amount.to_owned(),
    };
    Some(format!("{amount} in {unit}"))
}

fn date(text: &str, is_one_part: bool) -> Option<(Call, String)> {
    let opened = DATE_OPENINGS.iter().flat_map(|(base, openings)| {
        openings.split("; ").filter_map(|opening| after(text, opening)).flat_map(move |rest| {
            let alone = if base.contains(' ') { "" } else { rest };
            [alone.to_owned(), format!("{base} {rest}").trim().to_owned()]
        })
    });
    opened.chain([text.to_owned()]).find_map(|expression| date_call(&expression, is_one_part))
}

fn date_call(expression: &str, is_one_part: bool) -> Option<(Call, String)> {
    // Whether a text has a form of the tool's hardly depends on the instant.
    let outcome = |expression: &str, zone: Option<&str>| date_time(expression, zone, Timestamp::UNIX_EPOCH);
    let whole = outcome(expression, None);
    let place = at_place(expression);
    match &whole {
        Err(DateTimeError::Empty | DateTimeError::TooLong { .. } | DateTimeError::NotUnderstood) => return None,
        Err(DateTimeError::UnknownZone(name)) if !is_one_part || name.split(' ').count() > 3 => return None,
        Err(DateTimeError::UnknownZone(_)) if place.is_none_or(|(_, zone)| has_determiner(zone)) => return None,
        _ => {}
    }
    let thought = format!("This asks for a date or a time: `{}`.", expression.replace('`', "'"));
    let call = match place {
        Some((day, zone)) if whole.is_err() || outcome(day, Some(zone)).is_ok() => {
            Call::DateTime { expression: day.to_owned(), zone: Some(zone.to_owned()) }
        }
        _ => Call::DateTime { expression: expression.to_owned(), zone: None },
    };
    Some((call, thought))
}

/// The halves of `now in Tokyo`.
fn at_place(expression: &str) -> Option<(&str, &str)> {
    let day = ["now", "today", "tomorrow", "yesterday"].into_iter().find(|day| after(expression, day).is_some())?;
    let zone = after(after(expression, day)?, "in")?;
    (!zone.is_empty()).then_some((day, zone))
}

/// Whether a text begins as the name of a place does not.
fn has_determiner(text: &str) -> bool {
    ["a", "an", "the", "my", "our", "your", "this", "that"].iter().any(|word| after(text, word).is_some())
}

/// The question without the words around it.
fn strip(text: &str) -> &str {
    let mut bare = text;
    loop {
        let before = bare.len();
        bare = bare.trim_matches([' ', ',', '?', ':', '"', '=']).trim_end_matches('.');
        // After a number it is a factorial.
        bare = match bare.strip_suffix('!') {
            Some(rest) if !rest.ends_with(|c: char| c.is_ascii_digit() || c == ')' || c == '!') => rest,
            _ => bare,
        };
        bare = OPENINGS.split("; ").find_map(|opening| after(bare, opening)).unwrap_or(bare);
        bare = ENDINGS.split("; ").find_map(|ending| ahead_of(bare, ending)).unwrap_or(bare);
        if bare.len() == before {
            return bare;
        }
    }
}

/// What stands behind `opening`, which must end where a word ends.
fn after<'a>(text: &'a str, opening: &str) -> Option<&'a str> {
    let (head, rest) = text.split_at_checked(opening.len())?;
    let ends = head.eq_ignore_ascii_case(opening) && !rest.starts_with(|c: char| c.is_alphanumeric() || c == '\'');
    ends.then(|| rest.trim_start())
}

fn ahead_of<'a>(text: &'a str, ending: &str) -> Option<&'a str> {
    let (rest, tail) = text.split_at_checked(text.len().checked_sub(ending.len())?)?;
    (tail.eq_ignore_ascii_case(ending) && rest.ends_with([' ', ','])).then(|| rest.trim_end())
}
