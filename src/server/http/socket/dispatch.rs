//! What each client message does.

use std::sync::Arc;

use netra_ws::{
    ClientFrame, ErrorCode, FrameId, ThreadId,
    connection::Peer,
    frame::Frame,
    message::{ClientMessage, ServerMessage},
    payload as p,
};

use super::{presence, reply::refuse};
use crate::server::{error::ApiError, mcp::server::socket::JsonRpc, metrics::metrics, state::AppState};

/// Acts on a frame and answers it.
pub(super) async fn dispatch(state: &AppState, peer: &Arc<Peer>, rpc: &mut JsonRpc, frame: ClientFrame) {
    let ClientFrame { id, thread_id, message, reply_to, .. } = frame;
    let user = peer.user.id;
    let outcome = match message {
        ClientMessage::UserMessage(message) => match named(thread_id) {
            Ok(thread) => state.bridge.user_message(user, id, thread, message).await.map(acknowledged).map(Some),
            Err(error) => Err(error),
        },
        ClientMessage::StartAgent(start) => {
            state.bridge.start_agent(user, id, thread_id, start).await.map(acknowledged).map(Some)
        }
        ClientMessage::Regenerate(again) => {
            state.bridge.regenerate(user, id, thread_id, again).await.map(acknowledged).map(Some)
        }
        ClientMessage::StopAgent(stop) => {
            state.bridge.stop_agent(user, id, stop.run_id).await.map(acknowledged).map(Some)
        }
        ClientMessage::ToolApproval(decision) => {
            state.bridge.tool_approval(user, id, decision).await.map(acknowledged).map(Some)
        }
        ClientMessage::Subscribe(wanted) => match named(thread_id) {
            Ok(thread) => watch(state, peer, id, thread, &wanted).await.map(|()| None),
            Err(error) => Err(error),
        },
        ClientMessage::Unsubscribe(p::Empty {}) => named(thread_id).map(|thread| {
            state.manager.unsubscribe(peer, thread);
            Some(Frame::new(ServerMessage::Unsubscribed(p::Empty {})).in_thread(thread))
        }),
        ClientMessage::Authenticate(fresh) => authenticate(state, peer, &fresh.token).await,
        ClientMessage::HeartbeatAck(p::Empty {}) => {
            match peer.heartbeat_acknowledged(reply_to) {
                Some(after) => metrics().heartbeat(after),
                None => tracing::debug!("heartbeat_ack answers no heartbeat"),
            }
            Ok(None)
        }
        ClientMessage::Ping(ping) => Ok(Some(Frame::new(ServerMessage::Pong(ping)))),
        ClientMessage::JoinRoom(room) => presence::join(state, peer, id, &room.room).await.map(Some),
        ClientMessage::LeaveRoom(room) => presence::leave_named(state, peer, id, &room.room).await.map(Some),
        ClientMessage::RoomMessage(say) => presence::say(state, peer, &say.room, say.body).await.map(|()| None),
        ClientMessage::JsonrpcRequest(request) => Ok(rpc.request(id, request)),
        ClientMessage::JsonrpcNotification(notification) => {
            rpc.notification(notification);
            Ok(None)
        }
    };
    respond(peer, id, outcome);
}

fn respond(peer: &Peer, id: FrameId, outcome: Result<Option<netra_ws::ServerFrame>, ApiError>) {
    match outcome {
        Ok(Some(frame)) => peer.tell(frame.answering(id)),
        Ok(None) => {}
        Err(error) => {
            metrics().refused(error.code);
            tracing::info!(code = %error.code, reason = error.message, "command refused");
            refuse(peer, Some(id), error.into());
        }
    }
}

fn named(thread: Option<ThreadId>) -> Result<ThreadId, ApiError> {
    thread.ok_or_else(|| ApiError::new(ErrorCode::InvalidPayload, "`thread_id` is missing in the frame"))
}

fn acknowledged(ack: p::Ack) -> netra_ws::ServerFrame {
    let thread = ack.thread_id;
    let mut frame = Frame::new(ServerMessage::Ack(ack));
    frame.thread_id = thread;
    frame
}

async fn watch(
    state: &AppState,
    peer: &Arc<Peer>,
    id: FrameId,
    thread: ThreadId,
    wanted: &p::Subscribe,
) -> Result<(), ApiError> {
    let mode = state.manager.watch(&state.log(), peer, id, thread, wanted).await?;
    metrics().subscribed(mode);
    Ok(())
}

async fn authenticate(state: &AppState, peer: &Peer, token: &str) -> Result<Option<netra_ws::ServerFrame>, ApiError> {
    let (user, expires_at) = state.security.verify_ws_token(token).await?;
    if user.id != peer.user.id {
        return Err(ApiError::new(ErrorCode::Forbidden, "the token belongs to another user"));
    }
    peer.renew_token(expires_at);
    Ok(Some(Frame::new(ServerMessage::Authenticated(p::Authenticated { token_expires_at: expires_at }))))
}
