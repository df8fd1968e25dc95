//! Tool calls from their pieces. Servers tell calls apart by index, by id, by name or only by their order, and each in their
//! own mixture; what is the same in all of them is here.

use std::collections::HashSet;

use netra_ws::model::Object;
use serde_json::{Map, Value};

use super::{ModelError, json};
use crate::server::tool::ToolRequest;

/// Tool calls in one turn.
const MAX_CALLS: usize = 64;

/// Bytes of one call's arguments.
const MAX_ARGUMENTS: usize = 1 << 20;

/// Bytes of all that comes for one turn's calls, names and what else stands there included.
const MAX_BYTES: usize = 8 << 20;

/// Levels of nesting in one call's arguments.
const MAX_DEPTH: usize = 64;

/// Characters of an id of our making. Mistral takes ids of nine letters and digits only; all others take those, too.
const ID_LENGTH: usize = 9;

/// One piece of a call.
#[derive(Debug, Default)]
pub(super) struct CallDelta {
    /// The choice it came in.
    pub(super) choice: u64,
    /// The call's place among its choice's calls.
    pub(super) index: Option<u64>,
    /// Its id, or empty.
    pub(super) id: String,
    /// Its name, or empty.
    pub(super) name: String,
    /// Text to add, or all of it as an object.
    pub(super) arguments: Value,
    /// The arguments are all of them, as text.
    pub(super) whole: bool,
    /// What else stood there, to be sent back.
    pub(super) extra: Map<String, Value>,
}

#[derive(Debug, Default)]
struct PartialCall {
    place: Option<(u64, u64)>,
    id: String,
    name: String,
    arguments: String,
    /// The newest piece of the arguments: servers that repeat themselves send the whole in it.
    newest: String,
    /// Each piece began with the one before it.
    grows: bool,
    extra: Map<String, Value>,
}

/// A turn's calls in the making.
#[derive(Debug, Default)]
pub(super) struct Calls {
    calls: Vec<PartialCall>,
    /// How many there were before the chunk that is read: a chunk may hold several whole calls.
    before_chunk: usize,
    /// Bytes that came for all of them.
    bytes: usize,
}

/// The finished calls.
#[derive(Debug, Default)]
pub(super) struct Finished {
    /// What is to be called.
    pub(super) calls: Vec<ToolRequest>,
    /// What goes back with each, in the same order.
    pub(super) extras: Vec<Map<String, Value>>,
    /// The index of each, in the same order.
    pub(super) places: Vec<Option<u64>>,
}

impl Calls {
    /// A new chunk is read.
    pub(super) fn begin_chunk(&mut self) {
        self.before_chunk = self.calls.len();
    }

    /// Adds a piece to the call that it belongs to.
    pub(super) fn push(&mut self, delta: CallDelta) -> Result<(), ModelError> {
        let at = match self.place_of(&delta) {
            Some(at) if !self.begins_another(at, &delta) => at,
            Some(_) | None if self.calls.len() >= MAX_CALLS => {
                return Err(ModelError::protocol(format!("the model called more than {MAX_CALLS} tools at once")));
            }
            Some(_) | None => {
                let place = delta.index.map(|index| (delta.choice, index));
                self.calls.push(PartialCall { place, grows: true, ..PartialCall::default() });
                self.calls.len() - 1
            }
        };
        let call = &mut self.calls[at];
        let before = call.bytes();
        if call.id.is_empty() {
            call.id = delta.id;
        }
        call.add_name(&delta.name);
        call.add_arguments(&delta.arguments, delta.whole);
        let extra = delta.extra.iter().map(|(field, value)| field.len() + value.to_string().len());
        self.bytes += extra.sum::<usize>() + call.bytes().saturating_sub(before);
        call.extra.extend(delta.extra);
        if call.arguments.len() > MAX_ARGUMENTS {
            return Err(ModelError::protocol("the model wrote more than 1 MiB of arguments for a tool"));
        }
        if self.bytes > MAX_BYTES {
            return Err(ModelError::protocol(format!(
                "the model's server sent more than {} MiB for the calls of one turn",
                MAX_BYTES >> 20
            )));
        }
        Ok(())
    }

    /// The call that a piece seems to go on with.
    fn place_of(&self, delta: &CallDelta) -> Option<usize> {
        let last = self.calls.len().checked_sub(1);
        let known = |id: &str| self.calls.iter().rposition(|call| !id.is_empty() && call.id == id);
        let place = delta.index.map(|index| (delta.choice, index));
        match place {
            Some(_) => match self.calls.iter().rposition(|call| call.place == place) {
                Some(at) => Some(at),
                // Without a name it begins nothing.
                None if delta.name.is_empty() => known(&delta.id).or(last),
                None => None,
            },
            None if delta.id.is_empty() => last,
            None => known(&delta.id).or(last),
        }
    }

    /// Whether a piece is the first of a call after this one.
    fn begins_another(&self, at: usize, delta: &CallDelta) -> bool {
        let call = &self.calls[at];
        if delta.name.is_empty() {
            return false;
        }
        let whole = object(&call.arguments).is_some();
        if !delta.id.is_empty() && !call.id.is_empty() {
            return delta.id != call.id && (whole || call.arguments.is_empty());
        }
        // Without ids, a name behind whole arguments begins a call, as does another name in the same chunk.
        let says_more = !matches!(&delta.arguments, Value::Null) && delta.arguments != "";
        let same_chunk = at >= self.before_chunk && delta.index.is_none();
        (whole && says_more) || (same_chunk && !call.name.is_empty())
    }

    /// Whether anything was called.
    pub(super) fn is_empty(&self) -> bool {
        self.calls.iter().all(|call| call.name.is_empty())
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.calls.len()
    }

    /// Whether a call has this id.
    pub(super) fn knows(&self, id: &str) -> bool {
        self.calls.iter().any(|call| call.id == id)
    }

    /// The calls, with ids that differ from each other and from those in `taken`.
    pub(super) fn finish(self, taken: &HashSet<&str>) -> Finished {
        let mut finished = Finished::default();
        let mut used: HashSet<String> = HashSet::new();
        for call in self.calls.into_iter().filter(|call| !call.name.is_empty()) {
            let mut id = call.id;
            while id.is_empty() || taken.contains(id.as_str()) || used.contains(&id) {
                id = made_id();
            }
            used.insert(id.clone());
            let arguments = arguments(call.arguments, &call.newest, call.grows);
            finished.places.push(call.place.map(|(_, index)| index));
            finished.calls.push(ToolRequest { id, tool: call.name, arguments });
            finished.extras.push(call.extra);
        }
        finished
    }
}

impl PartialCall {
    fn bytes(&self) -> usize {
        self.id.len() + self.name.len() + self.arguments.len()
    }

    /// A name comes whole, whole again in every chunk, longer every time, or in pieces.
    fn add_name(&mut self, name: &str) {
        if name.starts_with(&self.name) {
            name.clone_into(&mut self.name);
        } else if self.arguments.is_empty() && !name.is_empty() {
            self.name.push_str(name);
        }
    }

    fn add_arguments(&mut self, arguments: &Value, whole: bool) {
        let piece = match arguments {
            Value::Null => return,
            // What ends a call says again what its pieces said.
            Value::String(text) if whole && !self.arguments.is_empty() && object(text).is_none() => return,
            Value::String(text) => text.clone(),
            Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => arguments.to_string(),
        };
        if whole || !arguments.is_string() {
            self.arguments.clear();
        }
        self.grows &= piece.is_empty() || piece.starts_with(&self.newest);
        self.arguments.push_str(&piece);
        if !piece.is_empty() {
            self.newest = piece;
        }
    }
}

/// An id of our own.
pub(super) fn made_id() -> String {
    std::iter::repeat_with(fastrand::alphanumeric).take(ID_LENGTH).collect()
}

/// A call's arguments. None may come as an empty text; some servers send them twice, longer every time (`grows`), or as text in a
/// text. The `newest` piece alone counts only where it says again what came before: else it is a part of what was cut off.
pub(super) fn arguments(text: String, newest: &str, grows: bool) -> Result<Object, String> {
    if text.trim().is_empty() {
        return Ok(Object::new());
    }
    let before = text.strip_suffix(newest).unwrap_or(&text);
    let says_all = grows || newest.starts_with(before);
    let read = object(&text)
        .or_else(|| repeated(&text))
        .or_else(|| object(newest).filter(|_| says_all))
        // Some servers begin with an empty object, and then write the arguments behind it.
        .or_else(|| object(text.trim_start().strip_prefix("{}")?))
        .or_else(|| encoded_twice(&text));
    read.filter(|object| object.values().all(|value| is_shallow(value, MAX_DEPTH))).ok_or(text)
}

fn object(text: &str) -> Option<Object> {
    match json::read(text.trim()).ok()? {
        Value::Object(object) => Some(object),
        Value::Null => Some(Object::new()),
        Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => None,
    }
}

/// The same object several times in a row.
fn repeated(text: &str) -> Option<Object> {
    let mut objects = serde_json::Deserializer::from_str(text).into_iter::<Object>();
    let first = objects.next()?.ok()?;
    objects.all(|other| other.is_ok_and(|other| other == first)).then_some(first)
}

fn encoded_twice(text: &str) -> Option<Object> {
    match json::read(text.trim()).ok()? {
        Value::String(inner) => object(&inner),
        _ => None,
    }
}

/// Whether nothing in the value is nested deeper. Parsers, ours and the clients', give up somewhere beyond a hundred levels, and
/// an event holds the arguments a few levels down.
fn is_shallow(value: &Value, depth: usize) -> bool {
    let Some(depth) = depth.checked_sub(1) else { return false };
    match value {
        Value::Array(items) => items.iter().all(|item| is_shallow(item, depth)),
        Value::Object(fields) => fields.values().all(|field| is_shallow(field, depth)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => true,
    }
}

#[cfg(test)]
#[path = "calls_tests.rs"]
mod tests;
