//! What a worker's clients share: counts, delays, and each client's book.

use std::sync::{
    Mutex, MutexGuard, PoisonError,
    atomic::{AtomicU64, Ordering},
};

use netra_ws::Timestamp;

use crate::{
    delays::{Delays, now_us},
    job::{Head, Plan, Status, Verdict, Window},
    process,
};

/// Locks a mutex whose holders never leave it half changed.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What one client has seen.
#[derive(Debug, Default)]
pub(crate) struct Book {
    /// The last event applied of each thread of the plan, in its order.
    pub(crate) last: Vec<u64>,
    /// The epoch of each, empty before the first event.
    pub(crate) epochs: Vec<String>,
    /// Faults; only the counts of faults are used.
    pub(crate) faults: Verdict,
    /// Whether its link is live and all subscriptions were answered on it.
    pub(crate) ready: bool,
    /// When it became so, after the mark.
    pub(crate) ready_us: Option<u64>,
}

/// Everything that a worker counts.
pub(crate) struct Board {
    books: Vec<Mutex<Book>>,
    window: Mutex<Delays>,
    ways: Mutex<Delays>,
    delivered: AtomicU64,
    bytes: AtomicU64,
    losses: AtomicU64,
    marked_us: AtomicU64,
}

impl Board {
    /// An empty board for these clients.
    pub(crate) fn new(clients: &[Plan]) -> Self {
        let book = |plan: &Plan| Book {
            last: vec![0; plan.threads.len()],
            epochs: vec![String::new(); plan.threads.len()],
            ..Book::default()
        };
        Self {
            books: clients.iter().map(|plan| Mutex::new(book(plan))).collect(),
            window: Mutex::default(),
            ways: Mutex::default(),
            delivered: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            losses: AtomicU64::new(0),
            marked_us: AtomicU64::new(0),
        }
    }

    /// A client's book.
    pub(crate) fn book(&self, client: usize) -> MutexGuard<'_, Book> {
        lock(&self.books[client])
    }

    /// An event was delivered.
    pub(crate) fn delivered(&self, bytes: usize, ts: Option<Timestamp>) {
        self.count(1, bytes);
        if let Some(ts) = ts {
            lock(&self.window).record(now_us().saturating_sub(ts.as_millis() * 1_000));
        }
    }

    /// Counts events whose delays are recorded apart.
    pub(crate) fn count(&self, events: u64, bytes: usize) {
        self.delivered.fetch_add(events, Ordering::Relaxed);
        self.bytes.fetch_add(u64::try_from(bytes).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// Records delays in microseconds.
    pub(crate) fn delays(&self, delays: &[u64]) {
        let mut window = lock(&self.window);
        for delay in delays {
            window.record(*delay);
        }
    }

    /// Records how long pieces took all the way, in microseconds.
    pub(crate) fn ways(&self, ways: impl Iterator<Item = u64>) {
        let mut all = lock(&self.ways);
        ways.for_each(|way| all.record(way));
    }

    /// A client's socket is gone.
    pub(crate) fn lost(&self, client: usize) {
        self.losses.fetch_add(1, Ordering::Relaxed);
        self.book(client).ready = false;
    }

    /// A client is ready.
    pub(crate) fn ready(&self, client: usize) {
        let mut book = self.book(client);
        if !book.ready {
            book.ready = true;
            book.ready_us.get_or_insert_with(now_us);
        }
    }

    /// Begins a window.
    pub(crate) fn mark(&self, at_us: u64) {
        lock(&self.window).clear();
        lock(&self.ways).clear();
        self.delivered.store(0, Ordering::Relaxed);
        self.bytes.store(0, Ordering::Relaxed);
        self.losses.store(0, Ordering::Relaxed);
        self.marked_us.store(at_us, Ordering::Relaxed);
        for book in &self.books {
            lock(book).ready_us = None;
        }
    }

    /// The window since the mark.
    pub(crate) fn window(&self) -> Window {
        let marked = self.marked_us.load(Ordering::Relaxed);
        let mut resumes = Delays::default();
        for at in self.books.iter().filter_map(|book| lock(book).ready_us) {
            resumes.record(at.saturating_sub(marked));
        }
        Window {
            delivered: self.delivered.load(Ordering::Relaxed),
            bytes: self.bytes.load(Ordering::Relaxed),
            delays: lock(&self.window).pairs(),
            ways: lock(&self.ways).pairs(),
            resumes: resumes.pairs(),
            losses: self.losses.load(Ordering::Relaxed),
            cpu_us: process::cpu_us(std::process::id()),
        }
    }

    /// Where the worker stands.
    pub(crate) fn status(&self) -> Status {
        let ready = self.books.iter().filter(|book| lock(book).ready).count();
        let ready = u64::try_from(ready).unwrap_or(u64::MAX);
        let [delivered, losses] = [&self.delivered, &self.losses].map(|count| count.load(Ordering::Relaxed));
        Status { ready, delivered, losses }
    }

    /// Compares the clients with the threads' heads.
    pub(crate) fn verdict(&self, clients: &[Plan], heads: &[Head]) -> Verdict {
        let mut verdict = Verdict::default();
        for (plan, book) in clients.iter().zip(&self.books) {
            let book = lock(book);
            verdict.add(Verdict { missing: 0, ..book.faults });
            for (at, thread) in plan.threads.iter().enumerate() {
                let Some(head) = heads.iter().find(|head| head.thread == *thread) else { continue };
                verdict.missing += head.seq.saturating_sub(book.last[at]);
                // Ahead of the server's own log, or in another one.
                let other = !head.epoch.is_empty() && !book.epochs[at].is_empty() && head.epoch != book.epochs[at];
                verdict.bad += u64::from(book.last[at] > head.seq) + u64::from(other);
            }
        }
        verdict
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn board(last: u64, epoch: &str) -> (Vec<Plan>, Board) {
        let plans = vec![Plan { threads: vec![0], ..Plan::default() }];
        let board = Board::new(&plans);
        board.book(0).last[0] = last;
        epoch.clone_into(&mut board.book(0).epochs[0]);
        (plans, board)
    }

    fn head(seq: u64) -> [Head; 1] {
        [Head { thread: 0, epoch: "one".to_owned(), seq }]
    }

    #[test]
    fn a_client_at_the_head_has_everything() {
        let (plans, board) = board(7, "one");
        assert_eq!(board.verdict(&plans, &head(7)), Verdict::default());
    }

    #[test]
    fn what_is_behind_is_missing_and_what_is_ahead_is_wrong() {
        let (plans, board) = board(4, "one");
        assert_eq!(board.verdict(&plans, &head(7)), Verdict { missing: 3, ..Verdict::default() });
        assert_eq!(board.verdict(&plans, &head(3)), Verdict { bad: 1, ..Verdict::default() });
    }

    #[test]
    fn another_log_is_wrong_also_at_the_same_number() {
        let (plans, board) = board(7, "two");
        assert_eq!(board.verdict(&plans, &head(7)), Verdict { bad: 1, ..Verdict::default() });
    }

    #[test]
    fn faults_of_the_way_are_kept() {
        let (plans, board) = board(7, "one");
        board.book(0).faults.duplicated = 2;
        assert_eq!(board.verdict(&plans, &head(7)).duplicated, 2);
    }

    #[test]
    fn a_mark_begins_a_window_anew() {
        let (_, board) = board(0, "");
        board.delivered(100, Some(Timestamp::from_millis(now_us() / 1_000)));
        board.lost(0);
        board.mark(now_us());
        let window = board.window();
        assert_eq!((window.delivered, window.bytes, window.losses), (0, 0, 0));
        assert!(window.delays.is_empty() && window.resumes.is_empty());
        board.ready(0);
        assert_eq!(board.window().resumes.len(), 1);
    }
}
