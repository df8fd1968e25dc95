//! The socket's life: opened with a token, lost, and opened again after a pause.

use super::{Action, Link, Millis, Phase, Session};
use crate::payload as p;

/// The first pause before a reconnect; doubled with each failure.
pub(super) const BACK_OFF_BASE: Millis = 500;

/// The longest pause before a reconnect.
pub(super) const BACK_OFF_MAX: Millis = 30_000;

/// The longest pause while a server restarts, and how long a restart is believed to take: it comes back soon, and whoever
/// waits longer than others is without it for no reason.
pub(super) const RESTART_PAUSE: Millis = 2_000;
pub(super) const RESTART_TIME: Millis = 60_000;

/// How long a handshake may take, the `connect` frame included.
pub(super) const OPEN_TIMEOUT: Millis = 10_000;

/// Failures after which the link is called unreachable rather than reconnecting.
pub(super) const UNREACHABLE_AFTER: u32 = 2;

/// A token with less life than this is not used for a new connection.
pub(super) const TOKEN_MARGIN: Millis = 10_000;

impl Session {
    pub(super) fn connect(&mut self, now: Millis) {
        // An attempt after failures still is one of them; anything else that was shown no longer holds.
        let failing = matches!(self.link, Link::Reconnecting { .. } | Link::Unreachable { retry_at: Some(_), .. });
        if self.failures == 0 || !failing {
            self.set_link(Link::Connecting);
        }
        if self.token.as_ref().is_some_and(|(_, ends)| *ends > now + TOKEN_MARGIN) {
            self.open(now);
        } else {
            self.phase = Phase::Fetching;
            self.actions.push_back(Action::FetchToken);
        }
    }

    pub(super) fn open(&mut self, now: Millis) {
        let Some((token, _)) = self.token.clone() else { return };
        self.generation += 1;
        self.phase = Phase::Opening { since: now };
        self.actions.push_back(Action::Open { generation: self.generation, token });
    }

    pub(super) fn greeted(&mut self) {
        self.phase = Phase::Open;
        self.set_link(Link::Live);
        let threads: Vec<_> = self.cursors.keys().copied().collect();
        if threads.is_empty() {
            self.failures = 0;
        }
        for thread in threads {
            self.ask(thread);
        }
        self.flush();
    }

    /// The socket is silent for too long.
    pub(super) fn dead(&mut self, now: Millis) {
        self.actions.push_back(Action::Close);
        self.lost();
        self.failures += 1;
        self.back_off(now, None);
    }

    /// Forgets what belonged to the socket.
    pub(super) fn lost(&mut self) {
        self.generation += 1;
        self.refreshing = false;
        self.paused_until = 0;
        for cursor in self.cursors.values_mut() {
            cursor.asked = None;
        }
    }

    pub(super) fn back_off(&mut self, now: Millis, reason: Option<String>) {
        // Full jitter: anything between nothing and the ceiling, so that clients do not come back in step.
        let most = if now < self.restarts_until { RESTART_PAUSE } else { BACK_OFF_MAX };
        let ceiling = BACK_OFF_BASE.saturating_mul(1 << self.failures.saturating_sub(1).min(6)).min(most);
        let pause = self.random.u64(ceiling / 10..=ceiling);
        self.wait(now, pause);
        if reason.is_some() || self.failures > UNREACHABLE_AFTER {
            let reason = reason.unwrap_or_else(|| "the connection could not be made".to_owned());
            self.set_link(Link::Unreachable { reason, retry_at: Some(now + pause) });
        }
    }

    pub(super) fn wait(&mut self, now: Millis, pause: Millis) {
        let retry_at = now.saturating_add(pause);
        self.phase = Phase::Waiting { until: retry_at };
        self.set_link(Link::Reconnecting { retry_at });
    }

    pub(super) fn set_link(&mut self, link: Link) {
        if self.link != link {
            self.link = link;
            self.actions.push_back(Action::LinkChanged);
        }
    }
}

/// A client that heard nothing for this long takes the socket for dead.
pub(super) fn silence_limit(limits: &p::Limits) -> Millis {
    (limits.heartbeat_interval_ms.saturating_mul(3) / 2).saturating_add(limits.heartbeat_timeout_ms)
}

/// What a 44xx close means to the user.
pub(super) fn refusal(code: u16) -> &'static str {
    match code {
        1000 | 1001 => "the server ended the connection",
        4400 => "the server did not understand this page; reload it",
        4403 => "this account may not connect",
        4409 => "another connection took this one's place",
        4413 => "a message was too large to send",
        4429 => "too many requests; wait a minute",
        _ => "the server refused the connection",
    }
}
