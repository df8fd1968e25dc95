//! The tool `calculate`: exact arithmetic with units, percentages and conversions, over `fend-core`.
//!
//! `fend` is a whole language: it has functions, statements, dice, shifts. Some of that recurses without end or
//! allocates without asking its interrupt, so only plain arithmetic reaches it: the expression is split into tokens,
//! spoken forms become symbols, and it is written out anew before it is evaluated, one pair of parentheses at a time.

mod evaluate;
mod lex;
mod settle;
mod token;

use std::time::Duration;

/// Longest expression, in characters.
const LIMIT: usize = 1_000;
/// Longest result, in bytes.
const RESULT_LIMIT: usize = 2_000;

/// What an expression came to.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub(crate) struct Calculation {
    /// The expression as it was evaluated, in one spelling: `17.5% of 2480`.
    pub expression: String,
    /// The value with its unit: `434`, `3000 metres`.
    pub result: String,
    /// Whether `result` is the exact value and not the nearest decimal fraction.
    pub exact: bool,
}

/// Why there is no result.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CalculateError {
    /// Nothing but white space.
    #[error("the expression is empty")]
    Empty,
    /// More than `limit` characters.
    #[error("the expression is longer than {limit} characters")]
    TooLong {
        /// The most characters taken.
        limit: usize,
    },
    /// The deadline passed first.
    #[error("the calculation took too long and was stopped")]
    TimedOut,
    /// Not arithmetic, or without a value; says which.
    #[error("cannot calculate this: {0}")]
    Invalid(String),
}

impl CalculateError {
    fn invalid(message: impl Into<String>) -> Self {
        Self::Invalid(message.into())
    }
}

/// Evaluates `expression`, giving up after `deadline`. The same expression always has the same result: there is no
/// clock, no random source and no exchange rate behind it. Blocks the calling thread until then.
pub(crate) fn calculate(expression: &str, deadline: Duration) -> Result<Calculation, CalculateError> {
    if expression.chars().nth(LIMIT).is_some() {
        return Err(CalculateError::TooLong { limit: LIMIT });
    }
    let expression = expression.trim().trim_end_matches(['?', '=', '.', ' ']);
    if expression.is_empty() {
        return Err(CalculateError::Empty);
    }
    let tokens = settle::settle(&lex::expand(&lex::lex(expression)?)?)?;
    let result = evaluate::evaluate(tokens.clone(), deadline)?;
    if result.contains('\\') {
        return Err(CalculateError::invalid("the result is not a number"));
    }
    if result.len() > RESULT_LIMIT {
        return Err(CalculateError::invalid(format!(
            "the result has {} characters, more than {RESULT_LIMIT}",
            result.len()
        )));
    }
    let (result, exact) = match result.strip_prefix("approx. ") {
        Some(approximation) => (approximation.to_owned(), false),
        None => (result, true),
    };
    Ok(Calculation { expression: token::write(&tokens), result, exact })
}

#[cfg(test)]
mod tests;
