//! What a client saw: its threads, and what became of its link and its commands.

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    hash::{DefaultHasher, Hash, Hasher},
    time::Duration,
};

use netra_ws::{
    FrameId, ServerFrame, ServerMessage, ThreadId, ThreadState, Timestamp, payload as p, session::Link, state::Applied,
};

/// One event that was applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// The log's epoch.
    pub(crate) epoch: String,
    /// The event's place in the log.
    pub(crate) seq: u64,
    /// The whole frame, as a number.
    pub(crate) digest: u64,
}

/// A frame as a number: equal frames have equal ones, and others almost never do.
pub(crate) fn digest(frame: &ServerFrame) -> u64 {
    let mut hasher = DefaultHasher::new();
    frame.encode().expect("a frame encodes").hash(&mut hasher);
    hasher.finish()
}

/// A thread as the client has it.
#[derive(Default)]
pub(crate) struct Followed {
    /// What its events amount to.
    pub(crate) state: ThreadState,
    /// The events applied, in order.
    pub(crate) applied: Vec<Entry>,
}

/// What a client saw.
#[derive(Default)]
pub(crate) struct Book {
    /// The threads it follows.
    pub(crate) threads: HashMap<ThreadId, Followed>,
    /// Connections that were greeted.
    pub(crate) connects: u64,
    /// Subscriptions that went on after the cursor.
    pub(crate) resumes: u64,
    /// Snapshots.
    pub(crate) snapshots: u64,
    /// Times that an event was missing before one that came.
    pub(crate) gaps: u64,
    /// Events that the reducer did not take as the next: there must be none.
    pub(crate) misapplied: u64,
    /// Sockets that closed, by code.
    pub(crate) closes: BTreeMap<u16, u64>,
    /// Sockets that the client gave up, because they were silent or did not open.
    pub(crate) given_up: u64,
    /// Tokens asked for.
    pub(crate) tokens: u64,
    /// Commands that the server had carried out before.
    pub(crate) duplicate_acks: u64,
    /// Errors, by code.
    pub(crate) errors: BTreeMap<&'static str, u64>,
    /// Frames that could not be read: there must be none.
    pub(crate) bad: Vec<String>,
    /// What the link was, and since when.
    pub(crate) links: Vec<(Duration, Link)>,
    /// Commands that were answered.
    pub(crate) settled: Vec<(FrameId, Result<p::Ack, p::ErrorMessage>)>,
    /// Subscriptions that were refused.
    pub(crate) refused: Vec<(ThreadId, p::ErrorMessage)>,
    /// Commands that wait for their answer.
    pub(crate) outbox: usize,
    /// Milliseconds from each event's commit to its being applied, by the one clock of the machine.
    pub(crate) delays: Vec<u64>,
}

impl Book {
    pub(super) fn begin(&mut self, thread: ThreadId) {
        self.threads.entry(thread).or_default();
    }

    pub(super) fn deliver(&mut self, frame: &ServerFrame) {
        let thread = match &frame.message {
            ServerMessage::ThreadUpdate(thread) | ServerMessage::ThreadCreated(thread) => Some(thread.id),
            ServerMessage::ThreadSnapshot(snapshot) => Some(snapshot.thread.id),
            _ => frame.thread_id,
        };
        let Some(followed) = thread.and_then(|thread| self.threads.get_mut(&thread)) else { return };
        let applied = followed.state.apply(frame);
        let Some(seq) = frame.seq else { return };
        if matches!(applied, Applied::Gap | Applied::Nothing) {
            self.misapplied += 1;
        }
        let epoch = frame.epoch.clone().unwrap_or_default();
        followed.applied.push(Entry { epoch, seq, digest: digest(frame) });
        self.delays.push(Timestamp::now().millis_since(frame.ts.unwrap_or_default()));
    }

    /// What the link is.
    pub(crate) fn is_live(&self) -> bool {
        matches!(self.links.last(), Some((_, Link::Live)))
    }

    /// The last event applied of a thread.
    pub(crate) fn seq(&self, thread: ThreadId) -> u64 {
        self.threads.get(&thread).map_or(0, |followed| followed.state.seq)
    }

    /// Connections that were lost, in whatever way.
    pub(crate) fn losses(&self) -> u64 {
        self.closes.values().sum::<u64>() + self.given_up
    }

    /// The delay that 99 of 100 events stayed below, of those after the first `skip`.
    pub(crate) fn p99_after(&self, skip: usize) -> u64 {
        let mut delays = self.delays[skip.min(self.delays.len())..].to_vec();
        delays.sort_unstable();
        delays.get((delays.len() * 99 / 100).min(delays.len().saturating_sub(1))).copied().unwrap_or_default()
    }
}

impl fmt::Display for Book {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seqs: Vec<u64> = self.threads.values().map(|followed| followed.state.seq).collect();
        write!(
            f,
            "link {:?}, connects {}, resumes {}, snapshots {}, gaps {}, closes {:?}, given up {}, tokens {}, errors {:?}, \
             outbox {}, threads at {seqs:?}, bad {:?}",
            self.links.last(),
            self.connects,
            self.resumes,
            self.snapshots,
            self.gaps,
            self.closes,
            self.given_up,
            self.tokens,
            self.errors,
            self.outbox,
            self.bad,
        )
    }
}
