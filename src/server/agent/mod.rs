//! Agents: who answers, and how a run goes from a person's message to its last event.
//!
//! - `bridge`: what a command does; `engine`: claims runs and ends each with one terminal event;
//! - [`Agent`], [`RunHandle`]: the seam between the engine and whatever answers;
//! - `calling`: tools that may have to be allowed, other agents, and questions to people;
//! - `tool_loop`: an agent over any [`model::Model`]; `guide`: the one without a model;
//! - [`remote`]: agents that others run, spoken to by AG-UI or LangChain's events;
//! - [`acp`]: agents that are programs of this machine, spoken to by the Agent Client Protocol;
//! - [`check`]: what works at a model's server; `answer`, `recovery`: what was said, and what an earlier process left.

pub mod acp;
mod answer;
mod bridge;
mod calling;
pub mod check;
mod checks;
mod context;
mod context_budget;
mod conversation;
mod engine;
mod guide;
mod handle;
mod held;
mod kept;
pub mod model;
mod model_names;
mod offers;
mod recovery;
mod registry;
pub mod remote;
mod title;
mod tool_loop;

pub use bridge::Bridge;
pub(crate) use bridge::MAX_TITLE;
pub use calling::Asked;
pub(crate) use calling::why_denied;
pub use checks::{Checks, check_kind};
pub use context::{Halt, RunContext};
pub use engine::{Engine, EngineParts};
pub use handle::{Agent, Leave, Observed, RunHandle};
pub use offers::{AgentCommand, AgentMode, Offers};
pub use registry::{Listed, Registry};
pub use tool_loop::Price;
