//! One direction of a connection: what holds it up, and where it breaks.

use std::time::Duration;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::tcp::{ReadHalf, WriteHalf},
    time::{Instant, sleep_until},
};

use super::link::Link;

/// How often a throttled lane lets bytes pass.
const BEAT: Duration = Duration::from_millis(20);

/// Which way bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// From the client to the server.
    Up,
    /// From the server to the client.
    Down,
}

/// How a connection breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Both sides get a FIN.
    Close,
    /// Both sides get an RST.
    Reset,
    /// Nothing passes any more, either way, and neither side hears that the other left.
    Silence,
}

/// Where a connection breaks.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Trigger {
    /// After this many bytes of the lane, counted from its first.
    After(u64),
    /// Before the first byte of this text; a match that began in bytes already passed breaks in its middle.
    Before(&'static str),
}

/// What is wrong with a direction.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Lane {
    /// Nothing is read, so nothing is acknowledged for long, as in a network that drops every packet.
    pub(super) hole: bool,
    /// Bytes a second.
    pub(super) rate: Option<u32>,
    /// Where the connection breaks, and how.
    pub(super) breaks: Option<(Trigger, Fault)>,
}

/// What a lane has read and not yet passed on, and what it passed last.
struct Held {
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    tail: Vec<u8>,
}

impl Held {
    fn waiting(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    /// How many of the waiting bytes may pass before the connection breaks, and whether it breaks then.
    fn allowed(&self, lane: &Lane, passed: u64) -> (usize, Option<Fault>) {
        let waiting = self.waiting();
        let Some((trigger, fault)) = lane.breaks else { return (waiting.len(), None) };
        let at = match trigger {
            Trigger::After(bytes) => usize::try_from(bytes.saturating_sub(passed)).ok(),
            Trigger::Before(text) => {
                // What passed counts only as the beginning of a match.
                let tail = &self.tail[self.tail.len().saturating_sub(text.len() - 1)..];
                let seen = [tail, waiting].concat();
                let found = seen.windows(text.len()).position(|window| window == text.as_bytes());
                found.map(|at| at.saturating_sub(tail.len()))
            }
        };
        match at.filter(|at| *at <= waiting.len()) {
            Some(at) => (at, Some(fault)),
            None => (waiting.len(), None),
        }
    }

    fn pass(&mut self, bytes: usize) {
        self.tail.extend_from_slice(&self.buffer[self.start..self.start + bytes]);
        let keep = self.tail.len().saturating_sub(64);
        self.tail.drain(..keep);
        self.start += bytes;
    }
}

/// Carries bytes one way until the sender is done; fails when either side does.
pub(super) async fn pump(link: &Link, way: Way, mut from: ReadHalf<'_>, mut to: WriteHalf<'_>) -> std::io::Result<()> {
    let mut plan = link.plan();
    let mut held = Held { buffer: vec![0; 16 * 1024], start: 0, end: 0, tail: Vec::new() };
    let mut next_beat = Instant::now();
    loop {
        let (lane, ends) = {
            let plan = plan.borrow_and_update();
            (*plan.lane(way), plan.ends())
        };
        if lane.hole || ends {
            // The sender of a plan lives as long as the link, which ends this lane when it is to end.
            let _ = plan.changed().await;
            continue;
        }
        if held.waiting().is_empty() {
            tokio::select! {
                biased;
                _ = plan.changed() => continue,
                read = from.read(&mut held.buffer) => (held.start, held.end) = (0, read?),
            }
            if held.end == 0 {
                return to.shutdown().await;
            }
        }
        let (allowed, fault) = held.allowed(&lane, link.passed(way));
        let mut now = allowed;
        if let Some(rate) = lane.rate {
            tokio::select! {
                biased;
                _ = plan.changed() => continue,
                () = sleep_until(next_beat) => {}
            }
            next_beat = Instant::now().max(next_beat) + BEAT;
            now = now.min((rate as usize / 50).max(1));
        }
        if now > 0 {
            let written = tokio::select! {
                biased;
                _ = plan.changed() => continue,
                written = to.write(&held.buffer[held.start..held.start + now]) => written?,
            };
            held.pass(written);
            link.count(way, written);
            now = allowed - written;
        }
        if let Some(fault) = fault.filter(|_| now == 0) {
            link.broke(way, fault);
        }
    }
}
