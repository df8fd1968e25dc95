//! What a person's sign-in at an MCP server gave.

use async_trait::async_trait;

use super::StoreError;

/// Keeps the connections of MCP servers that a person signs in to.
///
/// # Guarantees
/// A server has one connection or none. What is kept is sealed already, and is given back as it came.
#[async_trait]
pub trait McpConnections: Send + Sync {
    /// The connection of the server with this name.
    async fn mcp_connection(&self, server: &str) -> Result<Option<Vec<u8>>, StoreError>;
    /// Keeps a connection instead of the one before.
    async fn keep_mcp_connection(&self, server: &str, sealed: &[u8]) -> Result<(), StoreError>;
    /// Forgets it.
    async fn forget_mcp_connection(&self, server: &str) -> Result<(), StoreError>;
}
