//! A transaction whose beginning and end go in one call with what is done in it.

use sqlx::{Sqlite, SqliteConnection, SqlitePool, pool::PoolConnection, query};

/// What begins it, before the first statement.
pub(super) const BEGIN: &str = "BEGIN IMMEDIATE";

/// What ends it, behind the last one.
pub(super) const COMMIT: &str = "COMMIT";

/// The writer, in a transaction that whoever has it begins and ends by [`BEGIN`] and [`COMMIT`]. Dropped without
/// [`Transaction::ended`] it closes the connection, and so rolls back.
pub(super) struct Transaction(Option<PoolConnection<Sqlite>>);

impl Transaction {
    /// Waits for the writer.
    pub(super) async fn of(writer: &SqlitePool) -> Result<Self, sqlx::Error> {
        Ok(Self(Some(writer.acquire().await?)))
    }

    /// The connection; nothing once it was given back.
    pub(super) fn connection(&mut self) -> Result<&mut SqliteConnection, sqlx::Error> {
        self.0.as_deref_mut().ok_or(sqlx::Error::PoolClosed)
    }

    /// It was committed; another may write.
    pub(super) fn ended(mut self) {
        drop(self.0.take());
    }

    /// Takes back what was done. When the disk fails SQLite has done so by itself, or cannot: then the connection goes.
    pub(super) async fn roll_back(mut self) {
        let rolled_back = match self.connection() {
            Ok(connection) => query("ROLLBACK").execute(connection).await.is_ok(),
            Err(_) => false,
        };
        if rolled_back {
            self.ended();
        }
    }
}

impl Drop for Transaction {
    fn drop(&mut self) {
        if let Some(connection) = self.0.take() {
            drop(connection.detach());
        }
    }
}
