//! Opens what a power cut left as the server would, and holds it against what was known.

use std::{
    collections::{HashMap, HashSet},
    fs,
    path::{Path, PathBuf},
};

use netra::server::store::{Durability, sqlite::SqliteStore};
use sqlx::{
    Connection, Row, SqliteConnection, query, query_as, query_scalar,
    sqlite::{SqliteConnectOptions, SqliteJournalMode},
};
use tempfile::TempDir;
use uuid::Uuid;

use crate::{
    disk::Files,
    facts::{Fact, Facts},
};

/// What is wrong after a power cut.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Something that a client knew is not there.
    Lost(String),
    /// What is there cannot be opened, is not dense, or is not what was written.
    Broken(String),
}

/// The database as it was in the end: every event that ever had a place in it.
pub(crate) struct Truth {
    folder: TempDir,
    key: Vec<u8>,
}

/// A folder in memory where there is one: the disk is the recording's, not the test's.
fn scratch() -> TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.expect("a folder")
}

fn write(files: &Files, root: &Path) {
    for (path, bytes) in files {
        let path = root.join(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder is made");
        fs::write(path, bytes).expect("a file is written");
    }
}

impl Truth {
    /// Reads the last state of the disk.
    pub(crate) async fn read(files: &Files) -> Self {
        let folder = scratch();
        write(files, folder.path());
        let truth = Self { key: files[Path::new("data/jwt.key")].clone(), folder };
        let options = SqliteConnectOptions::new().filename(truth.database()).journal_mode(SqliteJournalMode::Delete);
        SqliteConnection::connect_with(&options).await.expect("opens").close().await.expect("closes");
        truth
    }

    fn database(&self) -> PathBuf {
        self.folder.path().join("data/netra.db")
    }
}

/// Everything that is wrong with what was left at a step.
pub(crate) async fn faults(files: &Files, step: usize, facts: &Facts, truth: &Truth) -> Vec<Fault> {
    let folder = scratch();
    write(files, folder.path());
    let data = folder.path().join("data");
    fs::create_dir_all(&data).expect("a data folder");
    let mut faults = Vec::new();
    let (heads, rest) = facts.at(step);
    match files.get(Path::new("data/jwt.key")) {
        Some(key) if *key != truth.key => faults.push(Fault::Broken("jwt.key is another one".to_owned())),
        None if rest.contains(&Fact::Key) => faults.push(Fault::Lost("jwt.key is gone".to_owned())),
        Some(_) | None => {}
    }
    for fact in &rest {
        if let Fact::File { id, bytes } = fact {
            let there = files.get(&Path::new("data/attachments").join(id.to_string()));
            if there != Some(bytes) {
                let there = there.map(Vec::len);
                faults.push(Fault::Lost(format!("of file {id} of {} bytes there is {there:?}", bytes.len())));
            }
        }
    }
    let broken = |error: sqlx::Error| Fault::Broken(error.to_string());
    let store = match SqliteStore::open("sqlite:", &data, Durability::Power).await {
        Ok(store) => store,
        Err(error) => return vec![Fault::Broken(format!("it does not open: {error}"))],
    };
    match look(&data.join("netra.db"), &heads, &rest, truth).await {
        Ok(found) => faults.extend(found),
        Err(error) => faults.push(broken(error)),
    }
    // A server would now begin to write.
    faults.extend(store.take_up(&data).await.err().map(|error| Fault::Broken(error.to_string())));
    store.close().await;
    faults
}

/// Opens a copy as a server would that is given it: what is wrong with it, or why it is refused.
pub(crate) async fn copy(files: &Files, truth: &Truth) -> Result<Vec<Fault>, String> {
    let folder = scratch();
    write(files, folder.path());
    let data = folder.path().join("data");
    let store = SqliteStore::open("sqlite:", &data, Durability::Power).await.map_err(|error| error.to_string())?;
    let taken = store.take_up(&data).await.map_err(|error| error.to_string());
    store.close().await;
    taken?;
    // A new server gives the log new epochs; its events are the same.
    let found = look(&data.join("netra.db"), &HashMap::new(), &HashSet::new(), truth).await;
    found.map_err(|error| error.to_string())
}

/// Reads the database that the store has opened.
async fn look(
    database: &Path,
    heads: &HashMap<Uuid, u64>,
    rest: &HashSet<&Fact>,
    truth: &Truth,
) -> Result<Vec<Fault>, sqlx::Error> {
    let mut faults = Vec::new();
    let mut db = SqliteConnection::connect_with(&SqliteConnectOptions::new().filename(database)).await?;
    let verdict: String = query_scalar("PRAGMA quick_check").fetch_one(&mut db).await?;
    if verdict != "ok" {
        faults.push(Fault::Broken(verdict));
    }
    query("ATTACH ? AS truth").bind(truth.database().to_string_lossy().into_owned()).execute(&mut db).await?;
    for changed in [
        "SELECT COUNT(*) FROM events AS e LEFT JOIN truth.events AS t ON t.thread_id = e.thread_id AND t.seq = e.seq
         WHERE t.id IS NOT e.id OR t.ts IS NOT e.ts OR t.run_id IS NOT e.run_id OR t.type IS NOT e.type
            OR t.payload IS NOT e.payload",
        "SELECT COUNT(*) FROM messages AS m LEFT JOIN truth.messages AS t ON t.thread_id = m.thread_id AND t.id = m.id
         WHERE t.seq IS NOT m.seq OR t.role IS NOT m.role OR t.content IS NOT m.content",
    ] {
        let count: i64 = query_scalar(changed).fetch_one(&mut db).await?;
        if count > 0 {
            faults.push(Fault::Broken(format!("{count} rows are not those that were written: {changed}")));
        }
    }
    let logs = query(
        "SELECT t.id, t.head_seq, COUNT(e.seq) AS count, COALESCE(MAX(e.seq), 0) AS last FROM threads AS t
         LEFT JOIN events AS e ON e.thread_id = t.id WHERE t.user_id <> zeroblob(16) GROUP BY t.id",
    );
    let mut found: HashMap<Uuid, u64> = HashMap::new();
    for row in logs.fetch_all(&mut db).await? {
        let (thread, head): (Uuid, i64) = (row.try_get("id")?, row.try_get("head_seq")?);
        let (count, last): (i64, i64) = (row.try_get("count")?, row.try_get("last")?);
        if (head, head) != (count, last) {
            faults.push(Fault::Broken(format!("{thread} ends at {head} and has {count} events to {last}")));
        }
        found.insert(thread, head.unsigned_abs());
    }
    for (thread, head) in heads {
        let there = found.get(thread).copied().unwrap_or(0);
        if there < *head {
            faults.push(Fault::Lost(format!("event {head} of {thread} was heard, the log ends at {there}")));
        }
    }
    let rows = Rows::read(&mut db).await?;
    faults.extend(rest.iter().filter(|fact| !rows.hold(fact)).map(|fact| Fault::Lost(format!("{fact:?}"))));
    db.close().await?;
    Ok(faults)
}

/// What stands in the small tables.
struct Rows {
    users: HashSet<Uuid>,
    signed_in: HashSet<Uuid>,
    threads: HashMap<Uuid, String>,
    members: HashSet<(Uuid, Uuid)>,
    tokens: HashSet<Uuid>,
    messages: HashSet<Uuid>,
    commands: HashSet<Uuid>,
    /// Files that came whole, with the message that each was sent with.
    files: HashMap<Uuid, Option<Uuid>>,
    /// Whether they are unfinished, and whether somebody asked them to stop.
    runs: HashMap<Uuid, (bool, bool)>,
}

impl Rows {
    async fn read(db: &mut SqliteConnection) -> Result<Self, sqlx::Error> {
        let mut ids = async |sql: &'static str| -> Result<HashSet<Uuid>, sqlx::Error> {
            Ok(query_scalar(sql).fetch_all(&mut *db).await?.into_iter().collect())
        };
        let users = ids("SELECT id FROM users").await?;
        let signed_in = ids("SELECT user_id FROM sessions").await?;
        let tokens = ids("SELECT id FROM api_tokens").await?;
        let messages = ids("SELECT id FROM messages").await?;
        let commands = ids("SELECT id FROM commands").await?;
        // Deleted ones are nobody's until what belonged to them is gone.
        let threads: Vec<(Uuid, String)> =
            query_as("SELECT id, title FROM threads WHERE user_id <> zeroblob(16)").fetch_all(&mut *db).await?;
        let files: Vec<(Uuid, Option<Uuid>)> =
            query_as("SELECT id, message_id FROM attachments WHERE state = 1").fetch_all(&mut *db).await?;
        let members: Vec<(Uuid, Uuid)> = query_as("SELECT thread_id, user_id FROM members").fetch_all(&mut *db).await?;
        let runs: Vec<(Uuid, bool, bool)> =
            query_as("SELECT id, status IN ('queued', 'running'), stop_requested FROM runs").fetch_all(db).await?;
        Ok(Self {
            users,
            signed_in,
            threads: threads.into_iter().collect(),
            members: members.into_iter().collect(),
            tokens,
            messages,
            commands,
            files: files.into_iter().collect(),
            runs: runs.into_iter().map(|(id, unfinished, stop)| (id, (unfinished, stop))).collect(),
        })
    }

    fn hold(&self, fact: &Fact) -> bool {
        match fact {
            // Looked at elsewhere.
            Fact::Event { .. } | Fact::Key => true,
            Fact::User(id) => self.users.contains(id),
            Fact::SignedIn(user) => self.signed_in.contains(user),
            Fact::SignedOut(user) => !self.signed_in.contains(user),
            Fact::Thread(id) => self.threads.contains_key(id),
            Fact::ThreadGone(id) => !self.threads.contains_key(id),
            Fact::Title(id, title) => self.threads.get(id) == Some(title),
            Fact::Member { thread, user } => self.members.contains(&(*thread, *user)),
            Fact::ApiToken(id) => self.tokens.contains(id),
            Fact::ApiTokenGone(id) => !self.tokens.contains(id),
            Fact::Message(id) => self.messages.contains(id) && self.commands.contains(id),
            Fact::Run(id) => self.runs.contains_key(id),
            Fact::RunOver(id) => self.runs.get(id).is_some_and(|(unfinished, _)| !unfinished),
            // Its bytes are looked at elsewhere.
            Fact::File { id, .. } => self.files.contains_key(id),
            Fact::Sent { file, message } => self.files.get(file) == Some(&Some(*message)),
            Fact::RunStopped(id) => self.runs.get(id).is_some_and(|(unfinished, stop)| *stop || !unfinished),
        }
    }
}
