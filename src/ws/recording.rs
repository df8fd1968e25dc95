//! A conversation that can be seen as it was: its events in order, and its state after any of them.
//!
//! The state is the reducer's, [`ThreadState::apply`]. So that no point is far away, checkpoints are made as events come, one after
//! [`STRIDE`] of them. A checkpoint holds no copy of the state, only what has changed since: a run as it was before its first change
//! after the checkpoint. Messages and runs are only ever added, so the rest is the beginning of the newest state, which the states
//! of all points share. Where an answer is so long that its copies would be many times the log, checkpoints are further apart.

use crate::{
    frame::{Incoming, ServerFrame},
    id::RunId,
    message::{Event, ServerMessage},
    model::{Run, Step, Thread},
    shared::Shared,
    state::{Applied, ThreadState},
    time::Timestamp,
};

/// Events between two checkpoints: what is folded to see a point, unless answers are very long.
const STRIDE: usize = 512;

/// What checkpoints hold at most, in bytes for each byte of the events that are between them.
const COPIES: usize = 2;

/// What an event or a step of a run takes beside its text, roughly.
const OVERHEAD: usize = 256;

/// A conversation's events, and its state after any of them.
#[derive(Clone, Debug, Default)]
pub struct Recording {
    moments: Vec<Moment>,
    /// After the last event.
    newest: ThreadState,
    checkpoints: Vec<Checkpoint>,
    trimmed: u64,
}

/// An event of a recording.
#[derive(Clone, Debug)]
pub struct Moment {
    /// Its place in the log.
    pub seq: u64,
    /// When it was; unknown for an event that this build cannot read.
    pub at: Option<Timestamp>,
    /// What was said; nothing where this build cannot read it.
    pub frame: Option<Box<ServerFrame>>,
}

#[derive(Clone, Debug)]
struct Checkpoint {
    /// How many events are before it.
    events: usize,
    seq: u64,
    messages: usize,
    runs: usize,
    /// Runs that changed between this checkpoint and the next, by their places, as they were here.
    before: Vec<(usize, Shared<Run>)>,
    /// Bytes of these, and of the events up to the next checkpoint, roughly.
    copied: usize,
    told: usize,
}

impl Recording {
    /// How many events it has.
    pub fn len(&self) -> usize {
        self.moments.len()
    }

    /// Bytes that its checkpoints hold beside the events and the newest state, roughly.
    #[cfg(test)]
    pub(crate) fn copied(&self) -> usize {
        self.checkpoints.iter().map(|checkpoint| checkpoint.copied).sum()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.moments.is_empty()
    }

    /// The last event's place in the log.
    pub fn seq(&self) -> u64 {
        self.newest.seq
    }

    /// How many numbers the log has no event for: pieces of answers that were trimmed. Such an answer comes whole.
    pub fn trimmed(&self) -> u64 {
        self.trimmed
    }

    /// The events, in order.
    pub fn moments(&self) -> &[Moment] {
        &self.moments
    }

    /// Adds the next event of the log. One that is known, or is none, changes nothing.
    pub fn push(&mut self, incoming: Incoming) {
        let (epoch, seq, moment) = match incoming {
            Incoming::Frame(frame) => {
                let Some(seq) = frame.seq else { return };
                (frame.epoch.clone().unwrap_or_default(), seq, Moment { seq, at: frame.ts, frame: Some(frame) })
            }
            Incoming::Unknown(Some(place)) | Incoming::Bad(_, Some(place)) => {
                (place.epoch, place.seq, Moment { seq: place.seq, at: None, frame: None })
            }
            Incoming::Unknown(None) | Incoming::Bad(_, None) => return,
        };
        if seq <= self.newest.seq {
            return;
        }
        if self.newest.epoch.is_empty() {
            self.newest.epoch = epoch;
        }
        self.trimmed += seq - self.newest.seq - 1;
        if self.checkpoints.last().is_none_or(|last| last.is_done(self.moments.len())) {
            self.checkpoints.push(Checkpoint {
                events: self.moments.len(),
                seq: self.newest.seq,
                messages: self.newest.messages.len(),
                runs: self.newest.runs.len(),
                before: Vec::new(),
                copied: 0,
                told: 0,
            });
        }
        if let Some(run) = moment.frame.as_ref().and_then(|frame| frame.run_id) {
            self.keep(run);
        }
        moment.fold_into(&mut self.newest);
        if let Some(checkpoint) = self.checkpoints.last_mut() {
            checkpoint.told += moment.size();
        }
        self.moments.push(moment);
    }

    /// Keeps a run that is about to change as the newest checkpoint has it.
    fn keep(&mut self, id: RunId) {
        let Some(checkpoint) = self.checkpoints.last_mut() else { return };
        // Looked for from the end: what changes is new.
        let Some(at) = self.newest.runs.iter().rposition(|run| run.run_id == id) else { return };
        if at >= checkpoint.runs || checkpoint.before.iter().any(|(known, _)| *known == at) {
            return;
        }
        if let Some(run) = self.newest.runs.get(at) {
            checkpoint.copied += size(run);
            checkpoint.before.push((at, run.clone()));
        }
    }

    /// The state after so many events, as whoever had followed them would have had it; `thread` is what it is called.
    pub fn state_after(&self, events: usize, thread: Option<&Thread>) -> ThreadState {
        let events = events.min(self.moments.len());
        let nearest = self.checkpoints.partition_point(|checkpoint| checkpoint.events <= events).saturating_sub(1);
        let mut state = self.restore(nearest);
        state.thread = thread.cloned();
        let from = self.checkpoints.get(nearest).map_or(0, |checkpoint| checkpoint.events);
        self.moments.get(from..events).into_iter().flatten().for_each(|moment| _ = moment.fold_into(&mut state));
        state
    }

    /// The state at a checkpoint.
    fn restore(&self, nearest: usize) -> ThreadState {
        let Some(checkpoint) = self.checkpoints.get(nearest) else { return ThreadState::default() };
        let mut runs = self.newest.runs.get(..checkpoint.runs).unwrap_or_default().to_vec();
        // The earliest that was kept since is how the run was here.
        for (at, before) in self.checkpoints.iter().skip(nearest).rev().flat_map(|later| &later.before) {
            if let Some(run) = runs.get_mut(*at) {
                run.clone_from(before);
            }
        }
        ThreadState {
            thread: None,
            epoch: if checkpoint.seq == 0 { String::new() } else { self.newest.epoch.clone() },
            seq: checkpoint.seq,
            messages: self.newest.messages.get(..checkpoint.messages).unwrap_or_default().to_vec(),
            earlier_cursor: None,
            runs,
        }
    }
}

impl Checkpoint {
    /// Whether the next one is due before the event at this place.
    fn is_done(&self, events: usize) -> bool {
        events - self.events >= STRIDE && self.copied <= COPIES * self.told
    }
}

/// What a copy of a run takes, roughly.
fn size(run: &Run) -> usize {
    let step = |step: &Step| match step {
        Step::Thinking { text, .. } => text.len(),
        Step::Progress { message, .. } => message.len(),
        Step::Tool(_) | Step::Unknown(_) => OVERHEAD,
    };
    run.text.len() + run.steps.iter().map(step).sum::<usize>() + OVERHEAD * (1 + run.steps.len())
}

impl Moment {
    /// What it takes, roughly.
    fn size(&self) -> usize {
        let text = self.frame.as_ref().map_or(0, |frame| match &frame.message {
            ServerMessage::Event(Event::PartialResult(part)) => part.delta.len(),
            ServerMessage::Event(Event::AgentThinking(thinking)) => thinking.thought.len(),
            ServerMessage::Event(Event::AgentResponse(answer)) => answer.content.len(),
            _ => 0,
        });
        text + OVERHEAD
    }

    /// Folds the event into the state before it. Over numbers that were trimmed it steps.
    pub fn fold_into(&self, state: &mut ThreadState) -> Applied {
        state.seq = self.seq.saturating_sub(1);
        match &self.frame {
            Some(frame) => state.apply(frame),
            None => {
                state.seq = self.seq;
                Applied::Nothing
            }
        }
    }
}
