//! Rewind: the conversation as it was after any of its events, made by the same reducer and shown by the same components.

mod bar;
mod controls;
mod lanes;
mod replay;
mod tape;
mod timeline;

use std::time::Duration;

use leptos::prelude::*;
use netra_ws::{ThreadId, Timestamp, session::Link};

use super::{panel::Heard, variants::Way};
use crate::app::{
    keyboard,
    store::{ThreadStore, use_store},
    time::{clock, zone_offset_at},
    view::{effect, memo},
};
use tape::Tape;

pub(crate) use bar::RewindBar;
pub(super) use controls::timeline;

/// Events that are folded into the state that is shown, at most; whoever goes further begins at a checkpoint.
const STEP: usize = 512;

/// Whoever looks at a time for this long stays there.
const STAYS: Duration = Duration::from_millis(150);

/// Where one is in a conversation's past.
#[derive(Clone, Copy)]
pub(crate) struct Rewind {
    thread: ThreadId,
    tape: StoredValue<Tape>,
    store: StoredValue<ThreadStore>,
    way: Way,
    /// After how many events the conversation is shown; none for now.
    at: RwSignal<Option<usize>>,
    /// Where one is to be with the next frame.
    wanted: StoredValue<Option<usize>>,
    /// How much faster than it was it runs again; 0 when it stands.
    speed: RwSignal<u32>,
    /// Counts replays, so that each ends when the next begins.
    replays: StoredValue<u32>,
    /// Counts how often another time was shown.
    travels: StoredValue<u32>,
}

/// For the conversation that a page shows.
pub(crate) fn provide_rewind(thread: ThreadId, way: Way) -> Rewind {
    let rewind = Rewind {
        thread,
        tape: StoredValue::new(Tape::new(thread)),
        store: StoredValue::new(use_store().thread(thread)),
        way,
        at: RwSignal::new(None),
        wanted: StoredValue::new(None),
        speed: RwSignal::new(0),
        replays: StoredValue::new(0),
        travels: StoredValue::new(0),
    };
    effect(move || tint(rewind.at.get().is_some()));
    let (tape, store) = (rewind.tape.get_value(), rewind.store.get_value());
    let (link, heard) = (use_store().link, tape.clone());
    effect(move || {
        // Whoever looks at the page now is not signed in.
        if link.get() == Link::SignedOut {
            rewind.back();
            heard.forget();
        }
    });
    on_cleanup(move || {
        tape.forget();
        store.rewind(None);
        store.stay();
        tint(false);
    });
    rewind
}

impl Rewind {
    /// Whether the page shows the past.
    pub(crate) fn is_on(self) -> Memo<bool> {
        memo(move || self.at.get().is_some())
    }

    /// Reads the conversation's events, and follows them from now on.
    pub(super) fn begin(self, heard: &Heard) {
        let tape = self.tape.get_value();
        tape.read();
        heard.follow(Some(Box::new(move |text| tape.hear(text))));
    }

    /// Shows the conversation as it was after so many events, with the next frame; after all of them, as it is.
    fn go(self, events: usize) {
        self.stop();
        self.go_on_to(events);
    }

    fn go_on_to(self, events: usize) {
        let waits = self.wanted.get_value().is_some();
        self.wanted.set_value(Some(events));
        if !waits {
            request_animation_frame(move || {
                if let Some(events) = self.wanted.try_update_value(Option::take).flatten() {
                    self.show(events);
                }
            });
        }
    }

    fn show(self, events: usize) {
        let (tape, store) = (self.tape.get_value(), self.store.get_value());
        let known = tape.known();
        if events >= known.recording.len() {
            drop(known);
            self.back();
            return;
        }
        let before = self.at.get_untracked();
        let near = before.filter(|before| *before <= events && events - *before <= STEP);
        let more = near.and_then(|before| known.recording.moments().get(before..events));
        let folded = more
            .is_some_and(|more| store.fold_past(|state| more.iter().for_each(|moment| _ = moment.fold_into(state))));
        if !folded {
            let thread = untrack(|| store.head());
            store.rewind(Some(known.recording.state_after(events, thread.as_ref())));
            self.stay_soon();
        }
        drop(known);
        self.at.set(Some(events));
    }

    /// Shows the conversation as it is.
    pub(crate) fn back(self) {
        self.stop();
        self.wanted.set_value(None);
        if self.at.get_untracked().is_some() {
            self.store.get_value().rewind(None);
            self.stay_soon();
            self.at.set(None);
        }
    }

    /// Once the reader stays at a time, all of it is drawn.
    fn stay_soon(self) {
        self.travels.update_value(|travels| *travels += 1);
        let (travel, store) = (self.travels.get_value(), self.store.get_value());
        let stay = move || {
            if self.travels.try_get_value() == Some(travel) {
                store.stay();
            }
        };
        set_timeout(stay, STAYS);
    }

    /// Goes on from what is shown: the next message follows it, and what came after stays beside it.
    fn go_on(self) {
        let store = self.store.get_value();
        let words = untrack(|| self.when());
        self.way.go_on(&store, words);
        self.back();
        // Once the composer is no longer inert.
        request_animation_frame(keyboard::focus_composer);
    }

    /// What is shown, in words: `10:02:17 · event 812 of 1,204`.
    fn words(self) -> String {
        let tape = self.tape.get_value();
        tape.events.track();
        let at = self.at.get();
        let known = tape.known();
        let moments = known.recording.moments();
        let all = grouped(known.recording.seq());
        match at.unwrap_or(moments.len()).checked_sub(1).and_then(|last| moments.get(last)) {
            Some(last) => format!("{} · event {} of {all}", time(last.at), grouped(last.seq)),
            None => format!("the beginning · event 0 of {all}"),
        }
    }

    /// When what is shown was.
    fn when(self) -> String {
        let tape = self.tape.get_value();
        let known = tape.known();
        let last = self.at.get().and_then(|at| known.recording.moments().get(at.checked_sub(1)?));
        last.map_or_else(|| "the beginning".to_owned(), |last| time(last.at))
    }

    /// Lets the conversation run again, from where one is, or from its beginning.
    fn replay(self, speed: u32) {
        self.stop();
        self.speed.set(speed);
        if self.at.get_untracked().is_none() {
            self.show(0);
        }
        let replay = self.replays.get_value();
        let began = clock_now();
        request_animation_frame(move || self.play(replay, began, 0.0));
    }

    fn play(self, replay: u32, last: f64, left: f64) {
        // The page may be another by now.
        if self.replays.try_get_value() != Some(replay) {
            return;
        }
        let Some(at) = self.at.get_untracked() else { return };
        let now = clock_now();
        let mut time = left + (now - last) * f64::from(self.speed.get_untracked());
        let events = replay::advance(self.tape.get_value().known().recording.moments(), at, &mut time);
        if events != at {
            self.show(events);
        }
        if self.at.get_untracked().is_some() {
            request_animation_frame(move || self.play(replay, now, time));
        }
    }

    /// Stands still.
    fn stop(self) {
        self.replays.update_value(|replays| *replays += 1);
        if self.speed.get_untracked() != 0 {
            self.speed.set(0);
        }
    }
}

/// The style sheet knows it as well.
fn tint(on: bool) {
    // What is cleaned up on the server has no document.
    if !cfg!(feature = "hydrate") {
        return;
    }
    if let Some(root) = document().document_element() {
        let _ = root.set_attribute("data-rewound", if on { "true" } else { "false" });
    }
}

fn time(at: Option<Timestamp>) -> String {
    at.map_or_else(|| "an unknown time".to_owned(), |at| clock(at, zone_offset_at(at)))
}

/// A number as it is read: `1,204`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// The page's steady clock, in milliseconds.
#[cfg(feature = "hydrate")]
fn clock_now() -> f64 {
    window().performance().map_or(0.0, |performance| performance.now())
}

/// Nothing runs again on a server.
#[cfg(not(feature = "hydrate"))]
fn clock_now() -> f64 {
    0.0
}

#[cfg(test)]
mod tests {
    use super::grouped;

    #[test]
    fn numbers_for_people() {
        let check = |number: u64, text: &str| assert_eq!(grouped(number), text);
        check(0, "0");
        check(812, "812");
        check(1_204, "1,204");
        check(100_000, "100,000");
        check(1_234_567, "1,234,567");
    }
}
