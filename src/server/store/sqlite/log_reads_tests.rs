//! The log in SQLite does what every log must.

use std::time::Duration;

use netra_ws::{
    RunId,
    conformance::{Subject, check},
    log::Fence,
};

use super::{
    super::super::{Durability, NewUser, RunQueue as _, ThreadCatalog as _, UserStore as _},
    *,
};

struct Sqlite(SqliteStore);

#[async_trait]
impl Subject for Sqlite {
    fn log(&self) -> &dyn EventLog {
        &self.0
    }

    async fn user(&self) -> UserId {
        let user = NewUser {
            email: format!("{}@example.org", UserId::new()),
            name: "Ada".to_owned(),
            password_hash: String::new(),
            first_administers: false,
        };
        self.0.add_user(user).await.expect("added").expect("a new address").id
    }

    async fn claim(&self, thread: ThreadId, _: RunId) -> Fence {
        // A lease that is over as it begins, so that the next claim may follow.
        let claimed = self.0.claim_run(thread, "test", Duration::ZERO).await.expect("claimed");
        claimed.expect("a run to claim").fence
    }

    async fn delete(&self, user: UserId, thread: ThreadId) {
        assert!(self.0.remove_thread(user, thread).await.expect("deleted"), "the user's own thread");
    }
}

#[tokio::test]
async fn it_conforms() {
    let dir = tempfile::tempdir().expect("a folder");
    let store = SqliteStore::open("sqlite:", dir.path(), Durability::Process).await.expect("the store opens");
    check(&Sqlite(store)).await;
}

/// SQLite ends a transaction by itself when a read fails; sqlx does not hear of that.
#[tokio::test]
async fn a_reader_whose_transaction_ended_by_itself_does_not_stay_in_the_past() {
    let dir = tempfile::tempdir().expect("a folder");
    let store = SqliteStore::open("sqlite:", dir.path(), Durability::Process).await.expect("the store opens");
    let user = store.dev_user().await.expect("a user").id;
    let ended = async |pool: &sqlx::SqlitePool| {
        let mut all = Vec::new();
        for _ in 0..pool.options().get_max_connections() {
            let mut reading = pool.begin().await.expect("a reader");
            query("ROLLBACK").execute(&mut *reading).await.expect("as SQLite does");
            all.push(reading);
        }
    };
    ended(&store.readers).await;
    // Each read after that would begin within what sqlx takes for a transaction, and see what the first of them saw.
    for number in 0..3 {
        let thread = store.add_thread(user, "T", "guide").await.expect("a thread").id;
        for _ in 0..store.readers.options().get_max_connections() {
            store
                .read(thread, 0, PageLimit::events(1))
                .await
                .unwrap_or_else(|error| panic!("thread {number}: {error}"));
        }
    }
    ended(&store.writer).await;
    store.add_thread(user, "T", "guide").await.expect("the writer goes on");
}
