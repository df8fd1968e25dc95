//! A thread as pages show it: the newest messages, or those before a place, with the runs that they need.

use async_trait::async_trait;
use futures::TryStreamExt;
use netra_ws::{
    MessageId, RunId, ThreadId, UserId,
    log::{LogError, PageLimit},
    model::{Message, Run},
    payload::ThreadSnapshot,
};
use sqlx::{Row, SqliteConnection, query, query_as, query_scalar, sqlite::SqliteRow};
use uuid::Uuid;

use super::{
    super::{Asked, History, HistoryStore, Path, StoreError},
    SqliteStore, catalog,
    failure::store,
    path,
    projection::fold_run,
    rows::MessageRow,
    to_i64,
};

/// Messages of a thread before an event, the newest first.
const NEWEST_MESSAGES: &str =
    "SELECT id, seq, role, content, run_id, attachments, created_at, author_id, author_name, parent_id FROM messages
     WHERE thread_id = ? AND seq < ? ORDER BY seq DESC LIMIT ?";

/// Messages in a snapshot.
const SNAPSHOT_MESSAGES: usize = 200;

/// About how many bytes of JSON a page of messages with its runs may have. The newest message is there however large it is.
const PAGE_BYTES: usize = 256 * 1024;

/// What the JSON around a message's text takes, roughly.
const MESSAGE_FRAME: usize = 256;

/// Which page of messages.
struct Wanted {
    thread: ThreadId,
    /// Only messages before this event.
    before_seq: Option<u64>,
    limit: usize,
    /// Whether runs that have not ended are wanted, too, whatever they answer.
    unfinished: bool,
}

#[async_trait]
impl HistoryStore for SqliteStore {
    async fn messages(
        &self,
        thread: ThreadId,
        before_seq: Option<u64>,
        limit: usize,
    ) -> Result<Vec<Message>, StoreError> {
        let rows: Vec<MessageRow> = query_as(NEWEST_MESSAGES)
            .bind(thread.uuid())
            .bind(before_seq.map_or(i64::MAX, to_i64))
            .bind(to_i64(limit))
            .fetch_all(&self.readers)
            .await?;
        Ok(rows.into_iter().rev().map(|MessageRow(message)| message).collect())
    }

    async fn messages_within(
        &self,
        thread: ThreadId,
        before_seq: Option<u64>,
        limit: PageLimit,
    ) -> Result<Vec<Message>, StoreError> {
        let mut rows = query_as::<_, MessageRow>(NEWEST_MESSAGES)
            .bind(thread.uuid())
            .bind(before_seq.map_or(i64::MAX, to_i64))
            .bind(to_i64(limit.events))
            .fetch(&self.readers);
        let (mut messages, mut bytes) = (Vec::new(), 0);
        while bytes < limit.bytes {
            let Some(MessageRow(message)) = rows.try_next().await? else { break };
            bytes += message.content.len() + MESSAGE_FRAME;
            messages.push(message);
        }
        messages.reverse();
        Ok(messages)
    }

    async fn path(&self, thread: ThreadId, message: MessageId, limit: usize) -> Result<Path, StoreError> {
        let mut tx = self.readers.begin().await?;
        path::read(&mut tx, thread, message, limit).await
    }

    async fn asked(&self, thread: ThreadId, message: MessageId) -> Result<Option<Asked>, StoreError> {
        let mut tx = self.readers.begin().await?;
        path::asked(&mut tx, thread, message).await
    }

    async fn history(
        &self,
        user: UserId,
        thread: ThreadId,
        before_seq: Option<u64>,
        limit: usize,
    ) -> Result<Option<History>, StoreError> {
        let mut tx = self.readers.begin().await?;
        if catalog::select_thread(&mut *tx, user, thread).await?.is_none() {
            return Ok(None);
        }
        let epoch = select_epoch(&mut tx, thread).await?;
        page(&mut tx, &Wanted { thread, before_seq, limit, unfinished: false }, &epoch).await.map(Some)
    }

    async fn run(&self, user: UserId, thread: ThreadId, run: RunId) -> Result<Option<Run>, StoreError> {
        let mut tx = self.readers.begin().await?;
        if catalog::select_thread(&mut *tx, user, thread).await?.is_none() {
            return Ok(None);
        }
        let epoch = select_epoch(&mut tx, thread).await?;
        let row = query("SELECT id, message_id, agent, state, start_seq, parent_run_id, parent_call_id FROM runs WHERE id = ? AND thread_id = ?")
            .bind(run.uuid())
            .bind(thread.uuid())
            .fetch_optional(&mut *tx)
            .await?;
        match row {
            Some(row) => read_run(&mut tx, thread, &row, &epoch).await.map(Some),
            None => Ok(None),
        }
    }
}

impl SqliteStore {
    /// The thread as it stands, read in one transaction.
    pub(super) async fn select_snapshot(&self, user: UserId, thread_id: ThreadId) -> Result<ThreadSnapshot, LogError> {
        let mut tx = self.readers.begin().await.map_err(store)?;
        let thread =
            catalog::select_thread(&mut *tx, user, thread_id).await.map_err(store)?.ok_or(LogError::NotFound)?;
        let epoch = select_epoch(&mut tx, thread_id).await.map_err(store)?;
        let wanted = Wanted { thread: thread_id, before_seq: None, limit: SNAPSHOT_MESSAGES, unfinished: true };
        let History { messages, runs, earlier } = page(&mut tx, &wanted, &epoch).await.map_err(store)?;
        let first = messages.first().filter(|_| earlier);
        Ok(ThreadSnapshot {
            as_of_seq: thread.head_seq,
            epoch,
            thread,
            earlier_cursor: first.map(|message| message.seq.to_string()),
            messages,
            runs,
        })
    }
}

async fn select_epoch(tx: &mut SqliteConnection, thread: ThreadId) -> Result<String, StoreError> {
    Ok(query_scalar("SELECT epoch FROM threads WHERE id = ?").bind(thread.uuid()).fetch_one(tx).await?)
}

/// The newest messages of those wanted, with their runs, as many as fit. Runs are read one by one, so that no more of them is
/// held than the page has room for: their thoughts may be long.
async fn page(tx: &mut SqliteConnection, wanted: &Wanted, epoch: &str) -> Result<History, StoreError> {
    let (mut messages, mut earlier) = newest(tx, wanted).await?;
    let mut needed = needed(tx, wanted, &messages).await?;
    let (mut bytes, mut fit) = (0, messages.len());
    for (at, message) in messages.iter().enumerate() {
        bytes += message.content.len() + MESSAGE_FRAME;
        for needed in needed.iter_mut().filter(|needed| needed.run.is_none() && needed.by(message)) {
            bytes += needed.read(tx, wanted.thread, epoch).await?;
        }
        if bytes > PAGE_BYTES && at > 0 {
            fit = at;
            break;
        }
    }
    earlier |= fit < messages.len();
    messages.truncate(fit);
    messages.reverse();
    let mut runs = Vec::with_capacity(needed.len());
    for mut needed in needed {
        let kept = needed.unfinished || messages.iter().any(|message| needed.by(message));
        if kept && needed.run.is_none() {
            needed.read(tx, wanted.thread, epoch).await?;
        }
        runs.extend(needed.run.filter(|_| kept));
    }
    Ok(History { messages, runs, earlier })
}

/// Messages, the newest first, until the page is full; and whether there are more.
async fn newest(tx: &mut SqliteConnection, wanted: &Wanted) -> Result<(Vec<Message>, bool), StoreError> {
    // One more than is wanted tells that there are more.
    let mut rows = query_as::<_, MessageRow>(NEWEST_MESSAGES)
        .bind(wanted.thread.uuid())
        .bind(wanted.before_seq.map_or(i64::MAX, to_i64))
        .bind(to_i64(wanted.limit.saturating_add(1)))
        .fetch(tx);
    let (mut messages, mut bytes) = (Vec::new(), 0);
    while let Some(MessageRow(message)) = rows.try_next().await? {
        bytes += message.content.len() + MESSAGE_FRAME;
        if messages.len() >= wanted.limit || (bytes > PAGE_BYTES && !messages.is_empty()) {
            return Ok((messages, true));
        }
        messages.push(message);
    }
    Ok((messages, false))
}

/// A run that a page needs.
struct Needed {
    id: RunId,
    /// What it answers, or the run does that it works for in the end.
    answers: Option<MessageId>,
    /// The run that it works for in the end; itself when it works for a person.
    top: RunId,
    /// Whether it is wanted for not having ended.
    unfinished: bool,
    /// Once it was read: with its large parts cut.
    run: Option<Run>,
}

impl Needed {
    /// Whether this message is what it answers, or what it wrote.
    fn by(&self, message: &Message) -> bool {
        self.answers == Some(message.message_id) || message.run_id == Some(self.top)
    }

    /// Reads it; answers how many bytes of JSON it takes.
    async fn read(&mut self, tx: &mut SqliteConnection, thread: ThreadId, epoch: &str) -> Result<usize, StoreError> {
        let row = query(
            "SELECT id, message_id, agent, state, start_seq, parent_run_id, parent_call_id FROM runs WHERE id = ?",
        )
        .bind(self.id.uuid())
        .fetch_one(&mut *tx)
        .await?;
        let run = read_run(tx, thread, &row, epoch).await?.cut();
        let bytes = serde_json::to_string(&run).map_err(StoreError::corrupt)?.len();
        self.run = Some(run);
        Ok(bytes)
    }
}

/// The runs that answer or wrote one of these messages, and where wanted those that have not ended, in the order they were asked
/// for.
async fn needed(tx: &mut SqliteConnection, wanted: &Wanted, messages: &[Message]) -> Result<Vec<Needed>, StoreError> {
    let (Some(last), Some(first)) = (messages.first(), messages.last()) else {
        return Ok(Vec::new());
    };
    let rows: Vec<(Uuid, Option<Uuid>, bool, Option<Uuid>)> = query_as(
        "SELECT id, message_id, status IN ('queued', 'running', 'waiting') AS unfinished, parent_run_id FROM runs
         WHERE id IN (WITH RECURSIVE shown (id) AS (
             SELECT r.id FROM messages AS m JOIN runs AS r ON r.thread_id = m.thread_id AND r.message_id = m.id
             WHERE m.thread_id = ?1 AND m.seq BETWEEN ?2 AND ?3
             UNION SELECT m.run_id FROM messages AS m WHERE m.thread_id = ?1 AND m.seq BETWEEN ?2 AND ?3
             UNION SELECT id FROM runs WHERE thread_id = ?1 AND status IN ('queued', 'running') AND ?4
             UNION SELECT id FROM runs WHERE thread_id = ?1 AND status = 'waiting' AND ?4
             UNION SELECT r.id FROM shown JOIN runs AS r ON r.parent_run_id = shown.id) SELECT id FROM shown)
         ORDER BY number",
    )
    .bind(wanted.thread.uuid())
    .bind(to_i64(first.seq))
    .bind(to_i64(last.seq))
    .bind(wanted.unfinished)
    .fetch_all(&mut *tx)
    .await?;
    let mut all: Vec<Needed> = Vec::with_capacity(rows.len());
    for (id, answers, unfinished, parent) in rows {
        // Who works for another is shown with it. A parent was asked for first.
        let of = parent.and_then(|parent| all.iter().find(|needed| needed.id.uuid() == parent));
        let (answers, top) = of.map_or((answers.map(Into::into), id.into()), |parent| (parent.answers, parent.top));
        all.push(Needed { id: id.into(), answers, top, unfinished: wanted.unfinished && unfinished, run: None });
    }
    Ok(all)
}

/// A run: as it was kept when it ended, or folded from its events so far.
async fn read_run(
    tx: &mut SqliteConnection,
    thread: ThreadId,
    row: &SqliteRow,
    epoch: &str,
) -> Result<Run, StoreError> {
    if let Some(state) = row.try_get::<Option<&str>, _>("state")? {
        return serde_json::from_str(state).map_err(StoreError::corrupt);
    }
    let id: Uuid = row.try_get("id")?;
    let message: Option<Uuid> = row.try_get("message_id")?;
    let queued = Run {
        parent_run_id: row.try_get::<Option<Uuid>, _>("parent_run_id")?.map(Into::into),
        parent_call_id: row.try_get("parent_call_id")?,
        ..Run::queued(id.into(), row.try_get("agent")?, message.map(Into::into))
    };
    match row.try_get::<Option<i64>, _>("start_seq")? {
        Some(start) => fold_run(tx, thread, start, queued, epoch).await,
        None => Ok(queued),
    }
}
