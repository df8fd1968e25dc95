//! The server's side of a history: processes that die, agents, people who speak from elsewhere, trimming.

use std::{sync::Arc, time::Duration};

use tokio::{task::JoinHandle, time::sleep};

use super::{
    Ground, Totals, count,
    faulty::{FaultyBus, FaultyLog},
    tab::Tab,
};
use crate::{
    connection::QueueLimits,
    emitter::{EmitError, Emitter, EmitterPool},
    id::{CommandId, FrameId, MessageId, RunId, ThreadId},
    log::{self, Accept, SharedLog},
    manager::{Manager, ManagerLimits},
    model::{Role, RunStatus, User},
    payload as p,
};

/// One process.
#[derive(Clone)]
pub(super) struct Process {
    pub(super) manager: Manager,
    pub(super) pool: EmitterPool,
    pub(super) log: SharedLog,
    bus: Arc<FaultyBus>,
}

/// A run that an agent works on.
struct Working {
    thread: ThreadId,
    run: RunId,
    emitter: Emitter,
}

/// Everything but the clients.
pub(super) struct World {
    pub(super) random: fastrand::Rng,
    pub(super) totals: Arc<Totals>,
    pub(super) ground: Arc<dyn Ground>,
    pub(super) log: Arc<FaultyLog>,
    pub(super) process: Process,
    pub(super) users: [User; 2],
    /// Two of each user.
    threads: Vec<(usize, ThreadId)>,
    working: Vec<Working>,
    /// Agents of processes that died and do not know it.
    late: Vec<Emitter>,
    /// What people said from elsewhere.
    given: Vec<(ThreadId, FrameId)>,
}

impl World {
    pub(super) async fn new(seed: u64, ground: Arc<dyn Ground>, totals: &Arc<Totals>) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let log = Arc::new(FaultyLog::new(ground.clone(), random.fork(), totals.clone()));
        let mut users = Vec::new();
        for name in ["Ada", "Bob"] {
            users.push(User { id: ground.user().await, name: name.into(), role: Role::User, email: None });
        }
        let users: [User; 2] = users.try_into().expect("two");
        let process = process(&log, seed.is_multiple_of(2), &mut random);
        let (threads, working, late, given) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let totals = totals.clone();
        let mut world = Self { random, totals, ground, log, process, users, threads, working, late, given };
        for of in [0, 0, 1, 1] {
            world.add_thread(of).await;
        }
        world
    }

    async fn add_thread(&mut self, of: usize) {
        let first = Accept {
            user_id: self.users[of].id,
            command_id: CommandId::new(),
            digest: vec![1],
            thread_id: None,
            title: "A thread".to_owned(),
            agent: "guide".to_owned(),
            message: p::UserMessage { content: "Hello.".to_owned(), ..p::UserMessage::default() },
        };
        let command = first.command_id;
        let mut accepted = log::accept(&*self.log, first.clone()).await;
        for _ in 0..3 {
            if accepted.is_ok() {
                break;
            }
            // The same command again, as a person would.
            accepted = log::accept(&*self.log, first.clone()).await;
        }
        let thread = accepted.expect("a new thread").ack.thread_id.expect("the answer names it");
        self.threads.push((of, thread));
        self.given.push((thread, command));
    }

    pub(super) fn threads_of(&self, user: &User) -> Vec<ThreadId> {
        self.threads.iter().filter(|(of, _)| self.users[*of].id == user.id).map(|(_, thread)| *thread).collect()
    }

    /// Which of the threads it is.
    pub(super) fn place(&self, thread: ThreadId) -> usize {
        self.threads.iter().position(|(_, known)| *known == thread).expect("one of this world's")
    }

    /// How many events each thread has.
    pub(super) fn lengths(&self) -> Vec<u64> {
        let record = self.log.record();
        self.threads.iter().map(|(_, thread)| record.head(*thread)).collect()
    }

    /// An agent works on the thread's oldest unfinished run; if there is none, someone asks for one.
    async fn work_on(&mut self, of: usize, thread: ThreadId) {
        if self.working.iter().any(|working| working.thread == thread) {
            return;
        }
        if self.log.record().thread(thread).unfinished.is_empty() {
            let id = FrameId::new();
            self.given.push((thread, id));
            let message = p::UserMessage { content: "Go on.".to_owned(), ..p::UserMessage::default() };
            self.process.accept(self.users[of].id, id, thread, message).await;
        }
        let run = self.log.record().thread(thread).unfinished[0];
        let working = self.claim(thread, run).await;
        self.working.push(working);
    }

    /// Claims a run, which goes on from where its events left it.
    async fn claim(&self, thread: ThreadId, run: RunId) -> Working {
        let fence = self.ground.claim(thread, run).await;
        assert_eq!(fence.run_id, run, "the thread's oldest unfinished run");
        let known = self.log.record().run(thread, run);
        let queued = known.status == RunStatus::Queued;
        let emitter = self.process.pool.take_up(thread, fence, known);
        if queued {
            let agent = "guide".to_owned();
            let started = p::AgentStarted {
                agent,
                answers: None,
                parent_run_id: None,
                tool_call_id: None,
                model: None,
                iteration: 1,
            };
            assert_eq!(emitter.agent_started(started).await, Ok(()), "its own run");
        }
        Working { thread, run, emitter }
    }

    /// Agents work a little.
    pub(super) async fn step(&mut self) {
        for (of, thread) in self.threads.clone() {
            self.work_on(of, thread).await;
            let at = self.working.iter().position(|working| working.thread == thread).expect("just claimed");
            for _ in 0..self.random.usize(0..4) {
                let said = say(&self.working[at].emitter, &mut self.random).await;
                assert_eq!(said, Ok(()), "its own run");
            }
            if self.random.u8(0..12) == 0 {
                let done = p::AgentCompleted {
                    agent: "guide".into(),
                    status: p::CompletedStatus::Completed,
                    duration_ms: 1,
                    usage: None,
                };
                let ended = self.working.remove(at).emitter;
                assert_eq!(ended.agent_completed(done).await, Ok(()));
            }
            if self.random.u8(0..25) == 0 {
                let head = self.log.record().head(thread);
                let seq = self.random.u64(0..=head);
                self.ground.trim(thread, seq).await;
            }
        }
        if let Some(late) = self.late.pop() {
            let refused = say(&late, &mut self.random).await;
            assert_eq!(refused, Err(EmitError::Fenced), "a late owner writes nothing");
            count(&self.totals.fenced);
        }
        sleep(Duration::from_millis(self.random.u64(0..30))).await;
    }

    /// The process dies and another one takes its runs up.
    pub(super) async fn restart(&mut self) {
        count(&self.totals.restarts);
        let next = process(&self.log, self.process.bus.lossy, &mut self.random);
        self.process = next;
        for old in std::mem::take(&mut self.working) {
            let taken_up = self.claim(old.thread, old.run).await;
            self.late.push(old.emitter);
            self.working.push(taken_up);
        }
    }

    /// Nothing is lost any more.
    pub(super) fn heal(&self) {
        self.process.bus.heal();
    }

    /// Each thread gets a few more events, spread over the time in which clients come back. What a lossy bus lost before shows
    /// with the next of them; without losses there may be none.
    pub(super) async fn last_words(&mut self) -> JoinHandle<()> {
        for (of, thread) in self.threads.clone() {
            self.work_on(of, thread).await;
        }
        let mut random = self.random.fork();
        let least = usize::from(self.process.bus.lossy);
        let emitters: Vec<Emitter> = self.working.iter().map(|working| working.emitter.clone()).collect();
        tokio::spawn(async move {
            for _ in least..=random.usize(1..40) {
                sleep(Duration::from_millis(random.u64(0..60))).await;
                for emitter in &emitters {
                    if random.bool() {
                        assert_eq!(tell(emitter, "one more").await, Ok(()));
                    }
                }
            }
            for emitter in emitters.iter().take(least * emitters.len()) {
                assert_eq!(tell(emitter, "the last").await, Ok(()));
            }
        })
    }

    /// Every command is in the log once, and the log is what was committed.
    pub(super) async fn check(&self, tabs: &[Tab]) {
        for (of, thread) in &self.threads {
            let user = self.users[*of].id;
            let head = self.ground.log().head(user, *thread).await.expect("the user's own");
            let page = self.ground.log().read(*thread, head.trimmed_seq, log::PageLimit::events(usize::MAX)).await;
            let record = self.log.record();
            let events = page.expect("it can be read").events;
            let ids: Vec<_> = events.iter().map(|event| Some(event.id)).collect();
            let committed: Vec<_> =
                (head.trimmed_seq + 1..=record.head(*thread)).map(|seq| record.id_at(*thread, seq)).collect();
            assert_eq!(ids, committed, "what follows what was trimmed is there, dense");
            let truth = &record.thread(*thread).state;
            let mut said: Vec<MessageId> = truth.messages.iter().map(|message| message.message_id).collect();
            let tabs = tabs.iter().filter(|tab| tab.user.id == user).flat_map(|tab| &tab.given);
            let given = tabs.chain(&self.given).filter(|(to, _)| to == thread);
            let mut given: Vec<MessageId> = given.map(|(_, id)| MessageId::from(*id)).collect();
            said.sort();
            given.sort();
            assert_eq!(said, given, "each command is stored once");
            self.totals.events.fetch_add(truth.seq, std::sync::atomic::Ordering::Relaxed);
        }
    }
}

fn process(log: &Arc<FaultyLog>, lossy: bool, random: &mut fastrand::Rng) -> Process {
    // Queues so small that a reader who dawdles is closed.
    let queue = QueueLimits { frames: 24, bytes: 1 << 20 };
    let manager = Manager::new(ManagerLimits { connections: 100, connections_per_user: 100, subscriptions: 10, queue });
    let bus = Arc::new(FaultyBus::new(manager.clone(), lossy, random.fork()));
    let pool = EmitterPool::new(log.clone(), bus.clone());
    Process { manager, pool, log: log.clone(), bus }
}

async fn tell(emitter: &Emitter, message: &str) -> Result<(), EmitError> {
    emitter.agent_progress(p::AgentProgress { agent: "guide".into(), message: message.into(), fraction: None }).await
}

async fn say(emitter: &Emitter, random: &mut fastrand::Rng) -> Result<(), EmitError> {
    if random.bool() {
        let thought =
            p::AgentThinking { agent: "guide".into(), thought: "Hm. ".into(), step: Some(1), total_steps: None };
        emitter.agent_thinking(thought).await?;
    }
    tell(emitter, "on it").await
}
