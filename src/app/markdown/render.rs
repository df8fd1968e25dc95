//! The parser's events as HTML, within bounds. The direction of a text is that of its block, which whoever shows it makes an element.

use std::{collections::HashMap, fmt::Write as _};

use pulldown_cmark::{Alignment, Event, Options, Parser, TextMergeStream};

use super::{
    links::{escape_into, linked_into},
    prepare::{Kind, Prepared},
};

mod marks;
mod pieces;
mod tags;

use marks::is_break;
use pieces::{Piece, as_written, pieces};

/// Elements inside each other; what is nested deeper is shown without its marks. A browser's own limit is 512.
const MAX_DEPTH: usize = 100;

/// Cells of all tables of a text; rows beyond are left out, and that is said.
const MAX_CELLS: usize = 20_000;

/// What a block of code ends with.
pub(crate) const CODE_END: &str = "</code></pre></div>";

fn parser(text: &str) -> impl Iterator<Item = Event<'_>> {
    let options = Options::ENABLE_TABLES
        | Options::ENABLE_STRIKETHROUGH
        | Options::ENABLE_TASKLISTS
        | Options::ENABLE_FOOTNOTES
        | Options::ENABLE_GFM;
    TextMergeStream::new(Parser::new_ext(text, options))
}

/// The top-level blocks of a prepared text; footnotes are the last one.
pub(super) fn blocks(prepared: &Prepared<'_>) -> Vec<String> {
    let mut renderer = Renderer::new(prepared);
    let mut blocks = Vec::new();
    for event in parser(&prepared.text) {
        renderer.event(event);
        if renderer.depth == 0 {
            blocks.push(std::mem::take(&mut renderer.out));
        }
    }
    blocks.push(renderer.footnotes());
    blocks.retain(|block| !block.trim().is_empty());
    blocks
}

struct Renderer<'a> {
    prepared: &'a Prepared<'a>,
    out: String,
    /// Elements that are open.
    depth: usize,
    /// Inside a table's head, cells are headings.
    in_head: bool,
    alignments: Vec<Alignment>,
    cell: usize,
    cells: usize,
    /// Inside a table that has more rows than are shown.
    cut: bool,
    /// Inside a block of code.
    in_code: bool,
    /// The links and images that are open, and whether each made an element.
    links: Vec<bool>,
    /// An image without a description is called by its address.
    image: Option<(usize, String)>,
    /// The numbers of footnotes by their names.
    numbers: HashMap<String, usize>,
    /// What footnotes say, by their numbers.
    notes: Vec<(usize, String)>,
    /// What was written before a footnote began.
    outside: Vec<(usize, String)>,
}

impl<'a> Renderer<'a> {
    fn new(prepared: &'a Prepared<'a>) -> Self {
        Self {
            prepared,
            out: String::new(),
            depth: 0,
            in_head: false,
            alignments: Vec::new(),
            cell: 0,
            cells: 0,
            cut: false,
            in_code: false,
            links: Vec::new(),
            image: None,
            numbers: HashMap::new(),
            notes: Vec::new(),
            outside: Vec::new(),
        }
    }

    fn event(&mut self, event: Event<'_>) {
        match event {
            Event::Start(tag) => {
                self.depth += 1;
                self.start(tag);
            }
            Event::End(tag) => {
                self.end(tag);
                self.depth = self.depth.saturating_sub(1);
            }
            _ if self.cut => {}
            Event::Text(text) if self.in_code => self.verbatim(&text),
            Event::Text(text) => self.text(&text),
            // HTML is text here; a line break is the one thing that all models write in it.
            Event::InlineHtml(text) if is_break(&text) => self.out.push_str("<br>"),
            Event::Html(text) | Event::InlineHtml(text) => self.verbatim(&text),
            Event::Code(code) => {
                self.out.push_str("<code>");
                self.verbatim(&code);
                self.out.push_str("</code>");
            }
            Event::SoftBreak => self.out.push('\n'),
            Event::HardBreak => self.out.push_str("<br>"),
            Event::Rule => self.out.push_str("<hr>"),
            Event::TaskListMarker(done) => self.out.push_str(if done {
                "<input type=\"checkbox\" disabled checked aria-label=\"Done\"> "
            } else {
                "<input type=\"checkbox\" disabled aria-label=\"Not done\"> "
            }),
            Event::FootnoteReference(name) => {
                let number = self.number(&name);
                _ = write!(
                    self.out,
                    "<sup><button type=\"button\" class=\"footnote\" data-footnote=\"{number}\" \
                     aria-label=\"Footnote {number}\">{number}</button></sup>"
                );
            }
            // Formulas do not reach the parser.
            Event::InlineMath(_) | Event::DisplayMath(_) => {}
        }
    }

    /// Text as it was in the source.
    fn verbatim(&mut self, text: &str) {
        escape_into(&mut self.out, &as_written(self.prepared, text));
    }

    /// Text with its formulas, and with its bare addresses as links.
    fn text(&mut self, text: &str) {
        let (out, linking) = (&mut self.out, self.links.is_empty());
        pieces(self.prepared, text, |piece| match piece {
            Piece::Text(text) if linking => linked_into(out, text),
            Piece::Text(text) => escape_into(out, text),
            Piece::Formula(source, kind) => {
                out.push_str(match kind {
                    Kind::Inline => "<span class=\"math\" data-rich=\"math\">",
                    Kind::Display => "<span class=\"math\" data-rich=\"math\" data-display=\"true\">",
                    Kind::Unfinished => "<span class=\"math\">",
                });
                escape_into(out, source);
                out.push_str("</span>");
            }
        });
    }

    /// The number of a footnote: they count in the order in which they are first named.
    fn number(&mut self, name: &str) -> usize {
        let next = self.numbers.len() + 1;
        *self.numbers.entry(name.to_owned()).or_insert(next)
    }

    /// All footnotes, in order.
    fn footnotes(mut self) -> String {
        self.notes.sort_by_key(|(number, _)| *number);
        if self.notes.is_empty() {
            return String::new();
        }
        let mut out = String::from("<ol class=\"footnotes\">");
        for (number, note) in self.notes {
            _ = write!(
                out,
                "<li value=\"{number}\" tabindex=\"-1\" data-note=\"{number}\">{note}<button type=\"button\" \
                 class=\"footnote-back\" data-back=\"{number}\" aria-label=\"Back to the text of footnote {number}\">\
                 \u{21a9}\u{fe0e}</button></li>"
            );
        }
        out.push_str("</ol>");
        out
    }
}
