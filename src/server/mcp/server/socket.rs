//! The same JSON-RPC through a connection of our own protocol: frames `jsonrpc_request` and `jsonrpc_notification` carry it one way,
//! `jsonrpc_response` and `jsonrpc_notification` the other. Ids are the connection's, and nothing is ever sent again.

use std::{
    collections::HashMap,
    convert::Infallible,
    future::{Future, ready},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use netra_ws::{FrameId, ServerFrame, connection::Peer, frame::Frame, message::ServerMessage, model::Object};
use rmcp::{
    RoleServer,
    model::{ClientJsonRpcMessage, JsonRpcMessage, RequestId, ServerJsonRpcMessage},
    service::{RunningService, serve_directly},
    transport::Transport,
};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::Offer;
use crate::server::state::AppState;

/// Requests of one connection that are open at a time.
const OPEN: usize = 32;

/// Invalid Request, JSON-RPC 2.0, 5.1.
const INVALID_REQUEST: i32 = -32_600;

/// Of the codes that are left to servers.
const TOO_MANY: i32 = -32_000;

/// The JSON-RPC of one connection. It costs nothing until it is used.
pub struct JsonRpc {
    state: AppState,
    peer: Arc<Peer>,
    session: Option<Session>,
}

struct Session {
    to: mpsc::Sender<ClientJsonRpcMessage>,
    open: Open,
    /// Ends with the connection.
    _running: RunningService<RoleServer, Offer>,
}

/// The frame that each open request came in.
#[derive(Clone, Default)]
struct Open(Arc<Mutex<HashMap<RequestId, FrameId>>>);

impl Open {
    fn ids(&self) -> MutexGuard<'_, HashMap<RequestId, FrameId>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl JsonRpc {
    /// That of this connection.
    pub fn new(state: &AppState, peer: &Arc<Peer>) -> Self {
        Self { state: state.clone(), peer: peer.clone(), session: None }
    }

    fn session(&mut self) -> &Session {
        let (state, peer) = (&self.state, &self.peer);
        self.session.get_or_insert_with(|| {
            let (to, from) = mpsc::channel(OPEN * 2);
            let open = Open::default();
            let transport = Frames { from, open: open.clone(), peer: peer.clone() };
            let running = serve_directly(Offer::new(state.clone(), peer.user.clone()), transport, None);
            Session { to, open, _running: running }
        })
    }

    /// Takes a request. It is answered now when it is none, else when its answer is there.
    pub fn request(&mut self, frame: FrameId, request: Object) -> Option<ServerFrame> {
        let id = request.get("id").cloned().unwrap_or(Value::Null);
        let refused = |code: i32, message: &str| {
            let error = json!({ "jsonrpc": "2.0", "id": id, "error": { "code": code, "message": message } });
            Some(Frame::new(ServerMessage::JsonrpcResponse(object(error))))
        };
        if request.get("jsonrpc").and_then(Value::as_str) != Some("2.0")
            || !request.get("method").is_some_and(Value::is_string)
        {
            return refused(INVALID_REQUEST, "Invalid Request");
        }
        let Ok(message @ JsonRpcMessage::Request(_)) = serde_json::from_value(Value::Object(request)) else {
            return refused(INVALID_REQUEST, "Invalid Request");
        };
        let JsonRpcMessage::Request(read) = &message else { return refused(INVALID_REQUEST, "Invalid Request") };
        let key = read.id.clone();
        let session = self.session();
        {
            let mut open = session.open.ids();
            if open.contains_key(&key) {
                return refused(INVALID_REQUEST, "another request with this id is not answered yet");
            }
            if open.len() >= OPEN {
                return refused(TOO_MANY, "too many requests wait for their answers");
            }
            open.insert(key.clone(), frame);
        }
        if session.to.try_send(message).is_err() {
            session.open.ids().remove(&key);
            return refused(TOO_MANY, "too many messages wait");
        }
        None
    }

    /// Takes a notification. It has no answer, also when it cannot be read.
    pub fn notification(&mut self, notification: Object) {
        match serde_json::from_value(Value::Object(notification)) {
            Ok(message @ JsonRpcMessage::Notification(_)) => {
                if self.session().to.try_send(message).is_err() {
                    tracing::info!("a JSON-RPC notification was dropped");
                }
            }
            Ok(_) | Err(_) => tracing::info!("a JSON-RPC notification cannot be read"),
        }
    }
}

fn object(value: Value) -> Object {
    match value {
        Value::Object(object) => object,
        _ => Object::new(),
    }
}

/// Frames as the protocol's messages.
struct Frames {
    from: mpsc::Receiver<ClientJsonRpcMessage>,
    open: Open,
    peer: Arc<Peer>,
}

impl Frames {
    fn tell(&self, message: &ServerJsonRpcMessage) {
        let value = match serde_json::to_value(message) {
            Ok(value) => object(value),
            Err(error) => return tracing::error!(%error, "a JSON-RPC message does not encode"),
        };
        let answered = match message {
            JsonRpcMessage::Response(response) => self.open.ids().remove(&response.id),
            JsonRpcMessage::Error(error) => error.id.as_ref().and_then(|id| self.open.ids().remove(id)),
            JsonRpcMessage::Notification(_) => {
                return self.peer.tell(Frame::new(ServerMessage::JsonrpcNotification(value)));
            }
            // This server asks nothing of its clients.
            JsonRpcMessage::Request(_) => return,
        };
        let frame = Frame::new(ServerMessage::JsonrpcResponse(value));
        self.peer.tell(match answered {
            Some(asked) => frame.answering(asked),
            None => frame,
        });
    }
}

impl Transport<RoleServer> for Frames {
    type Error = Infallible;

    fn send(&mut self, item: ServerJsonRpcMessage) -> impl Future<Output = Result<(), Infallible>> + Send + 'static {
        self.tell(&item);
        ready(Ok(()))
    }

    async fn receive(&mut self) -> Option<ClientJsonRpcMessage> {
        self.from.recv().await
    }

    fn close(&mut self) -> impl Future<Output = Result<(), Infallible>> + Send {
        self.from.close();
        ready(Ok(()))
    }
}
