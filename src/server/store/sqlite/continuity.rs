//! Whether the log goes on from where clients saw it, or went back behind their cursors.
//!
//! A power cut may take the last commits, and a restored copy takes more. New events would then get numbers that clients have
//! seen on other events. So a log that may have gone back gets new epochs, and every client a snapshot. Signs of it: the machine
//! booted anew under a running server, or the database is not the one that the data folder saw last.

use std::{fs, path::Path};

use sqlx::{query, query_scalar};

use super::{super::StoreError, SqliteStore, failure::io};
use crate::server::disk;

/// Beside the database: the generation that it had last.
const MARKER: &str = "netra.generation";

/// Changes with every boot of the machine; empty where the system does not tell.
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

impl SqliteStore {
    /// A server begins to serve: gives the number of threads whose log may have gone back and has a new epoch.
    pub async fn take_up(&self, data_dir: &Path) -> Result<u64, StoreError> {
        let boot = fs::read_to_string(BOOT_ID).unwrap_or_default().trim().to_owned();
        let marker = fs::read_to_string(data_dir.join(MARKER)).ok();
        let kept: Option<(String, String, bool)> =
            sqlx::query_as("SELECT generation, boot, running FROM continuity").fetch_optional(&self.writer).await?;
        let is_copy =
            kept.as_ref().is_some_and(|(generation, ..)| marker.as_deref().map(str::trim) != Some(&**generation));
        if is_copy {
            self.check_whole().await?;
        }
        let goes_on = !is_copy && kept.is_none_or(|(_, last_boot, running)| !running || last_boot == boot);
        let renewed = if goes_on {
            0
        } else {
            query("UPDATE threads SET epoch = lower(hex(randomblob(4)))").execute(&self.writer).await?.rows_affected()
        };
        self.keep(data_dir, &boot, true).await?;
        Ok(renewed)
    }

    /// Looks for what a file has that was copied while a server wrote to it: pages of different moments.
    async fn check_whole(&self) -> Result<(), StoreError> {
        tracing::info!("checking a database that was put in place");
        let verdict: String = query_scalar("PRAGMA integrity_check(1)").fetch_one(&self.writer).await?;
        let torn: i64 = query_scalar(
            // Deleted threads, which are nobody's, may be half gone.
            "SELECT COUNT(*) FROM threads AS t WHERE t.user_id <> zeroblob(16) AND head_seq - trimmed_seq <>
             (SELECT COUNT(*) FROM events AS e WHERE e.thread_id = t.id AND e.seq > t.trimmed_seq)",
        )
        .fetch_one(&self.writer)
        .await?;
        if verdict == "ok" && torn == 0 {
            return Ok(());
        }
        let found = if torn > 0 { format!("{torn} conversations have holes") } else { verdict };
        Err(StoreError::Corrupt(format!(
            "{found}; it was damaged, or copied while in use (sqlite3's .backup copies whole)"
        )))
    }

    /// The server ends in order. A copy that is put back later is known by its generation.
    pub async fn put_down(&self, data_dir: &Path) -> Result<(), StoreError> {
        self.keep(data_dir, "", false).await
    }

    async fn keep(&self, data_dir: &Path, boot: &str, running: bool) -> Result<(), StoreError> {
        let generation = format!("{:016x}", fastrand::u64(..));
        query("INSERT OR REPLACE INTO continuity (id, generation, boot, running) VALUES (1, ?, ?, ?)")
            .bind(&generation)
            .bind(boot)
            .bind(running)
            .execute(&self.writer)
            .await?;
        disk::write_whole(&data_dir.join(MARKER), generation.as_bytes(), 0o600).map_err(io)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::store::Durability;

    /// What becomes of one thread's epoch when a server stops, something happens, and the next server starts.
    async fn check(in_order: bool, what: &str, between: impl AsyncFn(&SqliteStore, &Path), renewed: u64) {
        let dir = tempfile::tempdir().expect("a folder");
        let store = SqliteStore::open("sqlite:", dir.path(), Durability::Process).await.expect("the store opens");
        assert_eq!(store.take_up(dir.path()).await.expect("begins"), 0, "{what}: a new database");
        query("INSERT INTO users (id, name, role, created_at) VALUES (x'00', 'A', 'user', 0)")
            .execute(&store.writer)
            .await
            .expect("a user");
        query(
            "INSERT INTO threads (id, user_id, title, agent, epoch, created_at, updated_at)
             VALUES (x'01', x'00', '', 'guide', '0000aaaa', 0, 0)",
        )
        .execute(&store.writer)
        .await
        .expect("a thread");
        if in_order {
            store.put_down(dir.path()).await.expect("ends");
        }
        between(&store, dir.path()).await;
        assert_eq!(store.take_up(dir.path()).await.expect("begins again"), renewed, "{what}");
        let epoch: String =
            sqlx::query_scalar("SELECT epoch FROM threads").fetch_one(&store.writer).await.expect("an epoch");
        assert_eq!(epoch != "0000aaaa", renewed > 0, "{what}: {epoch}");
        assert_eq!(epoch.len(), 8, "{what}");
    }

    #[tokio::test]
    async fn a_log_that_went_back_has_new_epochs() {
        let set = async |store: &SqliteStore, change: &'static str| {
            query(change).execute(&store.writer).await.expect("a change");
        };
        check(true, "an orderly restart", async |_, _| {}, 0).await;
        check(false, "a crash", async |_, _| {}, 0).await;
        check(false, "a power cut", async |store, _| set(store, "UPDATE continuity SET boot = 'b'").await, 1).await;
        check(true, "a reboot", async |store, _| set(store, "UPDATE continuity SET boot = 'b'").await, 0).await;
        check(true, "a copy", async |store, _| set(store, "UPDATE continuity SET generation = 'g'").await, 1).await;
        let lose = async |_: &SqliteStore, dir: &Path| fs::remove_file(dir.join(MARKER)).expect("a marker");
        check(true, "another data folder", lose, 1).await;
    }
}
