use super::*;

/// A Friday.
const NOW: &str = "2026-11-20T10:05:30Z";

fn outcome(expression: &str, zone: Option<&str>) -> Result<DateTimeAnswer, DateTimeError> {
    date_time(expression, zone, NOW.parse().expect("the test's own instant"))
}

fn check(expression: &str, iso: &str) {
    match outcome(expression, None) {
        Ok(answer) => assert_eq!(answer.iso, iso, "for `{expression}`: {answer:?}"),
        Err(error) => panic!("for `{expression}`: {error}"),
    }
}

fn check_text(expression: &str, result: &str) {
    assert_eq!(outcome(expression, None).map(|answer| answer.result).as_deref(), Ok(result), "for `{expression}`");
}

fn check_error(expression: &str, error: DateTimeError) {
    assert_eq!(outcome(expression, None), Err(error), "for `{expression}`");
}

#[test]
fn whole_answer() {
    let answer = DateTimeAnswer {
        expression: "2026-11-20 + 90 days".to_owned(),
        result: "Thursday, 18 February 2027".to_owned(),
        iso: "2027-02-18".to_owned(),
        zone: "UTC".to_owned(),
    };
    assert_eq!(outcome("  2026-11-20  +\t90 days ", None), Ok(answer));
    check_text("now", "Friday, 20 November 2026, 10:05:30 (UTC)");
    check_text("time in Tokyo", "Friday, 20 November 2026, 19:05:30 (Asia/Tokyo, UTC+09:00)");
}

#[test]
fn relative_days() {
    check("now", "2026-11-20T10:05:30+00:00");
    check("Today", "2026-11-20");
    check("tomorrow", "2026-11-21");
    check("yesterday", "2026-11-19");
    check("the day after tomorrow", "2026-11-22");
    check("day before yesterday", "2026-11-18");
    check("next friday", "2026-11-27");
    check("last Friday", "2026-11-13");
    check("this friday", "2026-11-20");
    check("on Thu", "2026-11-26");
    check("last monday", "2026-11-16");
    check("next month", "2026-12-20");
    check("last year", "2025-11-20");
}

#[test]
fn offsets() {
    check("in 3 weeks", "2026-12-11");
    check("in a month and two days", "2026-12-22");
    check("90 days from now", "2027-02-18");
    check("2 weeks ago", "2026-11-06");
    check("in 90 minutes", "2026-11-20T11:35:30+00:00");
    check("2026-11-20 - 1 month", "2026-10-20");
    check("2026-11-20+90 days", "2027-02-18");
    check("90 days after 2026-11-20", "2027-02-18");
    check("10 days before 2026-03-01", "2026-02-19");
    check("1 year after 2024-02-29", "2025-02-28");
    check("2026-01-31 plus 1 month minus 1 day", "2026-02-27");
    check("1 week after next friday", "2026-12-04");
    check("today + 3 hours", "2026-11-20T03:00:00+00:00");
}

#[test]
fn written_dates() {
    let friday = "2026-11-20";
    check("2026-11-20", friday);
    check("2026/11/20", friday);
    check("20 November 2026", friday);
    check("November 20, 2026", friday);
    check("20 Nov 2026", friday);
    check("Nov 20th, 2026", friday);
    check("Friday the 20th of November 2026", friday);
    check("what weekday is 2026-11-20?", friday);
    check("weekday of 20 November 2026", friday);
    check_text("What day is 2026-11-20", "Friday, 20 November 2026");
}

#[test]
fn distances() {
    check("days between 2026-01-01 and 2026-12-25", "P358D");
    check("days between 2026-12-25 and 2026-01-01", "P358D");
    check("days from 1 January 2026 to 25 December 2026", "P358D");
    check("days until 2026-12-25", "P35D");
    check("how many days are there until 2026-12-25?", "P35D");
    check("how long until 2026-12-25", "P35D");
    check("days since 2000-01-01", "P9820D");
    check("days until today", "P0D");
    check_text("weeks until 2026-12-24", "4 weeks, 6 days");
    check_text("years since 2000-01-01", "26 years, 10 months, 19 days");
    check_text("hours until 2026-11-21", "13 hours, 54 minutes");
    check_text("minutes between 2026-11-20T10:00 and 2026-11-20T12:30", "150 minutes");
    check_text("days until 2026-11-19", "1 day ago");
    check_text("days since 2026-11-22", "2 days from now");
    check_text("days until today", "0 days");
}

#[test]
fn zones() {
    check("now in Europe/Berlin", "2026-11-20T11:05:30+01:00");
    check("now in new york", "2026-11-20T05:05:30-05:00");
    check("now in UTC", "2026-11-20T10:05:30+00:00");
    check("tomorrow in Pacific/Kiritimati", "2026-11-22");
    check("now in 3 hours", "2026-11-20T13:05:30+00:00");
    check("2026-11-20T10:00 Europe/Berlin in Asia/Tokyo", "2026-11-20T18:00:00+09:00");
    check("2026-11-20 10:00 in Asia/Tokyo", "2026-11-20T19:00:00+09:00");
    check("2026-11-20T10:00Z in tokyo", "2026-11-20T19:00:00+09:00");
    check("2026-11-20T10:00+02:00 in Tokyo", "2026-11-20T17:00:00+09:00");
    check("2026-11-20T10:00 + 3 hours in Tokyo", "2026-11-20T22:00:00+09:00");
    check("10:00 Europe/Berlin in Tokyo", "2026-11-20T18:00:00+09:00");
    check("now in Etc/GMT+5", "2026-11-20T05:05:30-05:00");
    // The clocks go forward at 02:00.
    check("2026-03-29T02:30 Europe/Berlin", "2026-03-29T03:30:00+02:00");
    check("2026-03-28T12:00 Europe/Berlin + 1 day", "2026-03-29T12:00:00+02:00");
    check("2026-03-28T12:00 Europe/Berlin + 24 hours", "2026-03-29T13:00:00+02:00");
}

#[test]
fn the_callers_zone() {
    let in_zone = |zone| outcome("now", Some(zone)).map(|answer| (answer.iso, answer.zone));
    let tokyo = Ok(("2026-11-20T19:05:30+09:00".to_owned(), "Asia/Tokyo".to_owned()));
    assert_eq!(in_zone("Asia/Tokyo"), tokyo);
    assert_eq!(in_zone("tokyo"), tokyo);
    assert_eq!(in_zone(" "), Ok(("2026-11-20T10:05:30+00:00".to_owned(), "UTC".to_owned())));
    assert_eq!(in_zone("Atlantis"), Err(DateTimeError::UnknownZone("Atlantis".to_owned())));
    assert_eq!(in_zone(&"x".repeat(10_000_000)), Err(DateTimeError::UnknownZone("x".repeat(64))));
    let late = date_time("today", Some("Asia/Tokyo"), "2026-11-20T23:00:00Z".parse().expect("an instant"));
    assert_eq!(late.map(|answer| answer.iso).as_deref(), Ok("2026-11-21"));
}

#[test]
fn understood_but_wrong() {
    check_error("2026-02-30", DateTimeError::NotInCalendar("2026-02-30".to_owned()));
    check_error("30 February 2026", DateTimeError::NotInCalendar("30 February 2026".to_owned()));
    check_error("2026-11-20T25:00", DateTimeError::NotInCalendar("2026-11-20T25:00".to_owned()));
    check_error("11/20/2026", DateTimeError::AmbiguousDate("11/20/2026".to_owned()));
    check_error("now in Atlantis", DateTimeError::UnknownZone("Atlantis".to_owned()));
    check_error("time in São Paulo", DateTimeError::UnknownZone("São Paulo".to_owned()));
    let candidates = vec!["Australia/West".to_owned(), "Brazil/West".to_owned()];
    check_error("now in West", DateTimeError::AmbiguousZone { name: "West".to_owned(), candidates });
    for expression in ["2026-11-20 + 9999999 days", "in 99999999999999999999 years", "1 day after 9999-12-31"] {
        check_error(expression, DateTimeError::OutOfRange);
    }
}

#[test]
fn not_understood() {
    check_error("", DateTimeError::Empty);
    check_error(" \n ", DateTimeError::Empty);
    check_error(&"9".repeat(10_000_000), DateTimeError::TooLong { limit: LIMIT });
    check_error(&"é".repeat(LIMIT + 1), DateTimeError::TooLong { limit: LIMIT });
    for expression in [
        "hello",
        "2026",
        "3 days",
        "in",
        "ago",
        "+",
        "-",
        "in in in",
        "days",
        "days between 2026-01-01",
        "time in",
        "what weekday is",
        "5 minutes in seconds",
        "3 weeks in days",
        "days in 3 weeks",
        "-5 days",
        "in 1.5 hours",
        "SELECT * FROM users",
        "<b>today</b>",
        "🍎 + 3 days",
        "١ days ago",
        "next",
        "march 2026",
        "1/0",
        "20 x 2026",
    ] {
        check_error(expression, DateTimeError::NotUnderstood);
    }
    assert!(DateTimeError::NotUnderstood.to_string().contains("`next friday`"));
}

/// What the error recommends must work.
#[test]
fn recommended_forms() {
    let message = DateTimeError::NotUnderstood.to_string();
    let forms: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
    assert!(forms.len() >= 10, "{forms:?}");
    for form in forms {
        assert!(outcome(form, None).is_ok(), "{form}");
    }
}
