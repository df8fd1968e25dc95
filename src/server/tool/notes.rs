//! How a tool says how far it is while it works. What it says is shown, and kept as an event: so there is a limit to it.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use tokio::sync::mpsc;

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

/// Takes the notes of one call.
pub struct Notes {
    to: mpsc::Sender<Note>,
    /// When the last was taken, and how many were.
    taken: Mutex<(Option<Instant>, u32)>,
}

impl Notes {
    /// Notes, and where they arrive.
    pub fn new() -> (Self, mpsc::Receiver<Note>) {
        let (to, from) = mpsc::channel(4);
        (Self { to, taken: Mutex::default() }, from)
    }

    /// Says how far the tool is, unless it did a moment ago.
    pub fn say(&self, mut note: Note) {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let (last, count) = *taken;
        if count >= MOST || last.is_some_and(|last| last.elapsed() < PAUSE) {
            return;
        }
        note.message.truncate(note.message.floor_char_boundary(LONGEST));
        note.fraction = note.fraction.filter(|fraction| fraction.is_finite()).map(|fraction| fraction.clamp(0.0, 1.0));
        if self.to.try_send(note).is_ok() {
            *taken = (Some(Instant::now()), count + 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_notes_is_a_few() {
        let (notes, mut from) = Notes::new();
        for step in 0..10_000 {
            notes.say(Note { message: "é".repeat(5_000), fraction: Some(f64::from(step)) });
        }
        let first = from.try_recv().expect("the first is taken");
        assert!(first.message.len() <= LONGEST);
        assert_eq!(first.fraction, Some(0.0));
        let mut more = 0;
        while from.try_recv().is_ok() {
            more += 1;
        }
        assert!(more <= 4, "{more}");
    }
}
