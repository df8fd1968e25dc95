//! Calls that a remote agent makes: put together from their pieces, begun once, ended once, and not too many.

use serde_json::{Map, Value};

use super::{Fault, Outcome, Said, clean};

/// Calls of one run.
const MAX_CALLS: usize = 500;

/// Calls that are open at a time.
const MAX_OPEN: usize = 64;

/// Bytes of all arguments of one run.
const MAX_ARGUMENTS: usize = 4 << 20;

/// Characters of a tool's name that are shown.
const MAX_NAME: usize = 200;

/// A call with its arguments.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::server::agent) struct Call {
    /// The agent's id of the call.
    pub(in crate::server::agent) id: String,
    /// The tool's name.
    pub(in crate::server::agent) tool: String,
    /// The arguments, or text that is no JSON object.
    pub(in crate::server::agent) arguments: Result<Map<String, Value>, String>,
    /// The agent's id of the message that the call belongs to.
    pub(in crate::server::agent) message: Option<String>,
}

#[derive(Debug)]
struct Coming {
    id: String,
    tool: String,
    arguments: String,
    message: Option<String>,
}

/// The calls of a run.
#[derive(Debug, Default)]
pub(super) struct Calls {
    coming: Vec<Coming>,
    open: Vec<String>,
    begun: usize,
    bytes: usize,
}

impl Calls {
    /// A call of which the arguments follow. One that is under way is not begun again; an id whose call has ended may be used anew.
    pub(super) fn start(&mut self, id: &str, tool: &str, message: Option<&str>) -> Result<(), Fault> {
        if self.is_coming(id) || self.is_open(id) {
            return Ok(());
        }
        self.room()?;
        let message = message.map(str::to_owned);
        self.coming.push(Coming { id: id.to_owned(), tool: name(tool), arguments: String::new(), message });
        Ok(())
    }

    /// More of the arguments of a call that comes; what belongs to no such call says nothing.
    pub(super) fn add(&mut self, id: &str, part: &str) -> Result<(), Fault> {
        if let Some(call) = self.coming.iter_mut().find(|call| call.id == id) {
            call.arguments.push_str(part);
            self.bytes += part.len();
        }
        self.check_bytes()
    }

    /// The same for the newest call of this message.
    pub(super) fn add_at(&mut self, message: &str, part: &str) -> Result<(), Fault> {
        let newest = self.coming.iter_mut().rfind(|call| call.message.as_deref() == Some(message));
        if let Some(call) = newest {
            call.arguments.push_str(part);
            self.bytes += part.len();
        }
        self.check_bytes()
    }

    /// The arguments are whole: the call begins.
    pub(super) fn begin(&mut self, id: &str) -> Option<Said> {
        let at = self.coming.iter().position(|call| call.id == id)?;
        let Coming { id, tool, arguments, message } = self.coming.remove(at);
        self.open.push(id.clone());
        Some(Said::Begun(Call { id, tool, arguments: arguments_of(&arguments), message }))
    }

    /// A call that came whole begins.
    pub(super) fn whole(&mut self, id: &str, tool: &str, arguments: &Value) -> Result<Option<Said>, Fault> {
        if self.is_open(id) {
            return Ok(None);
        }
        self.coming.retain(|call| call.id != id);
        self.room()?;
        let arguments = match arguments {
            Value::Object(fields) => Ok(fields.clone()),
            Value::String(text) => match arguments_of(text) {
                // One argument without a name.
                Err(text) => Ok(Map::from_iter([("input".to_owned(), Value::String(text))])),
                read => read,
            },
            Value::Null => Ok(Map::new()),
            other => Ok(Map::from_iter([("input".to_owned(), other.clone())])),
        };
        self.bytes += arguments.as_ref().map_or(0, |fields| fields.values().map(size).sum());
        self.check_bytes()?;
        self.open.push(id.to_owned());
        Ok(Some(Said::Begun(Call { id: id.to_owned(), tool: name(tool), arguments, message: None })))
    }

    /// A call ends, once it has begun. The end of an unknown one says nothing.
    pub(super) fn end(&mut self, id: &str, outcome: Outcome) -> Vec<Said> {
        let mut said: Vec<Said> = self.begin(id).into_iter().collect();
        if let Some(at) = self.open.iter().position(|open| open == id) {
            self.open.remove(at);
            said.push(Said::Ended { id: id.to_owned(), outcome });
        }
        said
    }

    pub(super) fn is_open(&self, id: &str) -> bool {
        self.open.iter().any(|open| open == id)
    }

    pub(super) fn is_coming(&self, id: &str) -> bool {
        self.coming.iter().any(|call| call.id == id)
    }

    /// The calls of which arguments may follow.
    pub(super) fn coming_ids(&self) -> Vec<String> {
        self.coming.iter().map(|call| call.id.clone()).collect()
    }

    /// Calls that will not begin.
    pub(super) fn forget(&mut self, ids: &[String]) {
        self.coming.retain(|call| !ids.contains(&call.id));
    }

    /// A call that was told to have begun has not.
    pub(super) fn forget_open(&mut self, id: &str) {
        self.open.retain(|open| open != id);
    }

    /// Begins all calls whose arguments have come so far.
    pub(super) fn begin_all(&mut self) -> Vec<Said> {
        let ids: Vec<String> = self.coming.iter().map(|call| call.id.clone()).collect();
        ids.iter().filter_map(|id| self.begin(id)).collect()
    }

    fn room(&mut self) -> Result<(), Fault> {
        if self.open.len() + self.coming.len() >= MAX_OPEN {
            return Err(Fault::protocol(format!("the agent has more than {MAX_OPEN} calls open at a time")));
        }
        self.begun += 1;
        if self.begun > MAX_CALLS {
            return Err(Fault::protocol(format!("the agent made more than {MAX_CALLS} calls in one run")));
        }
        Ok(())
    }

    fn check_bytes(&self) -> Result<(), Fault> {
        if self.bytes > MAX_ARGUMENTS {
            return Err(Fault::protocol(format!(
                "the arguments of the agent's calls have more than {} MiB",
                MAX_ARGUMENTS >> 20
            )));
        }
        Ok(())
    }
}

/// About how many bytes a value has; exact where it is large.
fn size(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len(),
        Value::Array(items) => items.iter().map(size).sum::<usize>() + items.len(),
        Value::Object(fields) => fields.iter().map(|(name, value)| name.len() + size(value)).sum(),
        Value::Null | Value::Bool(_) | Value::Number(_) => 8,
    }
}

fn name(tool: &str) -> String {
    let name: String = clean(tool).trim().chars().take(MAX_NAME).collect();
    if name.is_empty() { "unknown".to_owned() } else { name }
}

/// Arguments as an object, also where they are wrapped once more; no text is none.
fn arguments_of(text: &str) -> Result<Map<String, Value>, String> {
    if text.trim().is_empty() {
        return Ok(Map::new());
    }
    let unreadable = || clean(text);
    match serde_json::from_str(text) {
        Ok(Value::Object(fields)) => Ok(fields),
        Ok(Value::Null) => Ok(Map::new()),
        Ok(Value::String(inner)) => match serde_json::from_str(&inner) {
            Ok(Value::Object(fields)) => Ok(fields),
            Ok(_) | Err(_) => Err(unreadable()),
        },
        Ok(_) | Err(_) => Err(unreadable()),
    }
}
