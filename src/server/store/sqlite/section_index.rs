//! Sections of documents in an FTS5 index in memory.

use sqlx::{Row, SqlitePool, query, sqlite::SqlitePoolOptions};

use super::{super::StoreError, to_i64};

/// Words of a question that are looked for.
const MAX_WORDS: usize = 16;

/// A part of a page, under its heading.
pub(crate) struct IndexedSection {
    /// The page.
    pub(crate) page: String,
    /// The heading.
    pub(crate) heading: String,
    /// What stands under it.
    pub(crate) text: String,
}

/// An index that lives as long as this value.
pub(crate) struct SectionIndex {
    pool: SqlitePool,
}

impl SectionIndex {
    /// Takes the sections in.
    pub(crate) async fn build(sections: impl Iterator<Item = IndexedSection> + Send) -> Result<Self, StoreError> {
        let pool = SqlitePoolOptions::new()
            .max_connections(1)
            .idle_timeout(None)
            .max_lifetime(None)
            .connect("sqlite::memory:")
            .await?;
        query("CREATE VIRTUAL TABLE sections USING fts5 (page, heading, text, tokenize = 'porter unicode61')")
            .execute(&pool)
            .await?;
        for section in sections {
            query("INSERT INTO sections (page, heading, text) VALUES (?, ?, ?)")
                .bind(section.page)
                .bind(section.heading)
                .bind(section.text)
                .execute(&pool)
                .await?;
        }
        Ok(Self { pool })
    }

    /// The best sections, those that match more words first; a word in a heading counts more than one below it.
    pub(crate) async fn search(&self, text: &str, limit: usize) -> Result<Vec<IndexedSection>, StoreError> {
        let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).take(MAX_WORDS);
        let words: Vec<String> = words.map(|word| format!("\"{word}\"")).collect();
        if words.is_empty() {
            return Ok(Vec::new());
        }
        let rows = query(
            "SELECT page, heading, text FROM sections WHERE sections MATCH ?
             ORDER BY bm25(sections, 2.0, 4.0, 1.0) LIMIT ?",
        )
        .bind(words.join(" OR "))
        .bind(to_i64(limit))
        .fetch_all(&self.pool)
        .await?;
        rows.iter()
            .map(|row| {
                Ok(IndexedSection {
                    page: row.try_get("page")?,
                    heading: row.try_get("heading")?,
                    text: row.try_get("text")?,
                })
            })
            .collect()
    }
}
