//! Keeps the indexes of words in few parts. Every commit with messages adds one, every search looks into each, and what deleted
//! messages left goes when parts become one. FTS5 would do that now and then within a commit, which may take a tenth of a
//! second; here it is done beside what is written, in slices.

use std::time::{Duration, Instant};

use sqlx::{AssertSqlSafe, SqlitePool, query_scalar};
use tokio::{sync::watch, time::sleep};

use super::{
    super::StoreError,
    holds::{Hold, Portion, Work},
};

const INDEXES: [&str; 2] = ["messages_fts", "messages_parts"];

/// What is written meanwhile is merged together.
const PAUSE: Duration = Duration::from_millis(250);

/// Pages that a statement writes at the most.
const MOST_PAGES: i64 = 16;

/// By how much longer a statement takes that is a transaction.
const COMMIT_TOO: u32 = 3;

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

/// One transaction; whether there may be more. It is one call: on a machine that is out of breath each waits for its turn, and
/// nobody else writes between a transaction's first and its last.
async fn slice(writer: &SqlitePool, index: &str, pages: &mut Portion) -> Result<bool, StoreError> {
    let mut connection = writer.acquire().await?;
    let (hold, began) = (Hold::begin(Work::Merge), Instant::now());
    let merge = format!("INSERT INTO {index} ({index}, rank) VALUES ('merge', {})", pages.size());
    let sql = format!("SELECT total_changes(); {merge}; SELECT total_changes()");
    let counts: Vec<i64> = query_scalar(AssertSqlSafe(sql)).fetch_all(&mut *connection).await?;
    // The commit is in it, which on most disks takes longer than the rest.
    pages.took(began.elapsed() / COMMIT_TOO);
    // The statement itself counts as one.
    let merged = matches!(counts[..], [before, after] if after - before > 1);
    if merged {
        hold.end();
    }
    Ok(merged)
}
