use std::{collections::HashSet, time::Duration};

use tokio::time::timeout;

use super::*;
use crate::{
    bus::{Bus, LocalBus},
    connection::Next,
    emitter::{Emitter, EmitterPool},
    frame::ServerFrame,
    id::RunId,
    log::SharedLog,
    memory::MemoryLog,
    message::ServerMessage,
    model::Role,
    payload as p,
};

#[path = "manager_tests/census.rs"]
mod census;
#[path = "manager_tests/convergence.rs"]
mod convergence;
#[path = "manager_tests/pressure.rs"]
mod pressure;
#[path = "manager_tests/replay.rs"]
mod replay;

const LIMITS: ManagerLimits = ManagerLimits {
    connections: 1_000,
    connections_per_user: 1_000,
    subscriptions: 3,
    queue: QueueLimits { frames: 64, bytes: 1 << 20 },
};

fn user() -> User {
    User { id: UserId::new(), name: "Ada".into(), role: Role::User, email: None }
}

/// One process: a log, the bus, the manager and the emitters, as they are in the server.
struct Node {
    log: Arc<MemoryLog>,
    manager: Manager,
    pool: EmitterPool,
}

impl Node {
    fn new(limits: ManagerLimits) -> Self {
        let bus = LocalBus::new();
        let node = Self::on(bus.clone(), limits);
        bus.attach(Arc::new(node.manager.clone()));
        node
    }

    fn on(bus: Arc<dyn Bus>, limits: ManagerLimits) -> Self {
        let log = MemoryLog::new();
        let pool = EmitterPool::new(log.clone() as SharedLog, bus);
        Self { log, manager: Manager::new(limits), pool }
    }

    fn connect(&self, user: &User) -> Reader {
        let connection = self.manager.connect(user.clone(), Timestamp::from_millis(u64::MAX));
        Reader { connection, log: self.log.clone() }
    }

    /// The emitter of a new run in a thread.
    fn emitter(&self, thread: ThreadId) -> Emitter {
        self.pool.emitter(thread, self.log.claim(thread, RunId::new()))
    }
}

/// Emits events number by number, each committed and shown when this returns.
async fn emit(emitter: &Emitter, count: usize) {
    for number in 0..count {
        let event = p::AgentProgress { agent: "guide".into(), message: number.to_string(), fraction: None };
        emitter.agent_progress(event).await.expect("committed");
    }
}

/// The other end of a connection: what the socket's writer does.
struct Reader {
    connection: Connection,
    log: Arc<MemoryLog>,
}

impl Reader {
    fn peer(&self) -> &Arc<Peer> {
        self.connection.peer()
    }

    /// Subscribes, and replays beside.
    fn watch(&self, thread: ThreadId, after: u64) -> Arc<Subscription> {
        let subscription = self.connection.manager.subscribe(self.peer(), thread, after).expect("subscribed");
        self.replay(&subscription);
        subscription
    }

    fn replay(&self, subscription: &Arc<Subscription>) {
        let (subscription, log) = (subscription.clone(), self.log.clone());
        tokio::spawn(async move { subscription.replay(&*log).await });
    }

    /// The next frame, or why there is none; holes are read from the log as they are found.
    async fn next(&self) -> Result<ServerFrame, CloseCode> {
        loop {
            match timeout(Duration::from_secs(10), self.peer().outbound.next()).await.expect("something comes") {
                Next::Frame(frame) => return Ok(ServerFrame::decode(&frame).expect("a frame")),
                Next::Close(code) => return Err(code),
                Next::Repair(thread) => {
                    if let Some(subscription) = self.peer().subscription(thread) {
                        self.replay(&subscription);
                    }
                }
            }
        }
    }

    /// Reads up to the event `last`.
    async fn until(&self, last: u64) -> Vec<u64> {
        let mut seqs = Vec::new();
        while seqs.last() != Some(&last) {
            let frame = self.next().await.expect("open");
            seqs.push(frame.seq.expect("an event"));
        }
        seqs
    }

    /// How many frames are queued by now.
    fn queued_len(&self) -> usize {
        self.peer().outbound.depth().0
    }

    /// What is queued by now.
    fn queued(&self) -> Vec<Next> {
        std::iter::from_fn(|| self.peer().outbound.try_next()).collect()
    }
}

/// Lets everything that is ready run.
async fn settle() {
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
}

fn seqs(from: u64, to: u64) -> Vec<u64> {
    (from..=to).collect()
}
