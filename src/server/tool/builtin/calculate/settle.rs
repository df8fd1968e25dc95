//! From tokens to arithmetic: every token gets one meaning, and what is not arithmetic is refused.

use super::{
    CalculateError,
    lex::starts_with_digit,
    token::{CONSTANTS, CONVERSIONS, FUNCTIONS, KEYWORDS, Token},
};

const ANGLES: &[&str] = &["degree", "degrees", "deg", "°"];
/// What `fend` knows under these names is not arithmetic with real numbers: dice, dates, text, truth values, output.
const REFUSED: &str = "and or xor not true false bool boolean roll sample mean average print println today tomorrow \
    yesterday date version earth trans string text char character codepoint ans i real re imag im conjugate arg cis \
    approximately base fibonacci";
/// Functions that serve to name units: `square feet`.
const POWERS: &[&str] = &["square", "cubic"];
/// Functions beyond rational arithmetic are good for this many digits; more would show noise as digits.
const MAX_DIGITS: u32 = 15;

/// Gives what can mean several things one meaning, and refuses what is not arithmetic.
pub(super) fn settle(tokens: &[Token]) -> Result<Vec<Token>, CalculateError> {
    let mut out: Vec<Token> = Vec::with_capacity(tokens.len());
    let mut has_number = false;
    for (i, token) in tokens.iter().enumerate() {
        let token = &in_lower_case(token);
        let next = tokens.get(i + 1);
        let converts = out.last().is_some_and(|t| t.is_word_in(CONVERSIONS));
        match token {
            Token::Number(_) if converts && !next.is_some_and(|t| t.is_word_in(&["dp", "sf"])) => {
                return Err(CalculateError::invalid("a conversion needs a unit to convert to"));
            }
            Token::Percent if next.is_some_and(Token::starts_value) => out.push(Token::Word("mod".to_owned())),
            Token::Word(word) if word == "of" && out.last().is_some_and(|t| t.is_word_in(FUNCTIONS)) => {}
            Token::Word(word) if word == "in" && (converts || is_inches(out.last(), next)) => {
                out.push(Token::Word("inches".to_owned()));
            }
            Token::Word(word) => {
                check_word(word, out.last(), next)?;
                has_number |= token.is_word_in(CONSTANTS);
                out.push(token.clone());
            }
            _ => out.push(token.clone()),
        }
        has_number |= matches!(token, Token::Number(_));
        if let [.., before, Token::Op('+' | '-'), Token::Number(share), Token::Percent] = out.as_slice()
            && *before != Token::Percent
            && before.ends_value()
            && !next.is_some_and(|t| t.is_word_in(&["of"]) || matches!(t, Token::Op('*' | '/')))
        {
            return Err(CalculateError::invalid(format!(
                "`{share}%` can be read two ways; write `{share}% of` the value it is a share of"
            )));
        }
    }
    if !has_number {
        return Err(CalculateError::invalid("there is no number in it"));
    }
    let out = with_arguments(&out);
    check_shape(&out)?;
    Ok(out)
}

/// Whether an `in` is the unit, as in `5 in to cm`, and not a conversion, as in `5 km in cm`.
fn is_inches(previous: Option<&Token>, next: Option<&Token>) -> bool {
    matches!(previous, Some(Token::Number(_))) && !next.is_some_and(|t| t.starts_value() || *t == Token::Percent)
}

fn check_word(word: &str, previous: Option<&Token>, next: Option<&Token>) -> Result<(), CalculateError> {
    let lower = word.to_lowercase();
    let is_dice = lower.strip_prefix('d').is_some_and(starts_with_digit);
    let is_function = POWERS.contains(&lower.as_str())
        && !next.is_some_and(|t| t.is_unit() && ![POWERS, FUNCTIONS, CONSTANTS].concat().contains(&t.text()));
    if is_dice || is_function || REFUSED.split_ascii_whitespace().any(|refused| refused == lower) {
        return Err(CalculateError::invalid(format!("`{word}` is not arithmetic")));
    }
    if let ("dp" | "sf", Some(Token::Number(digits))) = (word, previous)
        && !digits.parse::<u32>().is_ok_and(|digits| digits <= MAX_DIGITS)
    {
        return Err(CalculateError::invalid(format!("at most {MAX_DIGITS} digits can be asked for")));
    }
    Ok(())
}

/// Keywords and functions are known in any case; units are not, for `mW` is not `MW`.
fn in_lower_case(token: &Token) -> Token {
    let lower = Token::Word(token.text().to_lowercase());
    if lower.is_word_in(KEYWORDS) || lower.is_word_in(FUNCTIONS) { lower } else { token.clone() }
}

/// Puts in parentheses what a function works on: `sqrt 2`, `sin 30 degrees`, `ln -1`.
fn with_arguments(tokens: &[Token]) -> Vec<Token> {
    let mut out = Vec::with_capacity(tokens.len());
    let mut rest = tokens;
    while let [first, behind @ ..] = rest {
        out.push(first.clone());
        rest = behind;
        let sign = usize::from(matches!(rest, [Token::Op('-' | '+'), ..]));
        let has_value = rest.get(sign).is_some_and(|t| matches!(t, Token::Number(_)) || t.is_word_in(CONSTANTS));
        if first.is_word_in(FUNCTIONS) && has_value {
            let angle = usize::from(rest.get(sign + 1).is_some_and(|t| t.is_word_in(ANGLES)));
            let (value, behind) = rest.split_at(sign + 1 + angle);
            out.push(Token::Open);
            out.extend_from_slice(value);
            out.push(Token::Close);
            rest = behind;
        }
    }
    out
}

/// Parentheses must come in pairs, and behind a function.
fn check_shape(tokens: &[Token]) -> Result<(), CalculateError> {
    let mut open = 0_usize;
    for (i, token) in tokens.iter().enumerate() {
        match token {
            Token::Open => open += 1,
            Token::Close if open == 0 => return Err(CalculateError::invalid("a `)` has no `(` before it")),
            Token::Close => open -= 1,
            Token::Word(function) if token.is_word_in(FUNCTIONS) && tokens.get(i + 1) != Some(&Token::Open) => {
                return Err(CalculateError::invalid(format!("`{function}` needs a value, as in `{function}(2)`")));
            }
            _ => {}
        }
    }
    if open == 0 { Ok(()) } else { Err(CalculateError::invalid("a `(` has no `)` after it")) }
}
