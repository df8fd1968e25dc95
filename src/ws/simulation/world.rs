//! The server's side of a history: processes that die, agents, people who speak from elsewhere, trimming.

use std::{collections::HashSet, sync::Arc, time::Duration};

use tokio::{task::JoinHandle, time::sleep};

use super::{
    Ground, Totals,
    agent::{Died, Working},
    count,
    faulty::{FaultyBus, FaultyLog},
    people::People,
    tab::Tab,
};
use crate::{
    connection::QueueLimits,
    emitter::{EmitError, Emitter, EmitterPool},
    id::{CommandId, FrameId, MessageId, RunId, ThreadId},
    log::{self, Accept, SharedLog},
    manager::{Manager, ManagerLimits},
    model::{Role, Run, RunStatus, User},
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
    pub(super) working: Vec<Working>,
    /// Agents of processes that died and do not know it.
    late: Vec<Emitter>,
    /// What people said from elsewhere.
    given: Vec<(ThreadId, FrameId)>,
    /// What people were asked, and what they stopped.
    pub(super) people: People,
    /// Calls that had their effect.
    pub(super) effects: HashSet<String>,
    /// How many calls and runs were made, for their names.
    pub(super) named: u32,
    /// Whether what began is brought to an end, and nothing new begins.
    pub(super) ending: bool,
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
        let mut world = Self {
            random,
            totals: totals.clone(),
            ground,
            log,
            process,
            users,
            threads: Vec::new(),
            working: Vec::new(),
            late: Vec::new(),
            given: Vec::new(),
            people: People::default(),
            effects: HashSet::new(),
            named: 0,
            ending: false,
        };
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

    /// The runs of the thread that an agent of this process works on.
    pub(super) fn working_in(&self, thread: ThreadId) -> Vec<RunId> {
        self.working.iter().filter(|working| working.thread == thread).map(|working| working.run).collect()
    }

    /// Agents take up all runs of the thread that can be claimed. When there is nothing to do, someone asks for something.
    async fn work_on(&mut self, of: usize, thread: ThreadId) {
        self.claim_all(thread).await;
        if self.working_in(thread).is_empty() && self.log.record().thread(thread).unfinished.is_empty() {
            let id = FrameId::new();
            self.given.push((thread, id));
            let message = p::UserMessage { content: "Go on.".to_owned(), ..p::UserMessage::default() };
            self.process.accept(self.users[of].id, id, thread, message).await;
            self.claim_all(thread).await;
            assert_eq!(self.working_in(thread).len(), 1, "what was asked for can be claimed");
        }
    }

    async fn claim_all(&mut self, thread: ThreadId) {
        loop {
            let working = self.working_in(thread);
            let Some(claimed) = self.ground.claim_next(thread, &working).await else { return };
            let run = claimed.fence.run_id;
            assert!(!working.contains(&run), "one owner at a time");
            let known = self.log.record().run(thread, run);
            let is_new = known.as_ref().is_none_or(|known| known.status == RunStatus::Queued);
            let known = known.unwrap_or_else(|| Run::queued(run, "helper".to_owned(), None));
            if claimed.woken {
                count(&self.totals.woken);
            }
            if let Some(known) = self.people.to_stop.get(&run) {
                assert!(claimed.stopped || !known.kept, "a stop outlives the process");
            }
            let emitter = self.process.pool.take_up(thread, claimed.fence, known);
            if is_new {
                let (parent_run_id, tool_call_id) = match self.people.parents.get(&run) {
                    Some((parent, call)) => (Some(*parent), Some(call.clone())),
                    None => (None, None),
                };
                let agent = "guide".to_owned();
                let started =
                    p::AgentStarted { agent, answers: None, parent_run_id, tool_call_id, model: None, iteration: 1 };
                assert_eq!(emitter.agent_started(started).await, Ok(()), "its own run");
            }
            self.working.push(Working::new(thread, emitter, &claimed));
        }
    }

    /// Agents work a little, and people decide.
    pub(super) async fn step(&mut self) -> Result<(), Died> {
        for (of, thread) in self.threads.clone() {
            self.work_on(of, thread).await;
            for run in self.working_in(thread) {
                self.go_on(run).await?;
            }
            self.people_act(of, thread).await;
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
        Ok(())
    }

    /// The process dies and another one takes its runs up.
    pub(super) async fn restart(&mut self) {
        count(&self.totals.restarts);
        let next = process(&self.log, self.process.bus.lossy, &mut self.random);
        self.process = next;
        self.late.extend(std::mem::take(&mut self.working).into_iter().map(|old| old.emitter));
        for (_, thread) in self.threads.clone() {
            self.claim_all(thread).await;
        }
    }

    /// What waits is decided, and what was begun for others ends.
    pub(super) async fn come_to_an_end(&mut self) {
        self.ending = true;
        for (of, thread) in self.threads.clone() {
            for round in 0.. {
                assert!(round < 500, "every run ends or waits for something that happens");
                self.claim_all(thread).await;
                if self.is_at_rest(thread) {
                    break;
                }
                for run in self.working_in(thread) {
                    assert!(self.go_on(run).await.is_ok(), "nothing dies any more");
                }
                self.people_act(of, thread).await;
            }
        }
    }

    /// Whether nothing is open but a run that works for a person and has only begun.
    fn is_at_rest(&self, thread: ThreadId) -> bool {
        let record = self.log.record();
        let mut active = record.thread(thread).state.active_runs();
        active.all(|run| !run.is_nested() && run.tools().all(|call| call.status.is_some()))
            && self.working.iter().all(|working| working.thread != thread || working.is_settled())
            && self.people.stops_are_heard(&record, thread)
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
            self.people.check(&record, *thread, &self.effects);
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

pub(super) async fn tell(emitter: &Emitter, message: &str) -> Result<(), EmitError> {
    emitter.agent_progress(p::AgentProgress { agent: "guide".into(), message: message.into(), fraction: None }).await
}

pub(super) async fn say(emitter: &Emitter, random: &mut fastrand::Rng) -> Result<(), EmitError> {
    if random.bool() {
        let thought =
            p::AgentThinking { agent: "guide".into(), thought: "Hm. ".into(), step: Some(1), total_steps: None };
        emitter.agent_thinking(thought).await?;
    }
    tell(emitter, "on it").await
}
