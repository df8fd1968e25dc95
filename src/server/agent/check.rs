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
    /// The tool was called.
    pub called: bool,
    /// The server refused tools, and answered without.
    pub tools_refused: bool,
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

    /// Whether the model answered.
    pub fn is_fine(&self) -> bool {
        self.found.is_ok()
    }
}

impl Works {
    fn words(&self) -> String {
        let yes = |works: bool| if works { "yes" } else { "no" };
        let first = self.first.map_or_else(|| "no word".to_owned(), |first| format!("first word after {first:.1?}"));
        let key = if self.key { "key accepted" } else { "no key" };
        let tools = match (self.called, self.tools_refused) {
            (true, _) => "tools yes",
            (false, true) => "tools refused, answers without",
            (false, false) => "tools offered, not called",
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
        if self.ending != Ending::Done {
            words = format!("{words}, ended with {:?}", self.ending);
        }
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
            Ok(Ok(end)) => Ok(works(&seen, end, config.api_key.is_some(), images)),
        },
    }
}

/// A red square of 64 by 64 pixels as PNG; some models take nothing much smaller.
const PICTURE: &str = "iVBORw0KGgoAAAANSUhEUgAAAEAAAABAAQMAAACQp+OdAAAAA1BMVEXIHh4WiPieAAAAD0lEQVR42mNgGAWjgHwAAAJAAAHgTR1EAAAAAElFTkSuQmCC";

fn picture() -> GivenFile {
    GivenFile { name: "square.png".to_owned(), media_type: "image/png".to_owned(), base64: PICTURE.into() }
}

fn works(seen: &Seen, end: TurnEnd, key: bool, images: bool) -> Works {
    let refused = |part: &str| seen.notes.iter().any(|note| note.contains(part));
    Works {
        key,
        first: seen.first.or_else(|| (!end.calls.is_empty()).then(|| seen.begun.elapsed())),
        // One piece may be a whole short answer; a call alone says nothing about text.
        stream: seen.texts + seen.thoughts > 1 || !end.calls.is_empty(),
        called: !end.calls.is_empty(),
        tools_refused: refused("takes no tools"),
        images: images.then(|| !refused("attached files")),
        reasoning: seen.thoughts > 0,
        usage: end.usage.is_some(),
        ending: end.ending,
    }
}
