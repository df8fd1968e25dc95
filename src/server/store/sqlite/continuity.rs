//! Whether the log goes on from where clients saw it, or went back behind their cursors.
//!
//! A power cut may take the last commits, and a restored copy takes more. New events would then get numbers that clients have
//! seen on other events. So a log that may have gone back gets new epochs, and every client a snapshot. Signs of it: the machine
//! booted anew under a running server, or the database is not the one that the data folder saw last.

use std::{fs, io, path::Path};

use sqlx::query;

use super::{SqliteStore, StoreError};

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
        let goes_on = kept.is_none_or(|(generation, last_boot, running)| {
            marker.as_deref().map(str::trim) == Some(&*generation) && (!running || last_boot == boot)
        });
        let renewed = if goes_on {
            0
        } else {
            query("UPDATE threads SET epoch = lower(hex(randomblob(4)))").execute(&self.writer).await?.rows_affected()
        };
        self.keep(data_dir, &boot, true).await?;
        Ok(renewed)
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
        write(&data_dir.join(MARKER), &generation).map_err(StoreError::Io)
    }
}

/// Whole or not at all.
fn write(path: &Path, text: &str) -> io::Result<()> {
    let draft = path.with_extension("new");
    fs::write(&draft, text)?;
    fs::rename(draft, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What becomes of one thread's epoch when a server stops, something happens, and the next server starts.
    async fn check(in_order: bool, what: &str, between: impl AsyncFn(&SqliteStore, &Path), renewed: u64) {
        let dir = tempfile::tempdir().expect("a folder");
        let store = SqliteStore::open("sqlite:", dir.path()).await.expect("the store opens");
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
