//! Conversations that were had elsewhere.

use std::collections::HashMap;

use async_trait::async_trait;
use netra_ws::{
    AttachmentId, FrameId, MessageId, RunId, ThreadId, UserId,
    frame::StoredEvent,
    log::{Append, Fence, LogError, NewEvent},
    message::Event,
    model::{Run, Thread},
};
use sqlx::{Arguments as _, query, query_scalar};

use super::{
    super::{
        StoreError,
        importing::{Imported, ImportedRun, Importing},
    },
    SqliteStore,
    attachments::SENT,
    bulk::Bulk,
    catalog::{insert_thread, select_thread},
    commit::events,
    millis,
    projection::Projections,
    to_i64,
};

/// A run of then, and what stands in its row.
struct Row<'r> {
    run: &'r ImportedRun,
    thread: ThreadId,
    number: i64,
    user: UserId,
    at: i64,
}

const fn runs<'r>() -> Bulk<Row<'r>> {
    Bulk {
        before: "INSERT INTO runs (id, thread_id, number, message_id, agent, status, created_at, asked_by)",
        after: "",
        columns: 8,
        bind: |values, row| {
            values.add(row.run.run_id.uuid())?;
            values.add(row.thread.uuid())?;
            values.add(row.number)?;
            values.add(row.run.message_id.uuid())?;
            values.add(&row.run.agent)?;
            values.add("completed")?;
            values.add(row.at)?;
            values.add(row.user.uuid())
        },
    }
}

#[async_trait]
impl Importing for SqliteStore {
    async fn import(&self, user: UserId, imported: &Imported) -> Result<Thread, StoreError> {
        let id = ThreadId::new();
        let mut tx = self.write().await?;
        insert_thread(&mut *tx, id, user, &imported.title, &imported.agent, millis(imported.created_at)).await?;
        let epoch: String =
            query_scalar("SELECT epoch FROM threads WHERE id = ?").bind(id.uuid()).fetch_one(&mut *tx).await?;
        let ended: HashMap<RunId, &Run> = imported.runs.iter().map(|run| (run.run_id, &run.ended)).collect();
        let mut projections = Projections::default();
        let mut stored: Vec<StoredEvent> = Vec::with_capacity(imported.events.len());
        for (seq, told) in (1..).zip(&imported.events) {
            let event = NewEvent::at(FrameId::new(), told.at, told.event.clone()).map_err(StoreError::corrupt)?;
            let placed = event.stored(id, told.run, &epoch, seq);
            let added = match told.run {
                None => projections.add_message(&placed, &told.event),
                Some(run_id) => {
                    let mut append = Append::events(id, Fence { run_id, token: 0 }, Vec::new());
                    let ends = matches!(told.event, Event::AgentCompleted(_) | Event::AgentError(_));
                    append.ended = ended.get(&run_id).filter(|_| ends).map(|run| Box::new((*run).clone()));
                    projections.add(&placed, &told.event, &append)
                }
            };
            added.map_err(failed)?;
            stored.push(placed);
        }
        let rows = (1..).zip(&imported.runs).map(|(number, run)| {
            let at = run.ended.started_at.unwrap_or(imported.created_at);
            Row { run, thread: id, number, user, at: millis(at) }
        });
        let rows: Vec<Row<'_>> = rows.collect();
        runs().each(&mut tx, &rows).await?;
        let placed: Vec<&StoredEvent> = stored.iter().collect();
        events().each(&mut tx, &placed).await?;
        projections.write(&mut tx).await?;
        SENT.all(&mut tx, &files(id, imported)).await?;
        query("UPDATE threads SET head_seq = ?, updated_at = COALESCE(?, updated_at) WHERE id = ?")
            .bind(to_i64(u64::try_from(stored.len()).unwrap_or(u64::MAX)))
            .bind(imported.updated_at.map(millis))
            .bind(id.uuid())
            .execute(&mut *tx)
            .await?;
        let thread = select_thread(&mut *tx, user, id).await?.ok_or(sqlx::Error::RowNotFound)?;
        tx.commit().await?;
        self.indexed.send_replace(());
        Ok(thread)
    }
}

/// The files of its messages.
fn files(thread: ThreadId, imported: &Imported) -> Vec<(AttachmentId, ThreadId, MessageId)> {
    let messages = imported.events.iter().filter_map(|told| match &told.event {
        Event::ThreadMessage(message) => Some(message),
        _ => None,
    });
    let files = messages.flat_map(|message| {
        message.attachments.iter().filter_map(move |file| Some((file.id?, thread, message.message_id)))
    });
    files.collect()
}

fn failed(error: LogError) -> StoreError {
    StoreError::corrupt(error)
}
