//! Providers: where an agent's words come from. One turn in, thoughts, text and tool calls out.

pub mod guide;
pub mod openai;

use async_trait::async_trait;
use netra_ws::{ErrorCode, emitter::EmitError, model::Usage};

use super::{Halt, RunContext};
use crate::server::tool::{ToolRequest, ToolSpec};

/// A message of the conversation as a provider sees it.
#[derive(Clone, Debug)]
pub enum ChatMessage {
    /// A person's.
    User(String),
    /// The agent's: text, and the tools it called.
    Assistant {
        /// The text; may be empty.
        text: String,
        /// The calls.
        calls: Vec<ToolRequest>,
    },
    /// What a tool returned.
    Tool {
        /// Which call.
        id: String,
        /// The result as JSON text.
        result: String,
    },
}

/// What a provider is asked.
pub struct TurnRequest<'a> {
    /// The run, for its end.
    pub context: &'a RunContext,
    /// The conversation, oldest first.
    pub messages: &'a [ChatMessage],
    /// Tools that may be called.
    pub tools: &'a [&'a ToolSpec],
}

/// A piece of a turn, as it comes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// Of a thought.
    Thinking(String),
    /// Of the answer.
    Text(String),
}

impl Piece {
    /// Its size in bytes.
    fn len(&self) -> usize {
        match self {
            Self::Thinking(text) | Self::Text(text) => text.len(),
        }
    }
}

/// Where pieces go.
#[async_trait]
pub trait TurnSink: Send {
    /// Takes a piece; returns when there is room for more.
    async fn piece(&mut self, piece: Piece) -> Result<(), EmitError>;
}

/// What a turn ended with.
#[derive(Debug, Default)]
pub struct Turn {
    /// Tools to call before the next turn; none when the answer is complete.
    pub calls: Vec<ToolRequest>,
    /// Tokens used.
    pub usage: Option<Usage>,
}

/// Why a turn failed.
#[derive(Debug, thiserror::Error)]
pub enum ProviderError {
    /// The model's server refused, broke off, or said something else than its protocol.
    #[error("{code}: {message}")]
    Upstream {
        /// For programs.
        code: ErrorCode,
        /// For people.
        message: String,
        /// Whether asking again may help.
        retryable: bool,
    },
    /// The run ends.
    #[error("the run was halted: {0:?}")]
    Halted(Halt),
    /// Its events can no longer be written.
    #[error(transparent)]
    Emit(#[from] EmitError),
}

impl ProviderError {
    /// The model's server cannot be reached, refuses or is silent.
    pub fn unavailable(message: impl Into<String>, retryable: bool) -> Self {
        Self::Upstream { code: ErrorCode::UpstreamUnavailable, message: message.into(), retryable }
    }

    /// The model's server does not speak its protocol.
    pub fn protocol(message: impl Into<String>) -> Self {
        Self::Upstream { code: ErrorCode::UpstreamProtocol, message: message.into(), retryable: true }
    }
}

/// Something that answers.
#[async_trait]
pub trait Provider: Send + Sync + 'static {
    /// The model's name, if there is a model.
    fn model(&self) -> Option<&str>;

    /// Takes one turn: streams pieces into the sink and returns the tools to call.
    async fn turn(&self, request: TurnRequest<'_>, sink: &mut dyn TurnSink) -> Result<Turn, ProviderError>;
}
