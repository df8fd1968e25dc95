//! Netra's documentation, by section, in an in-memory FTS5 index that is built at the first look-up.

use rust_embed::RustEmbed;
use serde::Serialize;
use sqlx::{Row, SqlitePool, query, sqlite::SqlitePoolOptions};
use tokio::sync::OnceCell;

use crate::server::store::StoreError;

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
    pool: OnceCell<SqlitePool>,
}

impl DocsIndex {
    /// The best sections, those that match more words first.
    pub(crate) async fn search(&self, text: &str, limit: usize) -> Result<Vec<Section>, StoreError> {
        let words: Vec<String> = text
            .split(|c: char| !c.is_alphanumeric())
            .filter(|word| !word.is_empty())
            .take(16)
            .map(|word| format!("\"{word}\""))
            .collect();
        if words.is_empty() {
            return Ok(Vec::new());
        }
        let pool = self.pool.get_or_try_init(build).await?;
        let rows =
            query("SELECT page, section, text FROM docs WHERE docs MATCH ? ORDER BY bm25(docs, 2.0, 4.0, 1.0) LIMIT ?")
                .bind(words.join(" OR "))
                .bind(i64::try_from(limit).unwrap_or(i64::MAX))
                .fetch_all(pool)
                .await?;
        rows.iter()
            .map(|row| {
                Ok(Section {
                    page: row.try_get("page")?,
                    section: row.try_get("section")?,
                    text: shorten(row.try_get("text")?),
                })
            })
            .collect()
    }
}

async fn build() -> Result<SqlitePool, StoreError> {
    let pool = SqlitePoolOptions::new()
        .max_connections(1)
        .idle_timeout(None)
        .max_lifetime(None)
        .connect("sqlite::memory:")
        .await?;
    query("CREATE VIRTUAL TABLE docs USING fts5 (page, section, text, tokenize = 'porter unicode61')")
        .execute(&pool)
        .await?;
    for name in Docs::iter() {
        let Some(file) = Docs::get(&name) else { continue };
        let content = String::from_utf8_lossy(&file.data);
        for (section, text) in sections(&content) {
            query("INSERT INTO docs (page, section, text) VALUES (?, ?, ?)")
                .bind(name.trim_end_matches(".md"))
                .bind(section)
                .bind(text)
                .execute(&pool)
                .await?;
        }
    }
    Ok(pool)
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
