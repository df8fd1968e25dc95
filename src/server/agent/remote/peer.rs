//! One exchange with a remote agent: a request, and events until the end of its run; held to silence and size.

use netra_ws::ErrorCode;
use reqwest::{
    Response,
    header::{ACCEPT, AUTHORIZATION},
};
use tokio::time::{Instant, timeout, timeout_at};
use url::Url;

use super::{
    read::{Fault, Reader, Said, frames::Frames},
    request::{self, Asked},
};
use crate::server::{
    agent::model::{
        Again, ModelError, Server,
        body::Broken,
        breaker::Pass,
        http::{AFTER_END, plain},
        sse::Event,
    },
    config::RemoteConfig,
    metrics::metrics,
};

/// What agents are asked to answer with.
const STREAMS: &str = "text/event-stream, application/x-ndjson;q=0.9, application/json;q=0.8";

/// The agent's server, and how it is spoken to.
pub(super) struct Peer {
    config: RemoteConfig,
    http: reqwest::Client,
}

impl Peer {
    pub(super) fn new(config: RemoteConfig, http: reqwest::Client) -> Self {
        Self { config, http }
    }

    pub(super) fn config(&self) -> &RemoteConfig {
        &self.config
    }

    fn server(&self, url: &Url) -> Server {
        let server = Server::new(self.http.clone(), url, "", self.config.stall).header(ACCEPT, STREAMS, "");
        let headers = self.config.headers.iter();
        let server = headers.fold(server, |server, (name, value)| server.header(name.clone(), value, value));
        match &self.config.api_key {
            Some(key) => server.header(AUTHORIZATION, &format!("Bearer {key}"), key),
            None => server,
        }
    }

    /// Sends the request; gives the answer that begins.
    pub(super) async fn open(&self, asked: &Asked<'_>) -> Result<Exchange, ModelError> {
        let (url, body, reader) = request::of(&self.config, asked);
        let server = self.server(&url);
        let body = server.post(&body).await.map_err(|refusal| worded(refusal.into()))?;
        let (response, pass) = body.into_parts();
        Ok(Exchange {
            server,
            response,
            pass,
            frames: Frames::default(),
            reader,
            has_spoken: false,
            until: None,
            outcome: "stopped",
        })
    }
}

/// An answer that is being read. It is counted once it is over, however that comes about.
pub(super) struct Exchange {
    server: Server,
    response: Response,
    pass: Pass,
    frames: Frames,
    reader: Box<dyn Reader>,
    has_spoken: bool,
    /// How long the end of the stream is waited for, once the run has ended.
    until: Option<Instant>,
    outcome: &'static str,
}

impl Exchange {
    /// What the agent says next; nothing at the end of its run. Dropping the future loses nothing that came.
    pub(super) async fn next(&mut self) -> Result<Option<Vec<Said>>, ModelError> {
        if self.outcome != "stopped" {
            return Ok(None);
        }
        let said = self.read().await;
        match &said {
            Ok(Some(_)) => {}
            Ok(None) => self.outcome = "ok",
            Err(error) => {
                self.outcome = "broken";
                if !self.has_spoken {
                    self.server.said_nothing(self.pass, error);
                }
            }
        }
        said
    }

    async fn read(&mut self) -> Result<Option<Vec<Said>>, ModelError> {
        loop {
            let patience = self.server.stall();
            let chunk = match self.until {
                None => timeout(patience, self.response.chunk()).await,
                Some(until) => timeout_at(until, self.response.chunk()).await,
            };
            let events = match chunk {
                // The run has ended; its stream need not.
                Err(_) | Ok(Err(_)) if self.reader.has_ended() => return self.finish(),
                Err(_) => return Err(worded(self.server.silent())),
                Ok(Err(error)) => return Err(worded(self.server.broken(Broken::Cut(plain(error))))),
                Ok(Ok(Some(bytes))) => self.frames.push(&bytes).map_err(|broken| worded(self.server.broken(broken)))?,
                Ok(Ok(None)) => match std::mem::take(&mut self.frames).finish() {
                    Some(event) => vec![event],
                    None => return self.finish(),
                },
            };
            let said = self.tell(&events)?;
            if self.reader.has_ended() && self.until.is_none() {
                self.until = Some(Instant::now() + AFTER_END.min(patience));
            }
            if !said.is_empty() {
                return Ok(Some(said));
            }
        }
    }

    fn tell(&mut self, events: &[Event]) -> Result<Vec<Said>, ModelError> {
        let mut all = Vec::new();
        for event in events {
            #[cfg(debug_assertions)]
            crate::server::tool::for_tests::fault(&event.kind);
            match self.reader.read(&event.kind, &event.data) {
                Ok(said) => all.extend(said),
                // Its end was told: what follows cannot take it back.
                Err(_) if self.reader.has_ended() => {}
                Err(fault) => {
                    self.answered();
                    return Err(self.error(fault));
                }
            }
            self.answered();
        }
        Ok(all)
    }

    fn answered(&mut self) {
        if !std::mem::replace(&mut self.has_spoken, true) {
            self.server.answered();
        }
    }

    fn finish(&mut self) -> Result<Option<Vec<Said>>, ModelError> {
        match self.reader.finish() {
            Ok(said) if said.is_empty() => Ok(None),
            Ok(said) => {
                self.outcome = "ok";
                Ok(Some(said))
            }
            Err(fault) => Err(self.error(fault)),
        }
    }

    fn error(&self, fault: Fault) -> ModelError {
        match fault {
            Fault::Protocol(message) => ModelError::protocol(self.server.redact(&message)),
            Fault::BrokenOff => worded(ModelError::broke_off(" before its end")),
            Fault::Failed(message) => ModelError {
                code: ErrorCode::AgentFailed,
                message: format!("the agent failed: {}", self.server.redact(&shortened(&message))),
                retryable: true,
                again: Again::No,
            },
        }
    }

    /// Whether any event came.
    pub(super) fn has_spoken(&self) -> bool {
        self.has_spoken
    }

    /// What read the events.
    pub(super) fn into_reader(mut self) -> Box<dyn Reader> {
        std::mem::replace(&mut self.reader, Box::new(request::Nothing))
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        metrics().upstream(self.outcome);
    }
}

/// Characters of a failure's words that are shown.
const MAX_WORDS: usize = 600;

fn shortened(words: &str) -> String {
    let words = words.split_whitespace().collect::<Vec<_>>().join(" ");
    match words.char_indices().nth(MAX_WORDS) {
        Some((at, _)) => format!("{}…", &words[..at]),
        None => words,
    }
}

/// The same about an agent: what stands behind it, nobody knows.
fn worded(error: ModelError) -> ModelError {
    let message = error
        .message
        .replacen("the model's server", "the agent's server", 1)
        .replacen("the model's answer", "the agent's answer", 1)
        .replacen("the model's address", "the agent's address", 1)
        .replacen("this model or address", "this address", 1);
    ModelError { message, ..error }
}
