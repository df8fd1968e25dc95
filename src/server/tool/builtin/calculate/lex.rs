//! From text to tokens: numbers with their separators, signs in their many shapes, spoken forms.

use super::{CalculateError, token::Token};

/// Spoken forms and what they stand for; of two that start alike the longer comes first.
const PHRASES: &[(&str, &str)] = &[
    ("raised to the power of", "^"),
    ("to the power of", "^"),
    ("square root", "sqrt"),
    ("cube root", "cbrt"),
    ("multiplied by", "*"),
    ("divided by", "/"),
    ("rounded to", "to"),
    ("decimal places", "dp"),
    ("decimal place", "dp"),
    ("significant figures", "sf"),
    ("significant digits", "sf"),
    ("per cent", "%"),
    ("percent", "%"),
    ("plus", "+"),
    ("minus", "-"),
    ("times", "*"),
    ("modulo", "mod"),
    ("squared", "^2"),
    ("cubed", "^3"),
    ("x", "*"),
    ("the", ""),
];

/// Largest power of ten in a number such as `1e9`.
const MAX_EXPONENT: u32 = 10_000;

pub(super) fn lex(text: &str) -> Result<Vec<Token>, CalculateError> {
    let mut tokens = Vec::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let mut length = c.len_utf8();
        match c {
            _ if c.is_whitespace() => {}
            _ if c.is_ascii_digit() || (c == '.' && starts_with_digit(&rest[1..])) => {
                let (number, used) = lex_number(rest)?;
                tokens.push(Token::Number(number));
                length = used;
            }
            'x' | 'X' if tokens.last().is_some_and(Token::ends_value) && multiplies(&rest[1..]) => {
                tokens.push(Token::Op('*'));
            }
            _ if is_word_char(c) => {
                length = rest.find(|c: char| !is_word_char(c) && !c.is_ascii_digit()).unwrap_or(rest.len());
                tokens.push(Token::Word(rest[..length].to_owned()));
            }
            '*' if rest.starts_with("**") => {
                tokens.push(Token::Op('^'));
                length = 2;
            }
            '+' | '*' | '/' | '^' | '!' => tokens.push(Token::Op(c)),
            '×' | '✕' | '·' | '⋅' | '∙' => tokens.push(Token::Op('*')),
            '÷' | '∕' | '⁄' => tokens.push(Token::Op('/')),
            '-' | '−' | '–' => tokens.push(Token::Op('-')),
            '√' => tokens.push(Token::Word("sqrt".to_owned())),
            '%' => tokens.push(Token::Percent),
            '(' => tokens.push(Token::Open),
            ')' => tokens.push(Token::Close),
            _ if superscript(c).is_some() => {
                let power: String = rest.chars().map_while(superscript).collect();
                length = rest.chars().take_while(|c| superscript(*c).is_some()).map(char::len_utf8).sum();
                tokens.push(Token::Op('^'));
                tokens.append(&mut lex(&power)?);
            }
            _ if c.is_control() => return Err(CalculateError::invalid("a control character has no meaning in it")),
            _ => return Err(CalculateError::invalid(format!("`{c}` has no meaning in it"))),
        }
        rest = &rest[length..];
    }
    Ok(tokens)
}

/// A number without its thousands separators, and how many bytes it took. A comma anywhere else is refused: read as
/// a decimal comma or as a separator, it would give two different results.
fn lex_number(text: &str) -> Result<(String, usize), CalculateError> {
    let digits = |from: usize| text[from..].bytes().take_while(u8::is_ascii_digit).count();
    for (prefix, radix) in [("0x", 16), ("0b", 2), ("0o", 8)] {
        let body = text.strip_prefix(prefix).unwrap_or("");
        let used: usize = body.chars().take_while(|c| c.is_digit(radix)).count();
        if used > 0 {
            return Ok((text[..prefix.len() + used].to_owned(), prefix.len() + used));
        }
    }
    let mut end = digits(0);
    let mut grouped = (1..=3).contains(&end);
    while text[end..].starts_with(',') && starts_with_digit(&text[end + 1..]) {
        let group = digits(end + 1);
        grouped &= group == 3;
        end += 1 + group;
        if !grouped {
            return Err(CalculateError::invalid(format!(
                "`{}` can be read two ways; write thousands as `2,480` and decimals as `2.5`",
                &text[..end]
            )));
        }
    }
    let whole = end;
    if text[end..].starts_with('.') {
        end += match digits(end + 1) {
            0 => 0,
            fraction => 1 + fraction,
        };
    }
    if text[end..].starts_with(['e', 'E']) {
        let sign = usize::from(text[end + 1..].starts_with(['+', '-']));
        let exponent = digits(end + 1 + sign);
        if exponent > 0 {
            let from = end + 1 + sign;
            end = from + exponent;
            if !text[from..end].parse::<u32>().is_ok_and(|exponent| exponent <= MAX_EXPONENT) {
                return Err(CalculateError::invalid(format!("`{}` is beyond 10^{MAX_EXPONENT}", &text[..end])));
            }
        }
    }
    if text[end..].starts_with(',') && end > whole && starts_with_digit(&text[end + 1..]) {
        return Err(CalculateError::invalid("a comma after the decimal point has no meaning in it"));
    }
    Ok((text[..end].replace(',', ""), end))
}

pub(super) fn starts_with_digit(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_digit())
}

/// Whether an `x` before `text` is a multiplication sign: `3x4`, `3 x (4)`.
fn multiplies(text: &str) -> bool {
    text.trim_start().starts_with(|c: char| c.is_ascii_digit() || c == '(' || c == '.')
}

fn is_word_char(c: char) -> bool {
    c.is_alphabetic() || matches!(c, '°' | '$' | '€' | '£' | '¥')
}

fn superscript(c: char) -> Option<char> {
    let digit = "⁰¹²³⁴⁵⁶⁷⁸⁹".chars().zip('0'..='9').find(|(raised, _)| *raised == c);
    if c == '⁻' { Some('-') } else { digit.map(|(_, plain)| plain) }
}

/// Replaces spoken forms by what they stand for.
pub(super) fn expand(tokens: &[Token]) -> Result<Vec<Token>, CalculateError> {
    let mut out = Vec::with_capacity(tokens.len());
    let mut rest = tokens;
    while let Some(first) = rest.first() {
        let phrase = PHRASES.iter().find(|(phrase, _)| {
            let mut at = rest.iter();
            phrase
                .split(' ')
                .all(|want| matches!(at.next(), Some(Token::Word(word)) if word.eq_ignore_ascii_case(want)))
        });
        if let Some((phrase, symbol)) = phrase {
            out.append(&mut lex(symbol)?);
            rest = &rest[phrase.split(' ').count()..];
        } else {
            out.push(first.clone());
            rest = &rest[1..];
        }
    }
    Ok(out)
}
