//! Any server that speaks OpenAI's chat completions with `stream: true`.

mod body;
mod request;
mod stream;

use std::{
    pin::pin,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use bytes::Bytes;
use eventsource_stream::{EventStreamError, Eventsource};
use futures::StreamExt;
use reqwest::{Response, StatusCode, header::CONTENT_TYPE};
use tokio::time::{sleep, timeout};

use super::{Provider, ProviderError, Turn, TurnRequest, TurnSink};
use crate::server::{agent::RunContext, metrics::metrics};
use body::Unread;
use stream::Assembly;

/// Pauses before a refused request is sent again; only while nothing of the answer has come.
const RETRY_PAUSES: [Duration; 2] = [Duration::from_millis(400), Duration::from_millis(1_500)];

/// The longest pause that a server's `Retry-After` may ask for.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(5);

/// The most of an error's body that is read, in bytes.
const MAX_ERROR_BODY: usize = 16 * 1024;

/// A model behind an OpenAI-compatible endpoint.
pub struct OpenAi {
    http: reqwest::Client,
    url: String,
    api_key: Option<String>,
    model: String,
    system: Option<String>,
    stall: Duration,
}

impl OpenAi {
    /// `base_url` ends in `/`; `stall` is the silence after which the server counts as gone.
    pub fn new(
        http: reqwest::Client,
        base_url: url::Url,
        api_key: Option<String>,
        model: String,
        system: Option<String>,
        stall: Duration,
    ) -> Self {
        Self { http, url: format!("{base_url}chat/completions"), api_key, model, system, stall }
    }

    /// Sends the request, again if the server says that it may work later.
    async fn open(&self, request: &TurnRequest<'_>) -> Result<Response, ProviderError> {
        let body = Bytes::from(request::body(&self.model, self.system.as_deref(), request).to_string());
        let mut pauses = RETRY_PAUSES.into_iter();
        loop {
            let (error, wanted_pause) = match self.send(request.context, &body).await {
                Ok(response) if response.status().is_success() => return Ok(response),
                Ok(response) => {
                    let pause = retry_after(&response);
                    (self.refusal(response).await, pause)
                }
                Err(error) => (error, None),
            };
            let error = self.redact(error);
            let ProviderError::Upstream { retryable: true, .. } = &error else { return Err(error) };
            let Some(pause) = pauses.next() else { return Err(error) };
            let pause = wanted_pause.map_or(pause, |wanted| wanted.min(MAX_RETRY_AFTER));
            tracing::warn!(run_id = %request.context.run_id(), %error, retry_in_ms = pause.as_millis(), "model refused");
            tokio::select! {
                biased;
                halt = request.context.halted() => return Err(ProviderError::Halted(halt)),
                () = sleep(pause) => {}
            }
        }
    }

    async fn send(&self, context: &RunContext, body: &Bytes) -> Result<Response, ProviderError> {
        let mut call = self.http.post(&self.url).header(CONTENT_TYPE, "application/json").body(body.clone());
        if let Some(key) = &self.api_key {
            call = call.bearer_auth(key);
        }
        let started = Instant::now();
        let sent = tokio::select! {
            biased;
            halt = context.halted() => return Err(ProviderError::Halted(halt)),
            sent = timeout(self.stall, call.send()) => sent,
        };
        let outcome = match &sent {
            Ok(Ok(response)) if response.status().is_success() => "ok",
            Ok(Ok(_)) => "refused",
            Ok(Err(_)) => "unreachable",
            Err(_) => "silent",
        };
        metrics().upstream(outcome, started.elapsed());
        match sent {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(error)) => Err(ProviderError::unavailable(
                format!("the model's server cannot be reached: {}", plain(&error)),
                true,
            )),
            Err(_) => Err(body::silent(self.stall)),
        }
    }

    async fn refusal(&self, response: Response) -> ProviderError {
        let status = response.status();
        let said = timeout(self.stall, first_bytes(response)).await.unwrap_or_default();
        let said = request::error_text(&said);
        let hint = match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => "the model's server refused the key",
            StatusCode::NOT_FOUND => "the model's server does not know this model or address",
            StatusCode::TOO_MANY_REQUESTS => "the model's server is busy or a quota is used up",
            status if status.is_server_error() => "the model's server failed",
            _ => "the model's server refused the request",
        };
        let detail = said.map_or_else(String::new, |said| format!(": {said}"));
        let retryable = status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error();
        ProviderError::unavailable(format!("{hint} ({}){detail}", status.as_u16()), retryable)
    }
}

#[async_trait]
impl Provider for OpenAi {
    fn model(&self) -> Option<&str> {
        Some(&self.model)
    }

    async fn turn(&self, request: TurnRequest<'_>, sink: &mut dyn TurnSink) -> Result<Turn, ProviderError> {
        self.take_turn(request, sink).await.map_err(|error| self.redact(error))
    }
}

impl OpenAi {
    /// A server may repeat the key in its errors; people and logs must not see it.
    fn redact(&self, error: ProviderError) -> ProviderError {
        match (error, &self.api_key) {
            (ProviderError::Upstream { code, message, retryable }, Some(key)) => {
                ProviderError::Upstream { code, message: message.replace(key.as_str(), "[key]"), retryable }
            }
            (error, _) => error,
        }
    }

    async fn take_turn(&self, request: TurnRequest<'_>, sink: &mut dyn TurnSink) -> Result<Turn, ProviderError> {
        let response = self.open(&request).await?;
        let kind = response.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        if !kind.starts_with("text/event-stream") {
            let kind = kind.split(';').next().unwrap_or_default().to_owned();
            return Err(ProviderError::protocol(format!(
                "the model's server answered {kind:?} instead of an event stream"
            )));
        }
        let unread = Unread::default();
        let mut events = pin!(body::limited(response.bytes_stream(), self.stall, &unread).eventsource());
        let mut assembly = Assembly::default();
        loop {
            let event = tokio::select! {
                biased;
                halt = request.context.halted() => return Err(ProviderError::Halted(halt)),
                event = events.next() => event,
            };
            unread.clear();
            match event {
                None => break,
                Some(Err(EventStreamError::Transport(error))) => return Err(error),
                Some(Err(error)) => {
                    return Err(ProviderError::protocol(format!("the model's answer cannot be read: {error}")));
                }
                Some(Ok(event)) if event.data.trim() == "[DONE]" => {
                    assembly.done();
                    break;
                }
                Some(Ok(event)) => {
                    for piece in assembly.read(&event.data)? {
                        sink.piece(piece).await?;
                    }
                }
            }
        }
        assembly.finish()
    }
}

fn retry_after(response: &Response) -> Option<Duration> {
    let seconds = response.headers().get("retry-after")?.to_str().ok()?.parse().ok()?;
    Some(Duration::from_secs(seconds))
}

async fn first_bytes(mut response: Response) -> Vec<u8> {
    let mut bytes = Vec::new();
    while bytes.len() < MAX_ERROR_BODY
        && let Ok(Some(chunk)) = response.chunk().await
    {
        bytes.extend_from_slice(&chunk);
    }
    bytes
}

/// The innermost cause: "connection refused" rather than "error sending request for url".
fn plain(error: &dyn std::error::Error) -> String {
    std::iter::successors(Some(error), |error| error.source()).last().map_or_else(String::new, ToString::to_string)
}
