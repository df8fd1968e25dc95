//! Reading a streamed answer to its end, whatever its protocol.

use std::collections::{BTreeSet, HashSet};

use serde_json::Value;

use super::{
    ModelError, Piece, Server, Settings, Sink, Source, Turn, TurnEnd,
    body::{Body, is_done},
    exchange,
    http::AFTER_END,
    json,
    parts::{Part, Parts},
    sse::Event,
};
use crate::server::metrics::metrics;
#[cfg(debug_assertions)]
use crate::server::tool::for_tests;

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

/// A model behind one protocol of its server.
pub(super) struct Asked {
    pub(super) server: Server,
    pub(super) settings: Settings,
    parts: Parts,
    source: Source,
}

impl Asked {
    pub(super) fn new(server: Server, settings: Settings) -> Self {
        let parts = Parts::new(settings.tool_use);
        let source = Source::new(server.url(), &settings.model);
        Self { server, settings, parts, source }
    }

    pub(super) fn source(&self) -> &Source {
        &self.source
    }

    /// Takes a turn: sends what `request` makes of it, and reads the answer to its end.
    pub(super) async fn turn<A: Assemble>(
        &self,
        turn: Turn<'_>,
        sink: &mut dyn Sink,
        request: fn(&Settings, &Turn<'_>, &BTreeSet<Part>) -> Value,
    ) -> Result<TurnEnd, ModelError> {
        let request = |left_out: &BTreeSet<Part>| {
            if !left_out.contains(&Part::Tools) && !left_out.contains(&Part::EarlierCalls) {
                return request(&self.settings, &turn, left_out);
            }
            let messages = exchange::earlier_in_words(turn.messages);
            request(&self.settings, &Turn { messages: &messages, ..turn }, left_out)
        };
        let body = self.parts.open(&self.server, &self.settings.model, &turn, sink, request).await?;
        let mut assembly = A::default();
        Reading::watch(async {
            let broken = read_through(&self.server, body, &mut assembly, sink).await?;
            assembly.finish(broken, &turn.call_ids())
        })
        .await
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

/// Reads until the end, and gives what broke the stream, if something did. Whether that matters, the reader knows.
async fn read_through(
    server: &Server,
    mut body: Body,
    reader: &mut impl Reader,
    sink: &mut dyn Sink,
) -> Result<Option<ModelError>, ModelError> {
    let broken = loop {
        let patience = if reader.has_ended() { AFTER_END.min(server.stall()) } else { server.stall() };
        let event = match body.next(patience).await {
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
