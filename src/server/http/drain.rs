//! A request's body is read to its end, whatever the handler does with it. What is left unread would cut the connection before
//! the client's next request: it is what stands where that request is looked for.

use std::{
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use axum::{
    body::{Body, BodyDataStream, Bytes, HttpBody},
    extract::Request,
    http::{HeaderValue, header},
    middleware::Next,
    response::Response,
};
use futures::{Stream, StreamExt, stream};
use tokio::time::timeout;

/// What is read of a body for the connection's sake alone. A client that sends more gets another connection.
const MOST: usize = 1 << 20;

/// How long that may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// A body that the handler and, after it, this layer read from.
#[derive(Clone)]
struct Shared(Arc<Mutex<BodyDataStream>>);

impl Shared {
    fn poll(&self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, axum::Error>>> {
        let mut body = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        std::pin::Pin::new(&mut *body).poll_next(context)
    }

    fn stream(self) -> impl Stream<Item = Result<Bytes, axum::Error>> + Send + Unpin {
        stream::poll_fn(move |context| self.poll(context))
    }
}

/// Reads what the handler left of the body before the answer goes out, or ends the connection with it.
pub(crate) async fn read_whole(request: Request, next: Next) -> Response {
    if request.body().is_end_stream() {
        return next.run(request).await;
    }
    let (parts, body) = request.into_parts();
    let shared = Shared(Arc::new(Mutex::new(body.into_data_stream())));
    let body = Body::from_stream(shared.clone().stream());
    let mut response = next.run(Request::from_parts(parts, body)).await;
    if !matches!(timeout(PATIENCE, rest(shared)).await, Ok(true)) {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// Whether the body came to its end.
async fn rest(body: Shared) -> bool {
    let (mut body, mut bytes) = (body.stream(), 0);
    while let Some(part) = body.next().await {
        match part {
            Ok(part) => bytes += part.len(),
            Err(_) => return false,
        }
        if bytes > MOST {
            return false;
        }
    }
    true
}
