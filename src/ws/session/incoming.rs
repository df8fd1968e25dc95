//! What frames mean: cursors move over events, commands are settled, the rest goes to the application.

use super::{Action, Millis, Phase, RETRY_REFRESH, Session, link::silence_limit};
use crate::{
    allowance::Allowance,
    error::ErrorCode,
    frame::{Frame, Place, ServerFrame},
    id::{FrameId, ThreadId},
    message::{ClientMessage, ServerMessage},
    payload as p,
    time::Timestamp,
};

impl Session {
    /// A frame came.
    pub fn frame(&mut self, now: Millis, generation: u64, frame: ServerFrame) {
        self.now = self.now.max(now);
        if generation != self.generation || !matches!(self.phase, Phase::Opening { .. } | Phase::Open) {
            return;
        }
        self.last_heard = now;
        if frame.seq.is_some() {
            return self.durable(frame);
        }
        match &frame.message {
            ServerMessage::Connect(connect) if self.owner.is_some_and(|owner| owner != connect.user.id) => {
                self.sign_out();
            }
            ServerMessage::Connect(connect) => {
                self.silence_limit = silence_limit(&connect.limits);
                self.max_frame_bytes = connect.limits.max_frame_bytes;
                self.allowance = Allowance::new(now, connect.limits.commands_per_minute);
                self.refresh_at = Some(now.saturating_add(life(frame.ts, connect.token_expires_at) / 5 * 4));
                self.greeted();
                self.deliver(frame);
            }
            ServerMessage::Heartbeat(_) => {
                self.send(Frame::new(ClientMessage::HeartbeatAck(p::Empty {})).answering(frame.id));
            }
            ServerMessage::Disconnect(goodbye) => self.retry_after = goodbye.retry_after_ms,
            ServerMessage::Subscribed(subscribed) => {
                self.failures = 0;
                let (Some(thread), Some(answers)) = (frame.thread_id, frame.reply_to) else { return };
                let Some(cursor) = self.cursors.get_mut(&thread).filter(|cursor| cursor.asked == Some(answers)) else {
                    return;
                };
                match subscribed.mode {
                    p::SubscribeMode::Snapshot => cursor.at = None,
                    // In a mode of a later server the events follow all the same, and a snapshot is taken when it comes.
                    p::SubscribeMode::Resumed | p::SubscribeMode::Unknown(_) => {
                        cursor.asked = None;
                        let (epoch, _) = cursor.at.get_or_insert_default();
                        epoch.clone_from(&subscribed.epoch);
                    }
                }
            }
            ServerMessage::ThreadSnapshot(snapshot) => {
                let Some(cursor) = self.cursors.get_mut(&snapshot.thread.id) else { return };
                cursor.at = Some((snapshot.epoch.clone(), snapshot.as_of_seq));
                cursor.asked = None;
                self.deliver(frame);
            }
            ServerMessage::Ack(ack) => {
                if let Some(id) = frame.reply_to {
                    self.settle(id, Ok(ack.clone()));
                }
            }
            ServerMessage::ErrorMessage(error) => {
                let error = error.clone();
                self.refused(now, frame, error);
            }
            ServerMessage::ThreadDeleted(deleted) => {
                self.cursors.remove(&deleted.id);
                self.deliver(frame);
            }
            ServerMessage::Pong(_) | ServerMessage::Authenticated(_) | ServerMessage::Unsubscribed(_) => {}
            ServerMessage::ThreadCreated(_)
            | ServerMessage::ThreadUpdate(_)
            | ServerMessage::SystemMessage(_)
            | ServerMessage::Broadcast(_)
            | ServerMessage::RoomMessage(_)
            | ServerMessage::JsonrpcResponse(_)
            | ServerMessage::JsonrpcNotification(_) => self.deliver(frame),
            // Events carry `seq`; without it they are none.
            ServerMessage::Event(_) => {}
        }
    }

    /// A frame came whose type this build does not know.
    pub fn unknown(&mut self, now: Millis, generation: u64, place: Option<Place>) {
        self.now = self.now.max(now);
        if generation != self.generation || self.phase != Phase::Open {
            return;
        }
        self.last_heard = now;
        if let Some(place) = place
            && self.is_next(place.thread_id, Some(&place.epoch), place.seq)
        {
            self.actions.push_back(Action::Skip(place));
        }
    }

    fn durable(&mut self, frame: ServerFrame) {
        let (Some(thread), Some(seq)) = (frame.thread_id, frame.seq) else { return };
        if self.is_next(thread, frame.epoch.as_deref(), seq) {
            self.deliver(frame);
        }
    }

    /// Moves the cursor over the event that is next in line; asks again for what is missing before another.
    fn is_next(&mut self, thread: ThreadId, epoch: Option<&str>, seq: u64) -> bool {
        let Some(cursor) = self.cursors.get_mut(&thread) else { return false };
        if cursor.asked.is_some() {
            // These belong to the subscription that was given up; the new one starts from the cursor.
            return false;
        }
        let Some((known, last)) = &mut cursor.at else { return false };
        let same_epoch = epoch == Some(known);
        if same_epoch && seq <= *last {
            return false;
        }
        let next = same_epoch && last.checked_add(1) == Some(seq);
        if next {
            *last = seq;
        } else {
            self.ask(thread);
        }
        next
    }

    fn refused(&mut self, now: Millis, frame: ServerFrame, error: p::ErrorMessage) {
        let Some(id) = frame.reply_to else { return };
        let asked = self.cursors.iter().find(|(_, cursor)| cursor.asked == Some(id)).map(|(thread, _)| *thread);
        let limited = error.code == ErrorCode::RateLimited;
        if limited {
            self.paused_until = now.saturating_add(error.retry_after_ms.unwrap_or(1_000).max(1));
        }
        if let Some(thread_id) = asked {
            // What may succeed later is asked again later; a thread that is there must not look as if it were not.
            if error.retryable || limited {
                if !limited {
                    let pause = error.retry_after_ms.unwrap_or_else(|| self.random.u64(1_000..3_000)).max(1);
                    self.paused_until = self.paused_until.max(now.saturating_add(pause));
                }
                if let Some(cursor) = self.cursors.get_mut(&thread_id) {
                    cursor.asked = None;
                    cursor.deferred = true;
                }
                return;
            }
            self.cursors.remove(&thread_id);
            self.actions.push_back(Action::Refused { thread_id, error });
        } else if self.authenticates == Some(id) {
            self.refresh_at = Some(now.saturating_add(error.retry_after_ms.unwrap_or(RETRY_REFRESH)));
        } else if limited {
            for queued in self.outbox.iter_mut().filter(|queued| queued.frame.id == id) {
                queued.sent_on = None;
            }
            self.actions.push_back(Action::OutboxChanged);
        } else {
            self.settle(id, Err(error));
        }
    }

    pub(super) fn settle(&mut self, id: FrameId, outcome: Result<p::Ack, p::ErrorMessage>) {
        let before = self.outbox.len();
        self.outbox.retain(|queued| queued.frame.id != id);
        if self.outbox.len() < before {
            self.actions.push_back(Action::OutboxChanged);
            self.actions.push_back(Action::Settled { id, outcome });
        }
    }
}

/// How long a token lives, by the server's clock alone.
fn life(now: Option<Timestamp>, expires_at: Timestamp) -> Millis {
    now.map_or(0, |now| expires_at.millis_since(now))
}
