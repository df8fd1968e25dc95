//! Reading a streamed answer to its end, whatever its protocol.

use std::{
    collections::{BTreeSet, HashSet},
    marker::PhantomData,
};

use async_trait::async_trait;
use reqwest::header::AUTHORIZATION;
use serde_json::Value;
use tokio::time::{Instant, timeout_at};

use super::{
    Ending, Model, ModelError, Piece, Server, Settings, Sink, Source, Turn, TurnEnd,
    body::{Body, Broken, is_done},
    exchange,
    http::AFTER_END,
    json,
    parts::{Part, Parts},
    sse::Event,
};
use crate::server::metrics::metrics;
#[cfg(debug_assertions)]
use crate::server::tool::for_tests;

/// Characters of a server's reason to end that are shown.
const MAX_REASON: usize = 80;

/// What puts a protocol's events together.
pub(super) trait Reader: Send {
    /// Reads one event; gives the pieces to show.
    fn read(&mut self, event: &Event) -> Result<Vec<Piece>, ModelError>;

    /// The server gave its reason to end; what follows is welcome and not needed.
    fn has_ended(&self) -> bool;

    /// Nothing follows.
    fn is_done(&self) -> bool;

    /// What was held back until it could be told.
    fn rest(&mut self) -> Vec<Piece> {
        Vec::new()
    }
}

/// What puts a whole answer together.
pub(super) trait Assemble: Reader + Default {
    /// The turn, unless it has no end; `taken` are the ids that its calls must not have.
    fn finish(self, broken: Option<ModelError>, taken: &HashSet<&str>) -> Result<TurnEnd, ModelError>;
}

/// How one protocol asks, and what reads its answers.
pub(super) trait Wire: Send + Sync + 'static {
    /// The path below an address that ends in `/v1`.
    const PATH: &str;

    /// What puts an answer together.
    type Answer: Assemble;

    /// The server with what every request names, the key among it.
    fn headed(server: Server, key: Option<&str>) -> Server {
        match key {
            Some(key) => server.header(AUTHORIZATION, &format!("Bearer {key}"), key),
            None => server,
        }
    }

    /// A turn's request, without the parts that are left out.
    fn request(settings: &Settings, turn: &Turn<'_>, left_out: &BTreeSet<Part>) -> Value;
}

/// A model behind one protocol of its server.
pub(super) struct Asked<W> {
    server: Server,
    settings: Settings,
    parts: Parts,
    source: Source,
    wire: PhantomData<W>,
}

#[async_trait]
impl<W: Wire> Model for Asked<W> {
    fn name(&self) -> Option<&str> {
        Some(&self.settings.model)
    }

    fn source(&self) -> &Source {
        &self.source
    }

    async fn turn(&self, turn: Turn<'_>, sink: &mut dyn Sink) -> Result<TurnEnd, ModelError> {
        let request = |left_out: &BTreeSet<Part>| {
            let changes = [Part::Tools, Part::EarlierCalls, Part::EarlierFiles];
            if !changes.iter().any(|part| left_out.contains(part)) {
                return W::request(&self.settings, &turn, left_out);
            }
            let in_words = left_out.contains(&Part::Tools) || left_out.contains(&Part::EarlierCalls);
            let messages = if in_words { exchange::earlier_in_words(turn.messages) } else { turn.messages.to_vec() };
            let named = left_out.contains(&Part::EarlierFiles);
            let messages = if named { exchange::earlier_files_named(&messages) } else { messages };
            W::request(&self.settings, &Turn { messages: &messages, ..turn }, left_out)
        };
        let mut body = self.parts.open(&self.server, &self.settings.model, &turn, sink, request).await?;
        let mut assembly = W::Answer::default();
        let mut heard = false;
        let ended = Reading::watch(async {
            let broken = read_through(&self.server, &mut body, &mut assembly, sink, &mut heard).await?;
            assembly.finish(broken, &turn.call_ids())
        })
        .await;
        match &ended {
            Ok(_) => self.server.answered(),
            // What was heard was counted.
            Err(_) if heard => {}
            Err(error) => self.server.said_nothing(body.pass(), error),
        }
        let end = ended?;
        Ok(TurnEnd { ending: self.reason(end.ending), whole: body.is_whole(), ..end })
    }
}

impl<W: Wire> Asked<W> {
    /// The model of these settings on this server.
    pub(super) fn new(server: Server, settings: Settings) -> Self {
        let parts = Parts::new(settings.tool_use);
        let source = Source::new(server.url(), &settings.model);
        Self { server, settings, parts, source, wire: PhantomData }
    }

    /// An ending with a reason that can be shown.
    fn reason(&self, ending: Ending) -> Ending {
        match ending {
            Ending::Other(reason) => Ending::Other(self.server.redact(&reason).chars().take(MAX_REASON).collect()),
            Ending::Done | Ending::Length | Ending::Filtered | Ending::Refused => ending,
        }
    }
}

/// An event of a protocol whose events are objects that name their kind; nothing where the event says nothing.
pub(super) fn named(event: &Event) -> Result<Option<(String, Value)>, ModelError> {
    let data = event.data.trim();
    if data.is_empty() || is_done(data) {
        return Ok(None);
    }
    match json::read(data) {
        Ok(value @ Value::Object(_)) => {
            let kind = value["type"].as_str().unwrap_or(&event.kind).to_owned();
            Ok(Some((kind, value)))
        }
        Ok(_) => Err(ModelError::protocol("the model's server sent an event that is no JSON object")),
        Err(error) => Err(ModelError::protocol(format!("the model's server sent an event that is no JSON: {error}"))),
    }
}

/// An answer that is being read. It is counted once it is over, however that comes about.
struct Reading {
    outcome: &'static str,
}

impl Reading {
    /// Waits for the whole answer. Who lets go before has stopped the run.
    async fn watch<T>(answer: impl Future<Output = Result<T, ModelError>>) -> Result<T, ModelError> {
        let mut this = Self { outcome: "stopped" };
        let ended = answer.await;
        this.outcome = if ended.is_ok() { "ok" } else { "broken" };
        ended
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        metrics().upstream(self.outcome);
    }
}

/// Reads until the end, and gives what broke the stream, if something did. Whether that matters, the reader knows. `heard` turns
/// true with the first piece.
async fn read_through(
    server: &Server,
    body: &mut Body,
    reader: &mut impl Reader,
    sink: &mut dyn Sink,
    heard: &mut bool,
) -> Result<Option<ModelError>, ModelError> {
    let mut until = None;
    let broken = loop {
        let next = match until {
            None => body.next(server.stall()).await,
            // Comments do not put the end off.
            Some(until) => timeout_at(until, body.next(server.stall())).await.unwrap_or(Err(Broken::Silent)),
        };
        let event = match next {
            Ok(Some(event)) => event,
            Ok(None) => break None,
            Err(broken) => break Some(server.broken(broken)),
        };
        #[cfg(debug_assertions)]
        for_tests::fault(&event.kind);
        let pieces = match reader.read(&event) {
            Ok(pieces) => pieces,
            // The answer is whole without it.
            Err(error) if reader.has_ended() => break Some(server.redacted(error)),
            Err(error) => return Err(server.redacted(error)),
        };
        if !pieces.is_empty() && !std::mem::replace(heard, true) {
            server.answered();
        }
        // Words behind a reason to end are words all the same.
        if reader.has_ended() && (until.is_none() || !pieces.is_empty()) {
            until = Some(Instant::now() + AFTER_END.min(server.stall()));
        }
        for piece in pieces {
            sink.piece(piece).await;
        }
        if reader.is_done() {
            break None;
        }
    };
    for piece in reader.rest() {
        sink.piece(piece).await;
    }
    Ok(broken)
}
