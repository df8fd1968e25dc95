//! Looks for the places in a growing text that end what is before them, line by line, each line once.

/// How far a text was looked at, and what is open there.
#[derive(Default)]
pub(super) struct Scan {
    /// The first line that is not complete, or was not looked at.
    line: usize,
    /// The block of code that is open.
    fence: Option<Fence>,
    after_blank: bool,
    /// Whether the lines since the last blank one may be HTML, which a fence does not end.
    html: bool,
    cut: Option<usize>,
    /// Blocks of code at the margin that ended since the last reading: where the fence began, where the last line of code ended, and
    /// what comes after.
    closed: Vec<(usize, usize, usize)>,
}

/// An open fence.
struct Fence {
    marks: String,
    /// Where it begins and where the code does, when it stands at the margin: in no list and no quote.
    margin: Option<(usize, usize)>,
}

impl Scan {
    /// Reads on to the last complete line.
    pub(super) fn read(&mut self, text: &str) {
        self.closed.clear();
        while let Some(end) = text[self.line..].find('\n') {
            let line = &text[self.line..self.line + end];
            self.take(line);
            self.line += end + 1;
        }
    }

    /// Where the last block begins of which it is certain.
    pub(super) fn cut(&self) -> Option<usize> {
        self.cut
    }

    pub(super) fn is_in_fence(&self) -> bool {
        self.fence.is_some()
    }

    /// The block of code at the margin that is open: where its fence begins, and where its code does.
    pub(super) fn open_code(&self) -> Option<(usize, usize)> {
        self.fence.as_ref()?.margin
    }

    /// Where the code ended whose fence began here, and what comes after it, if that was in the last reading.
    pub(super) fn closed(&self, fence: usize) -> Option<(usize, usize)> {
        self.closed.iter().find(|(begun, ..)| *begun == fence).map(|(_, end, after)| (*end, *after))
    }

    /// The end of what is code for certain: a last line that may become the closing fence is not.
    pub(super) fn code_so_far(&self, text: &str) -> usize {
        let mark = self.fence.as_ref().and_then(|fence| fence.marks.chars().next());
        let ends = text[self.line..].chars().all(|c| c.is_whitespace() || Some(c) == mark);
        if ends { self.line } else { text.len() }
    }

    fn take(&mut self, line: &str) {
        let content = line.trim();
        let marks = marks_of(content);
        let next = self.line + line.len() + 1;
        if let Some(open) = &self.fence {
            let closes = marks.is_some_and(|marks| marks.starts_with(open.marks.as_str()) && content == marks);
            // Deeper than three spaces, it is code itself.
            if closes && (open.margin.is_none() || !line.starts_with(['\t']) && !line.starts_with("    ")) {
                if let Some((begun, _)) = open.margin {
                    self.closed.push((begun, self.line, next));
                    self.cut = Some(next);
                }
                self.fence = None;
            }
            self.after_blank = false;
            return;
        }
        if content.is_empty() {
            self.html = false;
        }
        self.html |= content.starts_with('<');
        let margin = marks.filter(|_| !self.html && line.starts_with(['`', '~'])).map(|_| (self.line, next));
        if margin.is_some() || self.after_blank && begins_anew(line) {
            self.cut = Some(self.line);
        }
        self.fence = marks.map(|marks| Fence { marks: marks.to_owned(), margin });
        self.after_blank = content.is_empty();
    }
}

/// The marks that a code fence begins with.
fn marks_of(content: &str) -> Option<&str> {
    let mark = content.chars().next().filter(|mark| matches!(mark, '`' | '~'))?;
    let length = content.len() - content.trim_start_matches(mark).len();
    // Behind an opening fence of backticks, a backtick makes the line inline code.
    (length >= 3 && !(mark == '`' && content[length..].contains('`'))).then(|| &content[..length])
}

/// Whether a line after a blank one continues nothing.
fn begins_anew(line: &str) -> bool {
    let Some(first) = line.chars().next() else { return false };
    !(first.is_whitespace()
        || first.is_ascii_digit()
        || matches!(first, '-' | '*' | '+' | '>' | '|' | '[' | '<' | '$' | '\\'))
}
