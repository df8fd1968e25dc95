//! What SQLite and sqlx say of a failure, as the rest of the program knows it.

use std::{error::Error, io};

use netra_ws::log::LogError;
use sqlx::{error::DatabaseError, migrate::MigrateError};

use super::super::{DiskFault, StoreError};

/// A foreign key that points at nothing, among SQLite's extended result codes.
const NO_SUCH_ROW: i32 = 787;

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        let text = error.to_string();
        if let Some(code) = result_code(&error) {
            return of_code(code, text);
        }
        match &error {
            sqlx::Error::RowNotFound => Self::Gone(text),
            sqlx::Error::PoolTimedOut => Self::Busy(text),
            sqlx::Error::Decode(_) | sqlx::Error::ColumnDecode { .. } => Self::Corrupt(text),
            _ => Self::Other(text),
        }
    }
}

impl From<MigrateError> for StoreError {
    fn from(error: MigrateError) -> Self {
        sqlx::Error::from(error).into()
    }
}

/// What becomes of a failure where the log is asked.
pub(super) fn store(error: impl Into<StoreError>) -> LogError {
    match error.into() {
        refused @ StoreError::Refused(_) => LogError::refused(refused),
        failed => LogError::store(failed),
    }
}

/// A file beside the database that cannot be written.
pub(super) fn io(error: io::Error) -> StoreError {
    sqlx::Error::Io(error).into()
}

/// SQLite's extended result code, if the failure is SQLite's, or comes from one.
fn result_code(error: &sqlx::Error) -> Option<i32> {
    let mut next: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(cause) = next {
        if let Some(code) = cause.downcast_ref().and_then(sqlx::Error::as_database_error).and_then(DatabaseError::code)
        {
            return code.parse().ok();
        }
        next = cause.source();
    }
    None
}

/// The primary result code is the low byte: <https://sqlite.org/rescode.html>.
fn of_code(code: i32, text: String) -> StoreError {
    match (code, code & 0xff) {
        (NO_SUCH_ROW, _) => StoreError::Gone(text),
        (_, 5 | 6) => StoreError::Busy(text),
        (_, 8 | 14) => StoreError::Disk(DiskFault::ReadOnly, text),
        (_, 9) => StoreError::TooSlow(text),
        (_, 10) => StoreError::Disk(DiskFault::Failing, text),
        (_, 13) => StoreError::Disk(DiskFault::Full, text),
        (_, 19) => StoreError::Refused(text),
        (_, 11 | 26) => StoreError::Corrupt(text),
        _ => StoreError::Other(text),
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, time::Duration};

    use netra_ws::{Timestamp, UserId};
    use sqlx::query;

    use super::{
        super::super::{Durability, Finder as _, SignInStore as _, ThreadCatalog as _, ThreadQuery, UserStore as _},
        super::SqliteStore,
        *,
    };

    async fn store(dir: &std::path::Path) -> Result<SqliteStore, StoreError> {
        SqliteStore::open("sqlite:", dir, Durability::Process).await
    }

    #[tokio::test]
    async fn failures_are_told_apart() {
        let dir = tempfile::tempdir().expect("a folder");
        let open = store(dir.path()).await.expect("the store opens");
        let user = open.dev_user().await.expect("a user").id;

        let nobody = UserId::new();
        let gone = open.add_session(b"digest", nobody, Timestamp::now(), None).await.expect_err("nobody signs in");
        assert!(matches!(gone, StoreError::Gone(_)), "{gone:?}");

        // One page more than there are is too much.
        query("PRAGMA max_page_count = 1").execute(&open.writer).await.expect("a limit");
        let title = "x".repeat(1 << 20);
        let full = open.add_thread(user, &title, "guide").await.expect_err("no room");
        assert!(matches!(full, StoreError::Disk(DiskFault::Full, _)), "{full:?}");
        query("PRAGMA max_page_count = 4294967294").execute(&open.writer).await.expect("room");
        open.add_thread(user, "T", "guide").await.expect("there is room again");

        let other = store(dir.path()).await.expect("it opens twice");
        query("PRAGMA busy_timeout = 1").execute(&other.writer).await.expect("impatience");
        let mut held = open.write().await.expect("the writer");
        let busy = other.add_thread(user, "T", "guide").await.expect_err("one writes at a time");
        assert!(matches!(busy, StoreError::Busy(_)), "{busy:?}");
        query("SELECT 1").execute(&mut *held).await.expect("ours");
        drop(held);

        let written = query("CREATE TABLE t (x)").execute(&open.readers).await.expect_err("readers only read");
        assert!(matches!(StoreError::from(written), StoreError::Disk(DiskFault::ReadOnly, _)));
        query("UPDATE threads SET title = CAST(x'ff' AS TEXT)").execute(&open.writer).await.expect("damage");
        let damaged = open.threads(user, &ThreadQuery { limit: 1, ..ThreadQuery::default() }).await;
        assert!(matches!(damaged, Err(StoreError::Corrupt(_))), "{damaged:?}");
        tokio::time::timeout(Duration::from_mins(1), other.close()).await.expect("closes");
    }

    #[tokio::test]
    async fn a_file_that_is_no_database_is_corrupt() {
        let dir = tempfile::tempdir().expect("a folder");
        fs::write(dir.path().join("netra.db"), "no database ".repeat(1_000)).expect("a file");
        let refused = store(dir.path()).await.err().expect("it does not open");
        assert!(matches!(refused, StoreError::Corrupt(_)), "{refused:?}");
    }
}
