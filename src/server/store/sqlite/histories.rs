//! A share of the simulated histories on SQLite: files in memory where the system has such a folder, the real transactions,
//! another process that writes, a disk without room, commits that are not answered.

use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError, mpsc},
    time::Duration,
};

use async_trait::async_trait;
use netra_ws::{
    CommandId, ErrorCode, RunId, ThreadId, Timestamp, UserId,
    conformance::Subject,
    log::{Entry, EventLog, Fence, Head, LogError, LogPage, PageLimit, Stored},
    model::RunStatus,
    payload::{Ack, Decision, ThreadSnapshot, ToolApproval},
    simulation::{Claimed, Ground, Plan, Ruling, StoreFault, Verdict},
};
use sqlx::{
    AssertSqlSafe, SqlitePool, Transaction,
    sqlite::{SqliteConnectOptions, SqlitePoolOptions},
};
use tempfile::TempDir;
use tokio::runtime::{Builder, Handle, Runtime};

use super::{
    super::{
        NewUser, Recorded, RunQueue as _, ThreadCatalog as _, Upkeep as _, UserStore as _,
        questions::{self, Decided, Questions as _},
        stopping::Stopping as _,
    },
    BUSY_TIMEOUT, DATABASE, Durability, SqliteStore, to_i64,
};

/// Of all histories; the others are played on the log in memory, which takes a fraction of the time.
const SHARE: f64 = 0.01;

/// Waits for work on another runtime. The history's clock moves on by itself when nothing is ready, and knows nothing of
/// SQLite's threads: for a history every call is over as soon as it is made.
fn at_once<T: Send + 'static>(runtime: &Handle, work: impl Future<Output = T> + Send + 'static) -> T {
    let (done, outcome) = mpsc::channel();
    runtime.spawn(async move { done.send(work.await) });
    outcome.recv().expect("the store answers")
}

struct PromptLog {
    store: SqliteStore,
    runtime: Handle,
}

#[async_trait]
impl EventLog for PromptLog {
    async fn commit(&self, entries: &[Entry], repeated: bool) -> Result<Vec<Result<Stored, LogError>>, LogError> {
        let (store, entries) = (self.store.clone(), entries.to_vec());
        at_once(&self.runtime, async move { store.commit(&entries, repeated).await })
    }

    async fn head(&self, user: UserId, thread: ThreadId) -> Result<Head, LogError> {
        let store = self.store.clone();
        at_once(&self.runtime, async move { store.head(user, thread).await })
    }

    async fn read(&self, thread: ThreadId, after_seq: u64, limit: PageLimit) -> Result<LogPage, LogError> {
        let store = self.store.clone();
        at_once(&self.runtime, async move { store.read(thread, after_seq, limit).await })
    }

    async fn snapshot(&self, user: UserId, thread: ThreadId) -> Result<ThreadSnapshot, LogError> {
        let store = self.store.clone();
        at_once(&self.runtime, async move { store.snapshot(user, thread).await })
    }
}

struct Sqlite {
    log: PromptLog,
    /// Another process with the same file.
    rival: SqlitePool,
    writes: Mutex<Option<Transaction<'static, sqlx::Sqlite>>>,
    _folder: TempDir,
}

/// An empty database with its schema, and where copies of it go.
struct Template {
    folder: TempDir,
    runtime: Runtime,
}

fn folder() -> TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.expect("a folder")
}

impl Template {
    fn new() -> Self {
        let (folder, runtime) = (folder(), Builder::new_multi_thread().worker_threads(2).enable_all().build());
        let (runtime, path) = (runtime.expect("a runtime"), folder.path().to_owned());
        at_once(runtime.handle(), async move {
            SqliteStore::open("sqlite:", &path, Durability::Process).await.expect("it opens").close().await;
        });
        Self { folder, runtime }
    }

    fn copy(&self) -> Sqlite {
        let copy = folder();
        std::fs::copy(self.folder.path().join(DATABASE), copy.path().join(DATABASE)).expect("a copy");
        let path = copy.path().to_owned();
        let (store, rival) = at_once(self.runtime.handle(), async move {
            let store = SqliteStore::open("sqlite:", &path, Durability::Process).await.expect("it opens");
            let options = SqliteConnectOptions::new().filename(path.join(DATABASE));
            (store, SqlitePoolOptions::new().max_connections(1).connect_with(options).await.expect("it opens"))
        });
        let log = PromptLog { store, runtime: self.runtime.handle().clone() };
        Sqlite { log, rival, writes: Mutex::new(None), _folder: copy }
    }
}

impl Sqlite {
    /// Sets something on the writer's connection.
    fn pragma(&self, name: &str, value: i64) {
        let (store, text) = (self.log.store.clone(), format!("PRAGMA {name} = {value}"));
        at_once(&self.log.runtime, async move {
            sqlx::query(AssertSqlSafe(text)).execute(&store.writer).await.expect("it is set");
        });
    }
}

/// The decision as a client sends it.
fn approval(call: &str, approve: bool) -> ToolApproval {
    let decision = if approve { Decision::Approve } else { Decision::Deny };
    ToolApproval { tool_call_id: call.to_owned(), decision, reason: None, option: None, answer: None }
}

impl Drop for Sqlite {
    fn drop(&mut self) {
        let (store, rival) = (self.log.store.clone(), self.rival.clone());
        at_once(&self.log.runtime, async move { tokio::join!(store.close(), rival.close()) });
    }
}

#[async_trait]
impl Subject for Sqlite {
    fn log(&self) -> &dyn EventLog {
        &self.log
    }

    async fn user(&self) -> UserId {
        let user = NewUser {
            email: format!("{}@example.org", UserId::new()),
            name: "Ada".to_owned(),
            password_hash: String::new(),
            first_administers: false,
        };
        let store = self.log.store.clone();
        let added = at_once(&self.log.runtime, async move { store.add_user(user).await });
        added.expect("added").expect("a new address").id
    }

    async fn claim(&self, thread: ThreadId, _: RunId) -> Fence {
        let store = self.log.store.clone();
        // A lease that is over as it begins, so that the next claim may follow.
        let claimed = at_once(&self.log.runtime, async move { store.claim_run(thread, "test", Duration::ZERO).await });
        claimed.expect("claimed").expect("a run to claim").fence
    }

    async fn delete(&self, user: UserId, thread: ThreadId) {
        let store = self.log.store.clone();
        let deleted = at_once(&self.log.runtime, async move { store.remove_thread(user, thread).await });
        assert!(deleted.expect("deleted"), "the user's own thread");
    }
}

#[async_trait]
impl Ground for Sqlite {
    async fn trim(&self, _: ThreadId, _: u64) {
        let (store, before) = (self.log.store.clone(), Timestamp::now().plus(Duration::from_secs(1)));
        at_once(&self.log.runtime, async move { store.trim(before, 100).await }).expect("trimmed");
    }

    async fn claim_next(&self, thread: ThreadId, working: &[RunId]) -> Option<Claimed> {
        let (store, working) = (self.log.store.clone(), working.to_vec());
        // A lease that is over as it begins, so that the next process may follow at once.
        let claimed =
            at_once(
                &self.log.runtime,
                async move { store.claim_another(thread, "test", Duration::ZERO, &working).await },
            );
        let run = claimed.expect("claimed")?;
        Some(Claimed { fence: run.fence, stopped: run.stopped, woken: run.woken })
    }

    async fn decide(&self, thread: ThreadId, user: UserId, command: CommandId, call: &str, approve: bool) -> Ruling {
        let (store, decision) = (self.log.store.clone(), approval(call, approve));
        let decided = at_once(&self.log.runtime, async move {
            let ack = Ack { thread_id: Some(thread), message_id: None, run_id: None, seq: None, duplicate: false };
            let digest = [u8::from(approve)];
            let command =
                Recorded { user_id: user, command_id: command, digest: &digest, thread_id: thread, ack: &ack };
            store.decide(command, &decision).await
        });
        match decided.expect("decided") {
            Decided::Done(_) => Ruling::Counts,
            Decided::Refused(ErrorCode::Conflict, _) => Ruling::Conflict,
            Decided::Refused(ErrorCode::ApprovalExpired, _) => Ruling::Expired,
            Decided::Refused(code, why) => panic!("{code}: {why}"),
        }
    }

    async fn expire(&self, _: ThreadId, call: &str) {
        let (store, call) = (self.log.store.clone(), call.to_owned());
        at_once(&self.log.runtime, async move {
            // What was to be decided in an hour was asked an hour ago.
            let run = "(SELECT run_id FROM questions WHERE tool_call_id = ?)";
            for text in [
                "UPDATE questions SET expires_at = 1 WHERE tool_call_id = ?".to_owned(),
                format!("UPDATE runs SET wake_at = 1 WHERE wake_at IS NOT NULL AND id = {run}"),
            ] {
                sqlx::query(AssertSqlSafe(text)).bind(&call).execute(&store.writer).await.expect("time passes");
            }
            store.wake_due().await.expect("woken");
        });
    }

    async fn stop(&self, _: ThreadId, run: RunId) -> Vec<RunId> {
        let store = self.log.store.clone();
        at_once(&self.log.runtime, async move { store.stop_run(run).await }).expect("stopped")
    }

    async fn verdicts(&self, _: ThreadId, run: RunId) -> Vec<(String, Verdict)> {
        let store = self.log.store.clone();
        let kept = at_once(&self.log.runtime, async move { store.questions_of(run).await }).expect("read");
        let verdict = |verdict| match verdict {
            questions::Verdict::Open => Verdict::Open,
            questions::Verdict::Expired => Verdict::Expired,
            questions::Verdict::Approved { .. } => Verdict::Approved,
            questions::Verdict::Denied { .. } => Verdict::Denied,
        };
        kept.into_iter().map(|kept| (kept.tool_call_id, verdict(kept.verdict))).collect()
    }

    async fn children(&self, _: ThreadId, run: RunId) -> Vec<(String, RunId, Option<RunStatus>)> {
        let store = self.log.store.clone();
        let kept = at_once(&self.log.runtime, async move { store.children_of(run).await }).expect("read");
        kept.into_iter().map(|child| (child.tool_call_id, child.run_id, child.ended.map(|run| run.status))).collect()
    }

    fn faults(&self) -> &'static [StoreFault] {
        &[StoreFault::Busy, StoreFault::Full]
    }

    async fn hurt(&self, fault: StoreFault) {
        let (store, rival) = (self.log.store.clone(), self.rival.clone());
        match fault {
            StoreFault::Busy => {
                self.pragma("busy_timeout", 0);
                let begun = at_once(&self.log.runtime, async move { rival.begin_with("BEGIN IMMEDIATE").await });
                *self.writes.lock().unwrap_or_else(PoisonError::into_inner) = Some(begun.expect("it writes"));
            }
            StoreFault::Full => {
                let pages = at_once(&self.log.runtime, async move {
                    sqlx::query_scalar::<_, i64>("PRAGMA page_count").fetch_one(&store.writer).await
                });
                self.pragma("max_page_count", pages.expect("counted"));
            }
        }
    }

    async fn mend(&self) {
        let writes = self.writes.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(writes) = writes {
            at_once(&self.log.runtime, async move { writes.rollback().await }).expect("it is through");
        }
        self.pragma("busy_timeout", to_i64(BUSY_TIMEOUT.as_millis()));
        self.pragma("max_page_count", 1 << 30);
    }
}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_time().start_paused(true).build().expect("a runtime")
}

fn plan() -> Plan {
    Plan::from_env(SHARE, runtime, "cargo test --features ssr what_each_client_applied_is_the_log_in_sqlite")
}

#[test]
fn what_each_client_applied_is_the_log_in_sqlite() {
    let (plan, template) = (plan(), Template::new());
    let began = std::time::Instant::now();
    let totals = plan.play(|| Arc::new(template.copy()));
    println!("on SQLite, in {:?}", began.elapsed());
    if plan.count >= 50 {
        for (name, count) in totals.told() {
            assert!(count > 0, "never happened: {name}");
        }
    }
}

#[test]
fn a_seed_always_gives_the_same_history_in_sqlite() {
    let (plan, template, totals) = (plan(), Template::new(), Arc::default());
    for seed in [1, 2, 3] {
        let first = plan.one(seed, Arc::new(template.copy()), &totals);
        assert_eq!(first, plan.one(seed, Arc::new(template.copy()), &totals), "seed {seed}");
    }
}
