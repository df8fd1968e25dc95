//! One socket. Whatever is heard is held to the schemas and to the envelope's rules; what breaks them is the fault of the
//! check that heard it.

use futures::{SinkExt, StreamExt};
use netra_ws::{
    ClientFrame, ErrorCode, FrameError, PROTOCOL, ServerFrame, TOKEN_PREFIX, ThreadId,
    frame::Frame,
    message::{ClientMessage, FrameMessage as _, ServerMessage},
    payload as p,
};
use serde_json::Value;
use tokio::{
    net::TcpStream,
    time::{Duration, Instant, timeout_at},
};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{
        self, Message,
        client::IntoClientRequest,
        http::{HeaderName, HeaderValue},
    },
};

use super::{Fault, Sender, Target, violation, witness::Witness};

/// A handshake that was refused.
pub(super) struct Refusal {
    pub(super) status: u16,
    /// The body's `error.code`.
    pub(super) code: String,
}

/// What a handshake came to.
pub(super) enum Handshake {
    Open(Box<Peer>),
    Refused(Refusal),
}

/// An open socket.
pub(super) struct Peer {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    /// The subprotocol that the server chose.
    pub(super) subprotocol: Option<String>,
    /// Every frame so far.
    pub(super) heard: Vec<ServerFrame>,
    witness: Witness,
    /// Whether heartbeats are answered.
    pub(super) answers_heartbeats: bool,
    /// How long the server may take for one answer.
    pub(super) patience: Duration,
}

impl Peer {
    /// Shakes hands with these headers, and `query` behind the address.
    pub(super) async fn shake(
        target: &Target,
        headers: &[(&'static str, String)],
        query: &str,
    ) -> Result<Handshake, Fault> {
        let url = format!("{}{query}", target.socket);
        let mut request = url.into_client_request().map_err(|error| error.to_string())?;
        for (name, value) in headers {
            let value = HeaderValue::from_str(value).map_err(|error| error.to_string())?;
            request.headers_mut().insert(HeaderName::from_static(name), value);
        }
        let end = Instant::now() + target.patience;
        let connected = timeout_at(end, connect_async(request)).await;
        match connected.map_err(|_| format!("the handshake was not answered within {:?}", target.patience))? {
            Ok((socket, answer)) => {
                let subprotocol = answer.headers().get("sec-websocket-protocol");
                let subprotocol = subprotocol.and_then(|value| value.to_str().ok()).map(str::to_owned);
                let peer = Self {
                    socket,
                    subprotocol,
                    heard: Vec::new(),
                    witness: Witness::default(),
                    answers_heartbeats: true,
                    patience: target.patience,
                };
                Ok(Handshake::Open(Box::new(peer)))
            }
            Err(tungstenite::Error::Http(answer)) => {
                let body: Value =
                    serde_json::from_slice(answer.body().as_deref().unwrap_or_default()).unwrap_or_default();
                let code = body["error"]["code"].as_str().unwrap_or("no error.code in the body").to_owned();
                Ok(Handshake::Refused(Refusal { status: answer.status().as_u16(), code }))
            }
            Err(error) => Err(format!("the handshake failed: {error}")),
        }
    }

    /// Opens a socket the usual way, past its `connect` frame.
    pub(super) async fn open(target: &Target) -> Result<Self, Fault> {
        let protocols = format!("{PROTOCOL}, {TOKEN_PREFIX}{}", target.ws_token().await?);
        match Self::shake(target, &[("sec-websocket-protocol", protocols)], "").await? {
            Handshake::Open(mut peer) => {
                peer.until("`connect`", |frame| matches!(frame.message, ServerMessage::Connect(_))).await?;
                Ok(*peer)
            }
            Handshake::Refused(Refusal { status, code }) => Err(format!("the handshake is refused: {status} {code}")),
        }
    }

    /// Sends any message.
    pub(super) async fn raw(&mut self, message: Message) -> Result<(), Fault> {
        self.socket.send(message).await.map_err(|error| format!("the socket takes nothing more: {error}"))
    }

    /// Sends a frame.
    pub(super) async fn send(&mut self, frame: &ClientFrame) -> Result<(), Fault> {
        let text = frame.encode().map_err(|error| error.to_string())?;
        self.raw(Message::text(text)).await
    }

    /// Sends a frame and waits for its answer.
    pub(super) async fn call(&mut self, frame: ClientFrame) -> Result<ServerFrame, Fault> {
        let (from, id) = (self.heard.len(), frame.id);
        self.send(&frame).await?;
        let what = format!("an answer to `{}`", frame.message.info().name);
        self.until_from(from, self.patience, &what, |frame| frame.reply_to == Some(id)).await
    }

    /// Waits for a frame, those heard before included.
    pub(super) async fn until(
        &mut self,
        what: &str,
        wanted: impl Fn(&ServerFrame) -> bool,
    ) -> Result<ServerFrame, Fault> {
        self.until_from(0, self.patience, what, wanted).await
    }

    /// The same from the frame at `from` on, for at most `patience`.
    pub(super) async fn until_from(
        &mut self,
        from: usize,
        patience: Duration,
        what: &str,
        wanted: impl Fn(&ServerFrame) -> bool,
    ) -> Result<ServerFrame, Fault> {
        let end = Instant::now() + patience;
        let mut next = from;
        loop {
            if let Some(found) = self.heard[next.min(self.heard.len())..].iter().find(|frame| wanted(frame)) {
                return Ok(found.clone());
            }
            next = self.heard.len();
            match self.hear(end).await? {
                Heard::Frame => {}
                Heard::Closed(code) => return Err(format!("closed with {code} before {what}")),
                Heard::Nothing => return Err(format!("{what} did not come within {patience:?}")),
            }
        }
    }

    /// The close code, which the server chose and announced by `disconnect`.
    pub(super) async fn closed(&mut self, patience: Duration) -> Result<u16, Fault> {
        let end = Instant::now() + patience;
        loop {
            match self.hear(end).await? {
                Heard::Frame => {}
                Heard::Nothing => return Err(format!("not closed within {patience:?}")),
                Heard::Closed(code) => {
                    return match self.heard.last().map(|frame| &frame.message) {
                        Some(ServerMessage::Disconnect(goodbye)) if goodbye.code == code => Ok(code),
                        Some(ServerMessage::Disconnect(goodbye)) => {
                            Err(format!("closed with {code}, but `disconnect` says {}", goodbye.code))
                        }
                        Some(_) | None => Err(format!("closed with {code} without `disconnect` before it")),
                    };
                }
            }
        }
    }

    /// Whether the socket still answers.
    pub(super) async fn alive(&mut self) -> Result<(), Fault> {
        let nonce = Some("still there?".to_owned());
        let pong = self.call(Frame::new(ClientMessage::Ping(p::Ping { nonce: nonce.clone() }))).await?;
        match pong.message {
            ServerMessage::Pong(answer) if answer.nonce == nonce => Ok(()),
            other => Err(format!("`ping` is answered by `{}` without its nonce", other.info().name)),
        }
    }

    /// Sends a text and expects an error with this code.
    pub(super) async fn refused(&mut self, message: Message, code: ErrorCode) -> Result<(), Fault> {
        let from = self.heard.len();
        self.raw(message).await?;
        let error = |frame: &ServerFrame| matches!(frame.message, ServerMessage::ErrorMessage(_));
        let frame = self.until_from(from, self.patience, &format!("`error_message/{code}`"), error).await?;
        expect_code(&frame, code)
    }

    async fn hear(&mut self, end: Instant) -> Result<Heard, Fault> {
        loop {
            let Ok(message) = timeout_at(end, self.socket.next()).await else { return Ok(Heard::Nothing) };
            match message {
                Some(Ok(Message::Text(text))) => {
                    let Some(frame) = read(&text)? else { continue };
                    self.witness.hear(&frame)?;
                    let beat = matches!(frame.message, ServerMessage::Heartbeat(_)).then_some(frame.id);
                    self.heard.push(frame);
                    if let Some(id) = beat.filter(|_| self.answers_heartbeats) {
                        self.send(&Frame::new(ClientMessage::HeartbeatAck(p::Empty {})).answering(id)).await?;
                    }
                    return Ok(Heard::Frame);
                }
                Some(Ok(Message::Close(close))) => {
                    return Ok(Heard::Closed(close.map_or(1005, |close| close.code.into())));
                }
                Some(Ok(Message::Binary(_))) => return Err("a binary frame came; the protocol is text".to_owned()),
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Ok(Heard::Closed(1006)),
            }
        }
    }
}

enum Heard {
    Frame,
    Closed(u16),
    Nothing,
}

/// Reads a frame and holds it to the schemas and to the envelope's rules; nothing for a type of a later version.
fn read(text: &str) -> Result<Option<ServerFrame>, Fault> {
    let brief = || text.chars().take(200).collect::<String>();
    let value: Value = serde_json::from_str(text).map_err(|error| format!("not JSON ({error}): {}", brief()))?;
    let frame = match ServerFrame::decode(text) {
        Ok(frame) => frame,
        // A client counts such an event and goes on; whoever judges a log has to know all of it.
        Err(FrameError { code: ErrorCode::UnknownType, .. }) if value.get("seq").is_some() => {
            return Err(format!("an event of a later version came; use that version's `netra conform`: {}", brief()));
        }
        Err(FrameError { code: ErrorCode::UnknownType, .. }) => return Ok(None),
        Err(error) => return Err(format!("not as specified ({}): {}", error.message, brief())),
    };
    if let Some(reasons) = violation(Sender::Server, &value) {
        return Err(format!("not as specified ({reasons}): {}", brief()));
    }
    let nulls = value.as_object().is_some_and(|object| object.values().any(Value::is_null));
    let durable = frame.message.info().durable;
    let rules = [
        (nulls, "an absent field is left out, never null"),
        (frame.ts.is_none(), "the server's frames carry `ts`"),
        (durable && frame.seq.is_none_or(|seq| seq == 0), "a durable event carries `seq` from 1"),
        (durable && frame.epoch.is_none(), "a durable event carries `epoch`"),
        (durable && frame.thread_id.is_none(), "a durable event carries `thread_id`"),
        (!durable && frame.seq.is_some(), "an ephemeral frame carries no `seq`"),
    ];
    match rules.iter().find(|(broken, _)| *broken) {
        Some((_, rule)) => Err(format!("{rule}: {}", brief())),
        None => Ok(Some(frame)),
    }
}

/// Whether a frame is an error with this code.
pub(super) fn expect_code(frame: &ServerFrame, code: ErrorCode) -> Result<(), Fault> {
    match &frame.message {
        ServerMessage::ErrorMessage(error) if error.code == code => Ok(()),
        ServerMessage::ErrorMessage(error) => Err(format!("`{}` came instead of `{code}`", error.code)),
        other => Err(format!("`{}` came instead of `error_message/{code}`", other.info().name)),
    }
}

/// Subscribes to a thread.
pub(super) fn subscribe(thread: ThreadId, after_seq: Option<i64>, epoch: Option<String>) -> ClientFrame {
    Frame::new(ClientMessage::Subscribe(p::Subscribe { after_seq, epoch })).in_thread(thread)
}
