//! Discovery: what a client reads before it connects, at `GET /api/config` or in the page itself.

use serde::{Deserialize, Serialize};

use crate::payload::Limits;

/// Where the socket is, who can sign in how, and who answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Discovery {
    /// The server's version.
    pub version: String,
    /// The newest protocol it speaks.
    pub protocol: String,
    /// The socket.
    pub ws: SocketInfo,
    /// Signing in.
    pub auth: AuthInfo,
    /// Agents, the default first.
    pub agents: Vec<AgentInfo>,
}

/// How to open the socket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SocketInfo {
    /// Relative to the page, or absolute.
    pub url: String,
    /// The subprotocol to offer.
    pub subprotocol: String,
    /// What stands before the token in the second subprotocol.
    pub token_prefix: String,
    /// What a connection may do.
    #[serde(flatten)]
    pub limits: Limits,
}

/// Ways to sign in: `dev`, `password`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AuthInfo {
    /// Their names.
    pub modes: Vec<String>,
    /// Who may make an account: `open`, `invitation` or `closed`; absent where it is not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registration: Option<String>,
}

/// An agent that can be asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AgentInfo {
    /// Its name in messages.
    pub name: String,
    /// Its name for people.
    pub title: String,
    /// What it is for.
    pub description: String,
    /// Questions that it can answer.
    pub examples: Vec<String>,
}
