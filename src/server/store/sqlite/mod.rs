//! SQLite: one file, one writer, many readers (WAL).

mod addresses;
mod admissions;
mod api_tokens;
mod attachments;
mod audit;
mod bulk;
mod catalog;
mod cleaning;
mod closing;
mod commands;
mod commit;
mod confirmation;
mod continuity;
mod excerpt;
mod failure;
mod full_text;
#[cfg(test)]
mod histories;
mod history;
mod holds;
mod identities;
mod importing;
mod leases;
mod links;
mod log_reads;
mod mcp_connections;
mod merging;
mod migrations;
mod model_turns;
mod noting;
mod oversight;
mod path;
mod projection;
mod questions;
mod read_only_links;
mod readers;
mod room_commands;
mod rows;
mod second_factor;
mod section_index;
mod sign_ins;
mod stopping;
mod taking_part;
#[cfg(test)]
mod torn_wal;
mod transaction;
mod users;
mod waiting;

use std::{
    path::{Path, PathBuf},
    str::FromStr,
    time::Duration,
};

use netra_ws::Timestamp;
use sqlx::{
    Connection as _, Sqlite, SqlitePool, Transaction,
    sqlite::{SqliteAutoVacuum, SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

use tokio::sync::watch;

use super::{Durability, StoreError};
use crate::server::private;

pub(crate) use section_index::{IndexedSection, SectionIndex};

/// How long a statement waits for another process's write.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// The database's name in the data folder.
const DATABASE: &str = "netra.db";

/// Connections that read beside the writer.
const READERS: u32 = 4;

/// Connections that look up who is asking: nobody waits for another's conversation before being let in.
const CHECKERS: u32 = 2;

/// Connections that search: what people look for takes none of the others.
const SEARCHERS: u32 = 2;

/// A store in one SQLite file.
#[derive(Clone)]
pub struct SqliteStore {
    /// The one connection that writes: a second one could only wait for the first.
    writer: SqlitePool,
    readers: SqlitePool,
    checkers: SqlitePool,
    searchers: SqlitePool,
    /// Uses of sign-ins and tokens that are being noted.
    noting: noting::Noting,
    /// Commands of rooms that are not written yet.
    room_commands: room_commands::RoomCommands,
    /// Told when messages came or went: their indexes are to be merged.
    indexed: watch::Sender<()>,
}

impl SqliteStore {
    /// Opens the database and brings its schema up to date. `url` is `sqlite:` for `netra.db` in `data_dir`, or names a file.
    pub async fn open(url: &str, data_dir: &Path, durability: Durability) -> Result<Self, StoreError> {
        let options = named(url, data_dir)?
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(match durability {
                // The write-ahead log is synced before a commit can be read, and its name in the folder with its first sync.
                Durability::Power => SqliteSynchronous::Full,
                // Synced with each checkpoint: a power cut may lose the last moments, never the file.
                Durability::Process => SqliteSynchronous::Normal,
            })
            // macOS keeps what was synced in the disk's own cache unless asked; elsewhere it has no effect.
            .pragma("fullfsync", if durability == Durability::Power { "1" } else { "0" })
            .busy_timeout(BUSY_TIMEOUT)
            .foreign_keys(true)
            .pragma("cache_size", "-2000")
            .pragma("journal_size_limit", "16777216")
            // What a statement for many rows finds comes at once.
            .row_buffer_size(512)
            // Statements for many rows come in several sizes.
            .statement_cache_capacity(200);
        private::keep(data_dir, options.get_filename()).map_err(failure::io)?;
        // Takes effect in a new file: what is trimmed is given back to the file system.
        let writing = options.clone().auto_vacuum(SqliteAutoVacuum::Incremental);
        let writer = pool_of(1).connect_with(writing).await?;
        migrations::migrator()?.run(&writer).await?;
        let reading = options.read_only(true).create_if_missing(false);
        let pool = |connections| pool_of(connections).min_connections(1).connect_with(reading.clone());
        let (readers, checkers, searchers) = tokio::try_join!(pool(READERS), pool(CHECKERS), pool(SEARCHERS))?;
        let indexed = merging::begin(writer.clone());
        let (noting, room_commands) = Default::default();
        Ok(Self { writer, readers, checkers, searchers, noting, room_commands, indexed })
    }

    /// Closes the pools after what is under way.
    pub async fn close(&self) {
        if let Err(error) = self.write_room_commands().await {
            tracing::warn!(%error, "who was in rooms lately is forgotten");
        }
        tokio::join!(self.searchers.close(), self.checkers.close(), self.readers.close());
        self.writer.close().await;
    }

    async fn write(&self) -> Result<Transaction<'static, Sqlite>, StoreError> {
        Ok(self.writer.begin_with("BEGIN IMMEDIATE").await?)
    }
}

/// A pool of so many connections.
fn pool_of(connections: u32) -> SqlitePoolOptions {
    let options = SqlitePoolOptions::new().max_connections(connections);
    // It is a thread of this process: asking whether it is there costs a statement's time.
    options.test_before_acquire(false).before_acquire(|connection, _| {
        // When the disk fails SQLite rolls back by itself, and sqlx goes on counting a transaction that is gone. On such a
        // connection nothing more could be written, and whoever reads would see one old state for ever.
        let clean = !connection.is_in_transaction();
        Box::pin(async move { Ok(clean) })
    })
}

/// The database's file, for what is said about it.
pub fn file(url: &str, data_dir: &Path) -> PathBuf {
    named(url, data_dir).map_or_else(|_| url.into(), |options| options.get_filename().to_owned())
}

fn named(url: &str, data_dir: &Path) -> Result<SqliteConnectOptions, StoreError> {
    let path = url.trim_start_matches("sqlite:").trim_start_matches("//");
    if path.is_empty() {
        return Ok(SqliteConnectOptions::new().filename(data_dir.join(DATABASE)));
    }
    Ok(SqliteConnectOptions::from_str(url)?)
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
