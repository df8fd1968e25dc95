//! What elements look like that are more than their name.

use std::fmt::Write as _;

use pulldown_cmark::{BlockQuoteKind, HeadingLevel};

use crate::app::markdown::links::escape_into;

/// The beginning of a block of code. A diagram and a known language say that more can be made of them.
pub(super) fn code_head(out: &mut String, language: &str) {
    let rich = match language {
        "" => "",
        "mermaid" => " data-rich=\"mermaid\"",
        _ => " data-rich=\"code\"",
    };
    _ = write!(out, "<div class=\"code-block\"{rich}><div class=\"code-head\"><span class=\"code-lang\">");
    escape_into(out, language);
    out.push_str(
        "</span><button type=\"button\" class=\"code-button wrap\" aria-pressed=\"false\">Wrap</button>\
         <button type=\"button\" class=\"code-button copy\">Copy</button></div><pre tabindex=\"0\" role=\"group\" aria-label=\"Code\" dir=\"ltr\"><code>",
    );
}

/// GitHub's five kinds of remark: for the style, and as a word.
pub(super) const fn alert(kind: BlockQuoteKind) -> (&'static str, &'static str) {
    match kind {
        BlockQuoteKind::Note => ("note", "Note"),
        BlockQuoteKind::Tip => ("tip", "Tip"),
        BlockQuoteKind::Important => ("important", "Important"),
        BlockQuoteKind::Warning => ("warning", "Warning"),
        BlockQuoteKind::Caution => ("caution", "Caution"),
    }
}

/// Whether a tag is a line break.
pub(super) fn is_break(tag: &str) -> bool {
    let name = tag.trim_start_matches('<').trim_end_matches('>').trim_end_matches('/').trim_end();
    name.eq_ignore_ascii_case("br")
}

/// A heading inside an answer stands below the page's own.
pub(super) fn heading(level: HeadingLevel) -> &'static str {
    match level {
        HeadingLevel::H1 => "h2",
        HeadingLevel::H2 => "h3",
        HeadingLevel::H3 => "h4",
        HeadingLevel::H4 => "h5",
        HeadingLevel::H5 | HeadingLevel::H6 => "h6",
    }
}
