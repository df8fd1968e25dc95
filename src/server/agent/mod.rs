//! Agents: who answers, and how a run goes from a person's message to its last event.

mod bridge;
mod context;
mod conversation;
mod engine;
pub mod provider;
mod recovery;
mod registry;
mod turns;

pub use bridge::Bridge;
pub(crate) use bridge::MAX_TITLE;
pub use context::{Halt, RunContext};
pub use engine::{Engine, EngineParts};
pub use registry::{Agent, Registry};
