//! What commands became: a resend gets the first answer, for as long as the thread lives.

use async_trait::async_trait;
use netra_ws::{CommandId, MessageId, RunId, ThreadId, UserId, branch::MAX_BRANCHES, log::LogError, payload::Ack};
use sqlx::{AssertSqlSafe, SqliteConnection, query, query_as, query_scalar};
use uuid::Uuid;

use super::{
    super::{CommandLedger, Recorded, StoreError},
    SqliteStore,
    failure::store,
    now,
    rows::READABLE,
    to_i64, waiting,
};

/// The answer that this command got before, marked as a duplicate.
pub(super) async fn earlier(
    tx: &mut SqliteConnection,
    user: UserId,
    command: CommandId,
    digest: &[u8],
) -> Result<Option<Ack>, LogError> {
    let row: Option<(Vec<u8>, String)> = query_as("SELECT digest, ack FROM commands WHERE user_id = ? AND id = ?")
        .bind(user.uuid())
        .bind(command.uuid())
        .fetch_optional(tx)
        .await
        .map_err(store)?;
    row.map(|(kept, ack)| again(&kept, &ack, digest)).transpose()
}

/// The kept answer to a command, marked as a duplicate, if that was this one.
pub(super) fn again(kept: &[u8], ack: &str, digest: &[u8]) -> Result<Ack, LogError> {
    if kept != digest {
        return Err(LogError::IdConflict);
    }
    let ack: Ack = serde_json::from_str(ack).map_err(|error| store(StoreError::corrupt(error)))?;
    Ok(Ack { duplicate: true, ..ack })
}

/// Keeps the answer.
pub(super) async fn insert(tx: &mut SqliteConnection, command: Recorded<'_>) -> Result<(), LogError> {
    query("INSERT INTO commands (user_id, id, digest, thread_id, ack) VALUES (?, ?, ?, ?, ?)")
        .bind(command.user_id.uuid())
        .bind(command.command_id.uuid())
        .bind(command.digest)
        .bind(command.thread_id.uuid())
        .bind(serde_json::to_string(command.ack).map_err(LogError::store)?)
        .execute(tx)
        .await
        .map(drop)
        .map_err(store)
}

#[async_trait]
impl CommandLedger for SqliteStore {
    async fn earlier_answer(&self, user: UserId, command: CommandId, digest: &[u8]) -> Result<Option<Ack>, LogError> {
        if let Some(ack) = self.room_commands.earlier(user, command, digest)? {
            return Ok(Some(ack));
        }
        let mut reader = self.readers.acquire().await.map_err(store)?;
        earlier(&mut reader, user, command, digest).await
    }

    async fn record_command(&self, command: Recorded<'_>) -> Result<Ack, LogError> {
        self.keep_room_command(command).await
    }

    async fn find_asked(
        &self,
        user: UserId,
        message: MessageId,
        thread: Option<ThreadId>,
    ) -> Result<Option<(ThreadId, String)>, StoreError> {
        let sql = format!(
            "SELECT t.id, COALESCE((SELECT r.agent FROM runs AS r
                 WHERE r.thread_id = t.id AND r.message_id = m.id ORDER BY r.number LIMIT 1), t.agent)
             FROM messages AS m JOIN threads AS t ON t.id = m.thread_id
             WHERE m.id = ?2 AND m.role = 'user' AND (?3 IS NULL OR t.id = ?3) AND {READABLE} LIMIT 1"
        );
        let found: Option<(Uuid, String)> = query_as(AssertSqlSafe(sql))
            .bind(user.uuid())
            .bind(message.uuid())
            .bind(thread.map(ThreadId::uuid))
            .fetch_optional(&self.readers)
            .await?;
        Ok(found.map(|(thread, agent)| (thread.into(), agent)))
    }

    async fn record_run(
        &self,
        run: RunId,
        message: MessageId,
        agent: &str,
        command: Recorded<'_>,
    ) -> Result<Ack, LogError> {
        let mut tx = self.write().await.map_err(store)?;
        let of_rooms = self.room_commands.write(&mut tx).await.map_err(store)?;
        if let Some(ack) = earlier(&mut tx, command.user_id, command.command_id, command.digest).await? {
            return Ok(ack);
        }
        let answers: i64 = query_scalar("SELECT COUNT(*) FROM runs WHERE thread_id = ? AND message_id = ?")
            .bind(command.thread_id.uuid())
            .bind(message.uuid())
            .fetch_one(&mut *tx)
            .await
            .map_err(store)?;
        if answers >= to_i64(MAX_BRANCHES) {
            return Err(LogError::TooManyBranches);
        }
        let added = query(
            "INSERT INTO runs (id, thread_id, number, message_id, agent, status, created_at, asked_by)
             SELECT ?1, t.id, 1 + COALESCE((SELECT MAX(number) FROM runs WHERE thread_id = t.id), 0), ?3, ?4, 'queued', ?5, ?6
             FROM threads AS t WHERE t.id = ?2 AND t.user_id <> zeroblob(16)",
        )
        .bind(run.uuid())
        .bind(command.thread_id.uuid())
        .bind(message.uuid())
        .bind(agent)
        .bind(now())
        .bind(command.user_id.uuid())
        .execute(&mut *tx)
        .await
        .map_err(store)?;
        if added.rows_affected() == 0 {
            return Err(LogError::NotFound);
        }
        insert(&mut tx, command).await?;
        tx.commit().await.map_err(store)?;
        self.room_commands.written(&of_rooms);
        Ok(command.ack.clone())
    }

    async fn record_stop(&self, run: RunId, command: Recorded<'_>) -> Result<(Ack, Vec<RunId>), LogError> {
        let mut tx = self.write().await.map_err(store)?;
        let of_rooms = self.room_commands.write(&mut tx).await.map_err(store)?;
        if let Some(ack) = earlier(&mut tx, command.user_id, command.command_id, command.digest).await? {
            return Ok((ack, Vec::new()));
        }
        let stopped = waiting::stop_tree(&mut tx, run).await.map_err(store)?;
        insert(&mut tx, command).await?;
        tx.commit().await.map_err(store)?;
        self.room_commands.written(&of_rooms);
        Ok((command.ack.clone(), stopped))
    }
}
