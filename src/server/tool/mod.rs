//! Tools: what agents can do beside talking.

mod asking;
pub mod builtin;
mod engine;
#[cfg(debug_assertions)]
pub(crate) mod for_tests;
pub mod names;
mod notes;
pub mod policy;
mod source;

use std::sync::Arc;

use async_trait::async_trait;
use netra_ws::{ThreadId, UserId, model::Object};
use serde_json::Value;

pub(crate) use engine::bounded;
pub use engine::{ToolEngine, ToolOutcome, ToolRequest, ToolStop};
pub use notes::{Asking, Note, Notes, Word};
pub use policy::{Person, Rule, Rules, ToolPolicy};
pub use source::{KnownTool, ToolSource};

/// What a model is told about a tool.
#[derive(Clone, Debug)]
pub struct ToolSpec {
    /// The name in events and configuration.
    pub name: String,
    /// What it does, for the model.
    pub description: String,
    /// JSON Schema of its arguments.
    pub parameters: Value,
    /// Whether calling it twice does no harm, so that a call cut off by a crash may be repeated.
    pub idempotent: bool,
}

/// Why a tool failed, in words that a model can act on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ToolError(pub String);

/// How a call that gave no result ended.
#[derive(Clone, Debug, PartialEq)]
pub enum ToolFailure {
    /// The tool failed; in the words of this value.
    Failed(Value),
    /// It is not known whether the tool had its effect.
    Interrupted(String),
}

impl From<ToolError> for ToolFailure {
    fn from(error: ToolError) -> Self {
        Self::Failed(serde_json::json!({ "error": error.0 }))
    }
}

/// On whose behalf a tool works.
#[derive(Clone, Copy, Debug)]
pub struct ToolCaller {
    /// The user; a tool sees nothing of others.
    pub user_id: UserId,
    /// Where the result is shown: to everyone who reads this thread.
    pub thread_id: ThreadId,
}

/// Something that an agent can call.
#[async_trait]
pub trait Tool: Send + Sync + 'static {
    /// What it is.
    fn spec(&self) -> ToolSpec;

    /// Does it. Dropping the future cancels it.
    async fn call(&self, caller: ToolCaller, arguments: &Object) -> Result<Value, ToolError>;

    /// The same with a way to say how far it is and to ask a person, for tools that take their time: the engine calls this.
    async fn work(&self, caller: ToolCaller, arguments: &Object, _notes: &Arc<Notes>) -> Result<Value, ToolFailure> {
        Ok(self.call(caller, arguments).await?)
    }

    /// Whether it ends each call in time by itself; that of any other ends after a minute.
    fn keeps_time(&self) -> bool {
        false
    }
}

/// A tool behind a pointer.
pub type SharedTool = Arc<dyn Tool>;

/// A required text argument.
pub(crate) fn text_argument<'a>(arguments: &'a Object, name: &str) -> Result<&'a str, ToolError> {
    match arguments.get(name) {
        Some(Value::String(text)) if !text.trim().is_empty() => Ok(text),
        Some(Value::String(_)) => Err(ToolError(format!("`{name}` is empty"))),
        Some(_) => Err(ToolError(format!("`{name}` must be a string"))),
        None => Err(ToolError(format!("`{name}` is missing"))),
    }
}
