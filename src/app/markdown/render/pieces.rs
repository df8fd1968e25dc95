//! A prepared text, and the source that it stands for.

use crate::app::markdown::prepare::{CLOSE, JOINER, Kind, OPEN, Prepared};

/// A piece of the prepared text as it was in the source.
pub(super) fn as_written(prepared: &Prepared<'_>, text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    pieces(prepared, text, |piece| match piece {
        Piece::Text(text) => out.push_str(text),
        Piece::Formula(source, _) => out.push_str(source),
    });
    out
}

/// A stretch of text, or a formula.
pub(super) enum Piece<'a> {
    Text(&'a str),
    Formula(&'a str, Kind),
}

/// Takes a prepared text apart at the marks that it got.
pub(super) fn pieces(prepared: &Prepared<'_>, text: &str, mut take: impl FnMut(Piece<'_>)) {
    let mut text = text;
    while let Some(at) = text.find([JOINER, OPEN]) {
        take(Piece::Text(&text[..at]));
        let mark = text[at..].chars().next().unwrap_or(JOINER);
        text = &text[at + mark.len_utf8()..];
        if mark == OPEN
            && let Some((number, rest)) = text.split_once(CLOSE)
            && let Some(formula) = number.parse().ok().and_then(|number: usize| prepared.formulas.get(number))
        {
            take(Piece::Formula(formula.source, formula.kind));
            text = rest;
        }
    }
    take(Piece::Text(text));
}
