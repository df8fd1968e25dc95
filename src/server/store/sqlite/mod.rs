//! SQLite: one file, one writer, many readers (WAL).

mod commands;
mod continuity;
mod log;
mod members;
mod projection;
mod rows;
mod runs;
mod threads;
mod tokens;
mod trim;
mod users;

use std::{path::Path, str::FromStr, time::Duration};

use async_trait::async_trait;
use netra_ws::{
    CommandId, RunId, ThreadId, Timestamp, UserId,
    log::{Fence, LogError},
    model::{Member, Message, Thread, User},
    payload::Ack,
};
use sqlx::{
    Sqlite, SqlitePool, Transaction,
    sqlite::{SqliteAutoVacuum, SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};
use uuid::Uuid;

use super::{ApiToken, ClaimedRun, Found, NewUser, Recorded, Store, StoreError, ThreadChange, ThreadQuery, Trimmed};

/// How long a statement waits for another process's write.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// Connections that read beside the writer.
const READERS: u32 = 4;

/// A store in one SQLite file.
#[derive(Clone)]
pub struct SqliteStore {
    /// The one connection that writes: a second one could only wait for the first.
    writer: SqlitePool,
    readers: SqlitePool,
}

impl SqliteStore {
    /// Opens the database and brings its schema up to date. `url` is `sqlite:` for `netra.db` in `data_dir`, or names a file.
    pub async fn open(url: &str, data_dir: &Path) -> Result<Self, StoreError> {
        let path = url.trim_start_matches("sqlite:").trim_start_matches("//");
        let options = if path.is_empty() {
            SqliteConnectOptions::new().filename(data_dir.join("netra.db"))
        } else {
            SqliteConnectOptions::from_str(url)?
        };
        let options = options
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            // A crash of the process loses nothing; a power cut may lose the last moments, never the file.
            .synchronous(SqliteSynchronous::Normal)
            .busy_timeout(BUSY_TIMEOUT)
            .foreign_keys(true)
            .pragma("cache_size", "-2000")
            .pragma("journal_size_limit", "16777216");
        // Takes effect in a new file: what is trimmed is given back to the file system.
        let writing = options.clone().auto_vacuum(SqliteAutoVacuum::Incremental);
        let writer = SqlitePoolOptions::new().max_connections(1).connect_with(writing).await?;
        sqlx::migrate!("migrations/sqlite").run(&writer).await?;
        let readers = SqlitePoolOptions::new()
            .max_connections(READERS)
            .min_connections(1)
            .connect_with(options.read_only(true).create_if_missing(false))
            .await?;
        Ok(Self { writer, readers })
    }

    /// Closes both pools after what is under way.
    pub async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }

    async fn write(&self) -> Result<Transaction<'static, Sqlite>, StoreError> {
        self.writer.begin_with("BEGIN IMMEDIATE").await
    }
}

/// Now, as the store keeps times.
fn now() -> i64 {
    millis(Timestamp::now())
}

fn millis(at: Timestamp) -> i64 {
    i64::try_from(at.as_millis()).unwrap_or(i64::MAX)
}

fn timestamp(millis: i64) -> Timestamp {
    Timestamp::from_millis(u64::try_from(millis).unwrap_or_default())
}

fn seq(value: i64) -> u64 {
    u64::try_from(value).unwrap_or_default()
}

fn to_i64<T: TryInto<i64>>(value: T) -> i64 {
    value.try_into().unwrap_or(i64::MAX)
}

fn corrupt(error: impl std::error::Error + Send + Sync + 'static) -> StoreError {
    sqlx::Error::Decode(Box::new(error))
}

#[async_trait]
impl Store for SqliteStore {
    async fn ping(&self) -> Result<(), StoreError> {
        sqlx::query("SELECT 1").execute(&self.readers).await.map(drop)
    }
    async fn add_user(&self, user: NewUser) -> Result<Option<User>, StoreError> {
        self.insert_user(user).await
    }
    async fn user_by_email(&self, email: &str) -> Result<Option<(User, String)>, StoreError> {
        self.select_user_by_email(email).await
    }
    async fn dev_user(&self) -> Result<User, StoreError> {
        self.upsert_dev_user().await
    }
    async fn add_session(&self, digest: &[u8], user: UserId, expires_at: Timestamp) -> Result<(), StoreError> {
        self.insert_session(digest, user, expires_at).await
    }
    async fn session(&self, digest: &[u8]) -> Result<Option<User>, StoreError> {
        self.select_session(digest).await
    }
    async fn end_session(&self, digest: &[u8]) -> Result<(), StoreError> {
        self.delete_session(digest).await
    }
    async fn add_api_token(&self, user: UserId, name: &str, digest: &[u8]) -> Result<Option<ApiToken>, StoreError> {
        self.insert_api_token(user, name, digest).await
    }
    async fn api_tokens(&self, user: UserId) -> Result<Vec<ApiToken>, StoreError> {
        self.select_api_tokens(user).await
    }
    async fn remove_api_token(&self, user: UserId, id: Uuid) -> Result<bool, StoreError> {
        self.delete_api_token(user, id).await
    }
    async fn api_token_user(&self, digest: &[u8]) -> Result<Option<User>, StoreError> {
        self.use_api_token(digest).await
    }
    async fn user_by_address(&self, email: &str) -> Result<Option<User>, StoreError> {
        self.select_user_by_address(email).await
    }
    async fn add_thread(&self, user: UserId, title: &str, agent: &str) -> Result<Thread, StoreError> {
        self.insert_thread(user, title, agent).await
    }
    async fn thread(&self, user: UserId, id: ThreadId) -> Result<Option<Thread>, StoreError> {
        threads::select_thread(&self.readers, user, id).await
    }
    async fn threads(&self, user: UserId, query: &ThreadQuery) -> Result<Vec<Thread>, StoreError> {
        self.select_threads(user, query).await
    }
    async fn change_thread(
        &self,
        user: UserId,
        id: ThreadId,
        change: &ThreadChange,
    ) -> Result<Option<Thread>, StoreError> {
        self.update_thread(user, id, change).await
    }
    async fn remove_thread(&self, user: UserId, id: ThreadId) -> Result<bool, StoreError> {
        self.delete_thread(user, id).await
    }
    async fn messages(
        &self,
        thread: ThreadId,
        before_seq: Option<u64>,
        limit: usize,
    ) -> Result<Vec<Message>, StoreError> {
        threads::select_messages(&self.readers, thread, before_seq, limit).await
    }
    async fn search_messages(&self, user: UserId, query: &str, limit: usize) -> Result<Vec<Found>, StoreError> {
        self.match_messages(user, query, limit).await
    }
    async fn members(&self, thread: ThreadId) -> Result<Vec<Member>, StoreError> {
        self.select_members(thread).await
    }
    async fn add_member(&self, thread: ThreadId, user: UserId) -> Result<bool, StoreError> {
        self.insert_member(thread, user).await
    }
    async fn remove_member(&self, thread: ThreadId, user: UserId) -> Result<bool, StoreError> {
        self.delete_member(thread, user).await
    }
    async fn audience(&self, thread: ThreadId) -> Result<Vec<UserId>, StoreError> {
        self.select_audience(thread).await
    }
    async fn earlier_answer(&self, user: UserId, command: CommandId, digest: &[u8]) -> Result<Option<Ack>, LogError> {
        let mut reader = self.readers.acquire().await.map_err(log::store)?;
        commands::earlier(&mut reader, user, command, digest).await
    }
    async fn record_stop(&self, run: RunId, command: Recorded<'_>) -> Result<Ack, LogError> {
        self.insert_stop(run, command).await
    }
    async fn claim_run(
        &self,
        thread: ThreadId,
        owner: &str,
        lease: Duration,
    ) -> Result<Option<ClaimedRun>, StoreError> {
        self.claim(thread, owner, lease).await
    }
    async fn renew_lease(&self, fence: Fence, lease: Duration) -> Result<bool, StoreError> {
        self.renew(fence, lease).await
    }
    async fn release_lease(&self, fence: Fence) -> Result<(), StoreError> {
        self.release(fence).await
    }
    async fn threads_with_work(&self, lease: Duration) -> Result<Vec<ThreadId>, StoreError> {
        self.select_threads_with_work(lease).await
    }
    async fn trim(&self, before: Timestamp, limit: usize) -> Result<Trimmed, StoreError> {
        self.trim_runs(before, limit).await
    }
    async fn find_run(&self, user: UserId, run: RunId) -> Result<Option<(ThreadId, bool)>, StoreError> {
        self.select_run(user, run).await
    }
}
