//! Netra's documentation, by section, in an index that is built at the first look-up.

use rust_embed::RustEmbed;
use serde::Serialize;
use tokio::sync::OnceCell;

use crate::server::store::{
    StoreError,
    sqlite::{IndexedSection, SectionIndex},
};

#[derive(RustEmbed)]
#[folder = "docs"]
#[include = "*.md"]
struct Docs;

/// A section that matched.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Section {
    /// The page's file name without its ending.
    pub(crate) page: String,
    /// The section's heading.
    pub(crate) section: String,
    /// The section's text, cut to a readable length.
    pub(crate) text: String,
}

/// The longest text of a result, in characters.
const MAX_TEXT: usize = 900;

#[derive(Default)]
pub(crate) struct DocsIndex {
    index: OnceCell<SectionIndex>,
}

impl DocsIndex {
    /// The best sections, those that match more words first.
    pub(crate) async fn search(&self, text: &str, limit: usize) -> Result<Vec<Section>, StoreError> {
        let index = self.index.get_or_try_init(build).await?;
        let found = index.search(text, limit).await?.into_iter();
        let shown =
            |found: IndexedSection| Section { page: found.page, section: found.heading, text: shorten(&found.text) };
        Ok(found.map(shown).collect())
    }
}

async fn build() -> Result<SectionIndex, StoreError> {
    let files = Docs::iter().filter_map(|name| Some((Docs::get(&name)?, name)));
    let all = files.flat_map(|(file, name)| {
        let page = name.trim_end_matches(".md").to_owned();
        let parts = sections(&String::from_utf8_lossy(&file.data));
        parts.into_iter().map(move |(heading, text)| IndexedSection { page: page.clone(), heading, text })
    });
    SectionIndex::build(all).await
}

/// A page cut at its headings: `(heading, text)`.
fn sections(page: &str) -> Vec<(String, String)> {
    let mut found: Vec<(String, String)> = Vec::new();
    let mut fenced = false;
    for line in page.lines() {
        fenced ^= line.starts_with("```");
        match line.strip_prefix('#').filter(|_| !fenced) {
            Some(heading) => found.push((heading.trim_start_matches('#').trim().to_owned(), String::new())),
            None => {
                if let Some((_, text)) = found.last_mut() {
                    text.push_str(line);
                    text.push('\n');
                }
            }
        }
    }
    found.retain(|(_, text)| !text.trim().is_empty());
    found
}

/// Cuts at the end of a paragraph if there is one in the second half, at a word otherwise, and never inside a code block.
fn shorten(text: &str) -> String {
    let text = text.trim();
    let Some((end, _)) = text.char_indices().nth(MAX_TEXT) else { return text.to_owned() };
    let cut = text[..end].rfind("\n\n").filter(|at| *at > end / 2).or_else(|| text[..end].rfind(' ')).unwrap_or(end);
    let mut short = format!("{} …", text[..cut].trim_end());
    if short.matches("```").count() % 2 == 1 {
        short.push_str("\n```");
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_cut_at_headings_outside_code() {
        let page = "# One\nalpha\n```sh\n# no heading\n```\n## Two\n\nbeta\n## Empty\n";
        let names: Vec<_> = sections(page).into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["One", "Two"]);
    }

    #[tokio::test]
    async fn a_section_is_found_by_its_words() {
        let index = DocsIndex::default();
        let found = index.search("connect a model", 3).await.expect("searches");
        assert!(found.iter().any(|section| section.text.contains("NETRA_LLM_BASE_URL")), "{found:?}");
        assert!(index.search("\"; DROP TABLE docs; --", 3).await.is_ok());
        assert!(index.search("?!", 3).await.expect("searches").is_empty());
    }
}
