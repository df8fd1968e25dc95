//! Parts of a request that some servers refuse by name. They are left out, and that is remembered for the model.

use std::{
    collections::BTreeSet,
    sync::{Mutex, MutexGuard, PoisonError},
};

use reqwest::StatusCode;
use serde_json::Value;

use super::{
    ChatMessage, ModelError, Piece, Server, Sink, Turn,
    blame::{blamed, blames, takes_none},
    body::Body,
    exchange,
    http::Refusal,
};

/// A part that a request can do without.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Part {
    /// `stream_options`: usage is not counted then.
    StreamOptions,
    /// `tools`.
    Tools,
    /// What the server itself said beside words and calls.
    Replay,
    /// The tool's name beside its result.
    ToolName,
    /// `include`, which asks for sealed reasoning.
    Include,
    /// Pictures and documents.
    Files,
    /// Files of earlier messages. Not remembered: another conversation has others.
    EarlierFiles,
    /// Calls of earlier exchanges, which are told as their words then. Not remembered for the same reason.
    EarlierCalls,
}

/// What one model's server was found to refuse.
#[derive(Debug)]
pub(super) struct Parts {
    /// Whether tools may be offered; found out when absent.
    tool_use: Option<bool>,
    refused: Mutex<BTreeSet<Part>>,
}

impl Parts {
    pub(super) fn new(tool_use: Option<bool>) -> Self {
        Self { tool_use, refused: Mutex::default() }
    }

    fn refused(&self) -> MutexGuard<'_, BTreeSet<Part>> {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is left out of a turn's request. Tools are offered again in a new conversation, and files with each question that has
    /// some: the server may have got another model.
    fn left_out(&self, turn: &Turn<'_>) -> BTreeSet<Part> {
        let mut left_out = self.refused().clone();
        if turn.messages.len() == 1 {
            left_out.remove(&Part::Tools);
        }
        if matches!(turn.messages.last(), Some(ChatMessage::User { files, .. }) if !files.is_empty()) {
            left_out.remove(&Part::Files);
        }
        if self.tool_use == Some(false) {
            left_out.insert(Part::Tools);
        }
        left_out
    }

    /// Sends what `request` makes of the parts that are left out. What is refused by name is left out, too, and remembered once
    /// the server does without.
    pub(super) async fn open(
        &self,
        server: &Server,
        model: &str,
        turn: &Turn<'_>,
        sink: &mut dyn Sink,
        request: impl Fn(&BTreeSet<Part>) -> Value + Send + Sync,
    ) -> Result<Body, ModelError> {
        let mut left_out = self.left_out(turn);
        let mut news = Vec::new();
        loop {
            let body = request(&left_out);
            let (status, said, error) = match server.post(&body).await {
                Ok(body) => {
                    self.taken(turn, &left_out);
                    self.remember(model, turn, &news, sink).await;
                    return Ok(body);
                }
                Err(Refusal::Refused { status, said, error }) => (status, said, error),
                Err(Refusal::Failed(error)) => return Err(error),
            };
            let part = blames(status).then(|| blamed(&said, &body, turn)).flatten();
            let part = part.or_else(|| too_large(status, turn)).map(|part| narrowed(part, turn, &left_out));
            let wrong = matches!(status, StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY);
            let part = part.filter(|part| !left_out.contains(part)).or_else(|| {
                // A seal may have become void, or the conversation too long.
                (wrong && exchange::any_called(turn.messages)).then_some(Part::EarlierCalls)
            });
            let may_go = |part: &Part| *part != Part::Tools || self.tool_use != Some(true);
            // What is left out already and refused again comes from the model's `options`, where a person can take it out.
            let Some(part) = part.filter(may_go).filter(|part| left_out.insert(*part)) else { return Err(error) };
            news.push(Refused { part, said });
        }
    }

    /// The server takes now what it may have refused before.
    fn taken(&self, turn: &Turn<'_>, left_out: &BTreeSet<Part>) {
        if !turn.tools.is_empty() && !left_out.contains(&Part::Tools) {
            self.refused().remove(&Part::Tools);
        }
        if exchange::with_files(turn.messages).0 && !left_out.contains(&Part::Files) {
            self.refused().remove(&Part::Files);
        }
    }

    async fn remember(&self, model: &str, turn: &Turn<'_>, news: &[Refused], sink: &mut dyn Sink) {
        for Refused { part, said } in news {
            tracing::info!(model, ?part, said, "the model's server does without a part of the request");
            let lasting = match part {
                Part::EarlierCalls | Part::EarlierFiles => false,
                // One file that cannot be read says nothing about the next.
                Part::Files => takes_none(said),
                Part::StreamOptions | Part::Tools | Part::Replay | Part::ToolName | Part::Include => true,
            };
            if lasting {
                self.refused().insert(*part);
            }
        }
        if news.iter().any(|refused| refused.part == Part::Tools) {
            sink.piece(Piece::Note(format!("{model} takes no tools; it answers without them."))).await;
        }
        // It is said once for each question, and not again for each turn.
        let asked = turn.messages.last().is_some_and(exchange::is_question);
        let files = news.iter().rev().find(|refused| matches!(refused.part, Part::Files | Part::EarlierFiles));
        if let Some(Refused { part, said }) = files.filter(|_| asked) {
            let which = if *part == Part::Files { "the attached files" } else { "the files of earlier messages" };
            let why = if said.is_empty() { String::new() } else { format!(" ({said})") };
            let note = format!("{model} was not shown {which}, which its server refuses{why}; it knows their names.");
            sink.piece(Piece::Note(note)).await;
        }
    }
}

/// A part that was refused, and with what words.
struct Refused {
    part: Part,
    said: String,
}

/// A request that is too large has its files to thank for that.
fn too_large(status: StatusCode, turn: &Turn<'_>) -> Option<Part> {
    (status == StatusCode::PAYLOAD_TOO_LARGE && exchange::with_files(turn.messages).0).then_some(Part::Files)
}

/// Files of earlier messages go first: one of them may have been refused before.
fn narrowed(part: Part, turn: &Turn<'_>, left_out: &BTreeSet<Part>) -> Part {
    let earlier = part == Part::Files
        && exchange::with_files(turn.messages).1
        && !left_out.contains(&Part::EarlierFiles)
        && !left_out.contains(&Part::Files);
    if earlier { Part::EarlierFiles } else { part }
}
