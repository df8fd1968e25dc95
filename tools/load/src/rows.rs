//! A bare loop over SQLite: the rows that a streamed piece of text becomes in Netra's log, one for each thread in a commit, each
//! commit synced. No sockets, no JSON, no fences: what the file alone could take.

use std::{path::Path, time::Instant};

use serde::{Deserialize, Serialize};
use sqlx::{
    Connection, QueryBuilder, Sqlite, SqliteConnection,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous},
};
use uuid::Uuid;

use crate::{
    Failure,
    delays::{Delays, float},
    process,
};

/// The table of events, and the one that holds each thread's last number, as the first migration makes them.
const SCHEMA: &str = include_str!("../../../migrations/sqlite/0001_init.sql");

/// What the loop did.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Written {
    /// Rows of events a second.
    pub(crate) per_second: f64,
    /// Milliseconds that 99 of 100 commits took at most.
    pub(crate) p99_ms: f64,
    /// Microseconds of CPU time for each row.
    pub(crate) cpu_us: f64,
}

/// Writes for so long, and prints what came of it as JSON.
pub(crate) async fn run(database: &Path, threads: usize, seconds: u64) -> Result<(), Failure> {
    let options = SqliteConnectOptions::new()
        .filename(database)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .pragma("journal_size_limit", "16777216");
    let mut db = SqliteConnection::connect_with(&options).await?;
    sqlx::raw_sql(SCHEMA).execute(&mut db).await?;
    let user = Uuid::now_v7();
    sqlx::query("INSERT INTO users (id, name, role, created_at) VALUES (?, 'Load', 'user', 0)")
        .bind(user)
        .execute(&mut db)
        .await?;
    let threads: Vec<(Uuid, Uuid)> = (0..threads).map(|_| (Uuid::now_v7(), Uuid::now_v7())).collect();
    for (thread, _) in &threads {
        let thread = sqlx::query(
            "INSERT INTO threads (id, user_id, title, agent, epoch, created_at, updated_at) VALUES (?, ?, '', '', '', 0, 0)",
        )
        .bind(thread)
        .bind(user);
        thread.execute(&mut db).await?;
    }
    let (begin, mut delays, mut seq) = (Instant::now(), Delays::default(), 0_i64);
    while begin.elapsed().as_secs() < seconds {
        seq += 1;
        let commit = Instant::now();
        commit_one_each(&mut db, &threads, seq).await?;
        delays.record(u64::try_from(commit.elapsed().as_micros())?);
    }
    let took = begin.elapsed().as_secs_f64();
    let rows = float(u64::try_from(seq)? * threads.len() as u64).max(1.0);
    let cpu_us = float(process::cpu_us(std::process::id())) / rows;
    let written = Written { per_second: rows / took, p99_ms: delays.quantile_ms(0.99), cpu_us };
    println!("{}", serde_json::to_string(&written)?);
    Ok(())
}

/// One transaction with the next event of every thread.
async fn commit_one_each(db: &mut SqliteConnection, threads: &[(Uuid, Uuid)], seq: i64) -> Result<(), Failure> {
    let mut tx = db.begin_with("BEGIN IMMEDIATE").await?;
    sqlx::query("UPDATE threads SET head_seq = head_seq + 1").execute(&mut *tx).await?;
    let mut rows: QueryBuilder<Sqlite> =
        QueryBuilder::new("INSERT INTO events (thread_id, seq, id, ts, run_id, type, payload) ");
    rows.push_values(threads, |mut row, (thread, run)| {
        let payload = format!(r#"{{"message_id":"{run}","pos":{},"delta":"word {} "}}"#, seq * 20, crate::stamp::now());
        row.push_bind(thread).push_bind(seq).push_bind(Uuid::now_v7()).push_bind(1_764_000_000_000_i64 + seq);
        row.push_bind(run).push_bind("partial_result").push_bind(payload);
    });
    rows.build().execute(&mut *tx).await?;
    tx.commit().await?;
    Ok(())
}
