//! Rounds to an authorization server that were begun and are not over: each belongs to one sign-in, is good once, and not for long.

use std::{collections::HashMap, time::Duration};

use netra_ws::Timestamp;

use crate::server::auth::SessionId;

/// How long a person may take at the authorization server.
const LIFE: Duration = Duration::from_mins(10);

/// Rounds that are open at a time; the oldest makes room.
const MOST: usize = 16;

/// A round.
pub(super) struct Round<T> {
    /// What it goes on with.
    pub(super) live: T,
    /// Whose it is.
    pub(super) session: SessionId,
    pub(super) began: Timestamp,
}

/// The rounds of one server, by their `state`.
pub(super) struct Rounds<T>(HashMap<String, Round<T>>);

impl<T> Default for Rounds<T> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<T> Rounds<T> {
    pub(super) fn begin(&mut self, state: String, round: Round<T>) {
        let now = round.began;
        self.0.retain(|_, round| !is_over(round.began, now));
        if self.0.len() >= MOST
            && let Some(oldest) = self.0.iter().min_by_key(|(_, round)| round.began).map(|(state, _)| state.clone())
        {
            self.0.remove(&oldest);
        }
        self.0.insert(state, round);
    }

    /// The round of this state, when this sign-in began it; it is over then. Of others nothing is touched.
    pub(super) fn take(&mut self, state: &str, session: &SessionId) -> Option<T> {
        self.take_at(state, session, Timestamp::now())
    }

    fn take_at(&mut self, state: &str, session: &SessionId, now: Timestamp) -> Option<T> {
        if self.0.get(state)?.session != *session {
            return None;
        }
        let round = self.0.remove(state)?;
        (!is_over(round.began, now)).then_some(round.live)
    }
}

fn is_over(began: Timestamp, now: Timestamp) -> bool {
    u128::from(now.millis_since(began)) >= LIFE.as_millis()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(name: &str) -> SessionId {
        crate::server::auth::SessionSecret::from_cookie(name).id()
    }

    #[test]
    fn a_round_is_good_once_for_who_began_it_and_not_for_long() {
        let (ada, bob) = (session("ada"), session("bob"));
        let now = Timestamp::now();
        let mut rounds = Rounds::default();
        let begin = |rounds: &mut Rounds<usize>, at: usize| {
            rounds.begin(at.to_string(), Round { live: at, session: ada.clone(), began: now });
        };
        begin(&mut rounds, 1);
        assert_eq!(rounds.take_at("2", &ada, now), None, "no such round");
        assert_eq!(rounds.take_at("1", &bob, now), None, "another's");
        assert_eq!(rounds.take_at("1", &ada, now), Some(1));
        assert_eq!(rounds.take_at("1", &ada, now), None, "it is over");
        begin(&mut rounds, 1);
        assert_eq!(rounds.take_at("1", &ada, now.plus(LIFE)), None, "too late");
        for at in 0..=MOST {
            begin(&mut rounds, at);
        }
        assert_eq!(rounds.0.len(), MOST);
    }
}
