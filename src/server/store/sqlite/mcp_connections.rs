//! What a person's sign-in at an MCP server gave.

use async_trait::async_trait;
use sqlx::{query, query_scalar};

use super::{
    super::{StoreError, mcp_connections::McpConnections},
    SqliteStore, now,
};

#[async_trait]
impl McpConnections for SqliteStore {
    async fn mcp_connection(&self, server: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let kept = query_scalar("SELECT sealed FROM mcp_connections WHERE server = ?").bind(server);
        Ok(kept.fetch_optional(&self.readers).await?)
    }

    async fn keep_mcp_connection(&self, server: &str, sealed: &[u8]) -> Result<(), StoreError> {
        let mut tx = self.write().await?;
        query(
            "INSERT INTO mcp_connections (server, sealed, kept_at) VALUES (?, ?, ?)
             ON CONFLICT (server) DO UPDATE SET sealed = excluded.sealed, kept_at = excluded.kept_at",
        )
        .bind(server)
        .bind(sealed)
        .bind(now())
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(())
    }

    async fn forget_mcp_connection(&self, server: &str) -> Result<(), StoreError> {
        let mut tx = self.write().await?;
        query("DELETE FROM mcp_connections WHERE server = ?").bind(server).execute(&mut *tx).await?;
        tx.commit().await?;
        Ok(())
    }
}
