//! Chat completions with `stream: true`, as OpenAI describes them and others vary them.

mod chunk;
mod request;

use async_trait::async_trait;

use super::{Model, ModelError, Server, Settings, Sink, Source, Turn, TurnEnd, stream::Asked};
use chunk::Assembly;

/// A model behind an OpenAI-compatible endpoint.
pub struct Chat(Asked);

impl Chat {
    /// The path below an address that ends in `/v1`.
    pub const PATH: &str = "chat/completions";

    /// The model of these settings on this server.
    pub fn new(server: Server, settings: Settings) -> Self {
        Self(Asked::new(server, settings))
    }
}

#[async_trait]
impl Model for Chat {
    fn name(&self) -> Option<&str> {
        Some(&self.0.settings.model)
    }

    fn source(&self) -> &Source {
        self.0.source()
    }

    async fn turn(&self, turn: Turn<'_>, sink: &mut dyn Sink) -> Result<TurnEnd, ModelError> {
        self.0.turn::<Assembly>(turn, sink, request::body).await
    }
}

/// What puts an answer together, for the fuzz targets.
#[cfg(any(test, fuzzing))]
pub(super) fn reader() -> Assembly {
    Assembly::default()
}
