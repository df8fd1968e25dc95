//! A socket that is read as slowly as a test wants: not at all, or so many bytes a second.

use std::time::Duration;

use futures::{SinkExt, StreamExt};
use netra::conform::{Sender, own_violation};
use serde_json::{Value, json};
use tokio::{
    net::TcpSocket,
    sync::Mutex,
    time::{Instant, sleep_until, timeout},
};
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{Message, client::IntoClientRequest, http::HeaderValue},
};

use super::{PATIENCE, frame::frame};

/// What the system keeps for the reader: little, so that the server feels how slow it is.
const BUFFER: u32 = 16 * 1024;

/// An open socket that nobody reads until the test does.
pub(crate) struct Stalled {
    socket: Mutex<WebSocketStream<tokio::net::TcpStream>>,
}

impl Stalled {
    /// Opens a socket; not even `connect` is read.
    pub(crate) async fn open(base: &str, token: &str) -> Self {
        let address = base.trim_start_matches("http://").parse().expect("an address");
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.set_recv_buffer_size(BUFFER).expect("a small buffer");
        let stream = socket.connect(address).await.expect("a connection");
        let mut request = format!("{}/ws", base.replacen("http", "ws", 1)).into_client_request().expect("a request");
        let offered = HeaderValue::from_str(&format!("netra.v1, jwt.{token}")).expect("a header value");
        request.headers_mut().insert("sec-websocket-protocol", offered);
        let (socket, _) = timeout(PATIENCE, client_async(request, stream)).await.expect("in time").expect("it opens");
        Self { socket: Mutex::new(socket) }
    }

    /// Sends a frame.
    pub(crate) async fn send(&self, frame: &Value) {
        let mut socket = self.socket.lock().await;
        timeout(PATIENCE, socket.send(Message::text(frame.to_string()))).await.expect("in time").expect("sent");
    }

    /// Reads so many bytes a second, and answers heartbeats, until a frame is the last; the bytes that were read.
    pub(crate) async fn read_slowly(&self, per_second: usize, last: impl Fn(&Value) -> bool) -> usize {
        let (start, mut bytes) = (Instant::now(), 0);
        let mut socket = self.socket.lock().await;
        loop {
            let message = timeout(PATIENCE, socket.next()).await.expect("a frame in time");
            let text = match message.expect("the socket is open").expect("it can be read") {
                Message::Text(text) => text,
                Message::Close(close) => panic!("closed after {bytes} bytes: {close:?}"),
                _ => continue,
            };
            bytes += text.len();
            let heard: Value = serde_json::from_str(&text).expect("JSON");
            assert_eq!(own_violation(Sender::Server, &heard), None, "{text}");
            if last(&heard) {
                return bytes;
            }
            if heard["type"] == "heartbeat" {
                let mut ack = frame("heartbeat_ack", json!({}));
                ack["reply_to"] = heard["id"].clone();
                socket.send(Message::text(ack.to_string())).await.expect("sent");
            }
            let millis = bytes.saturating_mul(1_000) / per_second;
            sleep_until(start + Duration::from_millis(u64::try_from(millis).expect("a time"))).await;
        }
    }
}
