//! A socket between a client and a server, with what is on its way in it, and the server's reader at its end.

use std::{collections::VecDeque, sync::Arc};

use tokio::{
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    task::JoinHandle,
};

use super::{Totals, count, world::Process};
use crate::{
    connection::{Connection, Peer},
    error::ErrorCode,
    frame::{ClientFrame, Frame, ServerFrame},
    id::{CommandId, ConnectionId, ThreadId},
    log::{Accept, LogError},
    message::{ClientMessage, ServerMessage},
    model::User,
    payload as p,
    time::Timestamp,
    watch::WatchError,
};

pub(super) struct Line {
    /// Dropping it takes the connection out of its manager, as when a server's socket ends.
    connection: Connection,
    pub(super) process: Process,
    pub(super) up: VecDeque<ClientFrame>,
    pub(super) down: VecDeque<String>,
    /// Nothing passes, and nobody is told.
    pub(super) silent: bool,
    heard: UnboundedSender<ClientFrame>,
    reader: JoinHandle<()>,
}

impl Line {
    pub(super) fn open(process: &Process, user: &User, random: fastrand::Rng, totals: &Arc<Totals>) -> Self {
        let connection = process.manager.connect(user.clone(), Timestamp::from_millis(u64::MAX));
        connection.peer().tell(greeting(connection.peer()));
        let (heard, frames) = unbounded_channel();
        let reader =
            Reader { process: process.clone(), peer: connection.peer().clone(), random, totals: totals.clone() };
        let reader = tokio::spawn(reader.read(frames));
        let (up, down) = (VecDeque::new(), VecDeque::new());
        Self { connection, process: process.clone(), up, down, silent: false, heard, reader }
    }

    pub(super) fn peer(&self) -> &Arc<Peer> {
        self.connection.peer()
    }

    /// The server hears a frame.
    pub(super) fn hear(&self, frame: ClientFrame) {
        // The reader of a connection that closes no longer listens.
        let _ = self.heard.send(frame);
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

pub(super) fn limits() -> p::Limits {
    p::Limits {
        heartbeat_interval_ms: 2_000,
        heartbeat_timeout_ms: 500,
        max_frame_bytes: 65_536,
        max_subscriptions: 200,
        commands_per_minute: 600,
    }
}

fn greeting(peer: &Peer) -> ServerFrame {
    Frame::new(ServerMessage::Connect(p::Connect {
        connection_id: ConnectionId::new(),
        user: peer.user.clone(),
        token_expires_at: Timestamp::from_millis(u64::MAX),
        server_version: "0.1.0".into(),
        limits: p::Limits { heartbeat_interval_ms: 25_000, heartbeat_timeout_ms: 10_000, ..limits() },
    }))
}

/// What a server does with what it hears on a connection: one frame after another.
struct Reader {
    process: Process,
    peer: Arc<Peer>,
    random: fastrand::Rng,
    totals: Arc<Totals>,
}

impl Reader {
    async fn read(mut self, mut frames: UnboundedReceiver<ClientFrame>) {
        while let Some(frame) = frames.recv().await {
            if self.peer.outbound.is_closing() {
                return;
            }
            self.serve(frame).await;
        }
    }

    async fn serve(&mut self, frame: ClientFrame) {
        let ClientFrame { id, thread_id: Some(thread), message, .. } = frame else { return };
        if self.random.u8(0..25) == 0 {
            count(&self.totals.limited);
            let retry_after_ms = Some(self.random.u64(1..200));
            let wait = p::ErrorMessage { retry_after_ms, ..p::ErrorMessage::new(ErrorCode::RateLimited, "wait") };
            return self.refuse(id, wait);
        }
        match message {
            ClientMessage::Subscribe(wanted) => {
                let watched = self.process.manager.watch(&self.process.log, &self.peer, id, thread, &wanted).await;
                match watched {
                    Ok(_) | Err(WatchError::Manager(ErrorCode::Conflict)) => {}
                    Err(WatchError::Log(LogError::Store(_))) => {
                        self.refuse(id, p::ErrorMessage::new(ErrorCode::Internal, "try again"));
                    }
                    Err(error) => panic!("the user's own thread: {error}"),
                }
            }
            ClientMessage::UserMessage(message) => {
                let accepted = self.process.accept(self.peer.user.id, id, thread, message).await;
                self.peer.tell(Frame::new(ServerMessage::Ack(accepted)).in_thread(thread).answering(id));
            }
            _ => {}
        }
    }

    fn refuse(&self, id: CommandId, error: p::ErrorMessage) {
        self.peer.tell(Frame::new(ServerMessage::ErrorMessage(error)).answering(id));
    }
}

impl Process {
    /// Takes a person's message, in a task of its own: a connection that goes away loses nothing.
    pub(super) async fn accept(
        &self,
        user_id: crate::id::UserId,
        command_id: CommandId,
        thread: ThreadId,
        message: p::UserMessage,
    ) -> p::Ack {
        let pool = self.pool.clone();
        let digest = message.content.clone().into_bytes();
        let (title, agent) = (String::new(), "guide".to_owned());
        let accept = Accept { user_id, command_id, digest, thread_id: Some(thread), title, agent, message };
        let accepted = tokio::spawn(async move { pool.accept(accept).await }).await.expect("the task ends");
        accepted.expect("the user's own thread").ack
    }
}
