//! Where elements begin and end.

use std::fmt::Write as _;

use pulldown_cmark::{Alignment, CodeBlockKind, Tag, TagEnd};

use super::{
    CODE_END, MAX_CELLS, MAX_DEPTH, Renderer,
    marks::{alert, code_head, heading},
    pieces::as_written,
};
use crate::app::markdown::links::{self, escape_into};

impl Renderer<'_> {
    /// An element, or what else has a beginning, begins.
    #[allow(clippy::too_many_lines)]
    pub(super) fn start(&mut self, tag: Tag<'_>) {
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

    /// It ends.
    pub(super) fn end(&mut self, tag: TagEnd) {
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
