//! The parser's events as HTML, within bounds. The direction of a text is that of its block, which whoever shows it makes an element.

use std::{collections::HashMap, fmt::Write as _};

use pulldown_cmark::{
    Alignment, BlockQuoteKind, CodeBlockKind, Event, HeadingLevel, Options, Parser, Tag, TagEnd, TextMergeStream,
};

use super::{
    links::{self, escape_into, linked_into},
    prepare::{CLOSE, JOINER, Kind, OPEN, Prepared},
};

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

/// The words of a prepared text on one line.
pub(super) fn words(prepared: &Prepared<'_>) -> String {
    let mut words = String::new();
    for event in parser(&prepared.text) {
        match event {
            Event::Text(text) | Event::Code(text) | Event::Html(text) | Event::InlineHtml(text) => {
                words.push_str(&as_written(prepared, &text));
            }
            Event::SoftBreak | Event::HardBreak | Event::Rule | Event::End(TagEnd::Paragraph | TagEnd::Item) => {
                words.push(' ');
            }
            _ => {}
        }
    }
    words.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A piece of the prepared text as it was in the source.
fn as_written(prepared: &Prepared<'_>, text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    pieces(prepared, text, |piece| match piece {
        Piece::Text(text) => out.push_str(text),
        Piece::Formula(source, _) => out.push_str(source),
    });
    out
}

enum Piece<'a> {
    Text(&'a str),
    Formula(&'a str, Kind),
}

/// Takes a prepared text apart at the marks that it got.
fn pieces(prepared: &Prepared<'_>, text: &str, mut take: impl FnMut(Piece<'_>)) {
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

    #[allow(clippy::too_many_lines)]
    fn start(&mut self, tag: Tag<'_>) {
        if self.depth > MAX_DEPTH || self.cut {
            return self.start_unmarked(&tag);
        }
        match tag {
            Tag::Paragraph => self.out.push_str("<p>"),
            Tag::Heading { level, .. } => _ = write!(self.out, "<{}>", heading(level)),
            Tag::BlockQuote(kind) => {
                _ = match kind.map(alert) {
                    None => write!(self.out, "<blockquote>"),
                    Some((name, word)) => write!(
                        self.out,
                        "<blockquote class=\"alert\" data-kind=\"{name}\"><p class=\"alert-title\">{word}</p>"
                    ),
                };
            }
            Tag::CodeBlock(kind) => {
                self.in_code = true;
                let language = match &kind {
                    CodeBlockKind::Fenced(info) => info.split([' ', ',', '{', '\t']).next().unwrap_or_default(),
                    CodeBlockKind::Indented => "",
                };
                let language = as_written(self.prepared, language);
                code_head(&mut self.out, &language);
            }
            Tag::List(first) => match first {
                Some(1) => self.out.push_str("<ol>"),
                Some(first) => _ = write!(self.out, "<ol start=\"{first}\">"),
                None => self.out.push_str("<ul>"),
            },
            Tag::Item => self.out.push_str("<li>"),
            Tag::Table(alignments) => {
                self.alignments = alignments;
                self.out
                    .push_str("<div class=\"table-wrap\" tabindex=\"0\" role=\"group\" aria-label=\"Table\"><table>");
            }
            Tag::TableHead => {
                self.in_head = true;
                self.cell = 0;
                self.out.push_str("<thead><tr>");
            }
            Tag::TableRow => {
                self.cell = 0;
                if self.cells >= MAX_CELLS {
                    self.cut = true;
                    return;
                }
                self.out.push_str("<tr>");
            }
            Tag::TableCell => {
                let align = match self.alignments.get(self.cell) {
                    Some(Alignment::Right) => " align=\"right\"",
                    Some(Alignment::Center) => " align=\"center\"",
                    Some(Alignment::Left | Alignment::None) | None => "",
                };
                self.cell += 1;
                self.cells += 1;
                let name = if self.in_head { "th" } else { "td" };
                _ = write!(self.out, "<{name}{align}>");
            }
            Tag::Emphasis => self.out.push_str("<em>"),
            Tag::Strong => self.out.push_str("<strong>"),
            Tag::Strikethrough => self.out.push_str("<del>"),
            Tag::Link { dest_url, link_type, .. } => {
                let mut url = as_written(self.prepared, &dest_url);
                if link_type == pulldown_cmark::LinkType::Email {
                    url.insert_str(0, "mailto:");
                }
                self.open_link(&url);
            }
            // An image would be fetched from wherever a message says. Its description leads there.
            Tag::Image { dest_url, .. } => {
                let url = as_written(self.prepared, &dest_url);
                if self.links.is_empty() {
                    self.open_link(&url);
                } else {
                    self.links.push(false);
                }
                self.image = Some((self.out.len(), url));
            }
            Tag::HtmlBlock => self.out.push_str("<p class=\"as-written\">"),
            Tag::FootnoteDefinition(name) => {
                let number = self.number(&name);
                self.outside.push((number, std::mem::take(&mut self.out)));
            }
            Tag::DefinitionList
            | Tag::DefinitionListTitle
            | Tag::DefinitionListDefinition
            | Tag::Superscript
            | Tag::Subscript
            | Tag::MetadataBlock(_) => {}
        }
    }

    /// Keeps count of what gets no element.
    fn start_unmarked(&mut self, tag: &Tag<'_>) {
        match tag {
            Tag::Link { .. } | Tag::Image { .. } => self.links.push(false),
            Tag::CodeBlock(_) => self.in_code = true,
            Tag::FootnoteDefinition(name) => {
                let number = self.number(name);
                self.outside.push((number, std::mem::take(&mut self.out)));
            }
            _ => {}
        }
    }

    fn open_link(&mut self, url: &str) {
        let target = links::target(url);
        self.links.push(target.is_some());
        if let Some(target) = target {
            links::open_into(&mut self.out, url, target);
        }
    }

    fn end(&mut self, tag: TagEnd) {
        // These are counted wherever they stand.
        match tag {
            TagEnd::Link | TagEnd::Image => {
                if let Some((at, url)) = self.image.take_if(|_| tag == TagEnd::Image)
                    && self.out[at..].trim().is_empty()
                {
                    escape_into(&mut self.out, &url);
                }
                if self.links.pop() == Some(true) {
                    self.out.push_str("</a>");
                }
                return;
            }
            TagEnd::FootnoteDefinition => {
                if let Some((number, before)) = self.outside.pop() {
                    self.notes.push((number, std::mem::replace(&mut self.out, before)));
                }
                return;
            }
            TagEnd::CodeBlock => self.in_code = false,
            _ => {}
        }
        if self.cut {
            if tag == TagEnd::Table {
                self.cut = false;
                self.out.push_str(
                    "</tbody></table></div><p class=\"cut\">This table has more rows than are shown here. \
                     The copied answer holds all of them.</p>",
                );
            }
            return;
        }
        if self.depth > MAX_DEPTH {
            if matches!(tag, TagEnd::Paragraph | TagEnd::Item | TagEnd::Heading(_) | TagEnd::TableCell) {
                self.out.push('\n');
            }
            return;
        }
        match tag {
            TagEnd::Paragraph => self.out.push_str("</p>"),
            TagEnd::Heading(level) => _ = write!(self.out, "</{}>", heading(level)),
            TagEnd::BlockQuote(_) => self.out.push_str("</blockquote>"),
            TagEnd::CodeBlock => self.out.push_str(CODE_END),
            TagEnd::List(ordered) => self.out.push_str(if ordered { "</ol>" } else { "</ul>" }),
            TagEnd::Item => self.out.push_str("</li>"),
            TagEnd::Table => self.out.push_str("</tbody></table></div>"),
            TagEnd::TableHead => {
                self.in_head = false;
                self.out.push_str("</tr></thead><tbody>");
            }
            TagEnd::TableRow => self.out.push_str("</tr>"),
            TagEnd::TableCell => self.out.push_str(if self.in_head { "</th>" } else { "</td>" }),
            TagEnd::Emphasis => self.out.push_str("</em>"),
            TagEnd::Strong => self.out.push_str("</strong>"),
            TagEnd::Strikethrough => self.out.push_str("</del>"),
            TagEnd::HtmlBlock => {
                self.out.truncate(self.out.trim_end().len());
                self.out.push_str("</p>");
            }
            TagEnd::Link
            | TagEnd::Image
            | TagEnd::FootnoteDefinition
            | TagEnd::DefinitionList
            | TagEnd::DefinitionListTitle
            | TagEnd::DefinitionListDefinition
            | TagEnd::Superscript
            | TagEnd::Subscript
            | TagEnd::MetadataBlock(_) => {}
        }
    }
}

/// The beginning of a block of code. A diagram and a known language say that more can be made of them.
fn code_head(out: &mut String, language: &str) {
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
const fn alert(kind: BlockQuoteKind) -> (&'static str, &'static str) {
    match kind {
        BlockQuoteKind::Note => ("note", "Note"),
        BlockQuoteKind::Tip => ("tip", "Tip"),
        BlockQuoteKind::Important => ("important", "Important"),
        BlockQuoteKind::Warning => ("warning", "Warning"),
        BlockQuoteKind::Caution => ("caution", "Caution"),
    }
}

/// Whether a tag is a line break.
fn is_break(tag: &str) -> bool {
    let name = tag.trim_start_matches('<').trim_end_matches('>').trim_end_matches('/').trim_end();
    name.eq_ignore_ascii_case("br")
}

/// A heading inside an answer stands below the page's own.
fn heading(level: HeadingLevel) -> &'static str {
    match level {
        HeadingLevel::H1 => "h2",
        HeadingLevel::H2 => "h3",
        HeadingLevel::H3 => "h4",
        HeadingLevel::H4 => "h5",
        HeadingLevel::H5 | HeadingLevel::H6 => "h6",
    }
}
