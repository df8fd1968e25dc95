//! Commands that join and leave rooms. A room is in memory and ends with the process, so a command about it is worth no
//! transaction and no sync of its own: it is remembered here and written with whatever is committed next, for a day. Until then a
//! power cut or a crash may forget it, as it does the room; whoever sends it again joins again, which changes nothing.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use netra_ws::{CommandId, ThreadId, UserId, log::LogError, payload::Ack};
use sqlx::{Arguments as _, SqliteConnection, query};

use super::{
    super::{Recorded, StoreError},
    SqliteStore,
    bulk::Bulk,
    commands::again,
    failure::store,
    now,
};

/// Commands that wait to be written: more than one commit takes on, where nothing else is committed.
const MOST: usize = 1_024;

/// How long they are remembered, in milliseconds.
const MEMORY: i64 = 24 * 60 * 60 * 1_000;

/// Who gave it, and its id.
type Key = (UserId, CommandId);

#[derive(Clone)]
struct Given {
    key: Key,
    digest: Vec<u8>,
    thread_id: ThreadId,
    /// JSON.
    ack: String,
    forget_at: i64,
}

/// A command that was given otherwise meanwhile stays what it was, and one about a thread that is gone is gone.
const WRITE: Bulk<Given> = Bulk {
    before: "WITH given (user_id, id, digest, thread_id, ack, forget_at) AS (",
    after: ") INSERT OR IGNORE INTO commands (user_id, id, digest, thread_id, ack, forget_at)
        SELECT given.* FROM given JOIN threads AS t ON t.id = given.thread_id AND t.user_id <> zeroblob(16)",
    columns: 6,
    bind: |values, given| {
        values.add(given.key.0.uuid())?;
        values.add(given.key.1.uuid())?;
        values.add(&given.digest[..])?;
        values.add(given.thread_id.uuid())?;
        values.add(&given.ack)?;
        values.add(given.forget_at)
    },
};

/// Commands that are not written yet.
#[derive(Clone, Default)]
pub(super) struct RoomCommands(Arc<Mutex<HashMap<Key, Given>>>);

impl RoomCommands {
    fn waiting(&self) -> MutexGuard<'_, HashMap<Key, Given>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The answer that this command got before, if it is one of these.
    pub(super) fn earlier(&self, user: UserId, command: CommandId, digest: &[u8]) -> Result<Option<Ack>, LogError> {
        self.waiting().get(&(user, command)).map(|given| again(&given.digest, &given.ack, digest)).transpose()
    }

    /// Remembers a command, unless its id is known: then that one's answer. Whether so many wait that they are to be written.
    fn keep(&self, command: Recorded<'_>) -> Result<(Option<Ack>, bool), LogError> {
        let key = (command.user_id, command.command_id);
        let mut waiting = self.waiting();
        if let Some(given) = waiting.get(&key) {
            return Ok((Some(again(&given.digest, &given.ack, command.digest)?), false));
        }
        let ack = serde_json::to_string(command.ack).map_err(LogError::store)?;
        let (digest, thread_id) = (command.digest.to_vec(), command.thread_id);
        waiting.insert(key, Given { key, digest, thread_id, ack, forget_at: now() + MEMORY });
        Ok((None, waiting.len() >= MOST))
    }

    /// Writes them with what a transaction writes, and takes out of the table what is old. They stay here until it is committed.
    pub(super) async fn write(&self, tx: &mut SqliteConnection) -> Result<Vec<Key>, sqlx::Error> {
        let given: Vec<Given> = self.waiting().values().cloned().collect();
        if given.is_empty() {
            return Ok(Vec::new());
        }
        WRITE.all(tx, &given).await?;
        query(
            "DELETE FROM commands WHERE (user_id, id) IN
                 (SELECT user_id, id FROM commands WHERE forget_at < ? ORDER BY forget_at LIMIT 128)",
        )
        .bind(now())
        .execute(tx)
        .await?;
        Ok(given.into_iter().map(|given| given.key).collect())
    }

    /// They were committed.
    pub(super) fn written(&self, keys: &[Key]) {
        let mut waiting = self.waiting();
        for key in keys {
            waiting.remove(key);
        }
    }
}

impl SqliteStore {
    /// Remembers a command of a room.
    pub(super) async fn keep_room_command(&self, command: Recorded<'_>) -> Result<Ack, LogError> {
        let (known, many) = self.room_commands.keep(command)?;
        if many && let Err(error) = self.write_room_commands().await {
            // They would only grow in number.
            self.room_commands.waiting().clear();
            return Err(store(error));
        }
        Ok(known.unwrap_or_else(|| command.ack.clone()))
    }

    /// Writes what waits, in a transaction of its own.
    pub(super) async fn write_room_commands(&self) -> Result<(), StoreError> {
        if self.room_commands.waiting().is_empty() {
            return Ok(());
        }
        let mut tx = self.write().await?;
        let written = self.room_commands.write(&mut tx).await?;
        tx.commit().await?;
        self.room_commands.written(&written);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use netra_ws::log::{Accept, accept};
    use netra_ws::payload::UserMessage;
    use sqlx::query_scalar;

    use super::*;
    use crate::server::store::{CommandLedger as _, Durability, ThreadCatalog as _, UserStore as _};

    struct Scene {
        dir: tempfile::TempDir,
        store: SqliteStore,
        user: UserId,
        thread: ThreadId,
    }

    impl Scene {
        async fn new() -> Self {
            let dir = tempfile::tempdir().expect("a folder");
            let store = SqliteStore::open("sqlite:", dir.path(), Durability::Power).await.expect("it opens");
            let user = store.dev_user().await.expect("a user").id;
            let thread = store.add_thread(user, "A thread", "guide").await.expect("added").id;
            Self { dir, store, user, thread }
        }

        async fn join(&self, id: CommandId, digest: &[u8]) -> Result<Ack, LogError> {
            if let Some(ack) = self.store.earlier_answer(self.user, id, digest).await? {
                return Ok(ack);
            }
            let ack = Ack { thread_id: Some(self.thread), ..Ack::default() };
            let (user_id, thread_id) = (self.user, self.thread);
            self.store.record_command(Recorded { user_id, command_id: id, digest, thread_id, ack: &ack }).await
        }

        async fn rows(&self) -> i64 {
            let count = query_scalar("SELECT COUNT(*) FROM commands WHERE forget_at IS NOT NULL");
            count.fetch_one(&self.store.readers).await.expect("counted")
        }

        async fn say(&self, id: CommandId) -> Result<Ack, LogError> {
            let command = Accept {
                user_id: self.user,
                command_id: id,
                digest: vec![9],
                thread_id: Some(self.thread),
                title: String::new(),
                agent: "guide".to_owned(),
                message: UserMessage { content: "Hello.".to_owned(), ..UserMessage::default() },
            };
            accept(&self.store, command).await.map(|accepted| accepted.ack)
        }
    }

    #[tokio::test]
    async fn a_command_is_written_with_what_is_committed_next() {
        let scene = Scene::new().await;
        let id = CommandId::new();
        assert!(!scene.join(id, &[1]).await.expect("joined").duplicate);
        assert_eq!(scene.rows().await, 0, "no transaction for a room");
        for _ in 0..2 {
            assert!(scene.join(id, &[1]).await.expect("known").duplicate);
            assert!(matches!(scene.join(id, &[2]).await, Err(LogError::IdConflict)), "another command");
            assert!(matches!(scene.say(id).await, Err(LogError::IdConflict)), "it is a room's");
            scene.say(CommandId::new()).await.expect("accepted");
            assert_eq!(scene.rows().await, 1);
        }
        // Used by a message first.
        let taken = CommandId::new();
        scene.say(taken).await.expect("accepted");
        assert!(matches!(scene.join(taken, &[1]).await, Err(LogError::IdConflict)));
    }

    #[tokio::test]
    async fn it_outlives_a_restart_and_is_forgotten_in_the_end() {
        let scene = Scene::new().await;
        let (old, other) = (CommandId::new(), CommandId::new());
        scene.join(old, &[1]).await.expect("joined");
        scene.store.close().await;
        let store = SqliteStore::open("sqlite:", scene.dir.path(), Durability::Power).await.expect("it opens");
        let scene = Scene { store, ..scene };
        assert!(scene.join(old, &[1]).await.expect("known").duplicate);
        query("UPDATE commands SET forget_at = ?").bind(now() - 1).execute(&scene.store.writer).await.expect("aged");
        scene.join(other, &[1]).await.expect("joined");
        scene.say(CommandId::new()).await.expect("accepted");
        assert_eq!(scene.rows().await, 1, "the newer one");
        assert!(!scene.join(old, &[1]).await.expect("joined anew").duplicate);
    }

    #[tokio::test]
    async fn many_are_written_though_nothing_else_is_and_those_of_a_thread_that_is_gone_are_not() {
        let scene = Scene::new().await;
        scene.join(CommandId::new(), &[1]).await.expect("joined");
        let gone = scene.thread;
        let thread = scene.store.add_thread(scene.user, "Another", "guide").await.expect("added").id;
        assert!(scene.store.remove_thread(scene.user, gone).await.expect("deleted"));
        let scene = Scene { thread, ..scene };
        for _ in 1..MOST {
            scene.join(CommandId::new(), &[1]).await.expect("joined");
        }
        assert_eq!(scene.rows().await, i64::try_from(MOST).expect("few") - 1);
        assert!(scene.store.room_commands.waiting().is_empty());
    }
}
