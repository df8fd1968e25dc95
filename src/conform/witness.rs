//! What is true of everything that one socket hears, whatever is tried on it: ids name one thing, events come of watched threads
//! alone, errors advise what their code advises, and tokens end in the near future.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use netra_ws::{
    ErrorCode, FrameId, ServerFrame, ThreadId, Timestamp,
    message::{FrameMessage as _, ServerMessage},
};

use super::Fault;

/// The longest that a token may live: five minutes, and a clock that is read twice.
const TOKEN_LIFE: Duration = Duration::from_secs(301);

/// Where an event stands.
type Place = (ThreadId, String, u64);

/// What a socket has to remember.
#[derive(Default)]
pub(super) struct Witness {
    /// Every id so far, with the place of the event that bears it. An event is told again after another `subscribe`, under its id.
    ids: HashMap<FrameId, Option<Place>>,
    events: HashMap<Place, FrameId>,
    /// Threads whose subscription was confirmed.
    watched: HashSet<ThreadId>,
}

impl Witness {
    pub(super) fn hear(&mut self, frame: &ServerFrame) -> Result<(), Fault> {
        self.identity(frame)?;
        match &frame.message {
            ServerMessage::Subscribed(_) => self.watched.extend(frame.thread_id),
            ServerMessage::Unsubscribed(_) => self.watched.retain(|thread| Some(*thread) != frame.thread_id),
            ServerMessage::ThreadDeleted(deleted) => _ = self.watched.remove(&deleted.id),
            ServerMessage::ErrorMessage(error)
                if ErrorCode::KNOWN.contains(&error.code) && error.retryable != error.code.retryable() =>
            {
                return Err(format!("`{}` comes with `retryable` {}", error.code, error.retryable));
            }
            ServerMessage::Connect(connect) => token(frame.ts, connect.token_expires_at)?,
            ServerMessage::Authenticated(fresh) => token(frame.ts, fresh.token_expires_at)?,
            _ => {}
        }
        match frame.thread_id.filter(|_| frame.seq.is_some()) {
            Some(thread) if !self.watched.contains(&thread) => {
                Err(format!("`{}` comes from a thread that is not watched", frame.message.info().name))
            }
            _ => Ok(()),
        }
    }

    fn identity(&mut self, frame: &ServerFrame) -> Result<(), Fault> {
        let place = match (frame.thread_id, &frame.epoch, frame.seq) {
            (Some(thread), Some(epoch), Some(seq)) => Some((thread, epoch.clone(), seq)),
            _ => None,
        };
        let name = frame.message.info().name;
        if let Some(place) = &place
            && self.events.insert(place.clone(), frame.id).is_some_and(|before| before != frame.id)
        {
            return Err(format!("`{name}` comes again as event {} and has another id", place.2));
        }
        match self.ids.insert(frame.id, place.clone()) {
            Some(before) if before.is_none() || before != place => {
                Err(format!("`{name}` has the id of another frame: {}", frame.id))
            }
            _ => Ok(()),
        }
    }
}

/// The end of a token, by the server's own clock.
fn token(now: Option<Timestamp>, ends: Timestamp) -> Result<(), Fault> {
    let Some(now) = now else { return Ok(()) };
    if ends <= now || ends > now.plus(TOKEN_LIFE) {
        return Err(format!("the token of {now} ends at {ends}; it lives five minutes at most, and from now on"));
    }
    Ok(())
}
