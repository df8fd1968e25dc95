//! `netra agents check`: asks a model one question with one tool, and says in one line what works.

use std::time::{Duration, Instant};

use async_trait::async_trait;
use serde_json::json;
use tokio::time::timeout;

use super::model::{self, ChatMessage, Ending, GivenFile, ModelError, Piece, Sink, Turn, TurnEnd};
use crate::server::{config::ModelConfig, tool::ToolSpec};

/// How long one server may take in all.
const PATIENCE: Duration = Duration::from_mins(2);

/// What was found.
#[derive(Debug)]
pub struct Report {
    /// The agent.
    pub agent: String,
    /// Its model and where that is.
    pub model: String,
    /// What works, or why nothing does.
    pub found: Result<Works, String>,
}

/// What became of the tool that was offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tools {
    /// It was called.
    Called,
    /// The server refused tools, and answered without.
    Refused,
    /// It was not called.
    NotCalled,
    /// The settings offer none.
    Off,
}

/// What a server was seen to do.
#[derive(Debug)]
#[allow(clippy::struct_excessive_bools, reason = "each is a column of the line")]
pub struct Works {
    /// A key was sent, and not refused.
    pub key: bool,
    /// Until the first piece.
    pub first: Option<Duration>,
    /// The answer came in pieces.
    pub stream: bool,
    /// What became of the tool.
    pub tools: Tools,
    /// A picture went with the question, and whether the server took it; absent where the settings name none.
    pub images: Option<bool>,
    /// Thoughts were shown.
    pub reasoning: bool,
    /// Tokens were counted.
    pub usage: bool,
    /// The answer was cut off or refused.
    pub ending: Ending,
}

impl Report {
    /// The line that is printed.
    pub fn line(&self) -> String {
        let Self { agent, model, found } = self;
        match found {
            Err(why) => format!("{agent}: {model}: FAILED: {why}"),
            Ok(works) => format!("{agent}: {model}: {}", works.words()),
        }
    }

    /// Whether the model answered, and its answer is whole.
    pub fn is_fine(&self) -> bool {
        self.found.as_ref().is_ok_and(|works| works.first.is_some() && works.ending == Ending::Done)
    }
}

impl Works {
    fn words(&self) -> String {
        let yes = |works: bool| if works { "yes" } else { "no" };
        let first = self.first.map_or_else(|| "no word".to_owned(), |first| format!("first word after {first:.1?}"));
        let key = if self.key { "key accepted" } else { "no key" };
        let tools = match self.tools {
            Tools::Called => "tools yes",
            Tools::Refused => "tools refused, answers without",
            Tools::NotCalled => "tools offered, not called",
            Tools::Off => "tools switched off",
        };
        let images = match self.images {
            Some(true) => "images yes",
            Some(false) => "images refused, answers without",
            None => "images not asked for",
        };
        let mut words = format!(
            "reached, {key}, {first}, stream {}, {tools}, {images}, reasoning {}, usage {}",
            yes(self.stream),
            yes(self.reasoning),
            yes(self.usage)
        );
        let ended = match &self.ending {
            Ending::Done => return words,
            Ending::Length => "cut off at the limit of tokens",
            Ending::Filtered => "cut off by a content filter",
            Ending::Refused => "refused by the model",
            Ending::Other(reason) => reason.as_str(),
        };
        words = format!("{words}, ANSWER NOT WHOLE: {ended}");
        words
    }
}

/// What came, and when.
struct Seen {
    begun: Instant,
    first: Option<Duration>,
    texts: usize,
    thoughts: usize,
    notes: Vec<String>,
}

#[async_trait]
impl Sink for Seen {
    async fn piece(&mut self, piece: Piece) {
        match piece {
            Piece::Text(_) => self.texts += 1,
            Piece::Thinking(_) => self.thoughts += 1,
            Piece::WasThinking => self.thoughts += std::mem::take(&mut self.texts),
            Piece::Note(note) => {
                self.notes.push(note);
                return;
            }
        }
        self.first.get_or_insert_with(|| self.begun.elapsed());
    }
}

/// Asks the model of this configuration.
pub async fn check(agent: &str, config: &ModelConfig, http: &reqwest::Client) -> Report {
    let model = model::build(config, http);
    let tool = ToolSpec {
        name: "multiply".to_owned(),
        description: "Multiplies two whole numbers exactly.".to_owned(),
        parameters: json!({
            "type": "object",
            "properties": { "a": { "type": "integer" }, "b": { "type": "integer" } },
            "required": ["a", "b"],
        }),
        idempotent: true,
    };
    let question = "Use the tool `multiply` to work out 17 times 23. If you have no such tool, say so in one sentence.";
    let images = config.settings.takes.images;
    let files = if images { vec![picture()] } else { Vec::new() };
    let messages = [ChatMessage::User { text: question.to_owned(), files }];
    let mut seen = Seen { begun: Instant::now(), first: None, texts: 0, thoughts: 0, notes: Vec::new() };
    let turn = Turn { messages: &messages, tools: &[&tool] };
    let end = timeout(PATIENCE, model.turn(turn, &mut seen)).await;
    let place = config.base_url.origin().ascii_serialization();
    Report {
        agent: agent.to_owned(),
        model: format!("{} at {place}", config.settings.model),
        found: match end {
            Err(_) => Err(format!("no end of the answer within {} s", PATIENCE.as_secs())),
            Ok(Err(ModelError { message, .. })) => Err(message),
            Ok(Ok(end)) => Ok(works(&seen, end, config)),
        },
    }
}

/// A red square of 64 by 64 pixels as PNG; some models take nothing much smaller.
const PICTURE: &str = "iVBORw0KGgoAAAANSUhEUgAAAEAAAABAAQMAAACQp+OdAAAAA1BMVEXIHh4WiPieAAAAD0lEQVR42mNgGAWjgHwAAAJAAAHgTR1EAAAAAElFTkSuQmCC";

fn picture() -> GivenFile {
    GivenFile { name: "square.png".to_owned(), media_type: "image/png".to_owned(), base64: PICTURE.into() }
}

fn works(seen: &Seen, end: TurnEnd, config: &ModelConfig) -> Works {
    let refused = |part: &str| seen.notes.iter().any(|note| note.contains(part));
    let called = !end.calls.is_empty();
    Works {
        // It may stand in a header of its own.
        key: config.api_key.is_some() || !config.headers.is_empty(),
        first: seen.first.or_else(|| called.then(|| seen.begun.elapsed())),
        // One piece may be a whole short answer; a call alone says nothing about text.
        stream: !end.whole && (seen.texts + seen.thoughts > 1 || called),
        tools: match config.settings.tool_use {
            _ if called => Tools::Called,
            Some(false) => Tools::Off,
            _ if refused("takes no tools") => Tools::Refused,
            Some(true) | None => Tools::NotCalled,
        },
        images: config.settings.takes.images.then(|| !refused("attached files")),
        reasoning: seen.thoughts > 0,
        usage: end.usage.is_some(),
        ending: end.ending,
    }
}
