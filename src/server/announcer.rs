//! Tells people's pages what no log keeps: threads that come, change and go, rooms, and words of the administrator.

use std::sync::Arc;

use netra_ws::{
    ServerFrame, ThreadId, Timestamp, UserId,
    bus::{Bus, Delivery, Encoded},
    frame::Frame,
    message::ServerMessage,
    model::Thread,
    payload::ThreadDeleted,
};

use super::store::MemberStore;

/// A cheap handle.
#[derive(Clone)]
pub struct Announcer {
    readers: Arc<dyn MemberStore>,
    bus: Arc<dyn Bus>,
}

impl Announcer {
    /// An announcer over these.
    pub fn new(readers: Arc<dyn MemberStore>, bus: Arc<dyn Bus>) -> Self {
        Self { readers, bus }
    }

    /// Tells everyone who may read the thread that it was made or changed: each hears of it as they have it.
    pub async fn thread(&self, thread: Thread, made: bool) {
        let id = thread.id;
        let told = if thread.shared { self.for_readers(id).await } else { vec![(thread.owner_id, thread)] };
        let users: Vec<UserId> = told.iter().map(|(user, _)| *user).collect();
        for (user, thread) in told {
            self.thread_to(user, thread, made);
        }
        // Whoever lost the thread between the look and the word may have heard of that first, and has it back now.
        if let Some(readers) = self.readers(id).await {
            let lost: Vec<UserId> = users.into_iter().filter(|user| !readers.contains(user)).collect();
            self.gone(&lost, id);
        }
    }

    /// Tells one user, whose thread it is as given.
    pub fn thread_to(&self, user: UserId, thread: Thread, made: bool) {
        let id = thread.id;
        let message = if made { ServerMessage::ThreadCreated(thread) } else { ServerMessage::ThreadUpdate(thread) };
        self.to_users(&[user], Frame::new(message).in_thread(id));
    }

    /// Tells everyone of a thread as the store has it now.
    pub async fn thread_as_stored(&self, id: ThreadId) {
        // The owner's, first; nobody's, when it was deleted meanwhile.
        if let Some((_, thread)) = self.for_readers(id).await.into_iter().next() {
            self.thread(thread, false).await;
        }
    }

    async fn for_readers(&self, id: ThreadId) -> Vec<(UserId, Thread)> {
        let told = self.readers.for_readers(id).await;
        told.inspect_err(|error| tracing::warn!(%error, "the thread could not be read")).unwrap_or_default()
    }

    /// Tells users that a thread is gone, for them at least.
    pub fn gone(&self, users: &[UserId], id: ThreadId) {
        self.to_users(users, Frame::new(ServerMessage::ThreadDeleted(ThreadDeleted { id })).in_thread(id));
    }

    /// Tells all connections of these users.
    pub fn to_users(&self, users: &[UserId], frame: ServerFrame) {
        let Some(frame) = encoded(frame) else { return };
        for user_id in users {
            self.bus.publish(Delivery::User { user_id: *user_id, frame: frame.clone() });
        }
    }

    /// Tells everyone in a room.
    pub fn to_room(&self, thread_id: ThreadId, message: ServerMessage) {
        if let Some(frame) = encoded(Frame::new(message).in_thread(thread_id)) {
            self.bus.publish(Delivery::Room { thread_id, frame });
        }
    }

    /// Tells every connection.
    pub fn to_everyone(&self, message: ServerMessage) {
        if let Some(frame) = encoded(Frame::new(message)) {
            self.bus.publish(Delivery::Everyone { frame });
        }
    }

    /// Everyone who may read a thread, its owner first; nobody when the store fails: pages read the list again when they
    /// connect.
    pub async fn audience(&self, id: ThreadId) -> Vec<UserId> {
        self.readers(id).await.unwrap_or_default()
    }

    /// Whether the thread is no more; not while that cannot be known.
    pub async fn is_gone(&self, id: ThreadId) -> bool {
        self.readers(id).await.is_some_and(|readers| readers.is_empty())
    }

    async fn readers(&self, id: ThreadId) -> Option<Vec<UserId>> {
        let readers = self.readers.audience(id).await;
        readers.inspect_err(|error| tracing::warn!(%error, "the thread's readers could not be read")).ok()
    }
}

fn encoded(mut frame: ServerFrame) -> Option<Encoded> {
    frame.ts = Some(Timestamp::now());
    match frame.encode() {
        Ok(text) => Some(text.into()),
        Err(error) => {
            tracing::error!(%error, "a frame does not encode");
            None
        }
    }
}
