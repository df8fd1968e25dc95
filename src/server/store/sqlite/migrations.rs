//! The schema's steps, inside the binary. `sqlx::migrate!` would do the same, and have both its crates and SQLite compiled a second time for
//! the compiler's own use.

use rust_embed::RustEmbed;
use sqlx::{
    AssertSqlSafe, SqlSafeStr,
    migrate::{MigrateError, Migration, MigrationType, Migrator},
};

#[derive(RustEmbed)]
#[folder = "migrations/sqlite"]
#[include = "*.sql"]
struct Files;

/// Every step, in order. A file is named `<number>_<what_it_does>.sql`.
pub(super) fn migrator() -> Result<Migrator, MigrateError> {
    let steps = Files::iter().map(|name| {
        let wrong = || MigrateError::Source(format!("{name} is not named <number>_<what it does>.sql").into());
        let (number, what) = name.strip_suffix(".sql").and_then(|name| name.split_once('_')).ok_or_else(wrong)?;
        let number = number.parse().map_err(|_| wrong())?;
        let file = Files::get(&name).ok_or_else(wrong)?;
        let sql = String::from_utf8(file.data.into_owned()).map_err(|error| MigrateError::Source(error.into()))?;
        let sql = AssertSqlSafe(sql).into_sql_str();
        Ok(Migration::new(number, what.replace('_', " ").into(), MigrationType::Simple, sql, false))
    });
    Ok(Migrator::with_migrations(steps.collect::<Result<_, MigrateError>>()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_step_is_there_once_from_the_first_on() {
        let migrator = migrator().expect("the files are well named");
        let numbers: Vec<i64> = migrator.iter().map(|step| step.version).collect();
        let files = std::fs::read_dir("migrations/sqlite").expect("the folder is there").count();
        assert_eq!(numbers.len(), files);
        assert_eq!(numbers[0], 1);
        assert!(numbers.is_sorted_by(|a, b| a < b), "{numbers:?}");
        assert_eq!(migrator.iter().next().map(|step| &*step.description), Some("init"));
    }
}
