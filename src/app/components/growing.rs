//! An answer that grows, parsed from where it may still change.
//!
//! A blank line followed by a line that begins at the margin, and not with a mark of a list, a quote or a table, ends every block
//! that is open: whatever comes later changes nothing before it. So do the fences of a block of code at the margin. There the text
//! is cut. What lies before the last cut is parsed once, and the lines of a block of code are not parsed at all, so that a piece of
//! text costs what it is long, however long the answer is. Any other block that grows very large is cut at a line, and put right at
//! the end. What reaches further than its block, such as the target of a reference or a footnote, is put right when the answer is
//! complete.

use super::scan::Scan;
use crate::app::markdown;

/// An open block longer than this, in bytes, is cut at a line for as long as the answer grows.
const LARGE: usize = 16 * 1024;

/// A complete answer longer than this, in bytes, is parsed as a whole only if something in it reaches further than its block.
const LONG: usize = 64 * 1024;

/// Blocks of HTML, as far as the text has come.
#[derive(Default)]
pub(super) struct Growing {
    text: String,
    /// Blocks before `cut`.
    settled: usize,
    cut: usize,
    scan: Scan,
    blocks: Vec<String>,
    /// The block of code that grows; it is the last block, and begins at `cut`.
    code: Option<Code>,
    /// What a block that was cut at a line begins with anew: the head of a table.
    prefix: String,
    /// Whether a block was cut where it does not end.
    broken: bool,
    whole: bool,
}

/// A block of code that grows.
struct Code {
    /// Where its fence begins.
    fence: usize,
    /// Up to where it is in its block.
    shown: usize,
}

/// What has changed.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Change {
    /// The text that came to the block of code at this place.
    pub(super) code: Option<(usize, String)>,
    /// From here on, blocks are others than before.
    pub(super) from: Option<usize>,
}

/// Renders each top-level block of a text; the flag says that it is still growing.
pub(super) type Parse = fn(&str, bool) -> Vec<String>;

impl Growing {
    /// An answer that was rendered by the server: its blocks are in the page already.
    #[cfg(feature = "hydrate")]
    pub(super) fn shown(text: &str) -> Self {
        Self { text: text.to_owned(), whole: true, ..Self::default() }
    }

    /// Takes in the text as it is now.
    pub(super) fn update(&mut self, text: &str, grows: bool, parse: Parse) -> Change {
        if self.text == text && (grows || self.whole) {
            return Change::default();
        }
        let goes_on = !self.whole && text.starts_with(&self.text);
        if grows {
            if !goes_on {
                *self = Self::default();
            }
            return self.grow(text, true, parse);
        }
        if goes_on && text.len() > LONG && !self.broken && !text.contains("]:") {
            let change = self.grow(text, false, parse);
            self.whole = true;
            return change;
        }
        // Parsed as a whole: what was parsed in pieces is nearly always the same.
        let blocks = parse(text, false);
        let from = self.blocks.iter().zip(&blocks).take_while(|(before, now)| before == now).count();
        *self = Self { text: text.to_owned(), blocks, whole: true, ..Self::default() };
        Change { code: None, from: Some(from) }
    }

    fn grow(&mut self, text: &str, grows: bool, parse: Parse) -> Change {
        self.text.push_str(&text[self.text.len()..]);
        self.scan.read(text);
        let code = match self.code.take() {
            Some(code) => match self.grow_code(code, text, grows) {
                (more, true) => return Change { code: Some(more), from: None },
                (more, false) => Some(more),
            },
            None => None,
        };
        let from = self.settled;
        if let Some(cut) = self.scan.cut().filter(|cut| *cut > self.cut) {
            self.settle(text, cut, parse);
        }
        self.blocks.truncate(self.settled);
        if grows && self.begin_code(text, parse) {
            return Change { code, from: Some(from) };
        }
        if grows && let Some(cut) = self.line_to_cut(text) {
            let head = table_head(&self.open(text, cut)).map(str::to_owned);
            self.settle(text, cut, parse);
            self.prefix = head.unwrap_or_default();
            self.broken = true;
        }
        self.blocks.extend(parse(&self.open(text, text.len()), grows));
        Change { code, from: Some(from.min(self.blocks.len())) }
    }

    /// What is not settled of a text up to a place.
    fn open(&self, text: &str, end: usize) -> String {
        format!("{}{}", self.prefix, &text[self.cut..end])
    }

    /// What lies before a place is parsed for the last time.
    fn settle(&mut self, text: &str, cut: usize, parse: Parse) {
        let settled = parse(&self.open(text, cut), false);
        self.blocks.truncate(self.settled);
        self.blocks.extend(settled);
        self.settled = self.blocks.len();
        self.cut = cut;
        self.prefix.clear();
    }

    /// Whether what is open is a block of code whose lines need no parser; its block is there then.
    fn begin_code(&mut self, text: &str, parse: Parse) -> bool {
        let Some((fence, shown)) = self.scan.open_code().filter(|(fence, _)| *fence == self.cut) else { return false };
        let mut head = parse(&text[fence..shown], false);
        let (Some(block), true) = (head.pop(), head.is_empty()) else { return false };
        if !block.ends_with(markdown::CODE_END) {
            return false;
        }
        self.blocks.push(block);
        self.grow_code(Code { fence, shown }, text, true);
        true
    }

    /// Appends to the last block what came to its code: the place of the block and the text, and whether the code is still open.
    fn grow_code(&mut self, mut code: Code, text: &str, grows: bool) -> ((usize, String), bool) {
        let closed = self.scan.closed(code.fence);
        let end = match closed {
            Some((end, _)) => end,
            None if grows => self.scan.code_so_far(text),
            None => text.len(),
        };
        let more = text[code.shown..end.max(code.shown)].replace("\r\n", "\n");
        code.shown = code.shown.max(end);
        let at = self.blocks.len().saturating_sub(1);
        if let Some(block) = self.blocks.last_mut() {
            block.truncate(block.len() - markdown::CODE_END.len());
            markdown::escape_into(block, &more);
            block.push_str(markdown::CODE_END);
        }
        match closed {
            Some((_, after)) => {
                self.settled = self.blocks.len();
                self.cut = after.min(text.len());
            }
            None => self.code = Some(code),
        }
        ((at, more), closed.is_none())
    }

    /// The line before which a very large block is cut although it goes on: the last that begins at the margin.
    fn line_to_cut(&self, text: &str) -> Option<usize> {
        let open = &text[self.cut..];
        if open.len() < LARGE || self.scan.is_in_fence() {
            return None;
        }
        let margin = |at: &usize| open[*at..].chars().next().is_some_and(|c| !c.is_whitespace());
        let lines = open.match_indices('\n').map(|(at, _)| at + 1).filter(|at| at + 1 < open.len()).filter(margin);
        // A table begins with two lines that stay together.
        let line = lines.skip(2).last();
        line.or_else(|| (!open.contains('\n')).then(|| open.rfind(' ')).flatten().map(|at| at + 1))
            .map(|at| self.cut + at)
    }

    /// All blocks.
    pub(super) fn blocks(&self) -> &[String] {
        &self.blocks
    }
}

/// The two lines that a table begins with.
fn table_head(text: &str) -> Option<&str> {
    let mut ends = text.match_indices('\n').map(|(at, _)| at);
    let (first, second) = (ends.next()?, ends.next()?);
    let rule = text[first + 1..second].trim();
    (rule.contains('|') && rule.bytes().all(|byte| matches!(byte, b'|' | b'-' | b':' | b' '))).then(|| &text[..=second])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str, grows: bool) -> Vec<String> {
        crate::app::markdown::blocks(text, grows)
    }

    const ANSWER: &str = "# Title\n\nA paragraph\nof two lines.\n\n- one\n\n- two\n\n  inside\n\nAfter the list.\n\n```rust\nfn a() {}\n\nlet b;\n```\n\n> quoted\n\nEnd of it.\n\n1. a\n\n   ```\n   x\n\n   y\n   ```\n\nA lead:\n```sh\nls | \\\n  <wc>\n---\n    ```\n```\n- x\n~~~\n\n~~~\n`````\n```\n`````\nLast.\n";

    #[test]
    fn pieces_come_to_the_same_as_the_whole() {
        let mut growing = Growing::default();
        for end in 1..=ANSWER.len() {
            growing.update(&ANSWER[..end], true, parse);
            // A line of code that may be the end of it, or that only looks like more, is shown with the next letter.
            let last = ANSWER[..end].rsplit('\n').next().unwrap_or_default();
            if last.is_empty() || !last.trim().bytes().all(|byte| b"-=*+`~".contains(&byte)) {
                let whole = parse(&ANSWER[..end], true).concat();
                assert_eq!(growing.blocks().concat(), whole, "after {:?}", &ANSWER[..end]);
            }
        }
        assert!(growing.cut > ANSWER.len() / 2, "it was cut");
        let from = growing.update(ANSWER, false, parse);
        assert_eq!(from.from, Some(growing.blocks().len()), "nothing is drawn anew at the end");
        assert_eq!(growing.update(ANSWER, false, parse), Change::default());
    }

    #[test]
    fn only_what_is_open_is_parsed_again() {
        fn counting(text: &str, _: bool) -> Vec<String> {
            assert!(text.len() < 400, "{} bytes at once", text.len());
            vec![text.to_owned()]
        }
        let mut growing = Growing::default();
        let mut text = String::new();
        for _ in 0..1_000 {
            text.push_str("A sentence of some length that stands for an answer's paragraph.\n\n");
            growing.update(&text, true, counting);
        }
    }

    #[test]
    fn a_text_that_begins_again_is_begun_again() {
        let mut growing = Growing::default();
        growing.update("One.\n\nTwo.\n\nThree.", true, parse);
        assert_eq!(growing.update("Other.", true, parse).from, Some(0));
        assert_eq!(growing.blocks().len(), 1);
    }

    fn small(text: &str, grows: bool) -> Vec<String> {
        assert!(text.len() < LARGE + 4_000, "{} bytes at once", text.len());
        parse(text, grows)
    }

    /// Takes a text in by pieces; what the page was told of code, put together, and all blocks.
    fn grown(text: &str, piece: usize, parse: Parse) -> (String, Growing) {
        let (mut growing, mut told) = (Growing::default(), String::new());
        for end in (piece..text.len()).step_by(piece).chain([text.len()]) {
            let change = growing.update(&text[..end], true, parse);
            if let Some((at, more)) = change.code {
                assert!(at < growing.blocks().len());
                told.push_str(&more);
            }
        }
        (told, growing)
    }

    #[test]
    fn lines_of_code_are_not_parsed_again() {
        let code = (0..8_000).map(|line| format!("let value{line} = \"<{line}>\";\n")).collect::<Vec<_>>().concat();
        let answer = format!("So:\n\n```rust\n{code}```\n\nThat is it, with a word or two.\n");
        let (told, mut growing) = grown(&answer, 50, small);
        assert!(code.ends_with(&told) && told.len() + 100 > code.len(), "each letter of it is told once");
        assert_eq!(growing.blocks().concat(), parse(&answer, true).concat());
        let settled = growing.update(&answer, false, small);
        assert_eq!(settled.code, None);
        assert!(settled.from >= Some(2), "the code is left alone at the end");
        assert_eq!(growing.blocks().concat(), parse(&answer, false).concat());
    }

    #[test]
    fn code_without_an_end_is_complete_at_the_end() {
        let answer = "```\na\n``";
        let (_, mut growing) = grown(answer, 1, parse);
        growing.update(answer, false, parse);
        assert_eq!(growing.blocks(), parse(answer, false));
    }

    #[test]
    fn a_very_large_block_of_any_kind_is_cut_and_put_right() {
        let list = (1..3_000).map(|item| format!("{item}. an item of a list\n")).collect::<Vec<_>>().concat();
        let rows = (1..3_000).map(|row| format!("| {row} | a cell |\n")).collect::<Vec<_>>().concat();
        let words = "word ".repeat(20_000);
        for text in [list, format!("| a | b |\n|---|---|\n{rows}"), words.clone(), words.replace("word word", "a\nb")] {
            let (_, mut growing) = grown(&text, 100, small);
            let drawn = growing.blocks().concat();
            assert!(!drawn.contains("| 2999"), "rows of a table stay rows");
            growing.update(&text, false, parse);
            assert_eq!(growing.blocks(), parse(&text, false));
        }
    }
}
