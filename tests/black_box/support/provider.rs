//! An OpenAI-compatible server whose answers the test writes. It listens on a real port and streams real bytes.

use std::{
    io,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::State,
    http::{HeaderMap, Response, Uri},
    routing::{get, post},
    serve::ListenerExt,
};
use futures::stream;
use serde_json::{Value, json};
use tokio::{net::TcpListener, task::JoinHandle};

use super::script::{Reply, Step};

/// The key that the server is told to use. It must never be seen anywhere else.
pub(crate) const API_KEY: &str = "sk-black-box-7f3d9c51e0a84b62";

/// The model that the server is told to use.
pub(crate) const MODEL: &str = "scripted-model";

/// One request for a streamed completion.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    /// The path, with its query.
    pub(crate) path: String,
    /// The headers.
    pub(crate) headers: HeaderMap,
    /// The `Authorization` header.
    pub(crate) authorization: String,
    /// The body.
    pub(crate) body: Value,
}

impl Request {
    /// The last thing the user said.
    pub(crate) fn prompt(&self) -> String {
        self.messages().iter().rev().find(|m| m["role"] == "user").map(text).unwrap_or_default()
    }

    /// What tools returned since then.
    pub(crate) fn tool_results(&self) -> Vec<&Value> {
        self.messages().iter().rev().take_while(|m| m["role"] != "user").filter(|m| m["role"] == "tool").collect()
    }

    /// The conversation.
    pub(crate) fn messages(&self) -> &[Value] {
        self.body["messages"].as_array().map_or(&[], Vec::as_slice)
    }
}

/// A message's text, in either form of the interface.
pub(crate) fn text(message: &Value) -> String {
    match &message["content"] {
        Value::String(text) => text.clone(),
        Value::Array(parts) => parts.iter().filter_map(|p| p["text"].as_str()).collect(),
        _ => String::new(),
    }
}

type Script = dyn Fn(&Request) -> Reply + Send + Sync;

struct Shared {
    script: Box<Script>,
    requests: Mutex<Vec<Request>>,
    open: AtomicUsize,
}

impl Shared {
    fn requests(&self) -> MutexGuard<'_, Vec<Request>> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A running provider; stopped when dropped.
pub(crate) struct Provider {
    /// The base URL, with `/v1`.
    pub(crate) base: String,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

impl Provider {
    /// Starts a provider that answers each request for a streamed completion with what `script` makes of it. Requests
    /// that do not stream, such as one for a title, get a fixed answer and are not recorded.
    pub(crate) async fn start(script: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Self {
        let shared =
            Arc::new(Shared { script: Box::new(script), requests: Mutex::default(), open: AtomicUsize::new(0) });
        let app = Router::new()
            .route("/v1/chat/completions", post(complete))
            .route("/v1/messages", post(complete))
            .route("/moved/chat/completions", post(complete))
            .route("/v1/responses", post(complete))
            .route("/v1/models", get(models))
            .route("/agent", post(ask))
            .route("/threads/{thread}/runs/stream", post(ask))
            .with_state(Arc::clone(&shared));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let base = format!("http://{}/v1", listener.local_addr().expect("an address"));
        let listener = listener.tap_io(|socket| socket.set_nodelay(true).expect("a socket option"));
        let task = tokio::spawn(async move { axum::serve(listener, app).await.expect("the provider serves") });
        Self { base, shared, task }
    }

    /// Where the remote agent is that this provider plays.
    pub(crate) fn agent(&self) -> String {
        self.base.replace("/v1", "/agent")
    }

    /// The streamed requests so far.
    pub(crate) fn requests(&self) -> Vec<Request> {
        self.shared.requests().clone()
    }

    /// Waits until no streamed answer is open.
    pub(crate) async fn idle(&self, limit: Duration) {
        let end = Instant::now() + limit;
        loop {
            let open = self.shared.open.load(Ordering::SeqCst);
            if open == 0 {
                return;
            }
            assert!(Instant::now() < end, "{open} requests still open after {limit:?}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn models() -> axum::Json<Value> {
    axum::Json(json!({ "object": "list", "data": [{ "id": MODEL, "object": "model", "owned_by": "test" }] }))
}

async fn complete(State(shared): State<Arc<Shared>>, uri: Uri, headers: HeaderMap, body: Bytes) -> Response<Body> {
    let body: Value = serde_json::from_slice(&body).expect("the request is JSON");
    if body["stream"] != true {
        return whole(200, &[("content-type", "application/json".into())], title().to_string());
    }
    answer(shared, &uri, headers, body)
}

/// A remote agent is asked, whose protocol the test speaks.
async fn ask(State(shared): State<Arc<Shared>>, uri: Uri, headers: HeaderMap, body: Bytes) -> Response<Body> {
    let body = serde_json::from_slice(&body).expect("the request is JSON");
    answer(shared, &uri, headers, body)
}

fn answer(shared: Arc<Shared>, uri: &Uri, headers: HeaderMap, body: Value) -> Response<Body> {
    let authorization = headers.get("authorization").map_or("", |v| v.to_str().unwrap_or_default()).to_owned();
    let request = Request { path: uri.to_string(), headers, authorization, body };
    shared.requests().push(request.clone());
    match (shared.script)(&request) {
        Reply::Whole { status, headers, body } => whole(status, &headers, body),
        Reply::Endless { status, body } => {
            let steps = vec![Step::Bytes(body.into_bytes()), Step::Pause(Duration::from_mins(1))];
            let body = Body::from_stream(play(steps, usize::MAX, Open::new(shared)));
            Response::builder().status(status).body(body).expect("a response")
        }
        Reply::Stream { steps, piece } => {
            let body = Body::from_stream(play(steps, piece, Open::new(shared)));
            Response::builder().header("content-type", "text/event-stream").body(body).expect("a response")
        }
    }
}

fn title() -> Value {
    json!({ "id": "chatcmpl-0", "object": "chat.completion", "created": 1, "model": MODEL, "choices": [
        { "index": 0, "finish_reason": "stop", "message": { "role": "assistant", "content": "A scripted title" } },
    ] })
}

fn whole(status: u16, headers: &[(&'static str, String)], body: String) -> Response<Body> {
    let response = headers.iter().fold(Response::builder().status(status), |r, (name, value)| r.header(*name, value));
    response.body(Body::from(body)).expect("a response")
}

/// Counts an answer as open until its body is dropped, by its end or by the client's leaving.
struct Open(Arc<Shared>);

impl Open {
    fn new(shared: Arc<Shared>) -> Self {
        shared.open.fetch_add(1, Ordering::SeqCst);
        Self(shared)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::SeqCst);
    }
}

fn play(steps: Vec<Step>, piece: usize, open: Open) -> impl stream::Stream<Item = io::Result<Vec<u8>>> + Send {
    let moves = steps.into_iter().flat_map(move |step| match step {
        Step::Bytes(bytes) => bytes.chunks(piece).map(|part| Step::Bytes(part.to_vec())).collect(),
        other => vec![other],
    });
    stream::unfold((moves, open), |(mut moves, open)| async move {
        loop {
            match moves.next()? {
                Step::Pause(time) => tokio::time::sleep(time).await,
                Step::Abort => {
                    // What was written before the abort is on its way before the connection drops.
                    tokio::time::sleep(Duration::from_millis(20)).await;
                    return Some((Err(io::Error::from(io::ErrorKind::ConnectionAborted)), (moves, open)));
                }
                Step::Bytes(bytes) => {
                    // Yielding makes the server write what it has, so that the cut is one on the wire too.
                    tokio::task::yield_now().await;
                    return Some((Ok(bytes), (moves, open)));
                }
            }
        }
    })
}

/// A script that says the same whatever is asked.
pub(crate) fn always(reply: Reply) -> impl Fn(&Request) -> Reply + Send + Sync + 'static {
    move |_: &Request| -> Reply { reply.clone() }
}

/// The URL of a port that nothing listens on.
pub(crate) fn nowhere() -> String {
    format!("http://127.0.0.1:{}/v1", super::port::free())
}
