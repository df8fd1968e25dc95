//! What model servers want to see again.

use async_trait::async_trait;
use netra_ws::{RunId, log::Fence};
use sqlx::{Row, query, query_scalar, sqlite::SqliteRow};
use uuid::Uuid;

use super::{
    super::{
        StoreError,
        model_turns::{KeptTurn, ModelTurns, TURNS_OF_A_THREAD},
    },
    SqliteStore, seq, to_i64,
};

fn kept(row: &SqliteRow) -> Result<KeptTurn, StoreError> {
    let number = |column| Ok::<_, StoreError>(seq(row.try_get(column)?));
    Ok(KeptTurn {
        first_call: u32::try_from(number("first_call")?).map_err(StoreError::corrupt)?,
        calls: serde_json::from_str(row.try_get("calls")?).map_err(StoreError::corrupt)?,
        said: usize::try_from(number("said")?).map_err(StoreError::corrupt)?,
        replay: row.try_get("replay")?,
    })
}

#[async_trait]
impl ModelTurns for SqliteStore {
    async fn keep_turn(&self, fence: Fence, source: &[u8], turn: &KeptTurn) -> Result<bool, StoreError> {
        let calls = serde_json::to_string(&turn.calls).map_err(StoreError::corrupt)?;
        let mut tx = self.write().await?;
        let thread: Option<Uuid> = query_scalar(
            "INSERT OR REPLACE INTO model_turns (thread_id, run_id, first_call, source, said, calls, replay)
             SELECT r.thread_id, r.id, ?3, ?4, ?5, ?6, ?7 FROM runs AS r
             WHERE r.id = ?1 AND r.fence = ?2 AND r.status = 'running' RETURNING thread_id",
        )
        .bind(fence.run_id.uuid())
        .bind(fence.token)
        .bind(turn.first_call)
        .bind(source)
        .bind(to_i64(turn.said))
        .bind(calls)
        .bind(&turn.replay)
        .fetch_optional(&mut *tx)
        .await?;
        let Some(thread) = thread else { return Ok(false) };
        query(
            "DELETE FROM model_turns WHERE id IN (
                 SELECT id FROM model_turns WHERE thread_id = ? ORDER BY id DESC LIMIT -1 OFFSET ?)",
        )
        .bind(thread)
        .bind(to_i64(TURNS_OF_A_THREAD))
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(true)
    }

    async fn kept_turns(&self, run: RunId, source: &[u8]) -> Result<Vec<KeptTurn>, StoreError> {
        let rows = query(
            "SELECT first_call, said, calls, replay FROM model_turns WHERE run_id = ? AND source = ? ORDER BY first_call",
        )
        .bind(run.uuid())
        .bind(source)
        .fetch_all(&self.readers)
        .await?;
        rows.iter().map(kept).collect()
    }
}

#[cfg(test)]
mod tests {
    use netra_ws::ThreadId;

    use super::{
        super::{
            super::{ThreadCatalog as _, Upkeep as _, model_turns::KeptCall},
            cleaning::trim_tests::{claimed_run, entry, open, whole_run},
        },
        *,
    };

    fn turn(first_call: u32, id: &str) -> KeptTurn {
        let calls = vec![KeptCall { id: id.to_owned(), tool: "wait".to_owned() }];
        KeptTurn { first_call, calls, said: 3, replay: Some("[1]".to_owned()) }
    }

    async fn rows(store: &SqliteStore, thread: ThreadId) -> i64 {
        let count = query_scalar("SELECT COUNT(*) FROM model_turns WHERE thread_id = ?").bind(thread.uuid());
        count.fetch_one(&store.readers).await.expect("counted")
    }

    #[tokio::test]
    async fn turns_are_kept_by_who_owns_the_run_and_go_with_its_thread() {
        let dir = tempfile::tempdir().expect("a folder");
        let (store, user) = open(dir.path()).await;
        let (thread, fence) = claimed_run(&store, user, None).await;
        assert!(keep(&store, fence, turn(1, "a")).await);
        assert!(keep(&store, fence, turn(2, "b")).await);
        assert!(keep(&store, fence, turn(2, "c")).await, "taken anew");
        assert!(!keep(&store, Fence { token: fence.token - 1, ..fence }, turn(3, "d")).await, "another owner");
        let found = store.kept_turns(fence.run_id, b"one").await.expect("read");
        assert_eq!(found, [turn(1, "a"), turn(2, "c")]);
        assert_eq!(store.kept_turns(fence.run_id, b"other").await.expect("read"), [], "another server sent none");

        for number in 3..TURNS_OF_A_THREAD + 5 {
            assert!(keep(&store, fence, turn(u32::try_from(number).expect("small"), "e")).await);
        }
        assert_eq!(rows(&store, thread).await, to_i64(TURNS_OF_A_THREAD), "the oldest went");
        netra_ws::log::append(&store, entry(thread, fence, whole_run())).await.expect("appended");
        assert!(!keep(&store, fence, turn(1, "f")).await, "the run has ended");

        assert!(store.remove_thread(user, thread).await.expect("deleted"));
        store.bury().await.expect("buried");
        for _ in 0..100 {
            if rows(&store, thread).await == 0 {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        panic!("{} turns are left of a deleted thread", rows(&store, thread).await);
    }

    async fn keep(store: &SqliteStore, fence: Fence, turn: KeptTurn) -> bool {
        store.keep_turn(fence, b"one", &turn).await.expect("written")
    }
}
