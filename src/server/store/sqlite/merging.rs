//! Keeps the indexes of words in few parts. Every commit with messages adds one, every search looks into each, and what deleted
//! messages left goes when parts become one. FTS5 would do that now and then within a commit, which may take a tenth of a
//! second; here it is done beside what is written, in slices.

use std::time::{Duration, Instant};

use sqlx::{AssertSqlSafe, SqliteConnection, SqlitePool, query, query_scalar};
use tokio::{sync::watch, time::sleep};

use super::{
    super::StoreError,
    holds::{Hold, Portion, Work},
};

const INDEXES: [&str; 2] = ["messages_fts", "messages_parts"];

/// What is written meanwhile is merged together.
const PAUSE: Duration = Duration::from_millis(250);

/// Pages that a statement writes at the most.
const MOST_PAGES: i64 = 32;

/// Merges whenever it is told that messages came or went, and once in the beginning, for as long as somebody can tell.
pub(super) fn begin(writer: SqlitePool) -> watch::Sender<()> {
    let (tell, mut told) = watch::channel(());
    told.mark_changed();
    tokio::spawn(async move {
        while told.changed().await.is_ok() {
            sleep(PAUSE).await;
            match merge(&writer).await {
                Ok(()) => {}
                Err(_) if writer.is_closed() => return,
                Err(error) => {
                    tracing::warn!(%error, "the search's indexes could not be merged; searches work, more slowly");
                }
            }
        }
    });
    tell
}

/// Merges all that is to be merged.
pub(super) async fn merge(writer: &SqlitePool) -> Result<(), StoreError> {
    for index in INDEXES {
        let mut pages = Portion::up_to(MOST_PAGES);
        while slice(writer, index, &mut pages).await? {}
    }
    Ok(())
}

/// One transaction; whether there may be more.
async fn slice(writer: &SqlitePool, index: &str, pages: &mut Portion) -> Result<bool, StoreError> {
    let mut tx = writer.begin_with("BEGIN IMMEDIATE").await?;
    let (hold, before) = (Hold::begin(Work::Merge), changes(&mut tx).await?);
    let began = Instant::now();
    let sql = format!("INSERT INTO {index} ({index}, rank) VALUES ('merge', {})", pages.size());
    query(AssertSqlSafe(sql)).execute(&mut *tx).await?;
    pages.took(began.elapsed());
    // The statement itself counts as one.
    let merged = changes(&mut tx).await? - before > 1;
    tx.commit().await?;
    if merged {
        hold.end();
    }
    Ok(merged)
}

async fn changes(tx: &mut SqliteConnection) -> Result<i64, sqlx::Error> {
    query_scalar("SELECT total_changes()").fetch_one(tx).await
}
