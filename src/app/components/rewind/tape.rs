//! The events of a conversation, read from the server as far as they are not known, and followed as they come.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use leptos::{prelude::*, task::spawn_local};
use netra_ws::{Incoming, ThreadId, recording::Recording};
use serde::Deserialize;

use super::timeline::Timeline;
use crate::app::fetch;

/// Events that are asked for at a time.
const PAGE: usize = 1_000;

/// How far the reading is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Reading {
    /// Nobody has asked.
    Not,
    /// The log has this many events.
    Now(u64),
    Done,
    Failed(String),
}

/// A part of the log.
#[derive(Deserialize)]
struct Page {
    epoch: String,
    head_seq: u64,
    events: Vec<Incoming>,
}

/// What is known of a conversation's events.
#[derive(Default)]
pub(super) struct Known {
    pub(super) recording: Recording,
    pub(super) timeline: Timeline,
    epoch: String,
    /// The newest event that the page has heard of.
    heard: u64,
}

impl Known {
    fn push(&mut self, incoming: Incoming) {
        let before = self.recording.len();
        self.recording.push(incoming);
        if let Some(moment) = self.recording.moments().get(before) {
            self.timeline.push(moment);
        }
    }
}

/// The events of a conversation. Cloning it clones a handle.
#[derive(Clone)]
pub(super) struct Tape {
    thread: ThreadId,
    known: Arc<Mutex<Known>>,
    pub(super) reading: ArcRwSignal<Reading>,
    /// How many events are known; changes once per animation frame.
    pub(super) events: ArcRwSignal<usize>,
    scheduled: Arc<Mutex<bool>>,
}

impl Tape {
    pub(super) fn new(thread: ThreadId) -> Self {
        Self {
            thread,
            known: Arc::default(),
            reading: ArcRwSignal::new(Reading::Not),
            events: ArcRwSignal::new(0),
            scheduled: Arc::default(),
        }
    }

    pub(super) fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads what is not known yet.
    pub(super) fn read(&self) {
        if matches!(self.reading.get_untracked(), Reading::Now(_)) {
            return;
        }
        self.reading.set(Reading::Now(0));
        let this = self.clone();
        spawn_local(async move {
            let end = this.read_to_end().await;
            // Whoever left meanwhile has no use for it.
            if this.reading.get_untracked() != Reading::Not {
                this.reading.set(end.map_or_else(Reading::Failed, |()| Reading::Done));
                this.tell();
            }
        });
    }

    async fn read_to_end(&self) -> Result<(), String> {
        loop {
            let after = self.known().recording.seq();
            let thread = self.thread;
            let page: Page =
                fetch::get(&format!("/api/threads/{thread}/events?after_seq={after}&limit={PAGE}")).await?;
            if self.reading.get_untracked() == Reading::Not {
                return Ok(());
            }
            let more = {
                let mut known = self.known();
                if known.epoch != page.epoch {
                    // Another log has taken its place, a restored one say.
                    let whole = after == 0;
                    *known = Known { epoch: page.epoch.clone(), heard: page.head_seq, ..Known::default() };
                    if !whole {
                        continue;
                    }
                }
                let some = !page.events.is_empty();
                page.events.into_iter().for_each(|event| known.push(event));
                some && known.recording.seq() < page.head_seq.max(known.heard)
            };
            self.tell();
            if !more {
                return Ok(());
            }
            self.reading.set(Reading::Now(page.head_seq));
        }
    }

    /// Takes in what came over the socket, if it is an event of this conversation.
    pub(super) fn hear(&self, text: &str) {
        if self.reading.get_untracked() == Reading::Not || !text.contains("\"seq\":") {
            return;
        }
        let Ok(incoming) = serde_json::from_str::<Incoming>(text) else { return };
        let seq = match &incoming {
            Incoming::Frame(frame) if frame.thread_id == Some(self.thread) => frame.seq,
            Incoming::Unknown(Some(place)) | Incoming::Bad(_, Some(place)) if place.thread_id == self.thread => {
                Some(place.seq)
            }
            Incoming::Frame(_) | Incoming::Unknown(_) | Incoming::Bad(..) => None,
        };
        let Some(seq) = seq else { return };
        let next = {
            let mut known = self.known();
            known.heard = known.heard.max(seq);
            let next = known.recording.seq() + 1;
            if seq == next {
                known.push(incoming);
            }
            next
        };
        if seq > next {
            self.read();
        } else if seq == next {
            self.tell();
        }
    }

    fn tell(&self) {
        if std::mem::replace(&mut *self.scheduled.lock().unwrap_or_else(PoisonError::into_inner), true) {
            return;
        }
        let this = self.clone();
        request_animation_frame(move || {
            *this.scheduled.lock().unwrap_or_else(PoisonError::into_inner) = false;
            let events = this.known().recording.len();
            this.events.set(events);
        });
    }

    /// Lets go of all that is known.
    pub(super) fn forget(&self) {
        self.reading.set(Reading::Not);
        *self.known() = Known::default();
        self.events.set(0);
    }
}
