//! One WebSocket. Every frame is kept, in order; heartbeats are answered unless the test says otherwise.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use futures::{
    SinkExt, StreamExt,
    stream::{SplitSink, SplitStream},
};
use netra::conform::{Sender, own_violation};
use serde_json::{Value, json};
use tokio::{net::TcpStream, sync::watch, task::JoinHandle, time::timeout};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{Message, client::IntoClientRequest, http::HeaderValue},
};

use super::{
    PATIENCE,
    frame::{check_envelope, frame},
    order,
};

type Stream = WebSocketStream<MaybeTlsStream<TcpStream>>;
type Sink = Arc<tokio::sync::Mutex<SplitSink<Stream, Message>>>;

#[derive(Default)]
struct Inbox {
    frames: Vec<Value>,
    closed: Option<u16>,
}

/// An open socket.
pub(crate) struct Socket {
    sink: Sink,
    inbox: Arc<Mutex<Inbox>>,
    sent: Mutex<Vec<Value>>,
    changed: watch::Receiver<()>,
    answers_heartbeats: Arc<AtomicBool>,
    reader: JoinHandle<()>,
    /// The subprotocol that the server chose.
    pub(crate) protocol: String,
}

impl Socket {
    /// Opens a socket as a browser does and waits for `connect`.
    pub(crate) async fn open(base: &str, token: &str) -> Self {
        Self::open_with(base, &[("sec-websocket-protocol", &format!("netra.v1, jwt.{token}"))]).await
    }

    /// Opens a socket with these headers and waits for `connect`.
    pub(crate) async fn open_with(base: &str, headers: &[(&'static str, &str)]) -> Self {
        let mut request = format!("{}/ws", base.replacen("http", "ws", 1)).into_client_request().expect("a request");
        for (name, value) in headers {
            request.headers_mut().insert(*name, HeaderValue::from_str(value).expect("a header value"));
        }
        let (stream, response) =
            timeout(PATIENCE, connect_async(request)).await.expect("a handshake in time").expect("the socket opens");
        let protocol = response.headers().get("sec-websocket-protocol");
        let protocol = protocol.map_or("", |v| v.to_str().expect("a text header")).to_owned();

        let (sink, stream) = stream.split();
        let sink = Arc::new(tokio::sync::Mutex::new(sink));
        let inbox = Arc::new(Mutex::new(Inbox::default()));
        let answers_heartbeats = Arc::new(AtomicBool::new(true));
        let (tell, changed) = watch::channel(());
        let reader =
            tokio::spawn(read(stream, Arc::clone(&sink), Arc::clone(&inbox), Arc::clone(&answers_heartbeats), tell));
        let socket = Self { sink, inbox, sent: Mutex::default(), changed, answers_heartbeats, reader, protocol };
        socket.wait("connect", |f| f["type"] == "connect").await;
        socket
    }

    /// Stops answering heartbeats.
    pub(crate) fn ignore_heartbeats(&self) {
        self.answers_heartbeats.store(false, Ordering::Relaxed);
    }

    /// Sends any message; `false` when the socket is closed.
    pub(crate) async fn raw(&self, message: Message) -> bool {
        self.sink.lock().await.send(message).await.is_ok()
    }

    /// Sends a frame.
    pub(crate) async fn send(&self, frame: &Value) {
        self.sent.lock().unwrap_or_else(PoisonError::into_inner).push(frame.clone());
        assert!(self.raw(Message::text(frame.to_string())).await, "closed: cannot send {frame}");
    }

    /// Sends a frame and waits for the one that answers it.
    pub(crate) async fn call(&self, frame: Value) -> Value {
        let from = self.count();
        self.send(&frame).await;
        let what = format!("an answer to {}", frame["type"]);
        self.wait_for(from, PATIENCE, &what, |f| f["reply_to"] == frame["id"]).await
    }

    /// Waits for a frame, the ones already here included.
    pub(crate) async fn wait(&self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        self.wait_for(0, PATIENCE, what, wanted).await
    }

    /// Waits for a frame at or after position `from`.
    pub(crate) async fn wait_for(
        &self,
        from: usize,
        limit: Duration,
        what: &str,
        wanted: impl Fn(&Value) -> bool,
    ) -> Value {
        let end = Instant::now() + limit;
        let mut changed = self.changed.clone();
        let mut next = from;
        loop {
            changed.mark_unchanged();
            let closed = {
                let inbox = self.inbox();
                let new = inbox.frames.get(next..).unwrap_or_default();
                if let Some(frame) = new.iter().find(|f| wanted(f)) {
                    check_envelope(frame);
                    return frame.clone();
                }
                next = inbox.frames.len().max(next);
                inbox.closed
            };
            if let Some(code) = closed {
                panic!("closed with {code} before {what}; got {:?}", self.last_types());
            }
            let left = end.saturating_duration_since(Instant::now());
            let more = !left.is_zero() && timeout(left, changed.changed()).await.is_ok();
            assert!(more, "{what} did not come within {limit:?}; got {:?}", self.last_types());
        }
    }

    /// The close code, once the socket is closed; 1006 when there was none.
    pub(crate) async fn closed(&self, limit: Duration) -> u16 {
        let end = Instant::now() + limit;
        let mut changed = self.changed.clone();
        loop {
            changed.mark_unchanged();
            if let Some(code) = self.inbox().closed {
                return code;
            }
            let left = end.saturating_duration_since(Instant::now());
            let more = !left.is_zero() && timeout(left, changed.changed()).await.is_ok();
            assert!(more, "not closed within {limit:?}; got {:?}", self.last_types());
        }
    }

    /// Waits for a close that the server chose: this code, announced by `disconnect` as the last frame.
    pub(crate) async fn closed_with(&self, code: u16, limit: Duration) {
        let got = self.closed(limit).await;
        assert_eq!(got, code, "last frames: {:?}", self.last_types());
        let frames = self.frames();
        let last = frames.last().expect("a frame");
        assert_eq!(last["type"], "disconnect", "the last frame is {last}");
        assert_eq!(last["payload"]["code"], code, "{last}");
        assert!(last["payload"]["reason"].as_str().is_some_and(|r| !r.is_empty()), "{last}");
        check_envelope(last);
    }

    /// The socket is open and answers.
    pub(crate) async fn alive(&self) {
        let pong = self.call(frame("ping", json!({ "nonce": "still there" }))).await;
        assert_eq!(pong["type"], "pong", "{pong}");
        assert_eq!(pong["payload"]["nonce"], "still there", "{pong}");
    }

    /// Every frame so far.
    pub(crate) fn frames(&self) -> Vec<Value> {
        self.inbox().frames.clone()
    }

    /// How many frames have come.
    pub(crate) fn count(&self) -> usize {
        self.inbox().frames.len()
    }

    /// Drops the TCP connection without a word, as a lost network does, and returns what had come.
    pub(crate) async fn cut(self) -> Vec<Value> {
        self.reader.abort();
        while !self.reader.is_finished() {
            tokio::task::yield_now().await;
        }
        self.frames()
    }

    fn inbox(&self) -> MutexGuard<'_, Inbox> {
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn last_types(&self) -> Vec<String> {
        let inbox = self.inbox();
        let from = inbox.frames.len().saturating_sub(8);
        inbox.frames[from..].iter().map(brief).collect()
    }
}

/// Every test that hears frames is a test of the specification.
impl Drop for Socket {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        let frames = self.frames();
        for frame in &frames {
            if let Some(reasons) = own_violation(Sender::Server, frame) {
                panic!("not as specified: {reasons}: {frame}");
            }
        }
        if let Some(violation) = order::violation(&frames) {
            panic!("out of order: {violation}");
        }
        // A test may well send what is not as specified; the server must not take it.
        let refused = |sent: &Value| frames.iter().any(|f| f["type"] == "error_message" && f["reply_to"] == sent["id"]);
        let answered = |sent: &Value| frames.iter().any(|f| f["reply_to"] == sent["id"]);
        for sent in self.sent.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            if let Some(reasons) = own_violation(Sender::Client, sent) {
                assert!(refused(sent) || !answered(sent), "taken, but not as specified: {reasons}: {sent}");
            }
        }
    }
}

/// A frame as a failing test shows it.
fn brief(frame: &Value) -> String {
    let kind = frame["type"].as_str().unwrap_or("?");
    if matches!(kind, "error_message" | "agent_error" | "disconnect") { frame.to_string() } else { kind.to_owned() }
}

async fn read(
    mut stream: SplitStream<Stream>,
    sink: Sink,
    inbox: Arc<Mutex<Inbox>>,
    answers_heartbeats: Arc<AtomicBool>,
    tell: watch::Sender<()>,
) {
    let mut code = 1006;
    while let Some(message) = stream.next().await {
        match message {
            Ok(Message::Text(text)) => {
                let frame_in = serde_json::from_str(&text).unwrap_or_else(|_| json!({ "type": "not json" }));
                let heartbeat = (frame_in["type"] == "heartbeat").then(|| frame_in["id"].clone());
                inbox.lock().unwrap_or_else(PoisonError::into_inner).frames.push(frame_in);
                tell.send_replace(());
                if let Some(id) = heartbeat.filter(|_| answers_heartbeats.load(Ordering::Relaxed)) {
                    let mut ack = frame("heartbeat_ack", json!({}));
                    ack["reply_to"] = id;
                    // Fails only when the socket is closing, which the next read tells.
                    let _ = sink.lock().await.send(Message::text(ack.to_string())).await;
                }
            }
            Ok(Message::Close(close)) => code = close.map_or(1005, |c| c.code.into()),
            Ok(_) => {}
            Err(_) => break,
        }
    }
    inbox.lock().unwrap_or_else(PoisonError::into_inner).closed = Some(code);
    tell.send_replace(());
}
