//! Markdown to HTML, the same on both sides: CommonMark with GitHub's extensions, and formulas. No HTML of the text survives, and
//! links lead only where a reader expects.
//!
//! The parser is `pulldown-cmark`. Around it: [`prepare`] takes formulas out of its way and helps emphasis beside Chinese, Japanese
//! and Korean; [`links`] finds bare addresses; [`titles`] needs no parser; [`render`] writes the HTML, within bounds.

mod links;
mod prepare;
mod render;
mod titles;

#[cfg(any(feature = "hydrate", test))]
pub(crate) use links::escape_into;
pub(crate) use links::plain;
#[cfg(any(feature = "hydrate", test))]
pub(crate) use render::CODE_END;
pub(crate) use titles::words;

/// Longer texts are shown as they are written, in bytes.
const MAX_SOURCE: usize = 1 << 20;

/// Renders each top-level block on its own, so that a growing answer changes only its last ones.
///
/// While the text is `growing`, its last line is not taken for more than it is yet: a lone dash under a paragraph is the start of a
/// list more often than it makes a heading, and a formula without its end is shown as written.
pub(crate) fn blocks(source: &str, growing: bool) -> Vec<String> {
    if source.len() > MAX_SOURCE {
        return vec![format!("<pre class=\"as-written\">{}</pre>", links::escaped(source))];
    }
    let settled = if growing { without_underline(source) } else { source };
    render::blocks(&prepare::prepare(settled, growing))
}

/// The text without a last line that may still become a list, a rule, or the line under a heading.
fn without_underline(source: &str) -> &str {
    let start = source.rfind('\n').map_or(0, |at| at + 1);
    let last = source[start..].trim_matches([' ', '\t', '>']);
    if start > 0 && !last.is_empty() && last.bytes().all(|byte| matches!(byte, b'-' | b'=' | b'*' | b'+')) {
        &source[..start]
    } else {
        source
    }
}

#[cfg(test)]
mod tests;
