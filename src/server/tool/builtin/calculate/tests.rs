use std::time::Instant;

use super::*;

/// Evaluates and describes the outcome in one line: `expression => result`, `expression ~> result`, or the error.
fn outcome(expression: &str) -> String {
    match calculate(expression, Duration::from_secs(10)) {
        Ok(done) => format!("{} {} {}", done.expression, if done.exact { "=>" } else { "~>" }, done.result),
        Err(error) => error.to_string(),
    }
}

fn check(expression: &str, expected: &str) {
    assert_eq!(outcome(expression), expected, "for `{expression}`");
}

fn check_refused(expression: &str, reason: &str) {
    let refusal = outcome(expression);
    assert!(refusal.starts_with("cannot calculate this: ") && refusal.contains(reason), "{expression}: {refusal}");
}

#[test]
fn numbers() {
    check("2+2", "2 + 2 => 4");
    check("  2 + 2 = ?", "2 + 2 => 4");
    check("2,480 + 1", "2480 + 1 => 2481");
    check("1,234,567.89 * 2", "1234567.89 * 2 => 2469135.78");
    check("0.1 + 0.2", "0.1 + 0.2 => 0.3");
    check(".5 + 1e3", ".5 + 1e3 => 1000.5");
    check("0x1F + 1", "0x1F + 1 => 0x20");
    check("2^100", "2^100 => 1267650600228229401496703205376");
    check("1/3", "1 / 3 ~> 0.3333333333");
    check("2 - -3", "2 - -3 => 5");
    check("-3^2", "-3^2 => -9");
    check("5!", "5! => 120");
    check("2(3+4)", "2 (3 + 4) => 14");
    check("0.5(4)", "0.5 (4) => 2");
    check("((1+2)*(3+4))^2", "((1 + 2) * (3 + 4))^2 => 441");
    check("5! in words", "5! in words => one hundred and twenty");
    check("255 in hex", "255 in hex => ff");
    check("1/3 rounded to 3 decimal places", "1 / 3 to 3 dp ~> 0.333");
}

#[test]
fn powers() {
    check("2**8", "2^8 => 256");
    check("2^3^2", "2^3^2 => 512");
    check("-2^2", "-2^2 => -4");
    check("2^-2", "2^-2 => 0.25");
    check("3!^2 + 2^3!", "3!^2 + 2^3! => 100");
    check("(1 + 1)^(1 + 2)", "(1 + 1)^(1 + 2) => 8");
    check("8^(1/3)", "8^(1 / 3) => 2");
    check("4^50%", "4^50% => 2");
    check("9.81 m/s^2 * 3 s", "9.81 m/s^2 * 3 s => 29.43 m / s");
    check("2^pi", "2^pi ~> 8.824977828");
    check("10^0.30103", "10^0.30103 ~> 2.0000000200");
    check("e^50", "e^50 ~> 5184705528587058000000");
    check("floor(2.5)^2", "floor(2.5)^2 => 4");
    check_refused("2^", "do not fit together");
    check_refused("2^^3", "do not fit together");
    check_refused("2^(3 m)", "incompatible");
    check_refused("(-2)^0.30103", "not a real number");
}

#[test]
fn percentages() {
    check("17.5 % of 2,480", "17.5% of 2480 => 434");
    check("17.5 percent of 2,480", "17.5% of 2480 => 434");
    check("17.5 per cent of (2,400 + 80)", "17.5% of (2400 + 80) => 434");
    check("17.5% * 2480", "17.5% * 2480 => 434");
    check("(100% - 17.5%) * 2480", "(100% - 17.5%) * 2480 => 2046");
    check("17.5% + 3%", "17.5% + 3% => 20.5%");
    check("1/4 in percent", "1 / 4 in % => 25%");
    check("10 % 3", "10 mod 3 => 1");
    check("200 - 10% of 200", "200 - 10% of 200 => 180");
    check_refused("200 - 10%", "can be read two ways");
}

#[test]
fn units() {
    check("3 km in metres", "3 km in metres => 3000 metres");
    check("3km to m", "3 km to m => 3000 m");
    check("100 km/h in m/s", "100 km/h in m/s ~> 27.7777777778 m / s");
    check("100 km per hour to (m/s)", "100 km per hour to (m/s) ~> 27.7777777778 m / s");
    check("20 °C to °F", "20 °C to °F => 68 °F");
    check("5 in to cm", "5 inches to cm => 12.7 cm");
    check("5 ft 3 in to cm", "5 ft 3 inches to cm => 160.02 cm");
    check("12 in x 3 in", "12 inches * 3 inches => 36 inches^2");
    check("2 hours 30 minutes to minutes", "2 hours 30 minutes to minutes => 150 minutes");
    check("5 m² in m^2", "5 m^2 in m^2 => 5 m^2");
    check_refused("3 km + 2 kg", "incompatible");
    check_refused("5 USD to EUR", "exchange rates are not available");
    check_refused("2 to 3", "needs a unit");
    check_refused("5 apples", "'apples' is neither a unit nor a function");
}

#[test]
fn spoken_forms_and_signs() {
    check("2 plus 3 minus 1 times 4 divided by 2", "2 + 3 - 1 * 4 / 2 => 3");
    check("3 squared + 2 cubed", "3^2 + 2^3 => 17");
    check("2 to the power of 10", "2^10 => 1024");
    check("the square root of 16", "sqrt(16) => 4");
    check("cube root of 27", "cbrt(27) => 3");
    check("3 × 4 ÷ 2 − 1 · 2", "3 * 4 / 2 - 1 * 2 => 4");
    check("3 x 4", "3 * 4 => 12");
    check("3x4x(1+1)", "3 * 4 * (1 + 1) => 24");
    check("√16 + 10⁻¹", "sqrt(16) + 10^-1 => 4.1");
    check("sin 30 degrees", "sin(30 degrees) => 0.5");
    check("abs -3 + Round 2.5", "abs(-3) + round(2.5) => 6");
    check("2^sqrt(4)", "2^sqrt(4) => 4");
    check("floor(sqrt(ceil(8.5)))", "floor(sqrt(ceil(8.5))) => 3");
    check("10 square feet to square metres", "10 square feet to square metres => 0.9290304 metres^2");
    check("2 * pi", "2 * pi ~> 6.2831853072");
}

#[test]
fn no_value() {
    check_refused("1/0", "division by zero");
    check_refused("0^0", "undefined");
    check_refused("sqrt(-4)", "not a real number");
    check_refused("(-8)^(1/3)", "not a real number");
    // These make `fend` 1.5.9 panic when they reach it whole.
    check_refused("(ln(-1))^-1", "not a real number");
    check_refused("sqrt(ln(-1))", "not a real number");
    check_refused("SQRT LN -1", "`sqrt` needs a value");
    check_refused("cubic^0.5 ln(-1)", "`cubic` is not arithmetic");
    check_refused("sqrt (approximately) ln(-1)", "`approximately` is not arithmetic");
}

#[test]
fn not_arithmetic() {
    assert_eq!(calculate("", Duration::from_secs(1)), Err(CalculateError::Empty));
    assert_eq!(calculate(" \t\n ", Duration::from_secs(1)), Err(CalculateError::Empty));
    for expression in ["hello", "()", "sqrt", "% of", "x"] {
        check_refused(expression, "no number");
    }
    for expression in
        ["1 << 1000000000", "\\x.x", "(\\x.x x)(\\x.x x)", "<b>1</b>", "a = 5", "1; DROP TABLE users", "\"1\""]
    {
        check_refused(expression, "has no meaning in it");
    }
    for expression in ["roll d6", "3d6", "1 and 2", "i^2", "today + 3 days", "5 as string", "square 3"] {
        check_refused(expression, "is not arithmetic");
    }
    for expression in ["1 +", "2 480", "1.2.3", "10.0.0.1", "2 ()", "5 % of"] {
        check_refused(expression, "do not fit together");
    }
    check_refused("(1 + 2", "no `)` after it");
    check_refused("1 + 2)", "no `(` before it");
    check_refused("3 sin", "needs a value");
    check_refused("2480,5", "can be read two ways");
    check_refused("1,00,000 + 1", "can be read two ways");
    check_refused("٣ + 2 🍎", "`٣` has no meaning");
    check_refused("1 + \u{0}", "control character");
    check_refused("pi to 50 dp", "at most 15 digits");
}

#[test]
fn limits() {
    let too_long = Err(CalculateError::TooLong { limit: LIMIT });
    assert_eq!(calculate(&"1".repeat(LIMIT + 1), Duration::from_secs(1)), too_long);
    assert_eq!(calculate(&"é".repeat(5_000_000), Duration::from_secs(1)), too_long);
    check_refused("10^3000", "the result has 3001 characters");
    for expression in ["10^10^10", "2^99999999 / 2^99999998", "1 m^999999999", "exp(800)", "1 + 10^-1200000"] {
        check_refused(expression, "too many digits");
    }
    check_refused("1e999999999", "beyond 10^10000");
    for expression in ["100000!", "10!!", "fib(10000000)", "1000000 choose 500000"] {
        let started = Instant::now();
        assert_eq!(calculate(expression, Duration::from_millis(50)), Err(CalculateError::TimedOut), "{expression}");
        assert!(started.elapsed() < Duration::from_secs(5), "{expression} took {:?}", started.elapsed());
    }
}

/// Each overflowed the stack or ran for hours when `fend` was given it whole, or would with a small stack.
#[test]
fn long_and_deep() {
    let nested = |open: &str, depth: usize| format!("{}1{}", open.repeat(depth), ")".repeat(depth));
    for expression in [
        nested("(", 450),
        nested("1(", 300),
        nested("(1+", 240),
        nested("1+1+1+1+(", 95),
        nested("sqrt(", 150),
        format!("{}1", "-".repeat(990)),
        format!("1{}", "!".repeat(900)),
        format!("{}1", "2^".repeat(490)),
        format!("{}1", "1+".repeat(490)),
        format!("{}1", "m/".repeat(490)),
    ] {
        let started = Instant::now();
        let outcome = calculate(&expression, Duration::from_secs(1));
        assert!(
            !matches!(&outcome, Err(CalculateError::Invalid(why)) if why.contains("beyond")),
            "{expression}: {outcome:?}"
        );
        assert!(started.elapsed() < Duration::from_secs(10), "{expression} took {:?}", started.elapsed());
    }
}

#[test]
fn the_same_every_time() {
    for expression in ["sqrt(2)", "17.5% of 2480", "1/0"] {
        assert_eq!(outcome(expression), outcome(expression));
    }
}
