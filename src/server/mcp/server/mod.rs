//! Our agents as tools, our conversations as resources, and the prompts of the MCP servers that we use, for others: one
//! implementation behind `POST /mcp` ([`http`]) and the socket's JSON-RPC ([`socket`]).

mod conversation;
pub mod http;
mod offer;
mod prompts;
mod run;
pub mod socket;

pub use offer::Offer;
