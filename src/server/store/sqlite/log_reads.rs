//! The event log: what is read of it. `commit.rs` writes it.

use async_trait::async_trait;
use futures::TryStreamExt;
use netra_ws::{
    ThreadId, UserId,
    log::{Entry, EventLog, Head, LogError, LogPage, PageLimit, Stored},
    payload::ThreadSnapshot,
};
use sqlx::{AssertSqlSafe, Row, query, query_as};

use super::{
    super::StoreError,
    SqliteStore,
    failure::store,
    rows::{EventRow, READABLE},
    seq, to_i64,
};

#[async_trait]
impl EventLog for SqliteStore {
    async fn commit(&self, entries: &[Entry], repeated: bool) -> Result<Vec<Result<Stored, LogError>>, LogError> {
        self.commit_entries(entries, repeated).await
    }

    async fn head(&self, user: UserId, thread: ThreadId) -> Result<Head, LogError> {
        let sql = format!("SELECT t.epoch, t.head_seq, t.trimmed_seq FROM threads AS t WHERE t.id = ?2 AND {READABLE}");
        let row = query(AssertSqlSafe(sql))
            .bind(user.uuid())
            .bind(thread.uuid())
            .fetch_optional(&self.readers)
            .await
            .map_err(store)?
            .ok_or(LogError::NotFound)?;
        let read = || -> Result<Head, StoreError> {
            Ok(Head {
                epoch: row.try_get("epoch")?,
                head_seq: seq(row.try_get("head_seq")?),
                trimmed_seq: seq(row.try_get("trimmed_seq")?),
            })
        };
        read().map_err(store)
    }

    async fn read(&self, thread: ThreadId, after_seq: u64, limit: PageLimit) -> Result<LogPage, LogError> {
        let mut tx = self.readers.begin().await.map_err(store)?;
        let (epoch, head): (String, i64) =
            query_as("SELECT epoch, head_seq FROM threads WHERE id = ? AND user_id <> zeroblob(16)")
                .bind(thread.uuid())
                .fetch_optional(&mut *tx)
                .await
                .map_err(store)?
                .ok_or(LogError::NotFound)?;
        let (mut events, mut bytes) = (Vec::new(), 0);
        let mut rows =
            query_as::<_, EventRow>("SELECT * FROM events WHERE thread_id = ? AND seq > ? ORDER BY seq LIMIT ?")
                .bind(thread.uuid())
                .bind(to_i64(after_seq))
                .bind(to_i64(limit.events))
                .fetch(&mut *tx);
        while bytes < limit.bytes {
            let Some(row) = rows.try_next().await.map_err(store)? else { break };
            let event = row.into_event(&epoch).map_err(store)?;
            bytes += event.payload.get().len();
            events.push(event);
        }
        Ok(LogPage { epoch, head_seq: seq(head), events })
    }

    async fn snapshot(&self, user: UserId, thread: ThreadId) -> Result<ThreadSnapshot, LogError> {
        self.select_snapshot(user, thread).await
    }
}

#[cfg(test)]
#[path = "log_reads_tests.rs"]
mod tests;
