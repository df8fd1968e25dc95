//! Bodies that tell their connection when they end.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use axum::body::{Body, Bytes};
use http_body::{Body as HttpBody, Frame, SizeHint};
use hyper::body::Incoming;

use super::http_connection::HttpConnection;
use crate::server::turns::TurnPermit;

/// The largest piece of an answer that is handed over at a time. The next one is asked for when most of it was sent.
const PIECE: usize = 64 * 1024;

/// A request's body.
pub(super) struct Request {
    body: Incoming,
    connection: Arc<HttpConnection>,
}

impl Request {
    pub(super) fn new(body: Incoming, connection: Arc<HttpConnection>) -> Self {
        Self { body, connection }
    }
}

impl Drop for Request {
    fn drop(&mut self) {
        self.connection.end_body();
    }
}

impl HttpBody for Request {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        self.connection.begin_body();
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        if frame.is_none() || self.body.is_end_stream() {
            self.connection.end_body();
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// An answer's body, in pieces. The user's turn lasts as long as it.
pub(super) struct AnswerBody {
    body: Body,
    rest: Bytes,
    connection: Arc<HttpConnection>,
    _turn: Option<TurnPermit>,
}

impl AnswerBody {
    pub(super) fn new(body: Body, connection: Arc<HttpConnection>, turn: Option<TurnPermit>) -> Self {
        Self { body, rest: Bytes::new(), connection, _turn: turn }
    }
}

impl Drop for AnswerBody {
    fn drop(&mut self) {
        self.connection.end_request();
    }
}

impl HttpBody for AnswerBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if self.rest.is_empty() {
            match ready!(Pin::new(&mut self.body).poll_frame(cx)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => self.rest = data,
                    Err(trailers) => return Poll::Ready(Some(Ok(trailers))),
                },
                end => return Poll::Ready(end),
            }
        }
        let size = self.rest.len().min(PIECE);
        Poll::Ready(Some(Ok(Frame::data(self.rest.split_to(size)))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let (rest, body) = (self.rest.len() as u64, self.body.size_hint());
        let mut hint = SizeHint::new();
        if let Some(upper) = body.upper() {
            hint.set_upper(upper + rest);
        }
        hint.set_lower(body.lower() + rest);
        hint
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;

    use super::*;

    #[tokio::test]
    async fn an_answer_comes_in_pieces() {
        let connection = Arc::new(HttpConnection::new(1, [127, 0, 0, 1].into(), std::sync::Weak::new()));
        connection.begin_request();
        let text = Bytes::from(vec![b'x'; 3 * PIECE + 1]);
        let mut answer = AnswerBody::new(Body::from(text.clone()), connection.clone(), None);
        assert_eq!(answer.size_hint().exact(), Some(text.len() as u64));
        let first = answer.frame().await.expect("a frame").expect("data").into_data().expect("data");
        assert_eq!((first.len(), answer.size_hint().exact()), (PIECE, Some((text.len() - PIECE) as u64)));
        assert!(!connection.is_idle());
        let rest = answer.collect().await.expect("the rest").to_bytes();
        assert_eq!([first, rest].concat(), text);
        assert!(connection.is_idle(), "it is over with the body");
    }
}
