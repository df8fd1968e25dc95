//! Messages that people send, many at a time: what is asked about them is asked in one statement, what they make is written
//! in one for each table. What one of them makes is known to the next, though it is in no table yet.

use std::collections::{HashMap, HashSet};

use netra_ws::{
    AttachmentId, CommandId, MessageId, ThreadId, UserId,
    branch::MAX_BRANCHES,
    log::{Admission, LogError},
    model::{AttachmentRef, Author, Thread},
    payload::Ack,
};
use sqlx::{Arguments as _, FromRow as _, Row, SqliteConnection, sqlite::SqliteRow};
use uuid::Uuid;

use super::{
    attachments::{SENDABLE, SENT},
    bulk::Bulk,
    catalog::new_epoch,
    commands, millis,
    rows::{THREAD_COLUMNS, ThreadRow},
    seq, to_i64,
};

/// Whose command, which, to which thread, and which message of it it follows.
type Key = (UserId, CommandId, ThreadId, Option<MessageId>);

/// All that is to be known of a command: whether it was carried out, and the thread, if the user may read it. A message takes
/// its command's id, which another message of the thread may have: one that was sent, and the answer of each run, which has its
/// run's id and is shown before it is a message.
const WANTED: Bulk<Key> = Bulk {
    before: "WITH wanted (user_id, command_id, thread_id, parent_id) AS (",
    after: ") SELECT w.*, c.digest, c.ack, t.epoch, t.head_seq, t.title = '' AS untitled,
            (SELECT name FROM users WHERE id = w.user_id) AS author,
            (SELECT COALESCE(MAX(number), 0) FROM runs WHERE thread_id = w.thread_id) AS runs,
            EXISTS (SELECT 1 FROM messages WHERE thread_id = w.thread_id AND id = w.command_id)
                OR EXISTS (SELECT 1 FROM runs WHERE thread_id = w.thread_id AND message_id = w.command_id)
                OR EXISTS (SELECT 1 FROM runs WHERE thread_id = w.thread_id AND id = w.command_id) AS taken,
            w.parent_id IS NULL OR EXISTS (SELECT 1 FROM messages WHERE thread_id = w.thread_id AND id = w.parent_id) AS follows,
            (SELECT COUNT(*) FROM messages WHERE thread_id = w.thread_id AND parent_id = w.parent_id) AS branches
        FROM wanted AS w
        LEFT JOIN commands AS c ON c.user_id = w.user_id AND c.id = w.command_id
        LEFT JOIN threads AS t ON t.id = w.thread_id AND (t.user_id = w.user_id
            OR EXISTS (SELECT 1 FROM members AS m WHERE m.thread_id = t.id AND m.user_id = w.user_id))",
    columns: 4,
    bind: |values, (user, command, thread, parent)| {
        values.add(user.uuid())?;
        values.add(command.uuid())?;
        values.add(thread.uuid())?;
        values.add(parent.map(MessageId::uuid))
    },
};

const fn threads<'e>() -> Bulk<(&'e Admission, String)> {
    Bulk {
        before: "INSERT INTO threads (id, user_id, title, agent, epoch, created_at, updated_at)",
        after: "",
        columns: 7,
        bind: |values, (admission, epoch)| {
            values.add(admission.thread_id().uuid())?;
            values.add(admission.command.user_id.uuid())?;
            values.add(&admission.command.title)?;
            values.add(&admission.command.agent)?;
            values.add(epoch)?;
            values.add(millis(admission.ts))?;
            values.add(millis(admission.ts))
        },
    }
}

/// A message in an untitled thread gives it its title.
const fn titles<'e>() -> Bulk<&'e Admission> {
    Bulk {
        before: "WITH given (id, title) AS (",
        after: ") UPDATE threads SET title = given.title FROM given WHERE threads.id = given.id",
        columns: 2,
        bind: |values, admission| {
            values.add(admission.thread_id().uuid())?;
            values.add(&admission.command.title)
        },
    }
}

/// Runs, each with its number in its thread.
const fn runs<'e>() -> Bulk<(&'e Admission, i64)> {
    Bulk {
        before: "INSERT INTO runs (id, thread_id, number, message_id, agent, status, created_at, asked_by)",
        after: "",
        columns: 8,
        bind: |values, (admission, number)| {
            values.add(admission.run_id.uuid())?;
            values.add(admission.thread_id().uuid())?;
            values.add(*number)?;
            values.add(admission.command.command_id.uuid())?;
            values.add(&admission.command.agent)?;
            values.add("queued")?;
            values.add(millis(admission.ts))?;
            values.add(admission.command.user_id.uuid())
        },
    }
}

/// Commands, each with its answer as JSON.
const fn answers<'e>() -> Bulk<(&'e Admission, String)> {
    Bulk {
        before: "INSERT INTO commands (user_id, id, digest, thread_id, ack)",
        after: "",
        columns: 5,
        bind: |values, (admission, ack)| {
            values.add(admission.command.user_id.uuid())?;
            values.add(admission.command.command_id.uuid())?;
            values.add(&admission.command.digest[..])?;
            values.add(admission.thread_id().uuid())?;
            values.add(ack)
        },
    }
}

/// What is known of a command before it is carried out.
struct Found {
    /// The digest and the answer of the command that had its id.
    answered: Option<(Vec<u8>, String)>,
    /// The thread, if the user may read it.
    log: Option<(String, u64)>,
    untitled: bool,
    author: Option<String>,
    /// The number of the thread's last run.
    runs: i64,
    /// Whether the thread has a message of this id.
    taken: bool,
    /// Whether the thread has the message that it names as its parent, and how many name that one already.
    follows: bool,
    branches: usize,
}

/// Where a message goes that may be accepted.
pub(super) struct Admitted {
    /// The log's epoch.
    pub(super) epoch: String,
    /// Where it ended before this transaction.
    pub(super) head: u64,
    /// Who wrote the message.
    pub(super) author: Option<Author>,
}

/// What a transaction has found about messages, and what they make.
#[derive(Default)]
pub(super) struct Admissions<'e> {
    found: HashMap<Key, Found>,
    /// Files that are there to be sent, and those that a thread has already, which may be sent again there.
    unsent: HashSet<AttachmentId>,
    kept: HashSet<(AttachmentId, ThreadId)>,
    /// What this transaction adds: answers of commands, ids of messages and runs, the last run's number.
    answered: HashMap<(UserId, CommandId), (&'e [u8], String)>,
    taken: HashSet<(ThreadId, Uuid)>,
    said: HashSet<(ThreadId, MessageId)>,
    branches: HashMap<(ThreadId, MessageId), usize>,
    numbers: HashMap<ThreadId, i64>,
    titled: HashSet<ThreadId>,
    threads: Vec<(&'e Admission, String)>,
    titles: Vec<&'e Admission>,
    runs: Vec<(&'e Admission, i64)>,
    answers: Vec<(&'e Admission, String)>,
    sent: Vec<(AttachmentId, ThreadId, MessageId)>,
}

fn key(admission: &Admission) -> Key {
    let command = &admission.command;
    (command.user_id, command.command_id, admission.thread_id(), command.message.parent_id)
}

impl<'e> Admissions<'e> {
    pub(super) async fn look_up(
        tx: &mut SqliteConnection,
        admissions: impl Iterator<Item = &'e Admission>,
    ) -> Result<Self, sqlx::Error> {
        let (mut wanted, mut files) = (Vec::new(), Vec::new());
        for admission in admissions {
            wanted.push(key(admission));
            let attached = admission.command.message.attachments.iter().filter_map(AttachmentRef::id);
            files.extend(attached.map(|file| (file, admission.command.user_id, admission.thread_id())));
        }
        let mut this = Self::default();
        for row in WANTED.find(tx, &wanted).await? {
            let id = |name: &str| row.try_get::<Uuid, _>(name);
            let parent = row.try_get::<Option<Uuid>, _>("parent_id")?.map(Into::into);
            let key = (id("user_id")?.into(), id("command_id")?.into(), id("thread_id")?.into(), parent);
            this.found.insert(key, Found::read(&row)?);
        }
        for row in SENDABLE.find(tx, &files).await? {
            let file = row.try_get::<Uuid, _>("id")?.into();
            match row.try_get::<Option<Uuid>, _>("thread_id")? {
                Some(thread) => _ = this.kept.insert((file, thread.into())),
                None => _ = this.unsent.insert(file),
            }
        }
        Ok(this)
    }

    /// The answer that this command got before, marked as a duplicate.
    pub(super) fn earlier(&self, admission: &Admission) -> Result<Option<Ack>, LogError> {
        let command = &admission.command;
        let now = self.answered.get(&(command.user_id, command.command_id));
        let before = self.found.get(&key(admission)).and_then(|found| found.answered.as_ref());
        let kept = now.map(|(digest, ack)| (*digest, ack)).or(before.map(|(digest, ack)| (&digest[..], ack)));
        kept.map(|(digest, ack)| commands::again(digest, ack, &command.digest)).transpose()
    }

    /// Takes a message in, unless something about it is not as it must be; then nothing is taken.
    pub(super) fn admit(&mut self, admission: &'e Admission) -> Result<Admitted, LogError> {
        let command = &admission.command;
        let (thread, id) = (admission.thread_id(), command.command_id.uuid());
        let found = self.found.get(&key(admission)).ok_or(LogError::NotFound)?;
        let files: Vec<Option<AttachmentId>> = command.message.attachments.iter().map(AttachmentRef::id).collect();
        let may_go = |file: AttachmentId| self.unsent.contains(&file) || self.kept.contains(&(file, thread));
        if !files.iter().all(|file| file.is_some_and(may_go)) {
            return Err(LogError::AttachmentGone);
        }
        let made = command.thread_id.is_none();
        let (epoch, head) = match &found.log {
            _ if made => (new_epoch(), 0),
            Some(log) => log.clone(),
            None => return Err(LogError::NotFound),
        };
        if found.taken || self.taken.contains(&(thread, id)) {
            return Err(LogError::IdConflict);
        }
        if let Some(parent) = command.message.parent_id {
            if !found.follows && !parent.is_beginning() && !self.said.contains(&(thread, parent)) {
                return Err(LogError::ParentGone);
            }
            let branches = self.branches.entry((thread, parent)).or_insert(found.branches);
            if *branches >= MAX_BRANCHES {
                return Err(LogError::TooManyBranches);
            }
            *branches += 1;
        }
        self.taken.extend([(thread, id), (thread, admission.run_id.uuid())]);
        self.said.insert((thread, command.command_id.into()));
        if made {
            self.threads.push((admission, epoch.clone()));
        } else if found.untitled && self.titled.insert(thread) {
            self.titles.push(admission);
        }
        for file in files.into_iter().flatten() {
            // Of one that the thread had before, its first message is kept.
            if self.unsent.remove(&file) {
                self.sent.push((file, thread, command.command_id.into()));
            }
        }
        let number = self.numbers.entry(thread).or_insert(found.runs);
        *number += 1;
        self.runs.push((admission, *number));
        let author = found.author.clone().map(|name| Author { id: command.user_id, name });
        Ok(Admitted { epoch, head, author })
    }

    /// Keeps the answer to a message that was taken in.
    pub(super) fn answer(&mut self, admission: &'e Admission, ack: &Ack) -> Result<(), LogError> {
        let command = &admission.command;
        let ack = serde_json::to_string(ack).map_err(LogError::store)?;
        self.answered.insert((command.user_id, command.command_id), (&command.digest, ack.clone()));
        self.answers.push((admission, ack));
        Ok(())
    }

    /// Whether there is nothing to be written.
    pub(super) fn are_none(&self) -> bool {
        // Each message has a run.
        self.runs.is_empty()
    }

    /// Writes what the messages make, but for their events and what follows from these.
    pub(super) async fn write(&self, tx: &mut SqliteConnection) -> Result<(), sqlx::Error> {
        threads().each(tx, &self.threads).await?;
        titles().all(tx, &self.titles).await?;
        runs().each(tx, &self.runs).await?;
        SENT.all(tx, &self.sent).await?;
        answers().each(tx, &self.answers).await
    }
}

impl Found {
    fn read(row: &SqliteRow) -> Result<Self, sqlx::Error> {
        let answered = row.try_get::<Option<Vec<u8>>, _>("digest")?.zip(row.try_get("ack")?);
        let log = row.try_get::<Option<String>, _>("epoch")?.zip(row.try_get::<Option<i64>, _>("head_seq")?.map(seq));
        Ok(Self {
            answered,
            log,
            untitled: row.try_get::<Option<bool>, _>("untitled")?.unwrap_or_default(),
            author: row.try_get("author")?,
            runs: row.try_get("runs")?,
            taken: row.try_get("taken")?,
            follows: row.try_get("follows")?,
            branches: usize::try_from(row.try_get::<i64, _>("branches")?).unwrap_or_default(),
        })
    }
}

/// Threads as users see them now, each with the number under which it was asked for.
pub(super) async fn told(
    tx: &mut SqliteConnection,
    wanted: &[(usize, UserId, ThreadId)],
) -> Result<Vec<(usize, Thread)>, sqlx::Error> {
    let bulk: Bulk<(usize, UserId, ThreadId), String> = Bulk {
        before: "WITH wanted (number, user_id, id) AS (",
        after: format!(
            ") SELECT w.number, {THREAD_COLUMNS} FROM wanted AS w JOIN threads AS t ON t.id = w.id
             LEFT JOIN thread_settings AS s ON s.thread_id = t.id AND s.user_id = w.user_id"
        ),
        columns: 3,
        bind: |values, (number, user, id)| {
            values.add(to_i64(*number))?;
            values.add(user.uuid())?;
            values.add(id.uuid())
        },
    };
    let told = |row: &SqliteRow| {
        let number = usize::try_from(row.try_get::<i64, _>("number")?).unwrap_or_default();
        Ok((number, ThreadRow::from_row(row)?.0))
    };
    bulk.find(tx, wanted).await?.iter().map(told).collect()
}
