//! What remote agents say, read from their protocols: bytes to events, events to what a run can tell. Nothing here waits, and nothing
//! knows of runs: a reader takes one event and gives what it says, held to limits.

pub(in crate::server::agent) mod acp;
pub(in crate::server::agent) mod ag_ui;
mod calls;
pub(in crate::server::agent) mod frames;
pub(in crate::server::agent) mod langchain;
mod lc;
mod plan;

use serde_json::{Map, Value};

pub(in crate::server::agent) use calls::Call;

/// Bytes of text and thoughts in one run, shown or held back.
const MAX_TEXT: usize = 8 << 20;

/// Words beside the answer in one run; those after them are not shown.
const MAX_NOTES: usize = 200;

/// Characters of a note.
const MAX_NOTE: usize = 300;

/// Characters of a note that holds a plan.
const MAX_PLAN: usize = 6_000;

/// Ids of messages and models that are remembered in one run.
const MAX_IDS: usize = 10_000;

/// What a remote agent says.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::server::agent) enum Said {
    /// A piece of a thought.
    Thought(String),
    /// A new message of the answer begins, which stands apart from what was said before.
    Message,
    /// A piece of the answer.
    Text(String),
    /// A word on how far it is.
    Note {
        /// The word.
        message: String,
        /// How much is done, from 0 to 1.
        fraction: Option<f64>,
    },
    /// It calls a tool of its own; the arguments are whole.
    Begun(Call),
    /// A call ended.
    Ended {
        /// Which, by the agent's own id.
        id: String,
        /// How.
        outcome: Outcome,
    },
    /// It used tokens.
    Used(Tokens),
}

/// How a call ended.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::server::agent) enum Outcome {
    /// With this result.
    Ok(Value),
    /// It failed, with these words.
    Failed(Value),
}

/// Tokens that were used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::server::agent) struct Tokens {
    /// Read.
    pub(in crate::server::agent) input: u64,
    /// Written.
    pub(in crate::server::agent) output: u64,
}

/// A person is asked before the agent goes on.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::server::agent) struct Interrupt {
    /// The agent's id of the question.
    pub(in crate::server::agent) id: String,
    /// What is asked.
    pub(in crate::server::agent) message: String,
    /// The call that waits for it, by the agent's own id.
    pub(in crate::server::agent) call: Option<String>,
    /// JSON Schema of the answer.
    pub(in crate::server::agent) schema: Option<Value>,
}

/// Why no more is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::server::agent) enum Fault {
    /// It does not speak its protocol, or too much.
    Protocol(String),
    /// It says itself that it failed.
    Failed(String),
    /// It ended before its end.
    BrokenOff,
}

impl Fault {
    fn protocol(message: impl Into<String>) -> Self {
        Self::Protocol(message.into())
    }
}

/// Puts one run's events together.
pub(in crate::server::agent) trait Reader: Send {
    /// Reads one event: its kind where the stream names one, and its data.
    fn read(&mut self, kind: &str, data: &str) -> Result<Vec<Said>, Fault>;

    /// The run has ended; what follows is welcome and not needed.
    fn has_ended(&self) -> bool;

    /// The stream is over: what was held back, or that the run has no end.
    fn finish(&mut self) -> Result<Vec<Said>, Fault>;

    /// What people are asked before the agent goes on; empty where the run simply ended.
    fn interrupts(&self) -> &[Interrupt] {
        &[]
    }

    /// What the agent wants to see again in the next run of the thread; `null` when there is nothing.
    fn kept(&mut self) -> Value {
        Value::Null
    }
}

/// What of a run's limits is used up.
#[derive(Debug, Default)]
struct Spent {
    text: usize,
    notes: usize,
    ids: usize,
}

impl Spent {
    /// More text or thoughts.
    fn text(&mut self, bytes: usize) -> Result<(), Fault> {
        self.text = self.text.saturating_add(bytes);
        if self.text > MAX_TEXT {
            return Err(Fault::protocol(format!("the agent wrote more than {} MiB", MAX_TEXT >> 20)));
        }
        Ok(())
    }

    /// One more id is remembered.
    fn id(&mut self) -> Result<(), Fault> {
        self.ids += 1;
        if self.ids > MAX_IDS {
            return Err(Fault::protocol(format!("the agent began more than {MAX_IDS} messages in one run")));
        }
        Ok(())
    }

    /// A word beside the answer, unless there were too many, or it is empty.
    fn note(&mut self, message: &str, fraction: Option<f64>) -> Option<Said> {
        self.noted(message, fraction, MAX_NOTE)
    }

    /// The same for a plan, if it is another than `known`.
    fn plan(&mut self, plan: &Value, certain: bool, known: &mut String) -> Option<Said> {
        let (said, done) = plan::told(plan, certain)?;
        if said == *known {
            return None;
        }
        known.clone_from(&said);
        self.noted(&said, Some(done), MAX_PLAN)
    }

    fn noted(&mut self, message: &str, fraction: Option<f64>, longest: usize) -> Option<Said> {
        let message = clean(message);
        let message = message.trim();
        if message.is_empty() || self.notes == MAX_NOTES {
            return None;
        }
        self.notes += 1;
        let message = match message.char_indices().nth(longest) {
            Some((at, _)) => format!("{}…", &message[..at]),
            None => message.to_owned(),
        };
        Some(Said::Note { message, fraction: fraction.filter(|part| (0.0..=1.0).contains(part)) })
    }
}

/// NUL is a character to JSON and an end to databases and terminals.
fn clean(text: &str) -> String {
    text.replace('\0', "")
}

/// A field that holds text which is not empty.
fn text_of<'a>(fields: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    fields.get(name).and_then(Value::as_str).filter(|text| !text.is_empty())
}

/// Text that is JSON once more becomes what it says: an object or a list. Other text stays text.
fn unfolded(value: &Value) -> Value {
    let inner = value.as_str().filter(|text| text.trim_start().starts_with(['{', '[']));
    inner.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_else(|| value.clone())
}

/// Text, or parts of it, as one text. Parts that are no text are named.
fn joined(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(parts) => parts
            .iter()
            .map(|part| match part {
                Value::String(text) => text.clone(),
                part => match (part["text"].as_str(), part["type"].as_str()) {
                    (Some(text), _) => text.to_owned(),
                    (None, Some(kind)) => format!("[{kind}]"),
                    (None, None) => part.to_string(),
                },
            })
            .collect(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

/// What a tool returned: lists of text are text, text that is JSON is what it says.
fn result(content: &Value) -> Value {
    let is_text = |part: &Value| part.is_string() || part["type"] == "text";
    match content {
        Value::Array(parts) if !parts.is_empty() && parts.iter().all(is_text) => {
            unfolded(&Value::String(joined(content)))
        }
        other => unfolded(other),
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
