//! Models: one turn in; thoughts, text and tool calls out. A model knows nothing of runs, events or people.
//!
//! - [`chat`]: chat completions, as OpenAI describes them and everyone else varies them;
//! - [`responses`], [`messages`]: OpenAI's Responses API and Anthropic's Messages API;
//! - `http`, `refusal`, `breaker`: one server: its address, its key, what it means when it refuses, and when it is left alone;
//! - `parts`, `blame`: what a server refuses by name and can do without;
//! - `stream`, `body`, `sse`, `json`: from bytes to events to values, held to limits;
//! - `order`: what stood where in a turn that goes back; `failure`: why a turn failed;
//! - `exchange`: a question and what followed, told as words where calls cannot go;
//! - `calls`, `tags`, `words`: tool calls, thoughts in tags and errors, read whatever their shape.

mod blame;
pub(in crate::server::agent) mod body;
pub(in crate::server::agent) mod breaker;
mod calls;
pub mod chat;
pub(super) mod exchange;
mod failure;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
pub(in crate::server::agent) mod http;
mod json;
pub mod messages;
mod order;
mod parts;
mod refusal;
pub mod responses;
pub(in crate::server::agent) mod sse;
mod stream;
mod tags;
mod words;

use std::{
    borrow::Cow,
    collections::{BTreeSet, HashSet},
    sync::Arc,
};

use async_trait::async_trait;
use netra_ws::model::Usage;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use url::{Position, Url};

use crate::server::{
    config::{ModelConfig, Protocol},
    tool::{ToolRequest, ToolSpec},
};
use chat::Chat;
use failure::failed;
pub use failure::{Again, ModelError};
pub use http::{Server, client};
use messages::Messages;
use parts::Part;
use responses::Responses;
use stream::{Asked, Wire};

/// A message of the conversation as a model sees it.
#[derive(Clone, Debug)]
pub enum ChatMessage {
    /// A person's.
    User {
        /// The text; empty only beside files.
        text: String,
        /// Files that the model takes.
        files: Vec<GivenFile>,
    },
    /// The agent's: text, and the tools it called.
    Assistant {
        /// The text; may be empty.
        text: String,
        /// The calls.
        calls: Vec<ToolRequest>,
        /// What the model's server wants to see again.
        replay: Replay,
    },
    /// What a tool returned.
    Tool {
        /// Which call.
        id: String,
        /// The tool.
        name: String,
        /// The result as JSON text.
        result: String,
    },
}

impl ChatMessage {
    /// A person's words.
    pub fn user(text: impl Into<String>) -> Self {
        Self::User { text: text.into(), files: Vec::new() }
    }
}

/// What a model can be given beside text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Takes {
    /// Pictures.
    pub images: bool,
    /// PDF documents.
    pub files: bool,
}

/// A file beside a person's words.
#[derive(Clone, Debug)]
pub struct GivenFile {
    /// Its name.
    pub name: String,
    /// Its type: that of a picture, or of a document.
    pub media_type: String,
    /// Its bytes in Base64; empty where its name alone is given.
    pub base64: Arc<str>,
}

impl GivenFile {
    /// A file of which its name alone is given.
    pub(crate) fn named(name: &str, media_type: &str) -> Self {
        Self { name: name.to_owned(), media_type: media_type.to_owned(), base64: Arc::default() }
    }

    pub(in crate::server::agent) fn is_image(&self) -> bool {
        self.media_type.starts_with("image/")
    }

    pub(in crate::server::agent) fn data_url(&self) -> String {
        format!("data:{};base64,{}", self.media_type, self.base64)
    }
}

/// A person's words and files, as a request carries them: files that the server refused are named.
fn said<'a>(text: &'a str, files: &'a [GivenFile], left_out: &BTreeSet<Part>) -> (Cow<'a, str>, &'a [GivenFile]) {
    if files.is_empty() || !left_out.contains(&Part::Files) {
        return (text.into(), files);
    }
    (named(text, files).into(), &[])
}

/// Words with the names of files that are not shown.
fn named(text: &str, files: &[GivenFile]) -> String {
    let names = files.iter().map(|file| format!("\n\n[The attached file {:?} cannot be shown to you.]", file.name));
    names.fold(text.to_owned(), |text, name| text + &name)
}

/// A tool's name as servers take it back; models make up names such as `functions.x`, and a request that repeats them is refused.
fn tool_name(name: &str) -> Cow<'_, str> {
    const LONGEST: usize = 64;
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if name.chars().all(plain) && (1..=LONGEST).contains(&name.len()) {
        return name.into();
    }
    let cleaned: String = name.chars().take(LONGEST).map(|c| if plain(c) { c } else { '_' }).collect();
    if cleaned.is_empty() { "unknown".into() } else { cleaned.into() }
}

/// What a server said beside words and calls and wants back unchanged: reasoning, its signatures, its own items. Only the model
/// that made it reads it; `null` when there is nothing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Replay(pub Value);

/// Who sent a turn: a model behind one address. What it wants to see again goes to nobody else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source([u8; 32]);

impl Source {
    /// The model of this name at this address, which says its protocol, too; keys in it may change.
    pub(in crate::server::agent) fn new(url: &Url, model: &str) -> Self {
        Self(
            Sha256::new()
                .chain_update(&url[Position::BeforeHost..Position::AfterPath])
                .chain_update([0])
                .chain_update(model)
                .finalize()
                .into(),
        )
    }

    /// The agent of this kind and name, which has no address.
    pub(in crate::server::agent) fn named(kind: &str, name: &str) -> Self {
        Self(Sha256::new().chain_update(kind).chain_update([0]).chain_update(name).finalize().into())
    }

    /// The SHA-256 of it.
    pub(in crate::server) fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// What a model is asked.
#[derive(Clone, Copy)]
pub struct Turn<'a> {
    /// The conversation, oldest first. It begins with a person's message, and roles alternate.
    pub messages: &'a [ChatMessage],
    /// Tools that may be called.
    pub tools: &'a [&'a ToolSpec],
}

impl<'a> Turn<'a> {
    /// The ids of the calls in the conversation.
    fn call_ids(&self) -> HashSet<&'a str> {
        let id = |message: &'a ChatMessage| match message {
            ChatMessage::Tool { id, .. } => Some(id.as_str()),
            ChatMessage::User { .. } | ChatMessage::Assistant { .. } => None,
        };
        self.messages.iter().filter_map(id).collect()
    }
}

/// What a model is told in every turn.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Its name at its server.
    pub model: String,
    /// Instructions put before every conversation.
    pub system: Option<String>,
    /// Whether it takes tools; found out when absent.
    pub tool_use: Option<bool>,
    /// What it is given beside text.
    pub takes: Takes,
    /// Fields for the request's body, as they are; an object or `null`.
    pub options: Value,
}

/// Adds an object's fields to a value.
fn extend(value: &mut Value, more: Option<&Value>) {
    if let (Value::Object(fields), Some(Value::Object(more))) = (value, more) {
        fields.extend(more.clone());
    }
}

/// A piece of a turn, as it comes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// Of a thought.
    Thinking(String),
    /// Of the answer.
    Text(String),
    /// All text of this turn so far was a thought: only its closing tag told.
    WasThinking,
    /// A word about the model for the person, such as what its server does not take.
    Note(String),
}

impl Piece {
    fn len(&self) -> usize {
        match self {
            Self::Thinking(text) | Self::Text(text) | Self::Note(text) => text.len(),
            Self::WasThinking => 0,
        }
    }
}

/// Bytes of text and thoughts in one turn, shown or kept; more than ten times what the largest models write.
const MAX_TEXT: usize = 8 << 20;

/// How much of a turn was written.
#[derive(Debug, Default)]
struct Written(usize);

impl Written {
    /// Bytes are kept that are not shown: seals, details, what may become a tag. They count when the next pieces do.
    fn keep(&mut self, bytes: usize) {
        self.0 = self.0.saturating_add(bytes);
    }

    fn add(&mut self, pieces: &[Piece]) -> Result<(), ModelError> {
        self.0 += pieces.iter().map(Piece::len).sum::<usize>();
        if self.0 > MAX_TEXT {
            return Err(ModelError::protocol(format!("the model wrote more than {} MiB", MAX_TEXT >> 20)));
        }
        Ok(())
    }
}

/// NUL is a character to JSON and an end to databases and terminals.
fn clean(text: &str) -> String {
    text.replace('\0', "")
}

/// Where pieces go.
#[async_trait]
pub trait Sink: Send {
    /// Takes a piece; returns when there is room for more.
    async fn piece(&mut self, piece: Piece);
}

/// Why a turn ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Ending {
    /// The model is done, or wants its calls made.
    #[default]
    Done,
    /// It reached a limit of tokens.
    Length,
    /// A filter cut it off.
    Filtered,
    /// It refused.
    Refused,
    /// Its server gave this reason.
    Other(String),
}

/// What a turn ended with.
#[derive(Debug, Default)]
pub struct TurnEnd {
    /// Why.
    pub ending: Ending,
    /// Tools to call before the next turn; none when the answer is complete.
    pub calls: Vec<ToolRequest>,
    /// Tokens used.
    pub usage: Option<Usage>,
    /// What is sent back with the next turn.
    pub replay: Replay,
    /// The answer came as one value, and not as a stream.
    pub whole: bool,
}

/// Something that takes turns in a conversation.
#[async_trait]
pub trait Model: Send + Sync + 'static {
    /// Its name, if it has one.
    fn name(&self) -> Option<&str>;

    /// Who sends its turns.
    fn source(&self) -> &Source;

    /// Takes one turn: streams pieces into the sink and returns how it ended. Dropping the future ends the request.
    async fn turn(&self, turn: Turn<'_>, sink: &mut dyn Sink) -> Result<TurnEnd, ModelError>;
}

/// The model of a configuration.
pub fn build(config: &ModelConfig, http: &reqwest::Client) -> Box<dyn Model> {
    match config.protocol {
        Protocol::Chat => asked::<Chat>(config, http),
        Protocol::Responses => asked::<Responses>(config, http),
        Protocol::Messages => asked::<Messages>(config, http),
    }
}

fn asked<W: Wire>(config: &ModelConfig, http: &reqwest::Client) -> Box<dyn Model> {
    let server = Server::new(http.clone(), &config.base_url, W::PATH, config.stall);
    let server = config.headers.iter().fold(server, |server, (name, value)| server.header(name.clone(), value, value));
    Box::new(Asked::<W>::new(W::headed(server, config.api_key.as_deref()), config.settings.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_tools_that_go_back() {
        let check = |name: &str, wanted: &str| assert_eq!(tool_name(name), wanted, "{name:?}");
        check("date_time", "date_time");
        check("functions.x", "functions_x");
        check("<tool>é", "_tool__");
        check("", "unknown");
        check(&"x".repeat(65), &"x".repeat(64));
    }
}
