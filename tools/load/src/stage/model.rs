//! An OpenAI-compatible model in this process: every answer repeats one word at a pace that is set for all at once.

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{
    Json, Router,
    body::Body,
    extract::State,
    http::header::CONTENT_TYPE,
    response::{IntoResponse, Response},
    routing::post,
    serve::ListenerExt,
};
use futures::{Stream, stream};
use serde_json::{Value, json};
use tokio::{
    net::TcpListener,
    sync::watch,
    task::JoinHandle,
    time::{Instant, sleep_until},
};

use crate::{Failure, stamp};

/// How all open answers go on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Pace {
    /// Pieces a second in each answer; 0 pauses.
    pub(crate) per_second: f64,
    /// Bytes of a piece; where they suffice, one of its words says when it was written.
    pub(crate) bytes: usize,
    /// Whether every other piece is a thought: such pieces are never joined, each is an event.
    pub(crate) thinking: bool,
    /// Whether the answers end now.
    pub(crate) over: bool,
}

/// A running model; stopped when dropped.
pub(crate) struct Model {
    /// The base URL, with `/v1`.
    pub(crate) base: String,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

struct Shared {
    pace: watch::Sender<Pace>,
    open: AtomicUsize,
}

impl Model {
    /// Starts a model that pauses.
    pub(crate) async fn start() -> Result<Self, Failure> {
        let (pace, _) = watch::channel(Pace { per_second: 0.0, bytes: 10, thinking: false, over: false });
        let shared = Arc::new(Shared { pace, open: AtomicUsize::new(0) });
        let app = Router::new().route("/v1/chat/completions", post(complete)).with_state(Arc::clone(&shared));
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let base = format!("http://{}/v1", listener.local_addr()?);
        let listener = listener.tap_io(|socket| {
            // Without it the pieces only come later.
            let _ = socket.set_nodelay(true);
        });
        let task = tokio::spawn(async move {
            // Ends with the task.
            let _ = axum::serve(listener, app).await;
        });
        Ok(Self { base, shared, task })
    }

    /// Sets the pace of all answers.
    pub(crate) fn pace(&self, per_second: f64, bytes: usize) {
        self.shared.pace.send_replace(Pace { per_second, bytes, thinking: false, over: false });
    }

    /// Sets the pace of all answers, in which thoughts and words take turns.
    pub(crate) fn pace_thinking(&self, per_second: f64, bytes: usize) {
        self.shared.pace.send_replace(Pace { per_second, bytes, thinking: true, over: false });
    }

    /// Ends all answers, and those that are asked for from now on.
    pub(crate) fn finish(&self) {
        self.shared.pace.send_modify(|pace| pace.over = true);
    }

    /// Answers under way.
    pub(crate) fn open(&self) -> usize {
        self.shared.open.load(Ordering::SeqCst)
    }
}

impl Drop for Model {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn complete(State(shared): State<Arc<Shared>>, Json(body): Json<Value>) -> Response {
    if body["stream"] != true {
        let message = json!({ "role": "assistant", "content": "A title" });
        return Json(json!({ "choices": [{ "index": 0, "finish_reason": "stop", "message": message }] }))
            .into_response();
    }
    let asked = body["messages"].as_array().and_then(|all| all.iter().rev().find(|one| one["role"] == "user"));
    let asked = asked.and_then(|one| one["content"].as_str()).unwrap_or_default();
    let word = asked.split_whitespace().next().unwrap_or("word").to_owned();
    ([(CONTENT_TYPE, "text/event-stream")], Body::from_stream(play(word, Open::new(shared)))).into_response()
}

/// Counts an answer as open until its body is dropped.
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

/// An answer's pieces, evenly spaced from a moment of its own, so that answers do not beat together.
fn play(word: String, open: Open) -> impl Stream<Item = Result<String, Infallible>> + Send {
    let pace = open.0.pace.subscribe();
    let start = (pace, word, open, None::<Instant>, false, false);
    stream::unfold(start, |(mut pace, word, open, mut next, ended, thought)| async move {
        if ended {
            return None;
        }
        loop {
            let now = *pace.borrow_and_update();
            if now.over {
                let end = event(&json!([{ "index": 0, "delta": {}, "finish_reason": "stop" }]));
                return Some((Ok(end + "data: [DONE]\n\n"), (pace, word, open, None, true, false)));
            }
            if now.per_second <= 0.0 {
                next = None;
                if pace.changed().await.is_err() {
                    return None;
                }
                continue;
            }
            let period = Duration::from_secs_f64(1.0 / now.per_second);
            let due = next.unwrap_or_else(|| Instant::now() + period.mul_f64(fastrand::f64()));
            tokio::select! {
                () = sleep_until(due) => {}
                changed = pace.changed() => {
                    changed.ok()?;
                    next = None;
                    continue;
                }
            }
            let thought = now.thinking && !thought;
            let delta = json!({ (if thought { "reasoning_content" } else { "content" }): piece(&word, now.bytes) });
            let piece = event(&json!([{ "index": 0, "delta": delta, "finish_reason": null }]));
            return Some((Ok(piece), (pace, word, open, Some(due + period), false, thought)));
        }
    })
}

/// The word as often as the size wants, each with a space behind it, and the moment where there is room for it.
fn piece(word: &str, bytes: usize) -> String {
    let words = |bytes: usize| format!("{word} ").repeat((bytes / (word.len() + 1)).max(1));
    match bytes.checked_sub(stamp::LENGTH + 1) {
        Some(left) if left > word.len() => format!("{}{} ", words(left), stamp::now()),
        Some(_) | None => words(bytes),
    }
}

fn event(choices: &Value) -> String {
    let chunk = json!({ "id": "chatcmpl-0", "object": "chat.completion.chunk", "created": 1, "model": "load",
        "choices": choices });
    format!("data: {chunk}\n\n")
}
