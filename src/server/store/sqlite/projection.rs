//! What events mean for the tables beside the log, written in the same transaction.

use std::collections::HashMap;

use futures::TryStreamExt;
use netra_ws::{
    ErrorCode, MessageId, RunId, ThreadId,
    frame::StoredEvent,
    log::{Append, ChildRun, LogError},
    message::Event,
    model::{Author, MessageRole, Run, RunStatus, Usage},
    payload::CompletedStatus,
};
use sqlx::{Arguments as _, SqliteConnection, query_as};
use uuid::Uuid;

use super::{
    super::StoreError,
    bulk::Bulk,
    millis,
    questions::{JOINED, NewQuestion, QUESTIONS, TAKEN},
    rows::EventRow,
    to_i64,
    waiting::{self, PARENTS},
};

/// What is to be written, gathered from many events.
#[derive(Default)]
pub(super) struct Projections {
    messages: Vec<NewMessage>,
    starts: Vec<(RunId, u64)>,
    /// JSON; of each run what it said last.
    usages: HashMap<RunId, String>,
    ends: Vec<EndedRun>,
    /// Those of them that work for others.
    nested: Vec<RunId>,
    questions: Vec<NewQuestion>,
    /// Calls that began or ended.
    begun: Vec<(RunId, String)>,
    /// Calls that ended.
    joined: Vec<(RunId, String)>,
    children: Vec<(ThreadId, RunId, ChildRun)>,
}

/// A message as an event tells of it.
struct NewMessage {
    thread_id: ThreadId,
    id: Uuid,
    seq: u64,
    role: MessageRole,
    content: String,
    run_id: Option<RunId>,
    /// JSON.
    attachments: String,
    at: i64,
    author: Option<Author>,
    parent: Option<MessageId>,
}

/// A run at its end, with its folded state, so that a snapshot need not read its events.
struct EndedRun {
    id: RunId,
    status: RunStatus,
    /// JSON.
    state: String,
    at: i64,
    seq: u64,
}

const MESSAGES: Bulk<NewMessage> = Bulk {
    before: "INSERT INTO messages
        (thread_id, id, seq, role, content, run_id, attachments, created_at, author_id, author_name, parent_id)",
    after: "",
    columns: 11,
    bind: |values, message| {
        values.add(message.thread_id.uuid())?;
        values.add(message.id)?;
        values.add(to_i64(message.seq))?;
        values.add(message.role.to_string())?;
        values.add(&message.content)?;
        values.add(message.run_id.map(RunId::uuid))?;
        values.add(&message.attachments)?;
        values.add(message.at)?;
        values.add(message.author.as_ref().map(|author| author.id.uuid()))?;
        values.add(message.author.as_ref().map(|author| &author.name))?;
        values.add(message.parent.map(MessageId::uuid))
    },
};

/// A thread was changed last by its last message.
const SPOKEN: Bulk<NewMessage> = Bulk {
    before: "WITH given (id, at) AS (",
    after: ") UPDATE threads SET updated_at = given.at
        FROM (SELECT id, MAX(at) AS at FROM given GROUP BY id) AS given WHERE threads.id = given.id",
    columns: 2,
    bind: |values, message| {
        values.add(message.thread_id.uuid())?;
        values.add(message.at)
    },
};

/// A run that is taken up again keeps its first start.
const STARTS: Bulk<(RunId, u64)> = Bulk {
    before: "WITH given (id, seq) AS (",
    after: ") UPDATE runs SET start_seq = COALESCE(start_seq, given.seq) FROM given WHERE runs.id = given.id",
    columns: 2,
    bind: |values, (run, seq)| {
        values.add(run.uuid())?;
        values.add(to_i64(*seq))
    },
};

const USAGES: Bulk<(RunId, String)> = Bulk {
    before: "WITH given (id, usage) AS (",
    after: ") UPDATE runs SET usage = given.usage FROM given WHERE runs.id = given.id",
    columns: 2,
    bind: |values, (run, usage)| {
        values.add(run.uuid())?;
        values.add(usage)
    },
};

const ENDS: Bulk<EndedRun> = Bulk {
    before: "WITH given (id, status, state, at, seq) AS (",
    after: ") UPDATE runs SET wake_at = NULL, status = given.status, state = given.state, ended_at = given.at, end_seq = given.seq,
        owner = NULL, lease_expires_at = 0 FROM given WHERE runs.id = given.id",
    columns: 5,
    bind: |values, run| {
        values.add(run.id.uuid())?;
        values.add(run.status.to_string())?;
        values.add(&run.state)?;
        values.add(run.at)?;
        values.add(to_i64(run.seq))
    },
};

impl Projections {
    /// Takes in a person's message.
    pub(super) fn add_message(&mut self, stored: &StoredEvent, event: &Event) -> Result<(), LogError> {
        if let Event::ThreadMessage(added) = event {
            self.messages.push(NewMessage {
                thread_id: stored.thread_id,
                id: added.message_id.uuid(),
                seq: stored.seq,
                role: added.role,
                content: added.content.clone(),
                run_id: None,
                attachments: serde_json::to_string(&added.attachments).map_err(LogError::store)?,
                at: millis(stored.ts),
                author: added.author.clone(),
                parent: added.parent_id,
            });
        }
        Ok(())
    }

    /// Takes in an event of those that a run appends.
    pub(super) fn add(&mut self, stored: &StoredEvent, event: &Event, append: &Append) -> Result<(), LogError> {
        let ended = append.ended.as_deref();
        let run = || stored.run_id.ok_or_else(|| LogError::store("an event of a run without the run"));
        match event {
            Event::ThreadMessage(_) => self.add_message(stored, event)?,
            // The call of its parent tells it.
            Event::AgentResponse(_) if append.nested => {}
            Event::ToolExecuting(call) => {
                let run = run()?;
                self.begun.push((run, call.tool_call_id.clone()));
                let child = append.children.iter().find(|child| child.tool_call_id == call.tool_call_id);
                self.children.extend(child.map(|child| (stored.thread_id, run, child.clone())));
            }
            Event::ToolApprovalRequired(asked) => self.questions.push(NewQuestion::new(run()?, stored, asked)?),
            Event::ToolCompleted(call) => {
                let call = (run()?, call.tool_call_id.clone());
                self.begun.push(call.clone());
                self.joined.push(call);
            }
            Event::AgentStarted(_) => self.starts.push((run()?, stored.seq)),
            Event::AgentResponse(answer) => self.messages.push(NewMessage {
                thread_id: stored.thread_id,
                id: answer.message_id.uuid(),
                seq: stored.seq,
                role: MessageRole::Assistant,
                content: answer.content.clone(),
                run_id: stored.run_id,
                attachments: "[]".to_owned(),
                at: millis(stored.ts),
                author: None,
                parent: None,
            }),
            Event::AgentCompleted(done) => {
                let status = match done.status {
                    CompletedStatus::Completed => RunStatus::Completed,
                    CompletedStatus::Stopped => RunStatus::Stopped,
                    CompletedStatus::Unknown(word) => RunStatus::Unknown(word),
                };
                self.end(run()?, stored, status, ended)?;
            }
            Event::AgentError(_) => self.end(run()?, stored, RunStatus::Failed, ended)?,
            Event::AgentThinking(_) | Event::AgentProgress(_) | Event::PartialResult(_) => {}
        }
        Ok(())
    }

    /// Takes in what a run has used so far.
    pub(super) fn used(&mut self, run: RunId, usage: Usage) -> Result<(), LogError> {
        self.usages.insert(run, serde_json::to_string(&usage).map_err(LogError::store)?);
        Ok(())
    }

    fn end(&mut self, id: RunId, event: &StoredEvent, status: RunStatus, run: Option<&Run>) -> Result<(), LogError> {
        let run = run.ok_or_else(|| LogError::store("a run's end without its state"))?;
        let state = serde_json::to_string(run).map_err(LogError::store)?;
        self.nested.extend(run.is_nested().then_some(id));
        self.ends.push(EndedRun { id, status, state, at: millis(event.ts), seq: event.seq });
        Ok(())
    }

    /// Whether there are messages among it.
    pub(super) fn has_messages(&self) -> bool {
        !self.messages.is_empty()
    }

    /// Whether there is nothing to be written.
    pub(super) fn are_none(&self) -> bool {
        let (messages, questions, children) = (&self.messages, &self.questions, &self.children);
        let none_of_people = messages.is_empty() && questions.is_empty() && children.is_empty();
        let calls = self.begun.is_empty() && self.joined.is_empty();
        none_of_people && calls && self.starts.is_empty() && self.usages.is_empty() && self.ends.is_empty()
    }

    /// Writes what was gathered.
    pub(super) async fn write(&self, tx: &mut SqliteConnection) -> Result<(), sqlx::Error> {
        MESSAGES.each(tx, &self.messages).await?;
        SPOKEN.all(tx, &self.messages).await?;
        STARTS.all(tx, &self.starts).await?;
        let usages: Vec<_> = self.usages.iter().map(|(run, usage)| (*run, usage.clone())).collect();
        USAGES.each(tx, &usages).await?;
        QUESTIONS.each(tx, &self.questions).await?;
        TAKEN.all(tx, &self.begun).await?;
        JOINED.all(tx, &self.joined).await?;
        for (thread, parent, child) in &self.children {
            waiting::add_child(tx, *thread, *parent, child).await?;
        }
        ENDS.all(tx, &self.ends).await?;
        PARENTS.all(tx, &self.nested).await
    }
}

/// Folds a run's events from `start` on into its state.
pub(super) async fn fold_run(
    tx: &mut SqliteConnection,
    thread: ThreadId,
    start: i64,
    mut run: Run,
    epoch: &str,
) -> Result<Run, StoreError> {
    // One by one: a long run has many megabytes of events, and little state.
    let mut rows =
        query_as::<_, EventRow>("SELECT * FROM events WHERE thread_id = ? AND seq >= ? AND run_id = ? ORDER BY seq")
            .bind(thread.uuid())
            .bind(start)
            .bind(run.run_id.uuid())
            .fetch(tx);
    while let Some(row) = rows.try_next().await? {
        let frame = match row.into_event(epoch)?.decode() {
            // An event of a later version says nothing to this one.
            Err(error) if error.code == ErrorCode::UnknownType => continue,
            decoded => decoded.map_err(StoreError::corrupt)?,
        };
        run.apply(&frame.message, frame.ts.unwrap_or_default());
    }
    Ok(run)
}
