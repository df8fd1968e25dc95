//! What a tool says while it works: how far it is, and what it wants to know of a person. Both are shown and kept as events: so there
//! is a limit to it.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use netra_ws::{RunId, model::Question};
use tokio::sync::{mpsc, oneshot};

use crate::server::store::questions::Verdict;

/// The pause between two notes of one call. What is said sooner is left out: the next says how far it is by then.
const PAUSE: Duration = Duration::from_millis(200);

/// Notes of one call.
const MOST: u32 = 500;

/// The longest note, in bytes.
const LONGEST: usize = 1_000;

/// How far a tool is.
#[derive(Clone, Debug, PartialEq)]
pub struct Note {
    /// What it does.
    pub message: String,
    /// From 0 to 1.
    pub fraction: Option<f64>,
}

/// Something that a tool wants to know before it goes on.
#[derive(Debug)]
pub struct Asking {
    /// What a person is asked.
    pub question: Question,
    /// Where the answer goes; closed when the tool no longer waits for it.
    pub answer: oneshot::Sender<Verdict>,
}

/// A word of a tool that works.
#[derive(Debug)]
pub enum Word {
    /// How far it is.
    Note(Note),
    /// What it asks.
    Question(Asking),
}

/// Takes the words of one call.
pub struct Notes {
    to: mpsc::Sender<Word>,
    /// Whose call it is.
    run: Option<RunId>,
    /// When the last note was taken, and how many were.
    taken: Mutex<(Option<Instant>, u32)>,
    heard: Mutex<Heard>,
}

/// When the tool was last heard of.
struct Heard {
    last: Instant,
    /// Questions that are open: a tool that waits for a person is not silent.
    open: u32,
}

/// A question that is open until this is dropped.
struct Open<'a>(&'a Notes);

impl Drop for Open<'_> {
    fn drop(&mut self) {
        let mut heard = self.0.heard();
        heard.open -= 1;
        heard.last = Instant::now();
    }
}

impl Notes {
    /// Notes of a call of this run, if of one, and where they arrive.
    pub fn new(run: Option<RunId>) -> (Self, mpsc::Receiver<Word>) {
        let (to, from) = mpsc::channel(4);
        let heard = Mutex::new(Heard { last: Instant::now(), open: 0 });
        (Self { to, run, taken: Mutex::default(), heard }, from)
    }

    /// Whether both are of calls of one run.
    pub fn is_of_the_run_of(&self, other: &Self) -> bool {
        self.run.is_some() && self.run == other.run
    }

    fn heard(&self) -> MutexGuard<'_, Heard> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How long the tool has been silent, while it waited for nobody.
    pub fn silent_for(&self) -> Duration {
        let heard = self.heard();
        if heard.open > 0 { Duration::ZERO } else { heard.last.elapsed() }
    }

    /// Asks a person, and waits until somebody has decided or the time is over.
    pub async fn ask(&self, question: Question) -> Verdict {
        self.heard().open += 1;
        let _open = Open(self);
        let (answer, verdict) = oneshot::channel();
        if self.to.send(Word::Question(Asking { question, answer })).await.is_err() {
            return Verdict::Expired;
        }
        verdict.await.unwrap_or(Verdict::Expired)
    }

    /// Says how far the tool is, unless it did a moment ago.
    pub fn say(&self, mut note: Note) {
        self.heard().last = Instant::now();
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let (last, count) = *taken;
        if count >= MOST || last.is_some_and(|last| last.elapsed() < PAUSE) {
            return;
        }
        note.message.truncate(note.message.floor_char_boundary(LONGEST));
        note.fraction = note.fraction.filter(|fraction| fraction.is_finite()).map(|fraction| fraction.clamp(0.0, 1.0));
        if self.to.try_send(Word::Note(note)).is_ok() {
            *taken = (Some(Instant::now()), count + 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_notes_is_a_few() {
        let (notes, mut from) = Notes::new(None);
        for step in 0..10_000 {
            notes.say(Note { message: "é".repeat(5_000), fraction: Some(f64::from(step)) });
        }
        let Ok(Word::Note(first)) = from.try_recv() else { panic!("the first is taken") };
        assert!(first.message.len() <= LONGEST);
        assert_eq!(first.fraction, Some(0.0));
        let mut more = 0;
        while from.try_recv().is_ok() {
            more += 1;
        }
        assert!(more <= 4, "{more}");
    }
}
