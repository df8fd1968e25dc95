//! One transaction for all lanes: fences are checked, numbers given, events and projections written, each by a few statements
//! for many rows.

use std::collections::HashMap;

use netra_ws::{
    RunId, ThreadId, UserId,
    frame::StoredEvent,
    log::{Accepted, Admission, Append, Entry, Fence, LogError, NewEvent, Stored, Wait},
    payload::Ack,
};
use sqlx::{Arguments as _, Row, SqliteConnection, query_as, query_scalar};
use uuid::Uuid;

use super::{
    SqliteStore,
    admissions::{Admissions, Admitted, told},
    bulk::{Bulk, Script, taken},
    failure::store,
    millis,
    projection::Projections,
    rows::EventRow,
    seq, to_i64,
    transaction::{BEGIN, COMMIT, Transaction},
    waiting,
};

/// How far behind a thread's newest event an attempt whose outcome was not known can have come.
const LATELY: i64 = 4_096;

/// Who owns a run, and where its thread's log ends.
const OWNERS: Bulk<(ThreadId, RunId)> = Bulk {
    before: "WITH wanted (thread_id, run_id) AS (",
    after: ") SELECT t.id AS thread_id, t.epoch, t.head_seq, r.id AS run_id, r.fence, r.status FROM wanted AS w
        JOIN threads AS t ON t.id = w.thread_id AND t.user_id <> zeroblob(16)
        LEFT JOIN runs AS r ON r.id = w.run_id AND r.thread_id = t.id",
    columns: 2,
    bind: |values, (thread, run)| {
        values.add(thread.uuid())?;
        values.add(run.uuid())
    },
};

const HEADS: Bulk<(ThreadId, u64)> = Bulk {
    before: "WITH given (id, head_seq) AS (",
    after: ") UPDATE threads SET head_seq = given.head_seq FROM given WHERE threads.id = given.id",
    columns: 2,
    bind: |values, (thread, head)| {
        values.add(thread.uuid())?;
        values.add(to_i64(*head))
    },
};

pub(super) const fn events<'e>() -> Bulk<&'e StoredEvent> {
    Bulk {
        before: "INSERT INTO events (thread_id, seq, id, ts, run_id, type, payload)",
        after: "",
        columns: 7,
        bind: |values, event| {
            values.add(event.thread_id.uuid())?;
            values.add(to_i64(event.seq))?;
            values.add(event.id.uuid())?;
            values.add(millis(event.ts))?;
            values.add(event.run_id.map(RunId::uuid))?;
            values.add(&event.name)?;
            values.add(event.payload.get())
        },
    }
}

/// Events of a commit that are written in one call with all that follows from them, which is what most commits have.
const FEW: usize = 32;

impl SqliteStore {
    pub(super) async fn commit_entries(
        &self,
        entries: &[Entry],
        repeated: bool,
    ) -> Result<Vec<Result<Stored, LogError>>, LogError> {
        let mut tx = Transaction::of(&self.writer).await.map_err(store)?;
        match self.commit_in(tx.connection().map_err(store)?, entries, repeated).await {
            Ok(outcomes) => {
                tx.ended();
                Ok(outcomes)
            }
            Err(error) => {
                tx.roll_back().await;
                Err(error)
            }
        }
    }

    /// The whole transaction, from its beginning to its end.
    async fn commit_in(
        &self,
        tx: &mut SqliteConnection,
        entries: &[Entry],
        repeated: bool,
    ) -> Result<Vec<Result<Stored, LogError>>, LogError> {
        let mut batch = Batch::begin(tx, entries).await?;
        let of_rooms = self.room_commands.write(tx).await.map_err(store)?;
        batch.look_up(tx, entries).await?;
        let mut outcomes = Vec::with_capacity(entries.len());
        for (number, entry) in entries.iter().enumerate() {
            let outcome = match entry {
                Entry::Append(append) => batch.append(tx, number, append, repeated).await.map(Stored::Events),
                Entry::Accept(admission) => {
                    let accepted = batch.accept(tx, number, admission).await;
                    accepted.map(|accepted| Stored::Accepted(Box::new(accepted)))
                }
            };
            match outcome {
                Err(failed @ (LogError::Refused(_) | LogError::Store(_))) => return Err(failed),
                outcome => outcomes.push(outcome),
            }
        }
        let fresh = batch.fresh.iter().filter_map(|number| outcomes[*number].as_ref().ok());
        let stored: Vec<&StoredEvent> = fresh.flat_map(Stored::events).collect();
        let heads = batch.heads();
        if batch.is_of_pieces() && (1..=FEW).contains(&stored.len()) && heads.len() <= FEW {
            let script = Script::default().with(&events(), &stored, stored.len());
            let script = script.and_then(|script| script.with(&HEADS, &heads, heads.len().next_power_of_two()));
            script.map_err(store)?.then(COMMIT).execute(tx).await.map_err(store)?;
        } else {
            batch.admissions.write(tx).await.map_err(store)?;
            events().each(tx, &stored).await.map_err(store)?;
            HEADS.all(tx, &heads).await.map_err(store)?;
            batch.projections.write(tx).await.map_err(store)?;
            for (run, wait, head) in &batch.waits {
                waiting::begin(tx, *run, *wait, *head).await.map_err(store)?;
            }
            for (number, thread) in told(tx, &batch.told).await.map_err(store)? {
                if let (Entry::Accept(admission), Ok(Stored::Accepted(accepted))) =
                    (&entries[number], &mut outcomes[number])
                {
                    accepted.thread = Some((thread, admission.command.thread_id.is_none()));
                }
            }
            Script::default().then(COMMIT).execute(tx).await.map_err(store)?;
        }
        self.room_commands.written(&of_rooms);
        if batch.projections.has_messages() {
            self.indexed.send_replace(());
        }
        Ok(outcomes)
    }
}

/// What a transaction has found and is to write.
#[derive(Default)]
struct Batch<'e> {
    logs: HashMap<ThreadId, Log>,
    owners: HashMap<(ThreadId, RunId), Owner>,
    /// Entries whose events are to be written.
    fresh: Vec<usize>,
    /// Entries whose answer tells of the thread as it is then: number, user, thread.
    told: Vec<(usize, UserId, ThreadId)>,
    projections: Projections,
    /// Runs that wait from now on, and the newest event of their threads.
    waits: Vec<(RunId, Wait, u64)>,
    admissions: Admissions<'e>,
}

/// Where a thread's log ends.
struct Log {
    epoch: String,
    head: u64,
    grown: bool,
}

impl Log {
    fn read(row: &sqlx::sqlite::SqliteRow) -> Result<Self, sqlx::Error> {
        Ok(Self { epoch: row.try_get("epoch")?, head: seq(row.try_get("head_seq")?), grown: false })
    }

    fn next(&mut self) -> u64 {
        self.head += 1;
        self.grown = true;
        self.head
    }
}

/// Who may write events of a run: whoever holds the token, until the run ends.
struct Owner {
    token: i64,
    running: bool,
}

impl<'e> Batch<'e> {
    /// Begins the transaction, with a look at who owns the runs that are written to.
    async fn begin(tx: &mut SqliteConnection, entries: &[Entry]) -> Result<Self, LogError> {
        let wanted: Vec<(ThreadId, RunId)> = entries
            .iter()
            .filter_map(|entry| match entry {
                Entry::Append(append) => Some((append.thread_id, append.fence.run_id)),
                Entry::Accept(_) => None,
            })
            .collect();
        let (first, rest) = wanted.split_at(taken(wanted.len()));
        let mut script = Script::default().then(BEGIN);
        if !first.is_empty() {
            script = script.with(&OWNERS, first, first.len().next_power_of_two()).map_err(store)?;
        }
        let mut rows = script.rows(tx).await.map_err(store)?;
        rows.extend(OWNERS.find(tx, rest).await.map_err(store)?);
        let mut batch = Self::default();
        for row in rows {
            batch.found(&row).map_err(store)?;
        }
        Ok(batch)
    }

    /// Looks up what is to be known about messages.
    async fn look_up(&mut self, tx: &mut SqliteConnection, entries: &'e [Entry]) -> Result<(), LogError> {
        let admissions = entries.iter().filter_map(|entry| match entry {
            Entry::Append(_) => None,
            Entry::Accept(admission) => Some(&**admission),
        });
        self.admissions = Admissions::look_up(tx, admissions).await.map_err(store)?;
        Ok(())
    }

    /// Whether there are pieces of answers and the like, and nothing that changes another table.
    fn is_of_pieces(&self) -> bool {
        self.told.is_empty() && self.waits.is_empty() && self.admissions.are_none() && self.projections.are_none()
    }

    /// Where logs end now.
    fn heads(&self) -> Vec<(ThreadId, u64)> {
        self.logs.iter().filter(|(_, log)| log.grown).map(|(thread, log)| (*thread, log.head)).collect()
    }

    fn found(&mut self, row: &sqlx::sqlite::SqliteRow) -> Result<(), sqlx::Error> {
        let thread = ThreadId::from(row.try_get::<Uuid, _>("thread_id")?);
        self.logs.insert(thread, Log::read(row)?);
        if let Some(run) = row.try_get::<Option<Uuid>, _>("run_id")? {
            let running = row.try_get::<&str, _>("status")? == "running";
            self.owners.insert((thread, run.into()), Owner { token: row.try_get("fence")?, running });
        }
        Ok(())
    }

    /// Gives a run's events their numbers. Its writer must be its owner, and the run must not have ended.
    async fn append(
        &mut self,
        tx: &mut SqliteConnection,
        number: usize,
        append: &Append,
        repeated: bool,
    ) -> Result<Vec<StoredEvent>, LogError> {
        let (thread_id, Fence { run_id, token }) = (append.thread_id, append.fence);
        let log = self.logs.get_mut(&thread_id).ok_or(LogError::NotFound)?;
        if repeated && let Some(first) = stored_before(tx, append).await? {
            let stored = append.events.iter().zip(first..);
            return Ok(stored.map(|(event, seq)| event.stored(thread_id, Some(run_id), &log.epoch, seq)).collect());
        }
        let owner = self.owners.get_mut(&(thread_id, run_id)).ok_or(LogError::NotFound)?;
        if repeated && append.events.is_empty() && owner.token == token && !owner.running {
            // It waits, by an attempt whose outcome was not known.
            return Ok(Vec::new());
        }
        if owner.token != token || !owner.running {
            return Err(LogError::Fenced);
        }
        let mut stored = Vec::with_capacity(append.events.len());
        for event in &append.events {
            let seq = log.next();
            let placed = event.stored(thread_id, Some(run_id), &log.epoch, seq);
            self.projections.add(&placed, &event.event, append)?;
            owner.running &= !event.event.is_terminal();
            stored.push(placed);
        }
        if let Some(usage) = append.usage {
            self.projections.used(run_id, usage)?;
        }
        if let Some(wait) = append.wait {
            self.waits.push((run_id, wait, log.head));
            owner.running = false;
        }
        self.fresh.push(number);
        Ok(stored)
    }

    /// Adds a person's message and the run that will answer it, once per `(user, command)`.
    async fn accept(
        &mut self,
        tx: &mut SqliteConnection,
        number: usize,
        admission: &'e Admission,
    ) -> Result<Accepted, LogError> {
        let (user_id, thread_id) = (admission.command.user_id, admission.thread_id());
        let told = (number, user_id, thread_id);
        if let Some(ack) = self.admissions.earlier(admission)? {
            if ack.run_id != Some(admission.run_id) {
                return Ok(Accepted { ack, thread: None, events: Vec::new() });
            }
            // This very attempt was committed, though that was not known.
            self.told.push(told);
            return accepted_before(tx, thread_id, Ack { duplicate: false, ..ack }).await;
        }
        let Admitted { epoch, head, author } = self.admissions.admit(admission)?;
        // What this transaction has added already is not in the table yet.
        let log = self.logs.entry(thread_id).or_insert(Log { epoch, head, grown: false });
        let message =
            NewEvent::at(admission.event_id, admission.ts, admission.message(author)).map_err(LogError::store)?;
        let seq = log.next();
        let event = message.stored(thread_id, None, &log.epoch, seq);
        self.projections.add_message(&event, &message.event)?;
        let ack = admission.ack(event.seq);
        self.admissions.answer(admission, &ack)?;
        self.fresh.push(number);
        self.told.push(told);
        Ok(Accepted { ack, thread: None, events: vec![event] })
    }
}

/// The number of the first of these events, if an attempt whose outcome was not known stored them.
async fn stored_before(tx: &mut SqliteConnection, append: &Append) -> Result<Option<u64>, LogError> {
    let Some(first) = append.events.first() else { return Ok(None) };
    let found: Option<i64> = query_scalar(
        "SELECT seq FROM events WHERE thread_id = ?1 AND id = ?2
         AND seq > (SELECT head_seq FROM threads WHERE id = ?1) - ?3 ORDER BY seq DESC LIMIT 1",
    )
    .bind(append.thread_id.uuid())
    .bind(first.id.uuid())
    .bind(LATELY)
    .fetch_optional(tx)
    .await
    .map_err(store)?;
    Ok(found.map(seq))
}

/// What a command became in an attempt whose outcome was not known.
async fn accepted_before(tx: &mut SqliteConnection, thread: ThreadId, ack: Ack) -> Result<Accepted, LogError> {
    let epoch: String = query_scalar("SELECT epoch FROM threads WHERE id = ?")
        .bind(thread.uuid())
        .fetch_optional(&mut *tx)
        .await
        .map_err(store)?
        .ok_or(LogError::NotFound)?;
    let row: Option<EventRow> = query_as("SELECT * FROM events WHERE thread_id = ? AND seq = ?")
        .bind(thread.uuid())
        .bind(ack.seq.map(to_i64))
        .fetch_optional(tx)
        .await
        .map_err(store)?;
    let event = row.map(|row| row.into_event(&epoch)).transpose().map_err(store)?;
    Ok(Accepted { ack, thread: None, events: event.into_iter().collect() })
}

#[cfg(test)]
#[path = "commit_tests.rs"]
mod tests;
