//! The envelope around every message: encoded to JSON once, decoded from JSON once.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser::SerializeMap};
use serde_json::{Map, Value, value::RawValue};

use crate::{
    VERSION,
    error::{ErrorCode, FrameError},
    id::{FrameId, RunId, ThreadId},
    message::{ClientMessage, Event, FrameMessage, ServerMessage},
    time::Timestamp,
};

/// One frame: the envelope and its message.
#[derive(Clone, Debug, PartialEq)]
pub struct Frame<M> {
    /// This frame; for a command also its idempotency key.
    pub id: FrameId,
    /// The server's clock; absent in client frames.
    pub ts: Option<Timestamp>,
    /// The thread it is about.
    pub thread_id: Option<ThreadId>,
    /// The run it belongs to.
    pub run_id: Option<RunId>,
    /// The log's epoch, with `seq`.
    pub epoch: Option<String>,
    /// The place in the thread's log; durable events only.
    pub seq: Option<u64>,
    /// The frame that this one answers.
    pub reply_to: Option<FrameId>,
    /// Type and payload.
    pub message: M,
}

/// A frame from a client.
pub type ClientFrame = Frame<ClientMessage>;

/// A frame from the server.
pub type ServerFrame = Frame<ServerMessage>;

/// An event with its place in the log.
pub type EventFrame = Frame<Event>;

impl From<EventFrame> for ServerFrame {
    fn from(frame: EventFrame) -> Self {
        let Frame { id, ts, thread_id, run_id, epoch, seq, reply_to, message } = frame;
        Self { id, ts, thread_id, run_id, epoch, seq, reply_to, message: message.into() }
    }
}

impl<M> Frame<M> {
    /// A frame with a new id and nothing but its message.
    pub fn new(message: M) -> Self {
        Self {
            id: FrameId::new(),
            ts: None,
            thread_id: None,
            run_id: None,
            epoch: None,
            seq: None,
            reply_to: None,
            message,
        }
    }

    /// The same frame about a thread.
    #[must_use]
    pub fn in_thread(mut self, thread: ThreadId) -> Self {
        self.thread_id = Some(thread);
        self
    }

    /// The same frame as an answer to another.
    #[must_use]
    pub fn answering(mut self, frame: FrameId) -> Self {
        self.reply_to = Some(frame);
        self
    }
}

impl<M: FrameMessage> Frame<M> {
    /// The frame as JSON text. Fails only when a payload cannot be JSON, which no type here allows.
    pub fn encode(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string(self)
    }

    /// Reads a text frame, and says what is wrong with it in the protocol's own codes.
    pub fn decode(text: &str) -> Result<Self, FrameError> {
        let value = serde_json::from_str::<Value>(text)
            .map_err(|error| FrameError::new(ErrorCode::MalformedJson, format!("not JSON: {error}")))?;
        Self::from_value(value)
    }

    fn from_value(value: Value) -> Result<Self, FrameError> {
        let mut object = match value {
            Value::Object(object) => object,
            Value::String(_) => {
                return Err(FrameError::new(
                    ErrorCode::DoubleEncoded,
                    "the frame is a JSON string; send the object itself",
                ));
            }
            _ => return Err(FrameError::new(ErrorCode::MalformedJson, "a frame is a JSON object")),
        };
        let id = object.get("id").and_then(Value::as_str).and_then(|id| id.parse().ok());
        Self::from_object(&mut object, id).map_err(|error| error.answering(id))
    }

    fn from_object(object: &mut Map<String, Value>, id: Option<FrameId>) -> Result<Self, FrameError> {
        // JSON has one kind of number: 1.0 is 1.
        #[allow(clippy::float_cmp)]
        if object.get("v").and_then(Value::as_f64) != Some(f64::from(VERSION)) {
            return Err(FrameError::new(ErrorCode::UnsupportedVersion, format!("`v` must be {VERSION}")));
        }
        let id = id.ok_or_else(|| FrameError::new(ErrorCode::InvalidPayload, "`id` must be a UUID"))?;
        let Some(Value::String(name)) = object.remove("type") else {
            return Err(FrameError::new(ErrorCode::UnknownType, "`type` must be a string"));
        };
        let Some(Value::Object(payload)) = object.remove("payload") else {
            return Err(FrameError::new(ErrorCode::PayloadNotObject, "`payload` must be an object"));
        };
        let message = M::read(&name, payload)
            .ok_or_else(|| FrameError::new(ErrorCode::UnknownType, format!("no message type {:?}", clip(&name))))?
            .map_err(|error| FrameError::new(ErrorCode::InvalidPayload, format!("{name}: {error}")))?;
        let thread_id = optional(object, "thread_id")?;
        let reply_to = optional(object, "reply_to")?;
        let frame = Self { id, ts: None, thread_id, run_id: None, epoch: None, seq: None, reply_to, message };
        // What only the server sets is nothing to a client's frame, whatever it holds: no client sends events.
        if !M::TYPES.iter().any(|info| info.durable) {
            return Ok(frame);
        }
        Ok(Self {
            ts: optional(object, "ts")?,
            run_id: optional(object, "run_id")?,
            epoch: optional(object, "epoch")?,
            seq: optional(object, "seq")?,
            ..frame
        })
    }
}

fn optional<T: de::DeserializeOwned>(object: &mut Map<String, Value>, name: &str) -> Result<Option<T>, FrameError> {
    match object.remove(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => serde_json::from_value(value)
            .map(Some)
            .map_err(|error| FrameError::new(ErrorCode::InvalidPayload, format!("`{name}`: {error}"))),
    }
}

/// The start of a text that someone else chose, short enough for a message or a log line.
fn clip(text: &str) -> &str {
    text.char_indices().nth(64).map_or(text, |(end, _)| &text[..end])
}

impl<M: FrameMessage> Serialize for Frame<M> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let payload = self.message.payload().map_err(serde::ser::Error::custom)?;
        envelope(serializer, self.message.info().name, self, &payload)
    }
}

fn envelope<S: Serializer, M>(
    serializer: S,
    name: &str,
    frame: &Frame<M>,
    payload: &impl Serialize,
) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(None)?;
    map.serialize_entry("v", &VERSION)?;
    map.serialize_entry("type", name)?;
    map.serialize_entry("id", &frame.id)?;
    entry(&mut map, "ts", frame.ts.as_ref())?;
    entry(&mut map, "thread_id", frame.thread_id.as_ref())?;
    entry(&mut map, "run_id", frame.run_id.as_ref())?;
    entry(&mut map, "epoch", frame.epoch.as_ref())?;
    entry(&mut map, "seq", frame.seq.as_ref())?;
    entry(&mut map, "reply_to", frame.reply_to.as_ref())?;
    map.serialize_entry("payload", payload)?;
    map.end()
}

fn entry<M: SerializeMap>(map: &mut M, key: &str, value: Option<&impl Serialize>) -> Result<(), M::Error> {
    value.map_or(Ok(()), |value| map.serialize_entry(key, value))
}

impl<'de, M: FrameMessage> Deserialize<'de> for Frame<M> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::from_value(Value::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

/// What a client reads: a frame, or something that it is to ignore.
#[derive(Clone, Debug, PartialEq)]
pub enum Incoming {
    /// A frame that this build knows.
    Frame(Box<ServerFrame>),
    /// A frame of a later server; a client ignores what it says. An event still counts: the next one follows it.
    Unknown(Option<Place>),
    /// No frame that this build can read, and where the event stands if it is one.
    Bad(FrameError, Option<Place>),
}

/// Where an event stands.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Place {
    /// The thread whose log it is in.
    pub thread_id: ThreadId,
    /// The log's epoch.
    pub epoch: String,
    /// Its place in the log.
    pub seq: u64,
}

impl<'de> Deserialize<'de> for Incoming {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        let known = value
            .get("type")
            .and_then(Value::as_str)
            .is_some_and(|name| ServerMessage::TYPES.iter().any(|info| info.name == name));
        let event = value.get("seq").is_some();
        let place = if known && !event { None } else { Place::deserialize(&value).ok() };
        Ok(match ServerFrame::from_value(value) {
            Ok(frame) => Self::Frame(Box::new(frame)),
            Err(error) if error.code == ErrorCode::UnknownType => Self::Unknown(place),
            Err(error) => Self::Bad(error, place),
        })
    }
}

/// A durable event as the log keeps it: the payload stays the JSON text that was written once.
#[derive(Clone, Debug)]
pub struct StoredEvent {
    /// The frame's id.
    pub id: FrameId,
    /// When it was emitted.
    pub ts: Timestamp,
    /// The thread whose log it is in.
    pub thread_id: ThreadId,
    /// The run it belongs to.
    pub run_id: Option<RunId>,
    /// The log's epoch.
    pub epoch: String,
    /// Its place in the log.
    pub seq: u64,
    /// The type's name on the wire.
    pub name: String,
    /// The payload's JSON.
    pub payload: Box<RawValue>,
}

impl Serialize for StoredEvent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let frame = Frame {
            id: self.id,
            ts: Some(self.ts),
            thread_id: Some(self.thread_id),
            run_id: self.run_id,
            epoch: Some(self.epoch.clone()),
            seq: Some(self.seq),
            reply_to: None,
            message: (),
        };
        envelope(serializer, &self.name, &frame, &self.payload)
    }
}

impl StoredEvent {
    /// The frame as JSON text.
    pub fn encode(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string(self)
    }

    /// The frame with its payload read, for the reducer.
    pub fn decode(&self) -> Result<EventFrame, FrameError> {
        let payload = serde_json::from_str(self.payload.get())
            .map_err(|error| FrameError::new(ErrorCode::Internal, format!("stored payload: {error}")))?;
        let message = Event::read(&self.name, payload)
            .ok_or_else(|| FrameError::new(ErrorCode::UnknownType, self.name.clone()))?
            .map_err(|error| FrameError::new(ErrorCode::Internal, format!("stored {}: {error}", self.name)))?;
        Ok(Frame {
            id: self.id,
            ts: Some(self.ts),
            thread_id: Some(self.thread_id),
            run_id: self.run_id,
            epoch: Some(self.epoch.clone()),
            seq: Some(self.seq),
            reply_to: None,
            message,
        })
    }
}

#[cfg(test)]
#[path = "frame_tests.rs"]
mod tests;
