//! Bare addresses in a text, and where a link may lead.

use linkify::{LinkFinder, LinkKind};

use super::prepare::is_cjk;

/// Where a link leads.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Target {
    /// A page of this server.
    Here,
    /// The web, or mail.
    Elsewhere,
}

/// Where a link may lead: the web, mail, or a page of this server. Everything else is shown as its text.
pub(super) fn target(url: &str) -> Option<Target> {
    let lower = url.trim().to_ascii_lowercase();
    if url.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return None;
    }
    if lower.starts_with("https://") || lower.starts_with("http://") || lower.starts_with("mailto:") {
        return Some(Target::Elsewhere);
    }
    // `//host` and `/\host` would leave this server.
    let here = lower.starts_with('/') && !lower.starts_with("//") && !lower.starts_with("/\\");
    (here || lower.starts_with('#')).then_some(Target::Here)
}

/// The start tag of a link.
pub(super) fn open_into(out: &mut String, url: &str, target: Target) {
    out.push_str("<a href=\"");
    escape_into(out, url);
    out.push_str(match target {
        Target::Here => "\">",
        Target::Elsewhere => "\" target=\"_blank\" rel=\"noopener noreferrer nofollow\">",
    });
}

/// Writes a text, with its bare addresses as links.
pub(super) fn linked_into(out: &mut String, text: &str) {
    // Every address that is looked for holds one of these; most texts hold neither.
    if !text.contains(['.', '@']) {
        return escape_into(out, text);
    }
    let mut finder = LinkFinder::new();
    finder.url_must_have_scheme(false);
    let mut rest = 0;
    for link in finder.links(text) {
        // Chinese and Japanese put no space after an address.
        let found = link.as_str();
        let found = &found[..found.find(is_cjk).unwrap_or(found.len())];
        let Some(url) = url_of(found, link.kind()) else { continue };
        escape_into(out, &text[rest..link.start()]);
        open_into(out, &url, Target::Elsewhere);
        escape_into(out, found);
        out.push_str("</a>");
        rest = link.start() + found.len();
    }
    escape_into(out, &text[rest..]);
}

/// Only what nobody writes without meaning an address: `main.rs` could be one as well.
fn url_of(found: &str, kind: &LinkKind) -> Option<String> {
    let lower = found.to_ascii_lowercase();
    match kind {
        LinkKind::Email => Some(format!("mailto:{found}")),
        LinkKind::Url if lower.starts_with("http://") || lower.starts_with("https://") => Some(found.to_owned()),
        LinkKind::Url if lower.starts_with("www.") && lower.len() > 4 => Some(format!("https://{found}")),
        _ => None,
    }
}

/// A person's own words as HTML: as they were written, with addresses as links.
pub(crate) fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    linked_into(&mut out, text);
    out
}

/// The text as HTML that shows it.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    escape_into(&mut out, text);
    out
}

/// Writes a text as HTML that shows it, in an element or an attribute.
pub(crate) fn escape_into(out: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
}
