//! LangChain's event stream (`astream_events`, version 2) and the pairs of LangGraph's `messages` mode. Whatever objects are nested in
//! the events, what comes out is what was said, thought and called.
//!
//! Several models may speak at the same time in one graph: the first has the floor until it ends, and what the others say waits.

use std::collections::HashSet;

use serde_json::Value;

use super::{
    Fault, Outcome, Reader, Said, Spent,
    calls::Calls,
    lc::{self, Role},
};

/// Tags of models whose words are nobody's business.
const HIDDEN: [&str; 3] = ["nostream", "langsmith:nostream", "langsmith:hidden"];

/// Whose words are the answer: the first who speaks. A chain that hands a model's words on would say them twice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Speaker {
    #[default]
    Nobody,
    Models,
    Chain,
}

/// A model, or a message of one, that speaks.
#[derive(Debug)]
struct Voice {
    id: String,
    /// Said while another had the floor.
    waiting: Vec<Said>,
    spoke: bool,
    counted: bool,
    ended: bool,
}

/// Reads one run.
#[derive(Debug, Default)]
#[allow(clippy::struct_excessive_bools, reason = "each is a thing that happened or did not")]
pub(in crate::server::agent) struct LangChain {
    /// The run whose events these are.
    root: Option<String>,
    speaker: Speaker,
    voices: Vec<Voice>,
    /// Who has the floor.
    floor: Option<String>,
    muted: HashSet<String>,
    calls: Calls,
    /// Calls that models asked for, and that nobody has begun yet.
    asked: usize,
    begun: usize,
    spent: Spent,
    /// What the run gave at its end, or its last state.
    output: Option<Value>,
    said: bool,
    heard: bool,
    ended: bool,
    in_pairs: bool,
}

impl LangChain {
    fn event(&mut self, event: &Value) -> Result<Vec<Said>, Fault> {
        let name = event["event"].as_str().unwrap_or_default();
        let id = event["run_id"].as_str().unwrap_or_default();
        if name == "error" || name == "on_error" {
            return Err(failed(&event["data"]));
        }
        if !self.is_ours(event, id) {
            tracing::debug!(event = name, "an event of another run is passed over");
            return Ok(Vec::new());
        }
        let data = lc::plain(&event["data"]);
        let said = match name {
            "on_chat_model_start" | "on_llm_start" => {
                if has_tag(event) {
                    self.spent.id()?;
                    self.muted.insert(id.to_owned());
                }
                Vec::new()
            }
            "on_chat_model_stream" | "on_llm_stream" => {
                let chunk = lc::message(&data["chunk"]);
                if self.is_muted(event, id) { Vec::new() } else { self.speak(id, lc::words(&chunk))? }
            }
            "on_chat_model_end" | "on_llm_end" => self.model_ended(event, id, &lc::message(&data["output"]))?,
            "on_tool_start" | "on_retriever_start" => {
                let tool = event["name"].as_str().unwrap_or_default();
                self.begun += 1;
                let mut said = self.release();
                said.extend(self.calls.whole(id, tool, &data["input"])?);
                said
            }
            "on_tool_end" | "on_retriever_end" => {
                let output = lc::plain(&data["output"]);
                let returned = lc::returned(&output);
                let has_failed = output["status"] == "error";
                self.calls.end(id, if has_failed { Outcome::Failed(returned) } else { Outcome::Ok(returned) })
            }
            "on_tool_error" | "on_retriever_error" => {
                self.calls.end(id, Outcome::Failed(lc::complaint(&data["error"])))
            }
            "on_custom_event" => {
                let (message, fraction) = lc::remark(&event["data"]);
                self.spent.note(&message, fraction).into_iter().collect()
            }
            "on_chain_start" => self.node(event).into_iter().collect(),
            "on_chain_stream" if self.root.as_deref() == Some(id) => self.chain_says(&data["chunk"])?,
            "on_chain_end" if self.root.as_deref() == Some(id) => {
                self.output = Some(data["output"].clone());
                Vec::new()
            }
            "on_chain_error" if self.root.as_deref() == Some(id) => return Err(failed(&data["error"])),
            // Parsers, prompts, parts of chains, and what is to come.
            _ => Vec::new(),
        };
        self.ended |= name.ends_with("_end") && self.root.as_deref() == Some(id);
        Ok(said)
    }

    /// Whether an event belongs to this run: its first event tells the run, the others whose children they are.
    fn is_ours(&mut self, event: &Value, id: &str) -> bool {
        let parents = event["parent_ids"].as_array();
        match &self.root {
            None => {
                if !id.is_empty() && parents.is_none_or(Vec::is_empty) {
                    self.root = Some(id.to_owned());
                }
                true
            }
            Some(root) if root == id => true,
            Some(root) => parents.is_none_or(|parents| parents.iter().any(|parent| parent == root)),
        }
    }

    fn is_muted(&self, event: &Value, id: &str) -> bool {
        self.muted.contains(id) || has_tag(event)
    }

    fn model_ended(&mut self, event: &Value, id: &str, message: &Value) -> Result<Vec<Said>, Fault> {
        let mut said = Vec::new();
        self.asked += message["tool_calls"].as_array().map_or(0, Vec::len);
        if !self.is_muted(event, id) {
            // One that does not stream says all of it now.
            if !self.voices.iter().any(|voice| voice.id == id && voice.spoke) {
                said.extend(self.speak(id, lc::words(message))?);
            }
            said.extend(self.end_voice(id));
        }
        said.extend(lc::tokens(message).map(Said::Used));
        Ok(said)
    }

    /// A voice says something; it waits while another has the floor.
    fn speak(&mut self, id: &str, words: Vec<Said>) -> Result<Vec<Said>, Fault> {
        if words.is_empty() || self.speaker == Speaker::Chain {
            return Ok(Vec::new());
        }
        self.speaker = Speaker::Models;
        for word in &words {
            if let Said::Text(text) | Said::Thought(text) = word {
                self.spent.text(text.len())?;
            }
        }
        if !self.voices.iter().any(|voice| voice.id == id) {
            self.spent.id()?;
            let id = id.to_owned();
            self.voices.push(Voice { id, waiting: Vec::new(), spoke: false, counted: false, ended: false });
        }
        let mut said = Vec::new();
        if self.floor.is_none() {
            self.floor = Some(id.to_owned());
            said.push(Said::Message);
        }
        let has_floor = self.floor.as_deref() == Some(id);
        if let Some(voice) = self.voices.iter_mut().find(|voice| voice.id == id) {
            voice.spoke = true;
            if has_floor {
                said.extend(words);
            } else {
                voice.waiting.extend(words);
            }
        }
        Ok(said)
    }

    /// A voice ends; the next of those that wait has the floor.
    fn end_voice(&mut self, id: &str) -> Vec<Said> {
        if let Some(voice) = self.voices.iter_mut().find(|voice| voice.id == id) {
            voice.ended = true;
        }
        if self.floor.as_deref() != Some(id) {
            return Vec::new();
        }
        self.floor = None;
        let mut said = Vec::new();
        for voice in self.voices.iter_mut().filter(|voice| !voice.waiting.is_empty()) {
            said.push(Said::Message);
            said.append(&mut voice.waiting);
            if !voice.ended {
                self.floor = Some(voice.id.clone());
                break;
            }
        }
        said
    }

    /// Everything that waits is said: a call begins, or the run ends.
    fn release(&mut self) -> Vec<Said> {
        let mut said = Vec::new();
        for voice in self.voices.iter_mut().filter(|voice| !voice.waiting.is_empty()) {
            said.push(Said::Message);
            said.append(&mut voice.waiting);
        }
        if !said.is_empty() {
            self.floor = None;
        }
        said
    }

    /// A chain without a model of its own gives pieces of text.
    fn chain_says(&mut self, chunk: &Value) -> Result<Vec<Said>, Fault> {
        let chunk = lc::plain(chunk);
        if let Some(asked) = lc::interrupt(&chunk) {
            return Err(Fault::Failed(format!(
                "it asks a person before it goes on, which its protocol has no answer for; serve it by AG-UI: {asked}"
            )));
        }
        let Value::String(text) = chunk else { return Ok(Vec::new()) };
        if self.speaker == Speaker::Models || text.is_empty() {
            return Ok(Vec::new());
        }
        self.speaker = Speaker::Chain;
        self.spent.text(text.len())?;
        Ok(vec![Said::Text(super::clean(&text))])
    }

    /// A node of a graph begins.
    fn node(&mut self, event: &Value) -> Option<Said> {
        let node = event["metadata"]["langgraph_node"].as_str()?;
        let is_node = event["name"] == node && !node.starts_with("__");
        is_node.then(|| self.spent.note(node, None)).flatten()
    }

    /// A message with what LangGraph says of it.
    fn pair(&mut self, message: &Value, about: &Value) -> Result<Vec<Said>, Fault> {
        self.in_pairs = true;
        let message = lc::plain(message);
        let is_hidden = about["tags"].as_array().is_some_and(|tags| tags.iter().any(is_hidden_tag));
        if is_hidden {
            return Ok(Vec::new());
        }
        match lc::role(&message) {
            Role::Agent => self.piece(&message),
            Role::Tool => {
                let id = message["tool_call_id"].as_str().unwrap_or_default();
                let returned = lc::returned(&message);
                let outcome =
                    if message["status"] == "error" { Outcome::Failed(returned) } else { Outcome::Ok(returned) };
                self.begun += 1;
                Ok(self.calls.end(id, outcome))
            }
            Role::Other => Ok(Vec::new()),
        }
    }

    /// A piece of a message, or a whole one.
    fn piece(&mut self, message: &Value) -> Result<Vec<Said>, Fault> {
        let id = message["id"].as_str().unwrap_or("message");
        let mut said = Vec::new();
        // A message that was streamed comes whole once more.
        let is_whole = message["type"] == "ai" || message["type"] == "AIMessage";
        let has_spoken = self.voices.iter().any(|voice| voice.id == id && voice.spoke);
        if !(is_whole && has_spoken) {
            if self.floor.as_deref().is_some_and(|floor| floor != id) {
                let floor = self.floor.take().unwrap_or_default();
                said.extend(self.end_voice(&floor));
                self.floor = None;
            }
            said.extend(self.speak(id, lc::words(message))?);
        }
        for (at, chunk) in message["tool_call_chunks"].as_array().into_iter().flatten().enumerate() {
            let index = chunk["index"].as_u64().or_else(|| u64::try_from(at).ok()).unwrap_or_default();
            self.call_piece(&format!("{id}/{index}"), chunk)?;
        }
        let calls = message["tool_calls"].as_array().filter(|_| is_whole);
        for call in calls.into_iter().flatten() {
            let id = call["id"].as_str().unwrap_or_default();
            if !self.calls.is_coming(id) && !self.calls.is_open(id) {
                said.extend(self.calls.whole(id, call["name"].as_str().unwrap_or_default(), &call["args"])?);
                self.asked += 1;
            }
        }
        let counted = self.voices.iter().any(|voice| voice.id == id && voice.counted);
        if let Some(tokens) = lc::tokens(message).filter(|_| !counted) {
            if let Some(voice) = self.voices.iter_mut().find(|voice| voice.id == id) {
                voice.counted = true;
            }
            said.push(Said::Used(tokens));
        }
        Ok(said)
    }

    /// A piece of a call: the first names its id, the others its place.
    fn call_piece(&mut self, place: &str, chunk: &Value) -> Result<(), Fault> {
        if let Some(id) = chunk["id"].as_str() {
            self.asked += 1;
            self.calls.start(id, chunk["name"].as_str().unwrap_or_default(), Some(place))?;
        }
        self.calls.add_at(place, chunk["args"].as_str().unwrap_or_default())
    }
}

impl Reader for LangChain {
    fn read(&mut self, kind: &str, data: &str) -> Result<Vec<Said>, Fault> {
        let kind = kind.split('|').next().unwrap_or_default();
        if kind == "end" {
            self.ended = true;
            return Ok(Vec::new());
        }
        let data = data.trim();
        if data.is_empty() || data.eq_ignore_ascii_case("[done]") {
            return Ok(Vec::new());
        }
        let value: Value = serde_json::from_str(data)
            .map_err(|error| Fault::protocol(format!("the agent's server sent an event that is no JSON: {error}")))?;
        if kind == "error" {
            return Err(failed(&value));
        }
        let value = lc::plain(&value);
        let said = match (kind, &value) {
            (_, Value::Object(fields)) if fields.contains_key("event") => self.event(&value),
            (_, Value::Object(fields)) if fields.len() <= 2 && fields.contains_key("error") => Err(failed(&value)),
            (_, Value::Array(pair)) if pair.len() == 2 && pair[0] == "messages" => match &pair[1] {
                Value::Array(pair) if pair.len() == 2 => self.pair(&pair[0], &pair[1]),
                _ => Ok(Vec::new()),
            },
            (_, Value::Array(pair)) if pair.len() == 2 && pair[1].is_object() => self.pair(&pair[0], &pair[1]),
            ("values", Value::Object(_)) => {
                self.output = Some(value);
                Ok(Vec::new())
            }
            // The platform tells more than was asked for: metadata, updates, and what is to come.
            (_, Value::Object(_) | Value::Array(_)) => Ok(Vec::new()),
            (_, _) => Err(Fault::protocol("the agent's server sent an event that is no JSON object")),
        }?;
        self.heard = true;
        self.said |= said.iter().any(|said| matches!(said, Said::Text(_)));
        Ok(said)
    }

    fn has_ended(&self) -> bool {
        self.ended
    }

    fn finish(&mut self) -> Result<Vec<Said>, Fault> {
        let mut said = self.release();
        let waited = said.iter().any(|said| matches!(said, Said::Text(_)));
        if !self.said
            && !waited
            && let Some(text) = self.output.as_ref().and_then(lc::answer)
        {
            self.spent.text(text.len())?;
            self.said = true;
            said.extend([Said::Message, Said::Text(text)]);
        }
        // Who serves a part of the events, or pairs, has no event for the end.
        let may_be_over = self.root.is_none() || self.in_pairs;
        if !self.ended && !(may_be_over && (self.said || waited) && self.heard) {
            return Err(Fault::BrokenOff);
        }
        if !self.said && !waited && self.asked > self.begun {
            return Err(Fault::Failed(
                "the chain ended with calls of tools that nothing in it carries out; serve a graph or an agent that does"
                    .to_owned(),
            ));
        }
        Ok(said)
    }
}

fn is_hidden_tag(tag: &Value) -> bool {
    tag.as_str().is_some_and(|tag| HIDDEN.contains(&tag))
}

fn has_tag(event: &Value) -> bool {
    event["tags"].as_array().is_some_and(|tags| tags.iter().any(is_hidden_tag))
}

fn failed(error: &Value) -> Fault {
    let said = super::joined(&lc::complaint(error));
    Fault::Failed(if said.trim().is_empty() { "no reason given".to_owned() } else { said })
}
