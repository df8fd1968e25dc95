//! So many at once for each key, the rest in a line of bounded length: one user's work waits for that user alone.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Lanes that may stand empty before they are looked through.
const SWEEP: usize = 1_024;

/// Hands out turns.
pub(crate) struct Turns<K> {
    at_once: usize,
    in_line: usize,
    lanes: Mutex<HashMap<K, Arc<Lane>>>,
}

struct Lane {
    turns: Arc<Semaphore>,
    waiting: AtomicUsize,
}

/// A turn; it is over when this is dropped.
#[derive(Clone, Debug)]
pub(crate) struct TurnPermit {
    _permit: Arc<OwnedSemaphorePermit>,
}

/// The key's line is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LineIsFull;

impl<K: Hash + Eq> Turns<K> {
    /// `at_once` for each key, and `in_line` that wait.
    pub(crate) fn new(at_once: usize, in_line: usize) -> Self {
        Self { at_once, in_line, lanes: Mutex::default() }
    }

    /// Waits for a turn.
    pub(crate) async fn take(&self, key: K) -> Result<TurnPermit, LineIsFull> {
        self.take_of(key, self.at_once).await
    }

    /// The same where the key has so many at once; another number counts once the key's lane stood empty.
    pub(crate) async fn take_of(&self, key: K, at_once: usize) -> Result<TurnPermit, LineIsFull> {
        let lane = self.lane(key, at_once);
        let turn = |permit| TurnPermit { _permit: Arc::new(permit) };
        if let Ok(permit) = lane.turns.clone().try_acquire_owned() {
            return Ok(turn(permit));
        }
        let place = Place::take(&lane, self.in_line)?;
        // The semaphore is never closed.
        let permit = lane.turns.clone().acquire_owned().await.map_err(|_| LineIsFull)?;
        drop(place);
        Ok(turn(permit))
    }

    fn lane(&self, key: K, at_once: usize) -> Arc<Lane> {
        let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        if lanes.len() >= SWEEP && !lanes.contains_key(&key) {
            // Whoever holds or awaits a turn holds the lane's semaphore, too.
            lanes.retain(|_, lane| Arc::strong_count(lane) > 1 || Arc::strong_count(&lane.turns) > 1);
        }
        let new = || Arc::new(Lane { turns: Arc::new(Semaphore::new(at_once)), waiting: AtomicUsize::new(0) });
        lanes.entry(key).or_insert_with(new).clone()
    }
}

/// A place in the line; given back when dropped, whether its turn came or not.
struct Place<'a>(&'a Lane);

impl<'a> Place<'a> {
    fn take(lane: &'a Lane, most: usize) -> Result<Self, LineIsFull> {
        if lane.waiting.fetch_add(1, Ordering::AcqRel) >= most {
            lane.waiting.fetch_sub(1, Ordering::AcqRel);
            return Err(LineIsFull);
        }
        Ok(Self(lane))
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_waits_for_itself_alone() {
        let turns = Arc::new(Turns::new(1, 1));
        let first = turns.take("ada").await.expect("a free turn");
        let second = tokio::spawn({
            let turns = turns.clone();
            async move { turns.take("ada").await.map(drop) }
        });
        while turns.lane("ada", 1).waiting.load(Ordering::Acquire) == 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!(turns.take("ada").await.err(), Some(LineIsFull));
        drop(turns.take("eve").await.expect("another's line is empty"));
        drop(first);
        assert_eq!(second.await.expect("no panic"), Ok(()));
        // Who gives up leaves the line.
        let held = turns.take("ada").await.expect("a free turn");
        let mut given_up = Box::pin(turns.take("ada"));
        assert!(futures::poll!(&mut given_up).is_pending());
        drop(given_up);
        assert_eq!(turns.lane("ada", 1).waiting.load(Ordering::Acquire), 0);
        drop(held);
    }

    #[tokio::test]
    async fn empty_lanes_are_forgotten() {
        let turns = Turns::new(1, 0);
        let held = turns.take(0).await.expect("a free turn");
        for key in 1..3 * SWEEP {
            drop(turns.take(key).await.expect("a free turn"));
        }
        let lanes = turns.lanes.lock().expect("no panic").len();
        assert!(lanes <= SWEEP, "{lanes}");
        assert_eq!(turns.take(0).await.err(), Some(LineIsFull), "the one in use is kept");
        drop(held);
    }
}
