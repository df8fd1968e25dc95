-- What a person's sign-in at an MCP server gave: tokens, sealed with a key that comes from the server's secret.
CREATE TABLE mcp_connections (
    server TEXT PRIMARY KEY,
    sealed BLOB NOT NULL,
    kept_at INTEGER NOT NULL
) STRICT;
