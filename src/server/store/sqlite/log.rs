//! The event log. `seq` is given inside the transaction that stores the event, so commit order is sequence order.

use async_trait::async_trait;
use futures::TryStreamExt;
use netra_ws::{
    FrameId, RunId, ThreadId, UserId,
    frame::StoredEvent,
    log::{Accept, Accepted, EventLog, Fence, Head, LogError, NewEvent, Page, PageLimit},
    message::{Message as _, ServerMessage},
    model::{MessageRole, Run},
    payload::{Ack, ThreadMessage, ThreadSnapshot},
};
use serde_json::value::RawValue;
use sqlx::{AssertSqlSafe, Row, SqliteConnection, query, query_as, query_scalar};
use uuid::Uuid;

use super::{
    super::{Recorded, StoreError},
    SqliteStore, commands, corrupt, now,
    projection::{fold_run, project},
    rows::{EventRow, READABLE},
    seq, threads, timestamp, to_i64, users,
};

/// Messages in a snapshot.
const SNAPSHOT_MESSAGES: usize = 200;

pub(super) fn store(error: StoreError) -> LogError {
    LogError::Store(Box::new(error))
}

#[async_trait]
impl EventLog for SqliteStore {
    async fn append(&self, events: &[NewEvent]) -> Result<Vec<StoredEvent>, LogError> {
        let Some(thread_id) = events.first().map(|event| event.thread_id) else { return Ok(Vec::new()) };
        let mut tx = self.write().await.map_err(store)?;
        let mut checked: Option<Fence> = None;
        for event in events {
            if checked != Some(event.fence) {
                check_fence(&mut tx, thread_id, event.fence).await?;
                checked = Some(event.fence);
            }
        }
        let messages = events.iter().map(|event| (Some(event.fence.run_id), &event.message));
        let stored = insert(&mut tx, thread_id, messages).await?;
        for (event, stored) in events.iter().zip(&stored) {
            project(&mut tx, stored, Some(event.fence.run_id), &event.message).await.map_err(store)?;
        }
        tx.commit().await.map_err(store)?;
        Ok(stored)
    }

    async fn accept(&self, command: Accept) -> Result<Accepted, LogError> {
        let mut tx = self.write().await.map_err(store)?;
        if let Some(ack) = commands::earlier(&mut tx, command.user_id, command.command_id, &command.digest).await? {
            return Ok(Accepted { ack, thread: None, events: Vec::new() });
        }
        let at = now();
        let thread_id = match command.thread_id {
            Some(id) => {
                let found = threads::select_thread(&mut *tx, command.user_id, id).await.map_err(store)?;
                found.ok_or(LogError::NotFound)?.id
            }
            None => {
                let id = ThreadId::new();
                threads::add_thread(&mut *tx, id, command.user_id, &command.title, &command.agent, at)
                    .await
                    .map_err(store)?;
                id
            }
        };
        // The message takes the command's id, which another message of the thread may have.
        let taken: Option<i64> = query_scalar("SELECT 1 FROM messages WHERE thread_id = ? AND id = ?")
            .bind(thread_id.uuid())
            .bind(command.command_id.uuid())
            .fetch_optional(&mut *tx)
            .await
            .map_err(store)?;
        if taken.is_some() {
            return Err(LogError::IdConflict);
        }
        let author = users::select_author(&mut tx, command.user_id).await.map_err(store)?;
        let run_id = RunId::new();
        let message_id = command.command_id.into();
        query(
            "INSERT INTO runs (id, thread_id, number, message_id, agent, status, created_at)
             VALUES (?1, ?2, 1 + COALESCE((SELECT MAX(number) FROM runs WHERE thread_id = ?2), 0), ?3, ?4, 'queued', ?5)",
        )
        .bind(run_id.uuid())
        .bind(thread_id.uuid())
        .bind(command.command_id.uuid())
        .bind(&command.agent)
        .bind(at)
        .execute(&mut *tx)
        .await
        .map_err(store)?;
        let message = ServerMessage::ThreadMessage(ThreadMessage {
            message_id,
            role: MessageRole::User,
            content: command.message.content.clone(),
            answered_by: Some(run_id),
            agent: Some(command.agent.clone()),
            author,
            attachments: command.message.attachments.clone(),
        });
        let events = insert(&mut tx, thread_id, std::iter::once((None, &message))).await?;
        for event in &events {
            project(&mut tx, event, None, &message).await.map_err(store)?;
        }
        if command.thread_id.is_some() {
            // A message in an untitled thread gives it its title.
            query("UPDATE threads SET title = ? WHERE id = ? AND title = ''")
                .bind(&command.title)
                .bind(thread_id.uuid())
                .execute(&mut *tx)
                .await
                .map_err(store)?;
        }
        let ack = Ack {
            thread_id: Some(thread_id),
            message_id: Some(message_id),
            run_id: Some(run_id),
            seq: events.first().map(|event| event.seq),
            duplicate: false,
        };
        let (user_id, command_id, digest) = (command.user_id, command.command_id, &*command.digest);
        commands::insert(&mut tx, Recorded { user_id, command_id, digest, thread_id, ack: &ack }).await?;
        let thread = threads::select_thread(&mut *tx, command.user_id, thread_id).await.map_err(store)?;
        tx.commit().await.map_err(store)?;
        Ok(Accepted { ack, thread: thread.map(|thread| (thread, command.thread_id.is_none())), events })
    }

    async fn head(&self, user: UserId, thread: ThreadId) -> Result<Head, LogError> {
        let sql = format!("SELECT t.epoch, t.head_seq, t.trimmed_seq FROM threads AS t WHERE t.id = ? AND {READABLE}");
        let row = query(AssertSqlSafe(sql))
            .bind(thread.uuid())
            .bind(user.uuid())
            .bind(user.uuid())
            .fetch_optional(&self.readers)
            .await
            .map_err(store)?
            .ok_or(LogError::NotFound)?;
        let read = || -> Result<Head, StoreError> {
            Ok(Head {
                epoch: row.try_get("epoch")?,
                head_seq: seq(row.try_get("head_seq")?),
                trimmed_seq: seq(row.try_get("trimmed_seq")?),
            })
        };
        read().map_err(store)
    }

    async fn read(&self, thread: ThreadId, after_seq: u64, limit: PageLimit) -> Result<Page, LogError> {
        let mut tx = self.readers.begin().await.map_err(store)?;
        let (epoch, head): (String, i64) = query_as("SELECT epoch, head_seq FROM threads WHERE id = ?")
            .bind(thread.uuid())
            .fetch_optional(&mut *tx)
            .await
            .map_err(store)?
            .ok_or(LogError::NotFound)?;
        let (mut events, mut bytes) = (Vec::new(), 0);
        let mut rows =
            query_as::<_, EventRow>("SELECT * FROM events WHERE thread_id = ? AND seq > ? ORDER BY seq LIMIT ?")
                .bind(thread.uuid())
                .bind(to_i64(after_seq))
                .bind(to_i64(limit.events))
                .fetch(&mut *tx);
        while bytes < limit.bytes {
            let Some(row) = rows.try_next().await.map_err(store)? else { break };
            let event = row.into_event(&epoch).map_err(store)?;
            bytes += event.payload.get().len();
            events.push(event);
        }
        Ok(Page { epoch, head_seq: seq(head), events })
    }

    async fn snapshot(&self, user: UserId, thread_id: ThreadId) -> Result<ThreadSnapshot, LogError> {
        let mut tx = self.readers.begin().await.map_err(store)?;
        let thread =
            threads::select_thread(&mut *tx, user, thread_id).await.map_err(store)?.ok_or(LogError::NotFound)?;
        let epoch: String = query_scalar("SELECT epoch FROM threads WHERE id = ?")
            .bind(thread_id.uuid())
            .fetch_one(&mut *tx)
            .await
            .map_err(store)?;
        let messages =
            threads::select_messages(&mut *tx, thread_id, None, SNAPSHOT_MESSAGES + 1).await.map_err(store)?;
        let earlier = messages.len() > SNAPSHOT_MESSAGES;
        let messages = messages.into_iter().skip(usize::from(earlier)).collect::<Vec<_>>();
        let first = messages.first().map_or(0, |message| message.seq);
        let runs = runs_since(&mut tx, thread_id, if earlier { first } else { 0 }, &epoch).await.map_err(store)?;
        Ok(ThreadSnapshot {
            as_of_seq: thread.head_seq,
            epoch,
            thread,
            messages,
            earlier_cursor: earlier.then(|| first.to_string()),
            runs,
        })
    }
}

/// A run's writer must be its owner, and the run must not have ended.
async fn check_fence(tx: &mut SqliteConnection, thread: ThreadId, fence: Fence) -> Result<(), LogError> {
    let row: Option<(i64, String)> = query_as("SELECT fence, status FROM runs WHERE id = ? AND thread_id = ?")
        .bind(fence.run_id.uuid())
        .bind(thread.uuid())
        .fetch_optional(tx)
        .await
        .map_err(store)?;
    match row {
        None => Err(LogError::NotFound),
        Some((token, status)) if token == fence.token && status == "running" => Ok(()),
        Some(_) => Err(LogError::Fenced),
    }
}

/// Stores events with the thread's next numbers.
async fn insert<'m>(
    tx: &mut SqliteConnection,
    thread_id: ThreadId,
    messages: impl ExactSizeIterator<Item = (Option<RunId>, &'m ServerMessage)>,
) -> Result<Vec<StoredEvent>, LogError> {
    let (head, epoch): (i64, String) =
        query_as("UPDATE threads SET head_seq = head_seq + ? WHERE id = ? RETURNING head_seq, epoch")
            .bind(to_i64(messages.len()))
            .bind(thread_id.uuid())
            .fetch_optional(&mut *tx)
            .await
            .map_err(store)?
            .ok_or(LogError::NotFound)?;
    let first = head - to_i64(messages.len()) + 1;
    let ts = now();
    let mut stored = Vec::with_capacity(messages.len());
    for (number, (run_id, message)) in (first..).zip(messages) {
        let payload = message.payload().and_then(|payload| serde_json::value::to_raw_value(&payload));
        let payload: Box<RawValue> = payload.map_err(|error| store(corrupt(error)))?;
        let event = StoredEvent {
            id: FrameId::new(),
            ts: timestamp(ts),
            thread_id,
            run_id,
            epoch: epoch.clone(),
            seq: seq(number),
            name: message.info().name.to_owned(),
            payload,
        };
        query("INSERT INTO events (thread_id, seq, id, ts, run_id, type, payload) VALUES (?, ?, ?, ?, ?, ?, ?)")
            .bind(thread_id.uuid())
            .bind(number)
            .bind(event.id.uuid())
            .bind(ts)
            .bind(run_id.map(RunId::uuid))
            .bind(&event.name)
            .bind(event.payload.get())
            .execute(&mut *tx)
            .await
            .map_err(store)?;
        stored.push(event);
    }
    Ok(stored)
}

/// The runs that answer messages from `first_seq` on, and every unfinished one.
async fn runs_since(
    tx: &mut SqliteConnection,
    thread: ThreadId,
    first_seq: u64,
    epoch: &str,
) -> Result<Vec<Run>, StoreError> {
    let rows = query(
        "SELECT r.id, r.message_id, r.agent, r.state, r.start_seq FROM runs AS r
         LEFT JOIN messages AS m ON m.thread_id = r.thread_id AND m.id = r.message_id
         WHERE r.thread_id = ? AND (m.seq >= ? OR r.status IN ('queued', 'running')) ORDER BY r.number",
    )
    .bind(thread.uuid())
    .bind(to_i64(first_seq))
    .fetch_all(&mut *tx)
    .await?;
    let mut runs = Vec::with_capacity(rows.len());
    for row in rows {
        let run = match row.try_get::<Option<&str>, _>("state")? {
            Some(state) => serde_json::from_str(state).map_err(corrupt)?,
            None => {
                let id: Uuid = row.try_get("id")?;
                let message: Option<Uuid> = row.try_get("message_id")?;
                let queued = Run::queued(id.into(), row.try_get("agent")?, message.map(Into::into));
                match row.try_get::<Option<i64>, _>("start_seq")? {
                    Some(start) => fold_run(&mut *tx, thread, start, queued, epoch).await?,
                    None => queued,
                }
            }
        };
        runs.push(run);
    }
    Ok(runs)
}
