//! Agents: who answers, and how a run goes from a person's message to its last event.
//!
//! - `bridge`: what a command does; `engine`: claims runs and ends each with one terminal event;
//! - [`Agent`], [`RunHandle`]: the seam between the engine and whatever answers;
//! - `tool_loop`: an agent over any [`model::Model`]; `guide`: the one without a model;
//! - [`check`]: what works at a model's server; `answer`, `recovery`: what was said, and what an earlier process left.

mod answer;
mod bridge;
pub mod check;
mod checks;
mod context;
mod context_budget;
mod conversation;
mod engine;
mod guide;
mod handle;
mod kept;
pub mod model;
mod model_names;
mod recovery;
mod registry;
mod title;
mod tool_loop;

pub use bridge::Bridge;
pub(crate) use bridge::MAX_TITLE;
pub use checks::Checks;
pub use context::{Halt, RunContext};
pub use engine::{Engine, EngineParts};
pub use handle::{Agent, Leave, RunHandle};
pub use registry::{Listed, Registry};
pub use tool_loop::Price;
