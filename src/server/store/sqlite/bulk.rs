//! Statements for many rows, and several statements at a time: each call goes to the database's thread and back, which costs more
//! than most rows do.

use std::fmt::{Display, Write as _};

use sqlx::{
    AssertSqlSafe, SqliteConnection, query_with,
    sqlite::{SqliteArguments, SqliteRow},
};

/// Rows of one statement at the most.
const MOST: usize = 128;

/// Fewer rows than this go in one statement, of the next power of two.
const PADDED: usize = 64;

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
            Script::default().with(self, now, now.len())?.execute(tx).await?;
            rest = later;
        }
        Ok(())
    }

    /// Runs it for every row, some of them more than once, which must make no difference.
    pub(super) async fn all(&self, tx: &mut SqliteConnection, rows: &[T]) -> Result<(), sqlx::Error> {
        let mut rest = rows;
        while !rest.is_empty() {
            let (now, later) = rest.split_at(taken(rest.len()));
            Script::default().with(self, now, now.len().next_power_of_two())?.execute(tx).await?;
            rest = later;
        }
        Ok(())
    }

    /// What it finds for the rows, for some of them more than once.
    pub(super) async fn find(&self, tx: &mut SqliteConnection, rows: &[T]) -> Result<Vec<SqliteRow>, sqlx::Error> {
        let mut found = Vec::with_capacity(rows.len());
        let mut rest = rows;
        while !rest.is_empty() {
            let (now, later) = rest.split_at(taken(rest.len()));
            found.extend(Script::default().with(self, now, now.len().next_power_of_two())?.rows(tx).await?);
            rest = later;
        }
        Ok(found)
    }
}

/// Of so many rows, those that the next statement takes where some may come more than once.
pub(super) fn taken(rows: usize) -> usize {
    if rows < PADDED { rows } else { MOST.min(1 << rows.ilog2()) }
}

/// Statements that are run in one call, one after another. A script is prepared once for each text that it has: only few are to
/// differ.
#[derive(Default)]
pub(super) struct Script {
    sql: String,
    values: SqliteArguments,
}

impl Script {
    /// And then this statement, which has no values.
    pub(super) fn then(mut self, statement: &str) -> Self {
        self.sql.push_str(statement);
        self.sql.push(';');
        self
    }

    /// And then a statement for `count` rows: these, and the last again for each that is missing.
    pub(super) fn with<T, After: Display>(
        mut self,
        bulk: &Bulk<T, After>,
        rows: &[T],
        count: usize,
    ) -> Result<Self, sqlx::Error> {
        let row = format!("({})", vec!["?"; bulk.columns].join(", "));
        let values = vec![row.as_str(); count].join(", ");
        // Writing to a text does not fail.
        let _ = write!(self.sql, "{} VALUES {values} {};", bulk.before, bulk.after);
        let missing = count - rows.len();
        for row in rows.iter().chain(rows.last().into_iter().cycle().take(missing)) {
            (bulk.bind)(&mut self.values, row).map_err(sqlx::Error::Encode)?;
        }
        Ok(self)
    }

    /// Runs all of them.
    pub(super) async fn execute(self, connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
        query_with(AssertSqlSafe(self.sql), self.values).execute(connection).await.map(drop)
    }

    /// Runs all of them, and gives the rows that they find.
    pub(super) async fn rows(self, connection: &mut SqliteConnection) -> Result<Vec<SqliteRow>, sqlx::Error> {
        query_with(AssertSqlSafe(self.sql), self.values).fetch_all(connection).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_take_all_rows_in_few_sizes() {
        for rows in 1..2_000_usize {
            let (mut left, mut statements) = (rows, 0);
            while left > 0 {
                let now = taken(left);
                assert!(now.next_power_of_two() <= MOST && now.next_power_of_two() < 2 * now.max(1) + PADDED);
                (left, statements) = (left - now, statements + 1);
            }
            assert!(statements <= rows / MOST + 3, "{rows}: {statements}");
        }
    }
}
