//! One socket of a client: opened, read and written in a task of its own, so that a write that waits holds up nothing.

use futures::{SinkExt, StreamExt, future::pending};
use netra::conform::{Sender, own_violation};
use netra_ws::{ClientFrame, Incoming, PROTOCOL, ServerFrame, TOKEN_PREFIX};
use tokio::{sync::mpsc, task::JoinHandle};
use tokio_tungstenite::{
    connect_async,
    tungstenite::{Message, client::IntoClientRequest, http::HeaderValue},
};

/// Frames that wait for the session; after that the socket is not read, and TCP holds the server back.
const WAITING: usize = 256;

/// What a socket tells.
pub(super) enum Report {
    /// It is open.
    Opened,
    /// A frame came.
    Frame(Box<ServerFrame>),
    /// A frame came that cannot be read.
    Bad(String),
    /// It closed; 1006 without a close frame.
    Closed(u16),
}

/// A socket; dropping it drops the connection.
pub(super) struct Wire {
    outgoing: mpsc::UnboundedSender<Message>,
    reports: mpsc::Receiver<Report>,
    task: JoinHandle<()>,
}

impl Wire {
    /// Begins to open a socket.
    pub(super) fn open(url: &str, token: &str) -> Self {
        let (outgoing, queue) = mpsc::unbounded_channel();
        let (tell, reports) = mpsc::channel(WAITING);
        let (url, protocols) = (url.to_owned(), format!("{PROTOCOL}, {TOKEN_PREFIX}{token}"));
        let task = tokio::spawn(async move {
            let code = serve(&url, &protocols, queue, &tell).await;
            // Fails when the client is gone.
            let _ = tell.send(Report::Closed(code)).await;
        });
        Self { outgoing, reports, task }
    }

    /// Queues a frame; one that comes too late is lost with the socket, and the session knows.
    pub(super) fn send(&self, frame: &ClientFrame) {
        let text = frame.encode().expect("a frame encodes");
        let _ = self.outgoing.send(Message::text(text));
    }

    /// The next report; none after the socket closed.
    pub(super) async fn next(&mut self) -> Option<Report> {
        self.reports.recv().await
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What the specification has against a frame: every test that hears frames is a test of the specification.
fn violation(sender: Sender, text: &str) -> Option<String> {
    match serde_json::from_str(text) {
        Ok(frame) => own_violation(sender, &frame),
        Err(error) => Some(error.to_string()),
    }
}

async fn serve(
    url: &str,
    protocols: &str,
    mut queue: mpsc::UnboundedReceiver<Message>,
    tell: &mpsc::Sender<Report>,
) -> u16 {
    let mut request = url.into_client_request().expect("a request");
    let protocols = HeaderValue::from_str(protocols).expect("a header value");
    request.headers_mut().insert("sec-websocket-protocol", protocols);
    let Ok((stream, _)) = connect_async(request).await else { return 1006 };
    if tell.send(Report::Opened).await.is_err() {
        return 1006;
    }
    let (mut sink, mut stream) = stream.split();
    let write = async {
        while let Some(message) = queue.recv().await {
            if let Message::Text(text) = &message {
                assert_eq!(violation(Sender::Client, text), None, "{text}");
            }
            if sink.send(message).await.is_err() {
                break;
            }
        }
        // The reader hears why.
        pending::<()>().await;
    };
    let read = async {
        let mut code = 1006;
        while let Some(Ok(message)) = stream.next().await {
            let report = match message {
                Message::Text(text) => match (violation(Sender::Server, &text), serde_json::from_str(&text)) {
                    (Some(reasons), _) => Report::Bad(format!("{reasons} in {text}")),
                    (None, Ok(Incoming::Frame(frame))) => Report::Frame(frame),
                    (None, Ok(Incoming::Unknown(_))) => continue,
                    (None, Ok(Incoming::Bad(error, _))) => Report::Bad(format!("{error:?} in {text}")),
                    (None, Err(error)) => Report::Bad(format!("{error} in {text}")),
                },
                Message::Close(close) => {
                    code = close.map_or(1005, |close| close.code.into());
                    continue;
                }
                _ => continue,
            };
            if tell.send(report).await.is_err() {
                break;
            }
        }
        code
    };
    tokio::select! {
        code = read => code,
        () = write => 1006,
    }
}
