//! Who did what when in a conversation: a lane for each agent, with bars for thoughts, tools, waiting and answers.
//!
//! A place on the timeline is neither a number nor a time: each event moves it on by one, and time by a little, so that a stream
//! of pieces, a slow tool and a night in between can all be seen.

use std::{collections::HashMap, fmt::Write as _};

use netra_ws::{RunId, ServerMessage, Timestamp, message::Event, recording::Moment};

/// What a pause moves the place on by at most, and the milliseconds that count as much as one event.
const LONGEST: u64 = 5_000;
const PER_EVENT: f64 = 50.0;

/// How wide all of it is drawn; bars closer than one are drawn as one.
pub(super) const WIDTH: f64 = 1_000.0;

/// What a bar stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A person's message.
    Message,
    /// A run, from its start to its end.
    Run,
    Thought,
    Tool,
    Waiting,
    Answer,
}

impl Kind {
    pub(super) const ALL: [Self; 6] =
        [Self::Run, Self::Message, Self::Thought, Self::Tool, Self::Waiting, Self::Answer];

    /// As the style sheet knows it.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Message => "bar bar-message",
            Self::Run => "bar bar-run",
            Self::Thought => "bar bar-thought",
            Self::Tool => "bar bar-tool",
            Self::Waiting => "bar bar-waiting",
            Self::Answer => "bar bar-answer",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Bar {
    kind: Kind,
    from: f64,
    /// Infinite while it goes on.
    to: f64,
}

/// An agent's bars; runs of one agent that work at the same time have lanes of their own.
#[derive(Debug, Default)]
pub(super) struct Lane {
    /// The agent's name; none for people.
    pub(super) agent: Option<String>,
    /// Whether it works for another agent.
    pub(super) nested: bool,
    busy: bool,
    bars: Vec<Bar>,
}

/// What a run is at.
#[derive(Debug)]
struct Work {
    lane: usize,
    run: usize,
    /// The thought or the answer that goes on.
    speaks: Option<(Kind, usize)>,
    calls: HashMap<String, usize>,
}

/// The timeline of a conversation.
#[derive(Debug, Default)]
pub(super) struct Timeline {
    places: Vec<f64>,
    last: Option<Timestamp>,
    lanes: Vec<Lane>,
    works: HashMap<RunId, Work>,
}

impl Timeline {
    /// Takes in the next event.
    #[allow(clippy::cast_precision_loss)]
    pub(super) fn push(&mut self, moment: &Moment) {
        let pause = moment.at.zip(self.last).map_or(0, |(now, last)| now.millis_since(last)).min(LONGEST);
        let here = self.end() + 1.0 + pause as f64 / PER_EVENT;
        self.last = moment.at.or(self.last);
        self.places.push(here);
        let Some(frame) = &moment.frame else { return };
        let ServerMessage::Event(event) = &frame.message else { return };
        match frame.run_id {
            _ if matches!(event, Event::ThreadMessage(_)) => {
                let lane = self.lane(None, false);
                self.add(lane, Kind::Message, here, here);
            }
            Some(run) => self.work(run, event, here),
            None => {}
        }
    }

    fn work(&mut self, run: RunId, event: &Event, here: f64) {
        if let Event::AgentStarted(started) = event {
            // A run that was taken up again goes on where it was.
            if !self.works.contains_key(&run) {
                let lane = self.lane(Some(&started.agent), started.parent_run_id.is_some());
                let bar = self.add(lane, Kind::Run, here, f64::INFINITY);
                self.works.insert(run, Work { lane, run: bar, speaks: None, calls: HashMap::new() });
            }
            return;
        }
        let Some(mut work) = self.works.remove(&run) else { return };
        let speaks = match event {
            Event::AgentThinking(_) => Some(Kind::Thought),
            Event::PartialResult(_) => Some(Kind::Answer),
            _ => None,
        };
        if work.speaks.map(|(kind, _)| kind) != speaks {
            if let Some((_, bar)) = work.speaks.take() {
                self.close(work.lane, bar, here);
            }
            work.speaks = speaks.map(|kind| (kind, self.add(work.lane, kind, here, f64::INFINITY)));
        }
        match event {
            Event::ToolExecuting(call) => self.call(&mut work, &call.tool_call_id, Some(Kind::Tool), here),
            Event::ToolApprovalRequired(call) => self.call(&mut work, &call.tool_call_id, Some(Kind::Waiting), here),
            Event::ToolCompleted(call) => self.call(&mut work, &call.tool_call_id, None, here),
            Event::AgentCompleted(_) | Event::AgentError(_) => {
                let open: Vec<usize> = work.calls.into_values().chain([work.run]).collect();
                for bar in open {
                    self.close(work.lane, bar, here);
                }
                if let Some(lane) = self.lanes.get_mut(work.lane) {
                    lane.busy = false;
                }
                return;
            }
            Event::ThreadMessage(_)
            | Event::AgentStarted(_)
            | Event::AgentThinking(_)
            | Event::AgentProgress(_)
            | Event::PartialResult(_)
            | Event::AgentResponse(_) => {}
        }
        self.works.insert(run, work);
    }

    /// A call goes over to another state, or ends.
    fn call(&mut self, work: &mut Work, id: &str, kind: Option<Kind>, here: f64) {
        if let Some(bar) = work.calls.remove(id) {
            self.close(work.lane, bar, here);
        }
        if let Some(kind) = kind {
            work.calls.insert(id.to_owned(), self.add(work.lane, kind, here, f64::INFINITY));
        }
    }

    /// A lane that is free, for an agent or for people.
    fn lane(&mut self, agent: Option<&str>, nested: bool) -> usize {
        let fits = |lane: &Lane| lane.agent.as_deref() == agent && lane.nested == nested && !lane.busy;
        let at = self.lanes.iter().position(fits).unwrap_or_else(|| {
            self.lanes.push(Lane { agent: agent.map(str::to_owned), nested, ..Lane::default() });
            self.lanes.len() - 1
        });
        self.lanes[at].busy = agent.is_some();
        at
    }

    fn add(&mut self, lane: usize, kind: Kind, from: f64, to: f64) -> usize {
        let bars = &mut self.lanes[lane].bars;
        bars.push(Bar { kind, from, to });
        bars.len() - 1
    }

    fn close(&mut self, lane: usize, bar: usize, here: f64) {
        if let Some(bar) = self.lanes.get_mut(lane).and_then(|lane| lane.bars.get_mut(bar)) {
            bar.to = here;
        }
    }

    fn end(&self) -> f64 {
        self.places.last().copied().unwrap_or_default()
    }

    /// The lanes, in the order in which they began.
    pub(super) fn lanes(&self) -> &[Lane] {
        &self.lanes
    }

    /// Where one is after so many events, on the whole [`WIDTH`].
    pub(super) fn place(&self, events: usize) -> f64 {
        let place = events.checked_sub(1).and_then(|last| self.places.get(last)).copied().unwrap_or_default();
        self.scaled(place)
    }

    /// How many events lie up to a place of the whole [`WIDTH`].
    pub(super) fn events_to(&self, place: f64) -> usize {
        // An event's own place counts, however it was rounded on its way to the screen.
        let wanted = place / WIDTH * self.end() + 1e-6;
        self.places.partition_point(|place| *place <= wanted)
    }

    fn scaled(&self, place: f64) -> f64 {
        let end = self.end();
        if end > 0.0 { place.min(end) / end * WIDTH } else { 0.0 }
    }

    /// A lane's bars of one kind, as a path of a drawing that is [`WIDTH`] wide and 10 high.
    pub(super) fn path(&self, lane: &Lane, kind: Kind) -> String {
        let mut path = String::new();
        let mut open: Option<(f64, f64)> = None;
        let (top, height) = if kind == Kind::Run { (4, 2) } else { (1, 8) };
        let mut draw = |(from, to): (f64, f64)| {
            let _ = write!(path, "M{from:.1} {top}h{:.1}v{height}H{from:.1}z", (to - from).max(2.0));
        };
        for bar in lane.bars.iter().filter(|bar| bar.kind == kind) {
            let (from, to) = (self.scaled(bar.from), self.scaled(bar.to));
            open = match open {
                Some((begun, end)) if from - end < 1.0 => Some((begun, end.max(to))),
                Some(done) => {
                    draw(done);
                    Some((from, to))
                }
                None => Some((from, to)),
            };
        }
        if let Some(last) = open {
            draw(last);
        }
        path
    }
}

impl Lane {
    /// What it shows, in words.
    pub(super) fn words(&self) -> String {
        let count = |kind: Kind| self.bars.iter().filter(|bar| bar.kind == kind).count();
        let told = [
            (Kind::Message, "message"),
            (Kind::Run, "run"),
            (Kind::Thought, "thought"),
            (Kind::Tool, "tool call"),
            (Kind::Waiting, "question"),
        ];
        let told = told.into_iter().filter_map(|(kind, word)| match count(kind) {
            0 => None,
            1 => Some(format!("1 {word}")),
            many => Some(format!("{many} {word}s")),
        });
        told.collect::<Vec<_>>().join(", ")
    }
}

#[cfg(test)]
mod tests {
    use netra_ws::{Incoming, recording::Recording};
    use serde_json::{Value, json};

    use super::*;

    fn timeline(events: &[(u64, u8, &str, Value)]) -> Timeline {
        let mut recording = Recording::default();
        let mut timeline = Timeline::default();
        for (seq, (second, run, kind, payload)) in (1_u64..).zip(events) {
            let run = format!("00000000-0000-7000-8000-{run:012}");
            let frame = json!({
                "v": 1, "type": kind, "id": "00000000-0000-7000-8000-000000000099", "epoch": "e", "seq": seq,
                "ts": format!("2026-11-20T10:00:{second:02}.000Z"), "run_id": run,
                "thread_id": "00000000-0000-7000-8000-000000000001", "payload": payload,
            });
            recording.push(serde_json::from_value::<Incoming>(frame).expect("a frame"));
        }
        assert_eq!(recording.len(), events.len());
        recording.moments().iter().for_each(|moment| timeline.push(moment));
        timeline
    }

    fn started(agent: &str) -> Value {
        json!({"agent": agent, "iteration": 1})
    }

    #[test]
    fn a_lane_holds_what_an_agent_did() {
        let call = json!({"tool_call_id": "c", "tool": "sum", "agent": "a", "arguments": {}});
        let asked = json!({"tool_call_id": "c", "tool": "sum", "agent": "a", "arguments": {}, "expires_at": "2026-11-20T10:10:00.000Z"});
        let done = json!({"tool_call_id": "c", "tool": "sum", "status": "ok", "result": 1, "duration_ms": 1});
        let thought = json!({"agent": "a", "thought": "t"});
        let end = json!({"agent": "a", "status": "completed", "duration_ms": 1});
        let timeline = timeline(&[
            (0, 1, "agent_started", started("a")),
            (1, 1, "agent_thinking", thought.clone()),
            (1, 1, "agent_thinking", thought),
            (2, 1, "tool_approval_required", asked),
            (3, 2, "agent_started", started("a")),
            (4, 1, "tool_executing", call),
            (5, 1, "tool_completed", done),
            (6, 1, "agent_completed", end.clone()),
            (7, 3, "agent_started", started("a")),
            (9, 3, "agent_completed", end),
        ]);
        let words: Vec<String> = timeline.lanes().iter().map(Lane::words).collect();
        assert_eq!(words, ["2 runs, 1 thought, 1 tool call, 1 question", "1 run"], "the second works at the same time");
        let lane = &timeline.lanes()[0];
        for kind in [Kind::Thought, Kind::Tool, Kind::Waiting] {
            assert_eq!(timeline.path(lane, kind).matches('M').count(), 1, "{kind:?}");
        }
        assert!(timeline.lanes()[0].bars.iter().all(|bar| bar.to.is_finite()));
        assert!(timeline.lanes()[1].bars.iter().all(|bar| bar.to.is_infinite()), "it goes on");
    }

    #[test]
    fn places_and_events_lead_to_each_other() {
        let timeline = timeline(&[
            (0, 1, "agent_started", started("a")),
            (59, 2, "agent_started", started("b")),
            (59, 3, "agent_started", started("c")),
        ]);
        for events in 0..=3 {
            assert_eq!(timeline.events_to(timeline.place(events)), events);
        }
        let is = |place: f64, wanted: f64| assert!((place - wanted).abs() < 1e-9, "{place}");
        is(timeline.place(0), 0.0);
        is(timeline.place(3), WIDTH);
        assert!(timeline.place(2) - timeline.place(1) < WIDTH, "a pause is only so long");
        assert_eq!(Timeline::default().events_to(500.0), 0);
    }
}
