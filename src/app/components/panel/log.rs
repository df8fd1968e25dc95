//! The frames that crossed the page's socket, as many as there is room for, and what they say of the link.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
    sync::Arc,
};

use netra_ws::Timestamp;
use serde_json::Value;

use crate::app::tap::Direction;

/// Frames that are held at most; the oldest go first.
const FRAMES: usize = 2_000;

/// Bytes of their text that are held at most.
const BYTES: usize = 8 << 20;

/// What stands in place of a token.
const BLANK: &str = "(left out)";

/// A frame.
#[derive(Debug)]
pub(super) struct Line {
    /// Its number, from 0.
    pub(super) number: usize,
    /// When it crossed, by the page's clock.
    pub(super) at: Timestamp,
    pub(super) direction: Direction,
    /// Its type; what is no frame has none.
    pub(super) kind: String,
    pub(super) thread: Option<String>,
    pub(super) run: Option<String>,
    pub(super) seq: Option<u64>,
    /// How long its text was.
    pub(super) bytes: usize,
    pub(super) text: String,
}

impl PartialEq for Line {
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number
    }
}

impl Line {
    /// The frame as one line of JSON, with when and which way it went.
    fn json(&self) -> String {
        let way = match self.direction {
            Direction::In => "in",
            Direction::Out => "out",
        };
        let frame = if self.kind.is_empty() {
            Value::from(self.text.as_str()).to_string()
        } else {
            // Outside of strings a line's end means nothing in JSON, and inside there is none.
            self.text.replace(['\n', '\r'], " ")
        };
        format!("{{\"at\":\"{}\",\"direction\":\"{way}\",\"bytes\":{},\"frame\":{frame}}}", self.at, self.bytes)
    }
}

/// Which frames are shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Filter {
    /// Only frames of this type, unless empty.
    pub(super) kind: String,
    /// Only frames about this thread.
    pub(super) thread: Option<String>,
    /// Only frames of this run, unless empty.
    pub(super) run: String,
    /// Only frames before this one.
    pub(super) before: Option<usize>,
}

impl Filter {
    fn lets(&self, line: &Line) -> bool {
        (self.kind.is_empty() || self.kind == line.kind)
            && (self.thread.is_none() || self.thread == line.thread)
            && (self.run.is_empty() || line.run.as_ref() == Some(&self.run))
            && self.before.is_none_or(|before| line.number < before)
    }
}

/// The frames that are held.
#[derive(Default)]
pub(super) struct FrameLog {
    lines: VecDeque<Arc<Line>>,
    bytes: usize,
    next: usize,
    /// By the thread, the newest event that was heard.
    seqs: HashMap<String, u64>,
    gaps: u64,
    connects: u64,
    /// The ping that waits for its answer, and when it was sent.
    asked: Option<(String, Timestamp)>,
    round_trip: Option<u64>,
}

impl FrameLog {
    /// Takes in a frame.
    pub(super) fn push(&mut self, direction: Direction, text: &str, at: Timestamp) {
        let mut value: Value = serde_json::from_str(text).unwrap_or_default();
        let word = |name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
        let (kind, thread, run) = (word("type").unwrap_or_default(), word("thread_id"), word("run_id"));
        let (id, reply_to) = (word("id"), word("reply_to"));
        let seq = value.get("seq").and_then(Value::as_u64);
        match (direction, kind.as_str()) {
            (Direction::In, "connect") => self.connects += 1,
            (Direction::In, "thread_snapshot") => {
                let as_of = value.pointer("/payload/as_of_seq").and_then(Value::as_u64);
                if let (Some(thread), Some(as_of)) = (&thread, as_of) {
                    self.seqs.insert(thread.clone(), as_of);
                }
            }
            (Direction::Out, "ping") => self.asked = id.map(|id| (id, at)),
            (Direction::In, "pong") => {
                if let Some((_, sent)) = self.asked.take_if(|(asked, _)| reply_to.as_ref() == Some(asked)) {
                    self.round_trip = Some(at.millis_since(sent));
                }
            }
            _ => {}
        }
        if let (Direction::In, Some(thread), Some(seq)) = (direction, &thread, seq) {
            let last = self.seqs.insert(thread.clone(), seq);
            self.gaps += u64::from(last.is_some_and(|last| seq > last + 1));
        }
        let text = match value.pointer_mut("/payload/token") {
            Some(token) if direction == Direction::Out => {
                *token = Value::from(BLANK);
                value.to_string()
            }
            _ => text.to_owned(),
        };
        let (number, bytes) = (self.next, text.len());
        self.next += 1;
        self.bytes += bytes;
        self.lines.push_back(Arc::new(Line { number, at, direction, kind, thread, run, seq, bytes, text }));
        while self.lines.len() > FRAMES || (self.bytes > BYTES && self.lines.len() > 1) {
            let gone = self.lines.pop_front();
            self.bytes -= gone.map_or(0, |line| line.text.len());
        }
    }

    /// The newest frames that the filter lets through, newest first, and whether there are more.
    pub(super) fn newest(&self, filter: &Filter, most: usize) -> (Vec<Arc<Line>>, bool) {
        let mut found = self.lines.iter().rev().filter(|line| filter.lets(line));
        let lines = found.by_ref().take(most).cloned().collect();
        (lines, found.next().is_some())
    }

    /// All that the filter lets through, as JSON lines, oldest first.
    pub(super) fn json_lines(&self, filter: &Filter) -> String {
        self.lines.iter().filter(|line| filter.lets(line)).map(|line| line.json() + "\n").collect()
    }

    /// The types that are there.
    pub(super) fn kinds(&self) -> BTreeSet<String> {
        self.lines.iter().map(|line| line.kind.clone()).filter(|kind| !kind.is_empty()).collect()
    }

    /// The runs that are there, each with its first frame's number.
    pub(super) fn runs(&self, thread: Option<&String>) -> BTreeMap<usize, String> {
        let mut seen = BTreeSet::new();
        let here = self.lines.iter().filter(|line| thread.is_none() || line.thread.as_ref() == thread);
        here.filter_map(|line| Some((line.number, line.run.clone()?)))
            .filter(|(_, run)| seen.insert(run.clone()))
            .collect()
    }

    /// The number of the next frame.
    pub(super) const fn next(&self) -> usize {
        self.next
    }

    /// The newest event of a thread that was heard.
    pub(super) fn seq(&self, thread: &str) -> Option<u64> {
        self.seqs.get(thread).copied()
    }

    /// How often an event came before the one that it follows.
    pub(super) const fn gaps(&self) -> u64 {
        self.gaps
    }

    /// How often the server has greeted this page.
    pub(super) const fn connects(&self) -> u64 {
        self.connects
    }

    /// How long the last ping took there and back, in milliseconds.
    pub(super) const fn round_trip(&self) -> Option<u64> {
        self.round_trip
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(log: &mut FrameLog, direction: Direction, value: Value, at: u64) {
        log.push(direction, &value.to_string(), Timestamp::from_millis(at));
    }

    fn event(seq: u64) -> Value {
        serde_json::json!({"v": 1, "type": "agent_thinking", "id": "e", "thread_id": "t", "run_id": "r", "seq": seq, "payload": {}})
    }

    #[test]
    fn a_token_is_nowhere() {
        let mut log = FrameLog::default();
        let frame = serde_json::json!({"v": 1, "type": "authenticate", "id": "a", "payload": {"token": "secret.jwt"}});
        heard(&mut log, Direction::Out, frame, 0);
        log.push(Direction::In, "no frame\n", Timestamp::from_millis(1));
        let text = log.json_lines(&Filter::default());
        assert!(!text.contains("secret") && text.contains(BLANK));
        let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        assert_eq!(lines[0]["frame"]["type"], "authenticate");
        assert_eq!(lines[1]["frame"], "no frame\n");
    }

    #[test]
    fn it_holds_the_newest() {
        let mut log = FrameLog::default();
        for seq in 1..=2_500 {
            heard(&mut log, Direction::In, event(seq), seq);
        }
        let (lines, more) = log.newest(&Filter::default(), 10);
        assert_eq!((lines[0].seq, lines.len(), more), (Some(2_500), 10, true));
        assert_eq!(log.json_lines(&Filter::default()).lines().count(), FRAMES);
        let large = "x".repeat(3 << 20);
        for _ in 0..5 {
            log.push(Direction::In, &large, Timestamp::default());
        }
        assert!(log.bytes <= BYTES);
        assert_eq!(log.newest(&Filter::default(), usize::MAX).0.len(), 2);
    }

    #[test]
    fn filters_hold_together() {
        let mut log = FrameLog::default();
        heard(&mut log, Direction::In, event(1), 0);
        heard(&mut log, Direction::In, serde_json::json!({"type": "heartbeat", "payload": {}}), 1);
        let shown = |filter: Filter| log.newest(&filter, 10).0.len();
        assert_eq!(shown(Filter { thread: Some("t".to_owned()), ..Filter::default() }), 1);
        assert_eq!(shown(Filter { kind: "heartbeat".to_owned(), ..Filter::default() }), 1);
        assert_eq!(shown(Filter { kind: "heartbeat".to_owned(), run: "r".to_owned(), ..Filter::default() }), 0);
        assert_eq!(shown(Filter { before: Some(1), ..Filter::default() }), 1);
        assert_eq!(log.kinds().into_iter().collect::<Vec<_>>(), ["agent_thinking", "heartbeat"]);
        assert_eq!(log.runs(None).into_values().collect::<Vec<_>>(), ["r"]);
    }

    #[test]
    fn what_the_frames_say_of_the_link() {
        let mut log = FrameLog::default();
        let connect = serde_json::json!({"type": "connect", "payload": {}});
        heard(&mut log, Direction::In, connect.clone(), 0);
        for seq in [1, 2, 5, 3, 4] {
            heard(&mut log, Direction::In, event(seq), 1);
        }
        heard(&mut log, Direction::In, connect, 2);
        heard(&mut log, Direction::Out, serde_json::json!({"type": "ping", "id": "p", "payload": {}}), 10);
        heard(&mut log, Direction::In, serde_json::json!({"type": "pong", "reply_to": "other", "payload": {}}), 20);
        assert_eq!(log.round_trip(), None);
        heard(&mut log, Direction::In, serde_json::json!({"type": "pong", "reply_to": "p", "payload": {}}), 33);
        assert_eq!((log.gaps(), log.connects(), log.round_trip(), log.seq("t")), (1, 2, Some(23), Some(4)));
    }
}
