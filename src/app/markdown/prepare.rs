//! What happens to a text before the Markdown parser sees it.
//!
//! Formulas are full of signs that mean something in Markdown, so each is replaced by a mark and put back by the renderer: as a
//! formula in text, as it was written in code and in addresses. And an emphasis between Chinese, Japanese or Korean characters has
//! no space around it, which `CommonMark` asks for where it stands beside punctuation; a mark that counts as a letter stands in.

/// Counts as a letter, and is taken out again. A noncharacter: no text that is exchanged holds one.
pub(super) const JOINER: char = '\u{FDD0}';
/// Before and after the number of a formula.
pub(super) const OPEN: char = '\u{FDD1}';
pub(super) const CLOSE: char = '\u{FDD2}';

/// A text for the parser, and what was taken out of it.
pub(super) struct Prepared<'a> {
    pub(super) text: String,
    pub(super) formulas: Vec<Formula<'a>>,
}

/// A formula.
pub(super) struct Formula<'a> {
    /// As it was written, with its delimiters.
    pub(super) source: &'a str,
    pub(super) kind: Kind,
}

/// How a formula stands in the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Inline,
    Display,
    /// Its end has not come yet.
    Unfinished,
}

/// The delimiters of a formula.
struct Delimiters {
    open: &'static str,
    close: &'static str,
    kind: Kind,
}

static DELIMITERS: [Delimiters; 4] = [
    Delimiters { open: "\\(", close: "\\)", kind: Kind::Inline },
    Delimiters { open: "\\[", close: "\\]", kind: Kind::Display },
    Delimiters { open: "$$", close: "$$", kind: Kind::Display },
    Delimiters { open: "$", close: "$", kind: Kind::Inline },
];

/// Which of them is a lone dollar, which means money more often.
const DOLLAR: usize = 3;

/// Prepares a text.
pub(super) fn prepare(source: &str, growing: bool) -> Prepared<'_> {
    let mut scan = Scan {
        source,
        growing,
        text: String::with_capacity(source.len()),
        formulas: Vec::new(),
        paragraph: 0,
        barren: [0; 5],
    };
    scan.run();
    Prepared { text: scan.text, formulas: scan.formulas }
}

struct Scan<'a> {
    source: &'a str,
    growing: bool,
    text: String,
    formulas: Vec<Formula<'a>>,
    /// Where the paragraph ends that was looked at last.
    paragraph: usize,
    /// Up to where each kind of delimiter is known to have no end, so that a text full of beginnings is read once. The last is
    /// for backticks.
    barren: [usize; 5],
}

impl<'a> Scan<'a> {
    fn run(&mut self) {
        let source = self.source;
        let mut at = 0;
        let mut fence: Option<&str> = None;
        while at < source.len() {
            if at == 0 || source.as_bytes()[at - 1] == b'\n' {
                let line = &source[at..at + source[at..].find('\n').map_or(source.len() - at, |end| end + 1)];
                let marker = fence_of(line);
                if fence.is_some() || marker.is_some() {
                    fence = match (fence, marker) {
                        (Some(open), Some((marker, true))) if marker.starts_with(open) => None,
                        (Some(open), _) => Some(open),
                        (None, marker) => marker.map(|(marker, _)| marker),
                    };
                    self.copy(line);
                    at += line.len();
                    continue;
                }
            }
            at += self.step(at);
        }
    }

    /// Takes in what stands at a place; how many bytes it was.
    fn step(&mut self, at: usize) -> usize {
        let rest = &self.source[at..];
        match rest.as_bytes()[0] {
            b'\\' | b'$' => {
                if let Some(length) = self.formula(at) {
                    return length;
                }
                // What is escaped is no delimiter.
                let length = match rest.strip_prefix('\\') {
                    Some(escaped) => 1 + escaped.chars().next().filter(|c| *c != '\n').map_or(0, char::len_utf8),
                    None => rest.bytes().take_while(|byte| *byte == b'$').count(),
                };
                self.copy(&rest[..length]);
                length
            }
            b'`' => {
                let run = rest.bytes().take_while(|byte| *byte == b'`').count();
                let length = self.code(at, run).unwrap_or(run);
                self.copy(&rest[..length]);
                length
            }
            b'*' => {
                let run = rest.bytes().take_while(|byte| *byte == b'*').count();
                self.emphasis(at, run);
                run
            }
            _ => {
                let length = rest
                    .find(['\\', '$', '`', '*', '\n'])
                    .map_or(rest.len(), |end| if rest.as_bytes()[end] == b'\n' { end + 1 } else { end });
                self.copy(&rest[..length]);
                length
            }
        }
    }

    /// Noncharacters of the source would be taken for marks.
    fn copy(&mut self, text: &str) {
        if text.contains([JOINER, OPEN, CLOSE]) {
            self.text.extend(text.chars().filter(|c| !matches!(*c, JOINER | OPEN | CLOSE)));
        } else {
            self.text.push_str(text);
        }
    }

    /// Where the paragraph ends that a place is in.
    fn paragraph(&mut self, at: usize) -> usize {
        if at >= self.paragraph {
            self.paragraph = at + paragraph(&self.source[at..]);
        }
        self.paragraph.max(at)
    }

    /// The length of the inline code that begins here.
    fn code(&mut self, at: usize, run: usize) -> Option<usize> {
        if self.barren[4] > at {
            return None;
        }
        let limit = self.paragraph(at + run) - (at + run);
        let rest = &self.source[at + run..];
        let mut from = 0;
        while let Some(found) = rest[from..limit].find('`') {
            let start = from + found;
            let length = rest[start..].bytes().take_while(|byte| *byte == b'`').count();
            if length == run {
                return Some(run + start + length);
            }
            from = start + length;
        }
        if run == 1 {
            self.barren[4] = at + run + limit;
        }
        None
    }

    /// Takes a formula out, if one begins here; its length.
    fn formula(&mut self, at: usize) -> Option<usize> {
        let rest = &self.source[at..];
        let (index, delimiters) = DELIMITERS.iter().enumerate().find(|(_, kind)| rest.starts_with(kind.open))?;
        if self.barren[index] > at {
            return None;
        }
        let before = self.source[..at].chars().next_back();
        let body = &rest[delimiters.open.len()..];
        if index >= 2 && before.is_some_and(char::is_alphanumeric) {
            return None;
        }
        // A formula ends in its paragraph, before another begins, and a lone dollar's in its line.
        let limit = match index {
            DOLLAR => body.find(['$', '\n']).map_or(body.len(), |end| end + usize::from(body.as_bytes()[end] == b'$')),
            _ => self.paragraph(at + delimiters.open.len()) - (at + delimiters.open.len()),
        };
        let limit = if index < 2 { body[..limit].find(delimiters.open).unwrap_or(limit) } else { limit };
        match body[..limit].find(delimiters.close) {
            Some(end) => {
                let inner = &body[..end];
                let length = delimiters.open.len() + end + delimiters.close.len();
                let good = if index == DOLLAR {
                    is_dollar_formula(inner, body[end + 1..].chars().next())
                } else {
                    is_formula(inner)
                };
                good.then(|| self.take(&rest[..length], delimiters.kind))
            }
            None if self.growing && index != DOLLAR && limit == body.len() && is_formula(body) => {
                Some(self.take(rest, Kind::Unfinished))
            }
            None => {
                self.barren[index] = at + delimiters.open.len() + limit;
                None
            }
        }
    }

    fn take(&mut self, source: &'a str, kind: Kind) -> usize {
        self.text.push(OPEN);
        self.text.push_str(&self.formulas.len().to_string());
        self.text.push(CLOSE);
        self.formulas.push(Formula { source, kind });
        source.len()
    }

    /// Copies a run of asterisks, with joiners where only the lack of spaces keeps it from being an emphasis.
    fn emphasis(&mut self, at: usize, run: usize) {
        let before = self.source[..at].chars().next_back().filter(|c| !c.is_whitespace());
        let after = self.source[at + run..].chars().next().filter(|c| !c.is_whitespace());
        let beside = before.is_some_and(is_cjk) || after.is_some_and(is_cjk);
        // Beside a table's bar, the parser looks at the bar; behind a backslash, the asterisk is no delimiter.
        let joins = |c: char| beside && !c.is_alphanumeric() && !matches!(c, '|' | '\\');
        if before.is_some_and(joins) {
            self.text.push(JOINER);
        }
        self.text.push_str(&self.source[at..at + run]);
        if after.is_some_and(joins) {
            self.text.push(JOINER);
        }
    }
}

/// The fence at the beginning of a line, and whether it is alone there, as one that ends a block of code is.
fn fence_of(line: &str) -> Option<(&str, bool)> {
    let line = line.trim_start_matches([' ', '\t', '>', '-', '*', '+']);
    let line = line.trim_start_matches(|c: char| c.is_ascii_digit()).trim_start_matches(['.', ')', ' ']);
    let mark = line.chars().next().filter(|c| matches!(c, '`' | '~'))?;
    let length = line.bytes().take_while(|byte| char::from(*byte) == mark).count();
    // Behind an opening fence of backticks, a backtick makes the line inline code.
    (length >= 3 && !(mark == '`' && line[length..].contains('`')))
        .then(|| (&line[..length], line[length..].trim().is_empty()))
}

/// Where the paragraph ends that a text begins in.
fn paragraph(text: &str) -> usize {
    let mut from = 0;
    while let Some(found) = text[from..].find('\n') {
        let next = from + found + 1;
        let line = &text[next..next + text[next..].find('\n').unwrap_or(text.len() - next)];
        if line.trim().is_empty() && next < text.len() {
            return from + found;
        }
        from = next;
    }
    text.len()
}

/// Escaped brackets stand around ordinary words as well.
fn is_formula(inner: &str) -> bool {
    let inner = inner.trim();
    !inner.is_empty()
        && !inner.contains("```")
        && (inner.chars().count() <= 3 || inner.contains(|c: char| c.is_ascii_digit() || "\\^_={}+-<>*/|".contains(c)))
}

/// What stands between two dollars is a formula when nothing else could be meant.
fn is_dollar_formula(inner: &str, next: Option<char>) -> bool {
    let closed = !inner.is_empty()
        && !inner.starts_with(char::is_whitespace)
        && !inner.ends_with(|c: char| c.is_whitespace() || c == '\\')
        && !inner.contains('`')
        && !next.is_some_and(char::is_alphanumeric);
    let amount = inner.starts_with(|c: char| c.is_ascii_digit());
    let signs = if amount { inner.contains(['\\', '^']) } else { inner.contains(['\\', '^', '_', '=', '{']) };
    let short = inner.chars().count() <= 3 && inner.chars().any(|c| c.is_ascii_alphabetic());
    closed && (signs || short)
}

/// Characters of Chinese, Japanese and Korean, with their punctuation.
pub(super) fn is_cjk(c: char) -> bool {
    matches!(
        c,
        '\u{1100}'..='\u{11FF}'
            | '\u{2E80}'..='\u{9FFF}'
            | '\u{A960}'..='\u{A97F}'
            | '\u{AC00}'..='\u{D7FF}'
            | '\u{F900}'..='\u{FAFF}'
            | '\u{FE30}'..='\u{FE4F}'
            | '\u{FF00}'..='\u{FFEF}'
            | '\u{20000}'..='\u{3FFFF}'
    )
}
