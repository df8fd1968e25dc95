//! What goes: deltas of runs that have been over for long enough, for they only mattered while somebody watched, and what
//! belonged to deleted threads. In slices, for writers wait for each.

use std::time::Instant;

use async_trait::async_trait;
use netra_ws::Timestamp;
use sqlx::{AssertSqlSafe, query, query_as, query_scalar};
use uuid::Uuid;

use super::{
    super::{StoreError, Trimmed, Upkeep},
    SqliteStore,
    holds::{Hold, Portion, Work},
    merging, millis, to_i64,
};

/// Rows that a slice removes at the most.
pub(super) const SLICE: usize = 500;

/// Pages given back to the file system at a time, at the most.
const PAGES: i64 = 128;

/// Owns deleted threads until they are gone. No account: it has no password, no address and no sessions.
pub(super) const NOBODY: Uuid = Uuid::nil();

/// What goes before the thread's own row does, which would take the rest along in one long transaction.
const PARTS: [&str; 6] = [
    "DELETE FROM events WHERE thread_id = ?1 AND seq IN (SELECT seq FROM events WHERE thread_id = ?1 LIMIT ?2)",
    "DELETE FROM messages WHERE rowid IN (SELECT rowid FROM messages WHERE thread_id = ?1 LIMIT ?2)",
    "DELETE FROM model_turns WHERE id IN (SELECT id FROM model_turns WHERE thread_id = ?1 LIMIT ?2)",
    "DELETE FROM questions WHERE (run_id, tool_call_id) IN (
         SELECT run_id, tool_call_id FROM questions WHERE thread_id = ?1 LIMIT ?2)",
    "DELETE FROM runs WHERE rowid IN (SELECT rowid FROM runs WHERE thread_id = ?1 LIMIT ?2)",
    "DELETE FROM commands WHERE (user_id, id) IN (SELECT user_id, id FROM commands WHERE thread_id = ?1 LIMIT ?2)",
];

struct Ended {
    id: Uuid,
    thread_id: Uuid,
    start_seq: Option<i64>,
    end_seq: Option<i64>,
}

#[async_trait]
impl Upkeep for SqliteStore {
    async fn ping(&self) -> Result<(), StoreError> {
        query("SELECT 1").execute(&self.readers).await?;
        Ok(())
    }

    /// The whole answer, tools and outcome of a run stay; its folded state holds its thoughts.
    async fn trim(&self, before: Timestamp, limit: usize) -> Result<Trimmed, StoreError> {
        let rows: Vec<(Uuid, Uuid, Option<i64>, Option<i64>)> = query_as(
            "SELECT id, thread_id, start_seq, end_seq FROM runs
             WHERE trimmed = 0 AND ended_at IS NOT NULL AND ended_at < ? ORDER BY ended_at LIMIT ?",
        )
        .bind(millis(before))
        .bind(to_i64(limit))
        .fetch_all(&self.readers)
        .await?;
        let ended = |(id, thread_id, start_seq, end_seq)| Ended { id, thread_id, start_seq, end_seq };
        let runs: Vec<Ended> = rows.into_iter().map(ended).collect();
        let (mut left, mut events) = (runs.as_slice(), 0);
        let mut rows = Portion::up_to(to_i64(SLICE));
        while !left.is_empty() {
            let (done, gone) = self.trim_slice(left, &mut rows).await?;
            left = &left[done..];
            events += gone;
        }
        if events > 0 {
            self.give_back().await?;
        }
        Ok(Trimmed { runs: runs.len(), events })
    }

    async fn bury(&self) -> Result<(), StoreError> {
        let dead: Vec<Uuid> =
            query_scalar("SELECT id FROM threads WHERE user_id = ?").bind(NOBODY).fetch_all(&self.readers).await?;
        for thread in dead {
            for part in PARTS {
                let mut rows = Portion::up_to(to_i64(SLICE));
                while self.bury_slice(part, thread, &mut rows).await? {}
            }
            let mut writer = self.writer.acquire().await?;
            let hold = Hold::begin(Work::Delete);
            query("DELETE FROM threads WHERE id = ?").bind(thread).execute(&mut *writer).await?;
            hold.end();
            drop(writer);
            // The words that it had leave the indexes now: their pages are given back, too.
            merging::merge(&self.writer).await?;
            self.give_back().await?;
        }
        Ok(())
    }
}

impl SqliteStore {
    /// Begins to remove what belonged to deleted threads.
    pub(super) fn bury_soon(&self) {
        let this = self.clone();
        tokio::spawn(async move {
            if let Err(error) = this.bury().await {
                tracing::warn!(%error, "what belonged to a deleted thread is not gone yet; the next start goes on with it");
            }
        });
    }

    /// One transaction: gives how many of these runs are through, and how many events went.
    async fn trim_slice(&self, runs: &[Ended], rows: &mut Portion) -> Result<(usize, usize), StoreError> {
        let mut tx = self.write().await?;
        let (hold, mut done, mut events) = (Hold::begin(Work::Trim), 0, 0);
        while let Some(run) = runs.get(done) {
            let (began, room) = (Instant::now(), rows.size().min(to_i64(SLICE - events)));
            let gone: Vec<i64> = query_scalar(
                "DELETE FROM events WHERE thread_id = ?1 AND seq IN (
                     SELECT seq FROM events WHERE thread_id = ?1 AND seq BETWEEN ?2 AND ?3 AND run_id = ?4
                     AND type IN ('agent_thinking', 'agent_progress', 'partial_result') LIMIT ?5)
                 RETURNING seq",
            )
            .bind(run.thread_id)
            .bind(run.start_seq.unwrap_or_default())
            .bind(run.end_seq.unwrap_or_default())
            .bind(run.id)
            .bind(room)
            .fetch_all(&mut *tx)
            .await?;
            query("UPDATE threads SET trimmed_seq = MAX(trimmed_seq, ?) WHERE id = ?")
                .bind(gone.iter().max().copied().unwrap_or_default())
                .bind(run.thread_id)
                .execute(&mut *tx)
                .await?;
            rows.took(began.elapsed());
            events += gone.len();
            if to_i64(gone.len()) < room {
                query("UPDATE runs SET trimmed = 1 WHERE id = ?").bind(run.id).execute(&mut *tx).await?;
                done += 1;
            }
            if events >= SLICE || hold.is_spent() {
                break;
            }
        }
        tx.commit().await?;
        hold.end();
        Ok((done, events))
    }

    /// One transaction; whether there may be more.
    async fn bury_slice(&self, part: &'static str, thread: Uuid, rows: &mut Portion) -> Result<bool, StoreError> {
        let mut tx = self.write().await?;
        let (hold, mut left, mut more) = (Hold::begin(Work::Delete), to_i64(SLICE), true);
        while more && left > 0 && !hold.is_spent() {
            let (began, wanted) = (Instant::now(), rows.size().min(left));
            let gone = query(part).bind(thread).bind(wanted).execute(&mut *tx).await?;
            rows.took(began.elapsed());
            left -= wanted;
            more = gone.rows_affected() > 0;
        }
        tx.commit().await?;
        hold.end();
        Ok(more)
    }

    /// Gives free pages back to the file system, as far as the file was made to allow it.
    async fn give_back(&self) -> Result<(), StoreError> {
        let free = || query_scalar::<_, i64>("PRAGMA freelist_count").fetch_one(&self.writer);
        let (mut left, mut pages) = (free().await?, Portion::up_to(PAGES));
        while left > 0 {
            let mut writer = self.writer.acquire().await?;
            let (hold, began) = (Hold::begin(Work::Vacuum), Instant::now());
            let sql = format!("PRAGMA incremental_vacuum({})", pages.size());
            query(AssertSqlSafe(sql)).execute(&mut *writer).await?;
            // Its commit is part of it.
            pages.took(began.elapsed() / 2);
            hold.end();
            drop(writer);
            let now = free().await?;
            if now >= left {
                break;
            }
            left = now;
        }
        Ok(())
    }
}

#[cfg(test)]
#[path = "bury_tests.rs"]
mod bury_tests;

#[cfg(test)]
#[path = "trim_tests.rs"]
pub(super) mod trim_tests;
