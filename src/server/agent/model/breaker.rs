//! A circuit breaker for each server: one that fails again and again is left alone for a while, and people are told so at once
//! instead of waiting for one more failure.

use std::{
    collections::HashMap,
    sync::{Arc, LazyLock, Mutex, PoisonError},
    time::{Duration, Instant},
};

use crate::server::metrics::metrics;

/// Failures in a row after which a server is left alone: about three runs, each of which asks three times.
const FAILURES: u32 = 9;

/// How long it is left alone at first; twice as long after each trial that fails.
const FIRST_PAUSE: Duration = Duration::from_secs(5);

/// How long at most.
const LONGEST_PAUSE: Duration = Duration::from_mins(2);

/// All breakers of the process: models on one server share its own.
static BREAKERS: LazyLock<Mutex<HashMap<String, Arc<Breaker>>>> = LazyLock::new(Mutex::default);

/// The breaker of one server.
#[derive(Debug)]
pub(super) struct Breaker {
    server: String,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    failures: u32,
    pause: Duration,
    /// Until when the server is left alone.
    open_until: Option<Instant>,
}

impl Default for State {
    fn default() -> Self {
        Self { failures: 0, pause: FIRST_PAUSE, open_until: None }
    }
}

/// How a request was let through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::server::agent) enum Pass {
    /// As any other.
    Usual,
    /// To find out whether the server works again.
    Trial,
}

/// The server is left alone.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Open {
    /// How often it failed in a row.
    pub(super) failures: u32,
    /// When it is asked again.
    pub(super) left: Duration,
}

impl Breaker {
    /// The breaker of the server with this origin.
    pub(super) fn of(origin: &str) -> Arc<Self> {
        let mut breakers = BREAKERS.lock().unwrap_or_else(PoisonError::into_inner);
        let breaker = breakers.entry(origin.to_owned()).or_insert_with(|| Arc::new(Self::new(origin)));
        breaker.clone()
    }

    fn new(server: &str) -> Self {
        metrics().circuit(server, false);
        Self { server: server.to_owned(), state: Mutex::default() }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the server may be asked now. After a pause one request goes through; others wait for what it finds.
    pub(super) fn admit(&self, now: Instant) -> Result<Pass, Open> {
        let mut state = self.state();
        let Some(until) = state.open_until else { return Ok(Pass::Usual) };
        if now < until {
            return Err(Open { failures: state.failures, left: until - now });
        }
        state.open_until = Some(now + state.pause);
        Ok(Pass::Trial)
    }

    /// The server answered, were it to refuse.
    pub(super) fn succeeded(&self) {
        let mut state = self.state();
        if state.open_until.is_some() {
            tracing::info!(server = self.server, "the model's server answers again");
            metrics().circuit(&self.server, false);
        }
        *state = State::default();
    }

    /// The server could not be reached, was silent, or failed at a request that came through like this. Requests that were under
    /// way when it was left alone find out nothing new.
    pub(super) fn failed(&self, pass: Pass, now: Instant) {
        let mut state = self.state();
        state.failures = state.failures.saturating_add(1);
        match (state.open_until, pass) {
            (Some(_), Pass::Usual) => return,
            (Some(_), Pass::Trial) => state.pause = (state.pause * 2).min(LONGEST_PAUSE),
            (None, _) if state.failures < FAILURES => return,
            (None, _) => metrics().circuit(&self.server, true),
        }
        state.open_until = Some(now + state.pause);
        tracing::warn!(
            server = self.server,
            failures = state.failures,
            pause_s = state.pause.as_secs(),
            "the model's server is left alone"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_fails_is_left_alone_and_tried_again() {
        let breaker = Breaker::new("http://breaker.test");
        let start = Instant::now();
        for _ in 1..FAILURES {
            breaker.failed(Pass::Usual, start);
            assert_eq!(breaker.admit(start), Ok(Pass::Usual));
        }
        breaker.failed(Pass::Usual, start);
        assert_eq!(breaker.admit(start), Err(Open { failures: FAILURES, left: FIRST_PAUSE }));
        let later = start + FIRST_PAUSE;
        assert_eq!(breaker.admit(later), Ok(Pass::Trial), "one request finds out");
        assert!(breaker.admit(later).is_err(), "and only one");
        breaker.failed(Pass::Trial, later);
        assert_eq!(breaker.admit(later).map_err(|open| open.left), Err(FIRST_PAUSE * 2));
        for _ in 0..20 {
            breaker.failed(Pass::Trial, later);
        }
        assert_eq!(breaker.admit(later).map_err(|open| open.left), Err(LONGEST_PAUSE));
        assert_eq!(breaker.admit(later + LONGEST_PAUSE), Ok(Pass::Trial));
        breaker.succeeded();
        breaker.failed(Pass::Usual, later);
        assert_eq!(breaker.admit(later), Ok(Pass::Usual), "the count begins anew");
    }

    #[test]
    fn requests_that_were_under_way_find_out_nothing_new() {
        let breaker = Breaker::new("http://crowd.test");
        let start = Instant::now();
        for _ in 0..FAILURES + 14 {
            breaker.failed(Pass::Usual, start);
        }
        assert_eq!(breaker.admit(start).map_err(|open| open.left), Err(FIRST_PAUSE));
        assert_eq!(breaker.admit(start + FIRST_PAUSE), Ok(Pass::Trial));
        breaker.failed(Pass::Usual, start + FIRST_PAUSE);
        breaker.failed(Pass::Trial, start + FIRST_PAUSE);
        assert_eq!(breaker.admit(start + FIRST_PAUSE).map_err(|open| open.left), Err(FIRST_PAUSE * 2));
    }
}
