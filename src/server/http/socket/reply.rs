//! The answer that something was refused.

use netra_ws::{FrameId, connection::Peer, frame::Frame, message::ServerMessage, payload::ErrorMessage};

/// Answers with an error.
pub(super) fn refuse(peer: &Peer, reply_to: Option<FrameId>, error: ErrorMessage) {
    let mut frame = Frame::new(ServerMessage::ErrorMessage(error));
    frame.reply_to = reply_to;
    peer.tell(frame);
}
