//! The one committer: all lanes hand it what they have, and it writes one transaction for all of them.
//!
//! While a transaction is under way, the next one gathers. A store that is slow, for it waits for the disk, thus does not
//! write less but more at a time; and lanes join pieces for longer ([`Committer::roll_up`]), so that there is less to write.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, sleep, sleep_until},
};

use crate::log::{Entry, LogError, SharedLog, Stored};

/// How long a piece of text may wait for the next one while the committer keeps up.
pub const ROLL_UP: Duration = Duration::from_millis(25);

/// How long it may wait while the committer is behind.
pub const LONGEST_ROLL_UP: Duration = Duration::from_millis(100);

/// Pauses between attempts to commit while the store fails.
pub(crate) const RETRY_PAUSES: [Duration; 4] =
    [Duration::from_millis(20), Duration::from_millis(100), Duration::from_millis(500), Duration::from_secs(2)];

/// Lanes that may wait for their turn; each hands over once and waits for the outcome.
const DEPTH: usize = 4_096;

/// What one transaction takes on, in events and in bytes of payload; what comes then waits for the next. The entry that
/// crosses it is the last, however large.
const MAX_EVENTS: usize = 2_048;
const MAX_BYTES: usize = 4 << 20;

/// The pace of many small transactions: each costs as much as ten events do, and gathering for this long saves most of them.
const PACE: Duration = Duration::from_millis(4);

/// Transactions that go out at once before the pace is kept: one conversation never waits for it.
const BURST: u32 = 8;

/// Entries that are tried alone while none of them succeeds; then it is the store, and not an entry.
const PROBES: usize = 4;

/// Hands entries to the one committer of a log. It works as long as one of its handles lives.
#[derive(Clone)]
pub(crate) struct Committer {
    queue: mpsc::Sender<Handed>,
    roll_up: Arc<AtomicU64>,
}

/// What one lane hands over.
struct Handed {
    entries: Vec<Entry>,
    at: Instant,
    done: oneshot::Sender<Vec<Result<Stored, LogError>>>,
}

impl Committer {
    /// The committer of `log`.
    pub(crate) fn new(log: SharedLog) -> Self {
        let (queue, handed) = mpsc::channel(DEPTH);
        let roll_up = Arc::new(AtomicU64::new(millis(ROLL_UP)));
        tokio::spawn(Worker { log, roll_up: roll_up.clone(), paid_until: Instant::now() }.work(handed));
        Self { queue, roll_up }
    }

    /// Commits the entries in their order, and says of each what became of it. One that is refused takes no other with it.
    pub(crate) async fn commit(&self, entries: Vec<Entry>) -> Vec<Result<Stored, LogError>> {
        let count = entries.len();
        let (done, outcome) = oneshot::channel();
        // Sending fails when the runtime goes down under the committer; then so does the answer.
        let _ = self.queue.send(Handed { entries, at: Instant::now(), done }).await;
        let gone = |_| (0..count).map(|_| Err(LogError::store("the committer is gone"))).collect();
        outcome.await.unwrap_or_else(gone)
    }

    /// How long a piece of text may wait for the next one now.
    pub(crate) fn roll_up(&self) -> Duration {
        Duration::from_millis(self.roll_up.load(Ordering::Relaxed))
    }
}

struct Worker {
    log: SharedLog,
    roll_up: Arc<AtomicU64>,
    /// The pace's account: each transaction pays for one [`PACE`], at most [`BURST`] of them on credit.
    paid_until: Instant,
}

impl Worker {
    async fn work(mut self, mut queue: mpsc::Receiver<Handed>) {
        while let Some(first) = queue.recv().await {
            self.keep_pace().await;
            let waits_since = first.at;
            let (mut events, mut bytes) = first.size();
            let mut batch = vec![first];
            while events < MAX_EVENTS
                && bytes < MAX_BYTES
                && let Ok(next) = queue.try_recv()
            {
                let (more_events, more_bytes) = next.size();
                (events, bytes) = (events + more_events, bytes + more_bytes);
                batch.push(next);
            }
            self.commit(batch).await;
            self.stretch(waits_since.elapsed());
        }
    }

    async fn keep_pace(&mut self) {
        let now = Instant::now();
        let credit = now + PACE * BURST;
        if self.paid_until > credit {
            sleep_until(self.paid_until - PACE * BURST).await;
        }
        self.paid_until = self.paid_until.max(now) + PACE;
    }

    /// Lanes join for longer when what they handed over waited longer than they had joined for.
    fn stretch(&self, waited: Duration) {
        let now = self.roll_up.load(Ordering::Relaxed);
        let next = if waited > ROLL_UP { now * 3 / 2 } else { now * 7 / 8 };
        self.roll_up.store(next.clamp(millis(ROLL_UP), millis(LONGEST_ROLL_UP)), Ordering::Relaxed);
    }

    /// Commits what several lanes handed over, and answers each.
    async fn commit(&self, batch: Vec<Handed>) {
        let mut entries = Vec::new();
        let mut answers = Vec::with_capacity(batch.len());
        for Handed { entries: more, done, .. } in batch {
            answers.push((more.len(), done));
            entries.extend(more);
        }
        let mut outcomes = self.store(&entries).await.into_iter();
        for (count, done) in answers {
            // A lane outlives its work; only a runtime that goes down no longer listens.
            let _ = done.send(outcomes.by_ref().take(count).collect());
        }
    }

    /// Tries until the store took them, or for as long as is reasonable. An attempt that failed may have been committed all
    /// the same; every later one says that it is a repeat.
    async fn store(&self, entries: &[Entry]) -> Vec<Result<Stored, LogError>> {
        let mut pauses = RETRY_PAUSES.into_iter();
        let mut repeated = false;
        loop {
            let error = match self.log.commit(entries, repeated).await {
                Ok(outcomes) => return outcomes,
                Err(error) => error,
            };
            // A refusal is no bad moment that passes: whoever it is for hears it now, and nobody else waits for it.
            let refused = matches!(error, LogError::Refused(_));
            if refused && entries.len() == 1 {
                tracing::error!(%error, "the store refused an entry");
                return vec![Err(error)];
            }
            if (repeated || refused)
                && entries.len() > 1
                && let Some(outcomes) = self.one_by_one(entries).await
            {
                return outcomes;
            }
            let Some(pause) = pauses.next() else {
                tracing::error!(%error, entries = entries.len(), "a commit failed for good");
                return entries.iter().map(|_| Err(error.clone())).collect();
            };
            tracing::warn!(%error, retry_in_ms = pause.as_millis(), "a commit failed");
            sleep(pause).await;
            repeated = true;
        }
    }

    /// Each entry in a transaction of its own: one that the store cannot take must not take others with it. `None` when the
    /// store takes none.
    async fn one_by_one(&self, entries: &[Entry]) -> Option<Vec<Result<Stored, LogError>>> {
        let mut outcomes: Vec<Option<Result<Stored, LogError>>> = entries.iter().map(|_| None).collect();
        let mut last = None;
        // Twice, for what failed once may have failed by chance.
        for round in 0..2 {
            for (at, entry) in entries.iter().enumerate() {
                if outcomes[at].is_some() {
                    continue;
                }
                // What follows an event that its run lacks would leave a hole.
                match (0..at).rev().find(|before| entries[*before].is_of_run(entry)).map(|before| &outcomes[before]) {
                    Some(None) => continue,
                    Some(Some(Err(error))) => {
                        outcomes[at] = Some(Err(error.clone()));
                        continue;
                    }
                    Some(Some(Ok(_))) | None => {}
                }
                match self.log.commit(std::slice::from_ref(entry), true).await {
                    Ok(mut one) => outcomes[at] = one.pop(),
                    Err(error @ LogError::Refused(_)) => {
                        tracing::error!(%error, "the store refused an entry that came with others");
                        outcomes[at] = Some(Err(error));
                    }
                    Err(error) => {
                        tracing::warn!(%error, round, "the store does not take an entry that came with others");
                        last = Some(error);
                    }
                }
                if at + 1 == PROBES && outcomes.iter().all(Option::is_none) {
                    return None;
                }
            }
            if outcomes.iter().all(Option::is_none) {
                return None;
            }
        }
        let lost = || Err(last.clone().unwrap_or_else(|| LogError::store("the log did not answer")));
        Some(outcomes.into_iter().map(|outcome| outcome.unwrap_or_else(lost)).collect())
    }
}

impl Handed {
    /// Events, and bytes of payload.
    fn size(&self) -> (usize, usize) {
        self.entries.iter().map(Entry::size).fold((0, 0), |(events, bytes), more| (events + more.0, bytes + more.1))
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
