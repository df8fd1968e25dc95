//! From arithmetic to a value: `fend` under a deadline.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::{
    CalculateError,
    token::{CONVERSIONS, FUNCTIONS, Token, write},
};

/// Longest message from `fend`, in characters.
const MESSAGE_LIMIT: usize = 200;
/// Most digits of a power that has an exact value.
const MAX_EXACT: f64 = 20_000.0;
/// Most digits of one that has not: a power of pi, a root. `fend` raises to the numerator of the exponent before it
/// takes the root, so `10^0.30103` would run into any deadline; what is beyond this is estimated.
const MAX_ESTIMATED: f64 = 1_000.0;
const NOT_REAL: &str = "the result is not a real number";
/// Stack of the thread that evaluates: `fend` recurses once per operator, and the caller's stack may be small.
const STACK: usize = 64 << 20;

struct Deadline {
    started: Instant,
    allowed: Duration,
    passed: AtomicBool,
}

impl fend_core::Interrupt for Deadline {
    fn should_interrupt(&self) -> bool {
        let passed = self.started.elapsed() >= self.allowed;
        if passed {
            self.passed.store(true, Ordering::Relaxed);
        }
        passed
    }
}

/// Evaluates on a thread of its own, for its stack.
pub(super) fn evaluate(tokens: Vec<Token>, allowed: Duration) -> Result<String, CalculateError> {
    let deadline = Deadline { started: Instant::now(), allowed, passed: AtomicBool::new(false) };
    let outcome = std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name("calculate".to_owned()).stack_size(STACK);
        match thread.spawn_scoped(scope, || Evaluation::new(&deadline).run(tokens)) {
            Ok(worker) => worker.join().unwrap_or_else(|_| Err("it is beyond what the calculator can do".to_owned())),
            Err(error) => Err(format!("no thread to work on it ({error})")),
        }
    });
    match outcome {
        Err(_) if deadline.passed.load(Ordering::Relaxed) => Err(CalculateError::TimedOut),
        outcome => outcome.map_err(|message| CalculateError::Invalid(in_plain_words(message))),
    }
}

/// One expression on its way through `fend`, from the innermost parentheses out. Each pair, each function with what it
/// works on and each power becomes a variable, because `fend` on its own
/// - looks ahead without memory when it parses, so that nesting costs it time by the power;
/// - panics on some powers of imaginary numbers, so a value must be seen to be real before more is done with it;
/// - asks its interrupt between operations, so that one on huge numbers outlasts any deadline;
/// - takes `sin(2)^2` for the sine of 4.
struct Evaluation<'a> {
    context: fend_core::Context,
    deadline: &'a Deadline,
    variables: usize,
}

impl<'a> Evaluation<'a> {
    fn new(deadline: &'a Deadline) -> Self {
        Self { context: fend_core::Context::new(), deadline, variables: 0 }
    }

    fn run(mut self, mut tokens: Vec<Token>) -> Result<String, String> {
        let is_product = tokens.iter().any(|t| matches!(t, Token::Op('*' | '/')))
            && !tokens.iter().any(|t| t.is_word_in(CONVERSIONS));
        while let Some(close) = tokens.iter().position(|t| *t == Token::Close) {
            let mut open = tokens[..close].iter().rposition(|t| *t == Token::Open).unwrap_or(0);
            let mut value = self.value(tokens.get(open + 1..close).unwrap_or_default())?;
            if let Some(function) = open.checked_sub(1).filter(|i| tokens[*i].is_word_in(FUNCTIONS)) {
                value = match &tokens[function] {
                    exp if exp.is_word_in(&["exp"]) => {
                        self.value(&[Token::Word("e".to_owned()), Token::Op('^'), value])?
                    }
                    other => self.value(&[other.clone(), value])?,
                };
                open = function;
            }
            tokens.splice(open..=close, [value]);
        }
        let tokens = self.without_powers(&tokens)?;
        let variable = self.assign(&write(&tokens))?;
        // An error means that it is text, such as `five`.
        if self.is_complex(&variable).is_ok_and(|is_complex| is_complex) {
            return Err(NOT_REAL.to_owned());
        }
        let result = self.fend(&variable)?;
        // `17.5% * 2480` is 43400% to `fend`.
        if is_product && result.contains('%') { self.fend(&format!("{variable} to unitless")) } else { Ok(result) }
    }

    /// Evaluates what has no parentheses in it and gives the variable that holds its value, a real number.
    fn value(&mut self, tokens: &[Token]) -> Result<Token, String> {
        let tokens = self.without_powers(tokens)?;
        self.real(&tokens)
    }

    fn real(&mut self, tokens: &[Token]) -> Result<Token, String> {
        let variable = self.assign(&write(tokens))?;
        if self.is_complex(&variable)? { Err(NOT_REAL.to_owned()) } else { Ok(Token::Word(variable)) }
    }

    fn without_powers(&mut self, tokens: &[Token]) -> Result<Vec<Token>, String> {
        let mut tokens = tokens.to_vec();
        while let Some(at) = tokens.iter().rposition(|t| *t == Token::Op('^')) {
            let (left, right) = (&tokens[..at], &tokens[at + 1..]);
            let is_postfix = |t: &&Token| matches!(t, Token::Op('!') | Token::Percent);
            let base = left.iter().rev().take_while(is_postfix).count() + 1;
            let signs = right.iter().take_while(|t| matches!(t, Token::Op('+' | '-'))).count();
            let exponent = signs + 1 + right.iter().skip(signs + 1).take_while(is_postfix).count();
            if base > left.len() || exponent > right.len() {
                return Err("unexpected end".to_owned());
            }
            let power = self.power(&left[at - base..], &right[..exponent])?;
            tokens.splice(at - base..=at + exponent, [power]);
        }
        Ok(tokens)
    }

    fn power(&mut self, base: &[Token], exponent: &[Token]) -> Result<Token, String> {
        let (base, exponent) = (self.value(base)?, self.value(exponent)?);
        let exponent = self.real(&[exponent, Token::Word("to".to_owned()), Token::Word("unitless".to_owned())])?;
        let (b, e) = (self.fraction(&base)?, self.fraction(&exponent)?);
        let is_root = e.denominator > 1.0;
        let limit = if is_root || !b.is_exact { MAX_ESTIMATED } else { MAX_EXACT };
        if b.numerator == 0.0 || (b.digits * e.numerator.abs() <= limit && e.denominator <= limit) {
            return self.real(&[base, Token::Op('^'), exponent]);
        }
        let estimate = (b.numerator / b.denominator).powf(e.numerator / e.denominator);
        if estimate.is_nan() {
            return Err(NOT_REAL.to_owned());
        }
        if (b.is_exact && !is_root) || !b.is_unitless || !estimate.is_normal() {
            return Err("it has too many digits".to_owned());
        }
        Ok(Token::Word(self.assign(&format!("approximately {estimate}"))?))
    }

    fn fraction(&mut self, variable: &Token) -> Result<Fraction, String> {
        let text = self.fend(&format!("{} to decimal to fraction", variable.text()))?;
        let is_exact = !text.starts_with("approx. ");
        let text = text.trim_start_matches("approx. ");
        let number = text.find(|c: char| !c.is_ascii_digit() && c != '/' && c != '-').map_or(text, |end| &text[..end]);
        let (numerator, denominator) = number.split_once('/').unwrap_or((number, "1"));
        match (numerator.parse(), denominator.parse()) {
            (Ok(numerator), Ok(denominator)) => {
                let digits = u32::try_from(number.len()).map_or(f64::INFINITY, f64::from);
                Ok(Fraction { numerator, denominator, digits, is_exact, is_unitless: number.len() == text.len() })
            }
            _ => Err("expected a number".to_owned()),
        }
    }

    fn assign(&mut self, input: &str) -> Result<String, String> {
        // No word of an expression has a `_` in it.
        let variable = format!("_{}", self.variables);
        self.variables += 1;
        // Writing out a value can take longer than finding it.
        self.context.set_echo_result(false);
        self.fend(&format!("{variable} = {input}"))?;
        self.context.set_echo_result(true);
        Ok(variable)
    }

    fn is_complex(&mut self, variable: &str) -> Result<bool, String> {
        Ok(self.fend(&format!("imag({variable}) as bool"))? == "true")
    }

    fn fend(&mut self, input: &str) -> Result<String, String> {
        fend_core::evaluate_with_interrupt(input, &mut self.context, self.deadline)
            .map(|result| result.get_main_result().to_owned())
    }
}

/// A value as the fraction that `fend` holds.
struct Fraction {
    numerator: f64,
    denominator: f64,
    digits: f64,
    is_exact: bool,
    is_unitless: bool,
}

/// `fend` names tokens and grammar rules; its other messages stand as they are, but for a long number in one.
fn in_plain_words(mut message: String) -> String {
    if let Some(word) = message.strip_prefix("unknown identifier ") {
        message = format!("{word} is neither a unit nor a function");
    } else if ["unexpected", "expected", "found", "invalid", "error"].iter().any(|start| message.starts_with(start)) {
        "its parts do not fit together".clone_into(&mut message);
    }
    match message.char_indices().nth(MESSAGE_LIMIT) {
        Some((end, _)) => format!("{}...", &message[..end]),
        None => message,
    }
}
