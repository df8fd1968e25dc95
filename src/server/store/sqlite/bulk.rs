//! Statements for many rows: each goes to the database's thread and back, which costs more than most rows do.

use std::fmt::Display;

use sqlx::{AssertSqlSafe, SqliteConnection, query_with, sqlite::SqliteArguments};

/// Rows of one statement at the most.
const MOST: usize = 64;

/// Adds a row's values to a statement's.
type Bind<T> = fn(&mut SqliteArguments, &T) -> Result<(), sqlx::error::BoxDynError>;

/// A statement with a list of rows in it: `before VALUES (?, …), … after`.
pub(super) struct Bulk<T, After = &'static str> {
    pub(super) before: &'static str,
    pub(super) after: After,
    /// Values of a row.
    pub(super) columns: usize,
    pub(super) bind: Bind<T>,
}

impl<T, After: Display> Bulk<T, After> {
    /// Runs it for every row, once. Only powers of two of rows, so that few different statements are prepared.
    pub(super) async fn each(&self, tx: &mut SqliteConnection, rows: &[T]) -> Result<(), sqlx::Error> {
        let mut rest = rows;
        while let Some(most) = rest.len().checked_ilog2() {
            let (now, later) = rest.split_at(MOST.min(1 << most));
            let (sql, values) = self.statement(now, now.len())?;
            query_with(AssertSqlSafe(sql), values).execute(&mut *tx).await?;
            rest = later;
        }
        Ok(())
    }

    /// Runs it for every row, some of them more than once, which must make no difference.
    pub(super) async fn all(&self, tx: &mut SqliteConnection, rows: &[T]) -> Result<(), sqlx::Error> {
        for now in rows.chunks(MOST) {
            let (sql, values) = self.statement(now, now.len().next_power_of_two())?;
            query_with(AssertSqlSafe(sql), values).execute(&mut *tx).await?;
        }
        Ok(())
    }

    /// What it finds for the rows, for some of them more than once.
    pub(super) async fn find(
        &self,
        tx: &mut SqliteConnection,
        rows: &[T],
    ) -> Result<Vec<sqlx::sqlite::SqliteRow>, sqlx::Error> {
        let mut found = Vec::with_capacity(rows.len());
        for now in rows.chunks(MOST) {
            let (sql, values) = self.statement(now, now.len().next_power_of_two())?;
            found.extend(query_with(AssertSqlSafe(sql), values).fetch_all(&mut *tx).await?);
        }
        Ok(found)
    }

    /// The statement for `count` rows; the last of them stands for those that are missing.
    fn statement(&self, rows: &[T], count: usize) -> Result<(String, SqliteArguments), sqlx::Error> {
        let row = format!("({})", vec!["?"; self.columns].join(", "));
        let sql = format!("{} VALUES {} {}", self.before, vec![row.as_str(); count].join(", "), self.after);
        let mut values = SqliteArguments::default();
        let missing = count - rows.len();
        for row in rows.iter().chain(rows.last().into_iter().cycle().take(missing)) {
            (self.bind)(&mut values, row).map_err(sqlx::Error::Encode)?;
        }
        Ok((sql, values))
    }
}
