//! Who is in which room: every thread is one for those who may read it. What is said there is shown and not kept.

use std::sync::Arc;

use netra_ws::{
    CommandId, ErrorCode, ServerFrame, ThreadId,
    connection::Peer,
    frame::Frame,
    message::ServerMessage,
    model::Object,
    payload::Ack,
    room::{PRESENCE, Presence},
    room_registry::Joined,
};

use crate::server::{error::ApiError, membership::heard, state::AppState};

/// Brings the connection into a room. Everyone there hears of a user's first connection; the one who joins hears who is
/// there.
pub(super) async fn join(
    state: &AppState,
    peer: &Arc<Peer>,
    command: CommandId,
    room: &str,
) -> Result<ServerFrame, ApiError> {
    let thread = thread_of(room)?;
    let revocations = state.manager.revocations();
    let readable = async || match state.store.thread(peer.user.id, thread).await? {
        Some(_) => Ok(()),
        None => Err(no_room(room)),
    };
    readable().await?;
    let answer_to = state.bridge.room_command(peer.user.id, command, "join_room", thread).await?;
    state.manager.join(peer, thread, |joined: &Joined| {
        if joined.first {
            state.announcer.to_room(thread, heard(thread, peer.user.clone(), Presence::Joined.to_body()));
        }
        let list = Presence::List { users: joined.users.clone() };
        peer.tell(Frame::new(heard(thread, peer.user.clone(), list.to_body())).in_thread(thread));
    })?;
    if state.manager.revocations() != revocations
        && let Err(error) = readable().await
    {
        leave(state, peer, thread);
        return Err(error);
    }
    Ok(acknowledged(thread, answer_to))
}

/// Takes the connection out of a room. Leaving one that it is not in changes nothing.
pub(super) async fn leave_named(
    state: &AppState,
    peer: &Arc<Peer>,
    command: CommandId,
    room: &str,
) -> Result<ServerFrame, ApiError> {
    let thread = thread_of(room)?;
    let answer_to = state.bridge.room_command(peer.user.id, command, "leave_room", thread).await?;
    leave(state, peer, thread);
    Ok(acknowledged(thread, answer_to))
}

fn leave(state: &AppState, peer: &Arc<Peer>, thread: ThreadId) {
    state.manager.leave(peer, thread, || {
        state.announcer.to_room(thread, heard(thread, peer.user.clone(), Presence::Left.to_body()));
    });
}

/// Says something to everyone in the room, the speaker included. Viewers are there and hear; they say nothing.
pub(super) async fn say(state: &AppState, peer: &Arc<Peer>, room: &str, body: Object) -> Result<(), ApiError> {
    let thread = thread_of(room)?;
    if !state.manager.is_in(peer, thread) {
        return Err(ApiError::new(ErrorCode::NotFound, "join the room first"));
    }
    if body.contains_key(PRESENCE) {
        let problem = format!("`{PRESENCE}` in a body is the server's own word");
        return Err(ApiError::new(ErrorCode::InvalidPayload, problem));
    }
    // Asked each time: a role that is taken away counts at once.
    let standing = state.store.standing(peer.user.id, Some(thread)).await?.ok_or_else(|| no_room(room))?;
    if !standing.may_write() {
        return Err(ApiError::new(ErrorCode::Forbidden, "you may read this conversation and say nothing in it"));
    }
    state.announcer.to_room(thread, heard(thread, peer.user.clone(), body));
    Ok(())
}

/// Takes the connection out of its rooms when it ends, however it ends.
pub(super) struct Presences<'a> {
    pub(super) state: &'a AppState,
    pub(super) peer: &'a Arc<Peer>,
}

impl Drop for Presences<'_> {
    fn drop(&mut self) {
        for room in self.state.manager.rooms_of(self.peer) {
            leave(self.state, self.peer, room);
        }
    }
}

fn acknowledged(thread: ThreadId, ack: Ack) -> ServerFrame {
    Frame::new(ServerMessage::Ack(ack)).in_thread(thread)
}

fn thread_of(room: &str) -> Result<ThreadId, ApiError> {
    room.parse().map_err(|_| no_room(room))
}

/// A room that is not for this user, or that does not exist: the answer is the same.
fn no_room(room: &str) -> ApiError {
    let name: String = room.chars().take(64).collect();
    ApiError::new(ErrorCode::NotFound, format!("there is no room called {name:?}"))
}
