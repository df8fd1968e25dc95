//! What commands became: a resend gets the first answer, for as long as the thread lives.

use async_trait::async_trait;
use netra_ws::{CommandId, RunId, UserId, log::LogError, payload::Ack};
use sqlx::{SqliteConnection, query, query_as};

use super::{
    super::{CommandLedger, Recorded, StoreError},
    SqliteStore,
    failure::store,
};

/// The answer that this command got before, marked as a duplicate.
async fn earlier(
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
async fn insert(tx: &mut SqliteConnection, command: Recorded<'_>) -> Result<(), LogError> {
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

    async fn record_stop(&self, run: RunId, command: Recorded<'_>) -> Result<Ack, LogError> {
        let mut tx = self.write().await.map_err(store)?;
        let of_rooms = self.room_commands.write(&mut tx).await.map_err(store)?;
        if let Some(ack) = earlier(&mut tx, command.user_id, command.command_id, command.digest).await? {
            return Ok(ack);
        }
        query("UPDATE runs SET stop_requested = 1 WHERE id = ?")
            .bind(run.uuid())
            .execute(&mut *tx)
            .await
            .map_err(store)?;
        insert(&mut tx, command).await?;
        tx.commit().await.map_err(store)?;
        self.room_commands.written(&of_rooms);
        Ok(command.ack.clone())
    }
}
