//! Lists and searches of threads, and searches of messages. What a person's words make the database do has readers of its own
//! and an end in time, so that nothing else waits for it.

use std::time::{Duration, Instant};

use async_trait::async_trait;
use netra_ws::{ThreadId, UserId, model::Thread};
use sqlx::{AssertSqlSafe, Row, Sqlite, pool::PoolConnection, query, query_as};
use uuid::Uuid;

use super::{
    super::{Finder, Found, StoreError, ThreadQuery},
    SqliteStore,
    excerpt::{around, excerpt},
    rows::{LISTED, READABLE, THREAD_COLUMNS, THREADS, ThreadRow},
    timestamp, to_i64,
};

/// How long one search may run in the database.
const DEADLINE: Duration = Duration::from_secs(2);

/// Instructions of SQLite's machine between two looks at the clock. One of them may read a whole message.
const INSTRUCTIONS: i32 = 200;

/// Different words that a search looks for; further ones are left out.
const MAX_WORDS: usize = 12;

/// Characters of what was typed that are looked at.
const MAX_TYPED: usize = 500;

/// Characters of a message in which its excerpt is looked for.
const EXCERPT_FROM: i64 = 256 * 1024;

/// Matches no message: FTS5 refuses an empty expression.
const NO_WORD: &str = "\"\"";

#[async_trait]
impl Finder for SqliteStore {
    async fn threads(&self, user: UserId, wanted: &ThreadQuery) -> Result<Vec<Thread>, StoreError> {
        let typed = wanted.text.as_deref().map(typed).filter(|text| !text.is_empty());
        let filter = match &typed {
            Some(typed) => {
                let read = if must_be_read_through(typed) {
                    format!("OR EXISTS (SELECT 1 FROM messages AS m WHERE m.thread_id = t.id AND {})", holds_each(10))
                } else {
                    "OR (?10 IS NULL AND FALSE)".to_owned()
                };
                format!(
                    "AND (t.title LIKE ?3 ESCAPE '\\'
                          OR t.id IN (SELECT m.thread_id FROM messages AS m WHERE {}) {read})",
                    in_index(4, 9)
                )
            }
            None => "AND (?3 IS NULL OR ?4 IS NULL OR ?9 IS NULL OR ?10 IS NULL OR TRUE)".to_owned(),
        };
        let sql = format!(
            "SELECT {THREAD_COLUMNS} FROM {THREADS} WHERE {LISTED} AND COALESCE(s.archived, 0) = ?2 {filter}
             AND (?6 IS NULL OR (COALESCE(s.pinned, 0), t.updated_at, t.id) < (?6, ?7, ?8))
             ORDER BY COALESCE(s.pinned, 0) DESC, t.updated_at DESC, t.id DESC LIMIT ?5"
        );
        let words = typed.as_deref().map(|text| match_expression(&words(text)));
        let listing = query_as(AssertSqlSafe(sql))
            .bind(user.uuid())
            .bind(wanted.archived)
            .bind(typed.as_deref().map(like_pattern))
            .bind(words.map(|words| if words.is_empty() { NO_WORD.to_owned() } else { words }))
            .bind(to_i64(wanted.limit))
            .bind(wanted.after.map(|place| place.pinned))
            .bind(wanted.after.map(|place| to_i64(place.updated_at.as_millis())))
            .bind(wanted.after.map(|place| place.id.uuid()))
            .bind(typed.as_deref().map(parts_expression))
            .bind(typed.as_deref().map(parts_list));
        let rows: Vec<ThreadRow> = if typed.is_some() {
            listing.fetch_all(&mut *self.searcher().await?).await?
        } else {
            listing.fetch_all(&self.readers).await?
        };
        Ok(rows.into_iter().map(|ThreadRow(thread)| thread).collect())
    }

    async fn search_excerpts(
        &self,
        user: UserId,
        text: &str,
        threads: &[ThreadId],
    ) -> Result<Vec<(ThreadId, String)>, StoreError> {
        let typed = typed(text);
        if typed.is_empty() || threads.is_empty() {
            return Ok(Vec::new());
        }
        let held = if must_be_read_through(&typed) {
            format!("({} OR {})", in_index(4, 5), holds_each(6))
        } else {
            format!("(?6 IS NOT NULL AND {})", in_index(4, 5))
        };
        let ids = serde_json::Value::from(threads.iter().map(|id| id.uuid().simple().to_string()).collect::<Vec<_>>());
        // With MAX, SQLite takes the other columns from the row that has it.
        let sql = format!(
            "SELECT m.thread_id, substr(m.content, 1, ?2) AS content, MAX(m.seq)
             FROM messages AS m JOIN threads AS t ON t.id = m.thread_id
             WHERE m.thread_id IN (SELECT unhex(value) FROM json_each(?3)) AND {held} AND {READABLE}
             GROUP BY m.thread_id"
        );
        let words = words(&typed);
        let expression = match_expression(&words);
        let rows = query(AssertSqlSafe(sql))
            .bind(user.uuid())
            .bind(EXCERPT_FROM)
            .bind(ids.to_string())
            .bind(if expression.is_empty() { NO_WORD.to_owned() } else { expression })
            .bind(parts_expression(&typed))
            .bind(parts_list(&typed))
            .fetch_all(&mut *self.searcher().await?)
            .await?;
        let parts: Vec<String> = typed.split_whitespace().map(str::to_lowercase).collect();
        rows.iter()
            .map(|row| {
                let content: String = row.try_get("content")?;
                let part = around(&content, &parts).unwrap_or_else(|| excerpt(&content, &words));
                Ok((row.try_get::<Uuid, _>("thread_id")?.into(), part))
            })
            .collect()
    }

    async fn search_messages(&self, user: UserId, text: &str, limit: usize) -> Result<Vec<Found>, StoreError> {
        let words = words(&typed(text));
        if words.is_empty() {
            return Ok(Vec::new());
        }
        // FTS5's own snippet() takes time that grows with the square of how often the words occur in a message, and looks at
        // no clock meanwhile.
        let sql = format!(
            "SELECT s.thread_id, t.title, s.created_at, substr(s.content, 1, ?4) AS content
             FROM messages_fts JOIN messages AS s ON s.rowid = messages_fts.rowid JOIN threads AS t ON t.id = s.thread_id
             WHERE messages_fts MATCH ?2 AND {LISTED} ORDER BY bm25(messages_fts), s.rowid DESC LIMIT ?3"
        );
        let rows = query(AssertSqlSafe(sql))
            .bind(user.uuid())
            .bind(match_expression(&words))
            .bind(to_i64(limit))
            .bind(EXCERPT_FROM)
            .fetch_all(&mut *self.searcher().await?)
            .await?;
        rows.iter()
            .map(|row| {
                Ok(Found {
                    thread_id: row.try_get::<Uuid, _>("thread_id")?.into(),
                    title: row.try_get("title")?,
                    excerpt: excerpt(row.try_get("content")?, &words),
                    created_at: timestamp(row.try_get("created_at")?),
                })
            })
            .collect()
    }
}

impl SqliteStore {
    /// A connection for one search, which SQLite interrupts at its deadline.
    async fn searcher(&self) -> Result<PoolConnection<Sqlite>, StoreError> {
        let mut connection = self.searchers.acquire().await?;
        let deadline = Instant::now() + DEADLINE;
        // Replaces the one of the search before.
        connection.lock_handle().await?.set_progress_handler(INSTRUCTIONS, move || Instant::now() < deadline);
        Ok(connection)
    }
}

/// What was typed, as far as it is looked at.
fn typed(text: &str) -> String {
    text.trim().chars().take(MAX_TYPED).collect()
}

/// The different words of what was typed, in small letters, in their order. A word that comes again would only cost.
fn words(text: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for word in text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()) {
        let word = word.to_lowercase();
        // What is typed last may be the beginning of a word, so that it stays last.
        words.retain(|known| *known != word);
        words.push(word);
        if words.len() == MAX_WORDS {
            break;
        }
    }
    words
}

/// Words as an FTS5 expression: every word must occur, the last one may be the start of one. Words are quoted, so that nothing
/// in them is syntax.
fn match_expression(words: &[String]) -> String {
    let words: Vec<String> = words.iter().map(|word| format!("\"{word}\"")).collect();
    if words.is_empty() { String::new() } else { format!("{}*", words.join(" ")) }
}

/// The condition on a message `m` that an index has what was typed: as words or as parts of words. The numbers are those of the
/// parameters with the two expressions.
fn in_index(words: u8, parts: u8) -> String {
    format!(
        "m.rowid IN (SELECT rowid FROM messages_fts WHERE messages_fts MATCH ?{words}
                     UNION SELECT rowid FROM messages_parts WHERE messages_parts MATCH ?{parts})"
    )
}

/// The condition on a message `m` that its text holds each part of the list in this parameter.
fn holds_each(list: u8) -> String {
    format!("NOT EXISTS (SELECT 1 FROM json_each(?{list}) AS part WHERE instr(m.content, part.value) = 0)")
}

/// Whether the user's own messages have to be read: trigrams find no part of fewer than three characters, and in some scripts two
/// are a word.
fn must_be_read_through(typed: &str) -> bool {
    parts(typed).any(|part| part.chars().count() < 3 && part.chars().any(is_unspaced))
}

/// The parts of what was typed as a JSON array.
fn parts_list(typed: &str) -> String {
    serde_json::Value::from(parts(typed).collect::<Vec<_>>()).to_string()
}

/// What was typed as an FTS5 expression over trigrams: every part must occur, anywhere.
fn parts_expression(typed: &str) -> String {
    let quoted: Vec<String> = parts(typed)
        .filter(|part| part.chars().count() >= 3)
        .map(|part| format!("\"{}\"", part.replace('"', "\"\"")))
        .collect();
    // A part that is too short for this index is left to the words.
    if quoted.is_empty() || quoted.len() < parts(typed).count() { NO_WORD.to_owned() } else { quoted.join(" AND ") }
}

/// What stands between the spaces of what was typed.
fn parts(typed: &str) -> impl Iterator<Item = &str> {
    typed.split_whitespace().filter(|part| !part.contains('\0')).take(MAX_WORDS)
}

/// Whether a character is of a script that puts no spaces between words, or few.
fn is_unspaced(c: char) -> bool {
    matches!(c, '\u{0E00}'..='\u{0EFF}' | '\u{1000}'..='\u{109F}' | '\u{1780}'..='\u{17FF}' | '\u{2E80}'..='\u{9FFF}'
        | '\u{AC00}'..='\u{D7FF}' | '\u{F900}'..='\u{FAFF}' | '\u{FF66}'..='\u{FF9F}' | '\u{20000}'..='\u{3FFFF}')
}

fn like_pattern(text: &str) -> String {
    let escaped = text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
    format!("%{escaped}%")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::store::Durability;

    #[tokio::test]
    async fn a_search_without_end_is_interrupted() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = SqliteStore::open("sqlite:", folder.path(), Durability::Process).await.expect("a store");
        let mut searcher = store.searcher().await.expect("a connection");
        let endless = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT COUNT(*) FROM n";
        let error = query(endless).fetch_one(&mut *searcher).await.expect_err("no end");
        assert!(matches!(StoreError::from(error), StoreError::TooSlow(_)));
        drop(searcher);
        let mut next = store.searcher().await.expect("a connection");
        query("SELECT 1").fetch_one(&mut *next).await.expect("the next search has a deadline of its own");
    }

    #[test]
    fn parts_of_words() {
        assert_eq!(parts_expression("owner ship\"s"), "\"owner\" AND \"ship\"\"s\"");
        assert_eq!(parts_expression("日本語"), "\"日本語\"");
        // Shorter than a trigram: left to the words, or read through where two characters are a word.
        assert_eq!(parts_expression("ab owner"), NO_WORD);
        assert!(!must_be_read_through("ab owner"));
        assert!(must_be_read_through("日本 o'x"));
        assert_eq!(parts_list("日本 o'x"), r#"["日本","o'x"]"#);
    }

    #[test]
    fn words_are_looked_for_once() {
        assert_eq!(words("Quick brown fox, quick BROWN fox"), ["quick", "brown", "fox"]);
        assert_eq!(words("fox quick fox"), ["quick", "fox"]);
        assert_eq!(match_expression(&words("a \"b OR c")), "\"a\" \"b\" \"or\" \"c\"*");
        assert_eq!(words(&"x y z ".repeat(1_000)), ["x", "y", "z"]);
        let many: Vec<String> = (0..99).map(|n| n.to_string()).collect();
        assert_eq!(words(&many.join(" ")).len(), MAX_WORDS);
        assert!(words(" ,;* ").is_empty());
    }
}
