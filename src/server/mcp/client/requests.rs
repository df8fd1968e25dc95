//! Requests to a server over HTTP, with its token where it wants one.

use std::{collections::HashMap, future::Future, io, sync::Arc};

use futures::stream::BoxStream;
use reqwest::header::{HeaderName, HeaderValue};
use rmcp::{
    model::ClientJsonRpcMessage,
    transport::streamable_http_client::{
        SseError, StreamableHttpClient, StreamableHttpError, StreamableHttpPostResponse, StreamableHttpResponseLimits,
    },
};
use sse_stream::Sse;

use super::authorization::{SignIn, Tokens};

type Failure = StreamableHttpError<reqwest::Error>;
type Headers = HashMap<HeaderName, HeaderValue>;

/// The client of one server.
#[derive(Clone)]
pub(super) struct Requests {
    pub(super) http: reqwest::Client,
    pub(super) tokens: Option<Arc<Tokens>>,
}

impl Requests {
    /// The sign-in that its tokens come from, where a person signs in.
    pub(super) fn sign_in(&self) -> Option<&Arc<SignIn>> {
        match self.tokens.as_deref()? {
            Tokens::SignIn(sign_in) => Some(sign_in),
            Tokens::Credentials(_) | Tokens::Given(_) => None,
        }
    }

    /// Why there are no tokens before somebody signs in.
    pub(super) fn missing(&self) -> Option<String> {
        self.sign_in()?.missing()
    }

    /// Sends a request with a token. A server that takes it no more has done nothing yet, and is asked once more with another.
    async fn send<T, R>(
        &self,
        given: Option<String>,
        request: impl Fn(Option<String>) -> R + Send,
    ) -> Result<T, Failure>
    where
        R: Future<Output = Result<T, Failure>> + Send,
    {
        let Some(tokens) = &self.tokens else { return request(given).await };
        let refused = |why: String| StreamableHttpError::Io(io::Error::other(why));
        let token = tokens.token().await.map_err(refused)?;
        match request(Some(token.clone())).await {
            Err(StreamableHttpError::AuthRequired(_)) => {
                tokens.forget(&token);
                let token = tokens.token().await.map_err(refused)?;
                request(Some(token)).await
            }
            answered => answered,
        }
    }
}

impl StreamableHttpClient for Requests {
    type Error = reqwest::Error;

    async fn post_message(
        &self,
        uri: Arc<str>,
        message: ClientJsonRpcMessage,
        session_id: Option<Arc<str>>,
        auth_header: Option<String>,
        custom_headers: Headers,
    ) -> Result<StreamableHttpPostResponse, Failure> {
        let limits = StreamableHttpResponseLimits::default();
        self.post_message_with_response_limits(uri, message, session_id, auth_header, custom_headers, limits).await
    }

    async fn post_message_with_response_limits(
        &self,
        uri: Arc<str>,
        message: ClientJsonRpcMessage,
        session_id: Option<Arc<str>>,
        auth_header: Option<String>,
        custom_headers: Headers,
        limits: StreamableHttpResponseLimits,
    ) -> Result<StreamableHttpPostResponse, Failure> {
        let post = |token| {
            let (uri, message, session, headers) =
                (uri.clone(), message.clone(), session_id.clone(), custom_headers.clone());
            self.http.post_message_with_response_limits(uri, message, session, token, headers, limits)
        };
        self.send(auth_header, post).await
    }

    async fn delete_session(
        &self,
        uri: Arc<str>,
        session_id: Arc<str>,
        auth_header: Option<String>,
        custom_headers: Headers,
    ) -> Result<(), Failure> {
        let delete = |token| self.http.delete_session(uri.clone(), session_id.clone(), token, custom_headers.clone());
        self.send(auth_header, delete).await
    }

    async fn get_stream(
        &self,
        uri: Arc<str>,
        session_id: Option<Arc<str>>,
        last_event_id: Option<String>,
        auth_header: Option<String>,
        custom_headers: Headers,
    ) -> Result<BoxStream<'static, Result<Sse, SseError>>, Failure> {
        let most = StreamableHttpResponseLimits::default().max_sse_event_size;
        self.get_stream_with_max_sse_event_size(uri, session_id, last_event_id, auth_header, custom_headers, most).await
    }

    async fn get_stream_with_max_sse_event_size(
        &self,
        uri: Arc<str>,
        session_id: Option<Arc<str>>,
        last_event_id: Option<String>,
        auth_header: Option<String>,
        custom_headers: Headers,
        max_sse_event_size: usize,
    ) -> Result<BoxStream<'static, Result<Sse, SseError>>, Failure> {
        let get = |token| {
            let (uri, session, last, headers) =
                (uri.clone(), session_id.clone(), last_event_id.clone(), custom_headers.clone());
            self.http.get_stream_with_max_sse_event_size(uri, session, last, token, headers, max_sse_event_size)
        };
        self.send(auth_header, get).await
    }
}
