//! What is sent and when: commands from the outbox, subscriptions, and what matters only now.

use super::{Action, Cursor, Millis, Phase, Queued, Session};
use crate::{
    error::ErrorCode,
    frame::{ClientFrame, Frame, ServerFrame},
    id::{FrameId, ThreadId},
    message::ClientMessage,
    payload as p,
};

impl Session {
    /// Takes a command into the outbox, where it stays until it is answered, and sends it when the link is live.
    pub fn command(&mut self, now: Millis, frame: ClientFrame) {
        self.outbox.push_back(Queued { frame, sent_on: None });
        self.actions.push_back(Action::OutboxChanged);
        self.tick(now);
        self.flush();
    }

    /// Sends a frame that matters now or not at all, such as that someone types: it is never kept and never sent again. Gone
    /// when the link is down or the rate is spent; `true` when it was sent.
    pub fn say_once(&mut self, now: Millis, frame: ClientFrame) -> bool {
        self.tick(now);
        let goes = self.phase == Phase::Open && self.allowance.take(self.now).is_ok();
        if goes {
            self.send(frame);
        }
        goes
    }

    /// Takes a command back that was not answered.
    pub fn withdraw(&mut self, id: FrameId) {
        self.outbox.retain(|queued| queued.frame.id != id);
        self.actions.push_back(Action::OutboxChanged);
    }

    /// Watches a thread from a cursor on; `None` asks for a snapshot, an empty epoch with 0 for the whole log. Stays across
    /// reconnects.
    pub fn subscribe(&mut self, thread_id: ThreadId, at: Option<(String, u64)>) {
        self.cursors.insert(thread_id, Cursor { at, asked: None, deferred: false });
        self.ask(thread_id);
    }

    /// Stops watching a thread.
    pub fn unsubscribe(&mut self, thread_id: ThreadId) {
        if self.cursors.remove(&thread_id).is_some() && self.phase == Phase::Open {
            self.send(Frame::new(ClientMessage::Unsubscribe(p::Empty {})).in_thread(thread_id));
        }
    }

    /// Sends `subscribe` with the cursor.
    pub(super) fn ask(&mut self, thread_id: ThreadId) {
        if self.phase != Phase::Open {
            return;
        }
        let Some(cursor) = self.cursors.get_mut(&thread_id) else { return };
        if self.paused_until == 0
            && let Err(next) = self.allowance.take(self.now)
        {
            self.paused_until = next;
        }
        if self.paused_until > 0 {
            cursor.deferred = true;
            return;
        }
        let (epoch, after_seq) = cursor.at.clone().unzip();
        let epoch = epoch.filter(|epoch: &String| !epoch.is_empty());
        let after_seq = after_seq.and_then(|seq| i64::try_from(seq).ok());
        let frame = Frame::new(ClientMessage::Subscribe(p::Subscribe { after_seq, epoch })).in_thread(thread_id);
        cursor.asked = Some(frame.id);
        cursor.deferred = false;
        self.send(frame);
    }

    /// Sends what this socket has not sent yet.
    pub(super) fn flush(&mut self) {
        if self.phase != Phase::Open || self.paused_until > 0 {
            return;
        }
        let deferred: Vec<_> =
            self.cursors.iter().filter(|(_, cursor)| cursor.deferred).map(|(thread, _)| *thread).collect();
        for thread in deferred {
            self.ask(thread);
        }
        let generation = self.generation;
        // The server would close the socket over a frame that is too large, and again after every reconnect.
        let too_large = |queued: &&Queued| {
            queued.sent_on != Some(generation)
                && queued.frame.encode().is_ok_and(|text| text.len() > self.max_frame_bytes)
        };
        let too_large: Vec<_> = self.outbox.iter().filter(too_large).map(|queued| queued.frame.id).collect();
        for id in too_large {
            let error = p::ErrorMessage::new(ErrorCode::FrameTooLarge, "this message is too large for the server");
            self.settle(id, Err(error));
        }
        let mut changed = false;
        for queued in self.outbox.iter_mut().filter(|queued| queued.sent_on != Some(generation)) {
            if self.paused_until > 0 {
                break;
            }
            if let Err(next) = self.allowance.take(self.now) {
                self.paused_until = next;
                break;
            }
            queued.sent_on = Some(generation);
            changed = true;
            self.actions.push_back(Action::Send(Box::new(queued.frame.clone())));
        }
        if changed {
            self.actions.push_back(Action::OutboxChanged);
        }
    }

    pub(super) fn send(&mut self, frame: ClientFrame) {
        self.actions.push_back(Action::Send(Box::new(frame)));
    }

    pub(super) fn deliver(&mut self, frame: ServerFrame) {
        self.actions.push_back(Action::Deliver(Box::new(frame)));
    }
}
