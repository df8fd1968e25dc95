//! Guessing is slow, and nobody is locked out by it.
//!
//! After a few failures from one network, what it tries for an account waits in a line of its own, with a pause that grows with
//! each failure. A right password gets through at the end of its pause. Other networks have other lines, so that a stranger who
//! guesses all day costs the owner nothing; and an address from which the owner has signed in has a line beside its network's.
//! Who guesses from very many networks meets a pause that counts for the account, wherever it is tried from anew.

use std::{
    collections::{HashMap, VecDeque},
    hash::Hash,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    sync::oneshot,
    time::{Instant, sleep},
};

/// How pauses grow.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    /// Failures before the first pause.
    free: u32,
    /// What each further failure adds to the pause.
    step: Duration,
}

impl Pace {
    /// For an account tried from one network.
    pub(super) const LINE: Self = Self { free: 5, step: Duration::from_millis(250) };

    /// For an account tried from everywhere.
    pub(super) const ACCOUNT: Self = Self { free: 100, step: Duration::from_millis(50) };
}

/// The longest pause: a person waits that long, and a sign-in form, too.
const LONGEST: Duration = Duration::from_secs(3);

/// After so long without a failure all is forgotten.
const MEMORY: Duration = Duration::from_mins(30);

/// Tries of one line that wait for the one under way. When another comes, the one that has waited longest goes: whoever fills the
/// line does not keep the next one out.
const IN_LINE: usize = 4;

/// So many new lines before those that are forgotten are looked for.
const SWEEP: usize = 1_024;

/// Lines that are remembered, at most.
const MOST: usize = 50_000;

/// Lines with a try under way, and who waits in them.
type Lines<K> = HashMap<K, VecDeque<oneshot::Sender<Turn<K>>>>;

/// Failures by key.
pub(super) struct Throttle<K: Hash + Eq + Clone> {
    pace: Pace,
    lines: Mutex<Lines<K>>,
    failures: Mutex<HashMap<K, Failures>>,
}

#[derive(Clone, Copy)]
struct Failures {
    count: u32,
    last: Instant,
}

/// Others came after this try, more than there is room for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LineIsFull;

/// Leave to try once.
pub(super) struct Try<K: Hash + Eq + Clone> {
    /// Whether failures came before, so many that a further one is answered with a pause.
    pub(super) slowed: bool,
    /// The line's: the next try waits for this one.
    _turn: Turn<K>,
}

/// The turn of a line. When it is over, whoever waits longest has it.
struct Turn<K: Hash + Eq + Clone> {
    throttle: Arc<Throttle<K>>,
    key: K,
    /// Whether somebody else has it.
    passed: bool,
}

impl<K: Hash + Eq + Clone> Drop for Turn<K> {
    fn drop(&mut self) {
        if self.passed {
            return;
        }
        self.passed = true;
        loop {
            let next = {
                let mut lines = self.throttle.lines();
                let next = lines.get_mut(&self.key).and_then(VecDeque::pop_front);
                if next.is_none() {
                    lines.remove(&self.key);
                }
                next
            };
            let Some(next) = next else { return };
            let turn = Self { throttle: self.throttle.clone(), key: self.key.clone(), passed: false };
            match next.send(turn) {
                Ok(()) => return,
                // Gone meanwhile.
                Err(mut back) => back.passed = true,
            }
        }
    }
}

impl<K: Hash + Eq + Clone> Throttle<K> {
    pub(super) fn new(pace: Pace) -> Arc<Self> {
        Arc::new(Self { pace, lines: Mutex::default(), failures: Mutex::default() })
    }

    fn failures(&self) -> MutexGuard<'_, HashMap<K, Failures>> {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lines(&self) -> MutexGuard<'_, Lines<K>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How long the key's next try waits.
    fn pause(&self, key: &K) -> Duration {
        let known = self.failures().get(key).copied();
        known.filter(|failures| failures.last.elapsed() < MEMORY).map_or(Duration::ZERO, |failures| {
            self.pace.step.saturating_mul(failures.count.saturating_sub(self.pace.free - 1)).min(LONGEST)
        })
    }

    /// Waits for the pause alone, beside whoever else tries; whether there was one.
    pub(super) async fn slow_down(&self, key: &K) -> bool {
        let pause = self.pause(key);
        sleep(pause).await;
        !pause.is_zero()
    }

    /// Waits for the key's turn, and then for its pause.
    pub(super) async fn begin(self: &Arc<Self>, key: &K) -> Result<Try<K>, LineIsFull> {
        let turn = self.turn(key).await?;
        Ok(Try { slowed: self.slow_down(key).await, _turn: turn })
    }

    async fn turn(self: &Arc<Self>, key: &K) -> Result<Turn<K>, LineIsFull> {
        let waiting = {
            let mut lines = self.lines();
            match lines.get_mut(key) {
                None => {
                    lines.insert(key.clone(), VecDeque::new());
                    None
                }
                Some(line) => {
                    line.retain(|waiting| !waiting.is_closed());
                    if line.len() >= IN_LINE {
                        line.pop_front();
                    }
                    let (sender, receiver) = oneshot::channel();
                    line.push_back(sender);
                    Some(receiver)
                }
            }
        };
        match waiting {
            None => Ok(Turn { throttle: self.clone(), key: key.clone(), passed: false }),
            Some(receiver) => receiver.await.map_err(|_| LineIsFull),
        }
    }

    /// The try failed.
    pub(super) fn failed(&self, key: K) {
        let mut failures = self.failures();
        // From time to time: each look goes through all of them.
        let is_new = !failures.contains_key(&key);
        if is_new && (failures.len() % SWEEP == SWEEP - 1 || failures.len() >= MOST) {
            failures.retain(|_, failures| failures.last.elapsed() < MEMORY);
            // Many names from many networks: what is worth keeping is who tries one again and again.
            let mut fewest = self.pace.free;
            while failures.len() >= MOST {
                failures.retain(|_, failures| failures.count >= fewest);
                fewest = fewest.saturating_mul(2);
                if fewest > 1 << 16 {
                    failures.clear();
                }
            }
        }
        let now = Instant::now();
        let known = failures.entry(key).or_insert(Failures { count: 0, last: now });
        if known.last.elapsed() >= MEMORY {
            known.count = 0;
        }
        *known = Failures { count: known.count.saturating_add(1), last: now };
    }

    /// The try succeeded: whoever it is knows the password.
    pub(super) fn succeeded(&self, key: &K) {
        self.failures().remove(key);
    }

    /// How long to wait before the next try, in milliseconds.
    pub(super) fn retry_after_ms(&self, key: &K) -> u64 {
        u64::try_from(self.pause(key).as_millis()).unwrap_or(u64::MAX).max(1_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn pauses_grow_and_end() {
        let throttle = Throttle::new(Pace::LINE);
        let mut waited = Vec::new();
        for _ in 0..20 {
            let before = Instant::now();
            let attempt = throttle.begin(&"ada").await.expect("a turn");
            waited.push(before.elapsed());
            assert_eq!(attempt.slowed, !before.elapsed().is_zero());
            throttle.failed("ada");
        }
        assert_eq!(waited[..6], [0, 0, 0, 0, 0, 250].map(Duration::from_millis));
        assert!(waited.is_sorted());
        assert_eq!(waited[19], LONGEST);
        let before = Instant::now();
        throttle.begin(&"eve").await.expect("a turn");
        assert!(before.elapsed().is_zero(), "another's line");
        throttle.succeeded(&"ada");
        throttle.begin(&"ada").await.expect("a turn");
        assert!(before.elapsed().is_zero(), "who knows the password starts afresh");
        for _ in 0..9 {
            throttle.failed("ada");
        }
        tokio::time::advance(MEMORY).await;
        assert!(throttle.pause(&"ada").is_zero(), "failures are forgotten");
    }

    /// A million wrong passwords from 10,000 networks cost the owner, who comes from another, nothing, and bounded memory.
    #[tokio::test(start_paused = true)]
    async fn a_million_guesses_lock_nobody_out() {
        let throttle = Throttle::new(Pace::LINE);
        for guess in 0..1_000_000_u32 {
            throttle.failed((guess % 10_000, "ada"));
        }
        assert_eq!(throttle.failures().len(), 10_000);
        assert_eq!(throttle.pause(&(7, "ada")), LONGEST, "each of them is slowed");
        let before = Instant::now();
        throttle.begin(&(u32::MAX, "ada")).await.expect("a turn");
        assert!(before.elapsed().is_zero());
        // Names without end: those who try once are forgotten first.
        for name in 0..200_000_u32 {
            throttle.failed((name, "somebody"));
        }
        assert!(throttle.failures().len() <= MOST, "{}", throttle.failures().len());
        assert_eq!(throttle.pause(&(7, "ada")), LONGEST);
    }

    #[tokio::test(start_paused = true)]
    async fn guesses_at_once_wait_for_each_other() {
        let throttle = Throttle::new(Pace::LINE);
        for _ in 0..50 {
            throttle.failed("ada");
        }
        let before = Instant::now();
        let tries = (0..20).map(|_| async {
            let attempt = throttle.begin(&"ada").await;
            if attempt.is_ok() {
                throttle.failed("ada");
            }
            attempt.is_ok()
        });
        let looked_at = futures::future::join_all(tries).await.into_iter().filter(|ok| *ok).count();
        assert_eq!(looked_at, 1 + IN_LINE);
        assert!(before.elapsed() >= LONGEST * 5, "{:?}", before.elapsed());
    }

    /// Whoever fills a line does not keep the next one out, and who gives up leaves it.
    #[tokio::test(start_paused = true)]
    async fn the_oldest_makes_room() {
        let throttle = Throttle::new(Pace::LINE);
        let first = throttle.begin(&"ada").await.expect("a turn");
        let mut waiting: Vec<_> = (0..=IN_LINE).map(|_| Box::pin(throttle.begin(&"ada"))).collect();
        for one in &mut waiting {
            assert!(futures::poll!(one).is_pending());
        }
        let oldest = waiting.remove(0).await;
        assert_eq!(oldest.err(), Some(LineIsFull), "the oldest goes");
        drop(waiting.remove(0));
        drop(first);
        for one in waiting {
            drop(one.await.expect("a turn"));
        }
        assert!(throttle.lines().is_empty());
    }

    /// A crowd in which each tries often is bounded, too.
    #[tokio::test(start_paused = true)]
    async fn what_is_remembered_is_bounded() {
        let throttle = Throttle::new(Pace::LINE);
        for _ in 0..6 {
            for network in 0..60_000_u32 {
                throttle.failed(network);
            }
        }
        assert!(throttle.failures().len() <= MOST, "{}", throttle.failures().len());
    }
}
