//! What an expression is made of, and its one spelling.

pub(super) const FUNCTIONS: &[&str] = &[
    "sqrt", "cbrt", "abs", "floor", "ceil", "round", "exp", "ln", "log", "log2", "log10", "sin", "cos", "tan", "asin",
    "acos", "atan", "sinh", "cosh", "tanh", "asinh", "acosh", "atanh", "fib",
];
pub(super) const CONSTANTS: &[&str] = &["pi", "π", "tau", "τ", "e", "phi"];
pub(super) const CONVERSIONS: &[&str] = &["to", "in", "as"];
pub(super) const KEYWORDS: &[&str] = &["to", "in", "as", "of", "per", "mod"];

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token {
    Number(String),
    Word(String),
    Op(char),
    Percent,
    Open,
    Close,
}

impl Token {
    /// The characters of a number or word.
    pub(super) fn text(&self) -> &str {
        match self {
            Self::Number(text) | Self::Word(text) => text,
            _ => "",
        }
    }

    pub(super) fn is_word_in(&self, list: &[&str]) -> bool {
        matches!(self, Self::Word(word) if list.contains(&word.as_str()))
    }

    /// A word that is a value: a unit, a function, a constant.
    pub(super) fn is_unit(&self) -> bool {
        matches!(self, Self::Word(_)) && !self.is_word_in(KEYWORDS)
    }

    /// Whether a value may start here, which makes a `%` before it a remainder.
    pub(super) fn starts_value(&self) -> bool {
        matches!(self, Self::Number(_) | Self::Open) || self.is_unit()
    }

    pub(super) fn ends_value(&self) -> bool {
        matches!(self, Self::Number(_) | Self::Close | Self::Percent | Self::Op('!')) || self.is_unit()
    }
}

/// The tokens in one spelling: `17.5% of 2480`, `60 km/h to m/s`, `-sqrt(2) + 1`.
pub(super) fn write(tokens: &[Token]) -> String {
    let mut out = String::new();
    for (i, token) in tokens.iter().enumerate() {
        let (left, right) = tokens.split_at(i);
        let is_sign = |before: &[Token]| {
            matches!(before, [.., Token::Op('+' | '-')])
                && !before[..before.len() - 1].last().is_some_and(Token::ends_value)
        };
        let opens = matches!(left, [] | [.., Token::Open | Token::Op('^')]);
        let closes = matches!(right, [Token::Close | Token::Op('^' | '!'), ..]);
        let binds = match (left, right) {
            ([.., value], [Token::Percent, ..]) => value.ends_value(),
            ([.., a], [Token::Op('/'), b, ..]) | ([.., a, Token::Op('/')], [b, ..]) => a.is_unit() && b.is_unit(),
            ([.., function], [Token::Open, ..]) => function.is_word_in(FUNCTIONS) || is_sign(left),
            _ => is_sign(left),
        };
        if !(opens || closes || binds) {
            out.push(' ');
        }
        match token {
            Token::Number(_) | Token::Word(_) => out.push_str(token.text()),
            Token::Op(op) => out.push(*op),
            Token::Percent => out.push('%'),
            Token::Open => out.push('('),
            Token::Close => out.push(')'),
        }
    }
    out
}
