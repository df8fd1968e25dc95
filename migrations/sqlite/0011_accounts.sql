-- Where and with what a sign-in was made, and when it was used last. Times are milliseconds since the Unix epoch.
ALTER TABLE sessions ADD COLUMN seen_at INTEGER;
ALTER TABLE sessions ADD COLUMN address TEXT;
ALTER TABLE sessions ADD COLUMN device TEXT;

-- What a program's token may do, until when, and where it was used last. Tokens made before could do all that a user may.
ALTER TABLE api_tokens ADD COLUMN scope TEXT NOT NULL DEFAULT 'admin';
ALTER TABLE api_tokens ADD COLUMN expires_at INTEGER;
ALTER TABLE api_tokens ADD COLUMN last_used_from TEXT;

-- Links that are good once: an invitation makes an account with a role, a password link gives an account a new password. `id`
-- is the SHA-256 of the secret in the link.
CREATE TABLE links (
    id BLOB PRIMARY KEY,
    purpose TEXT NOT NULL,
    user_id BLOB REFERENCES users (id) ON DELETE CASCADE,
    role TEXT NOT NULL,
    made_by BLOB REFERENCES users (id) ON DELETE CASCADE,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT;

-- What was done to accounts, tokens and members, and by whom: only ever added to.
CREATE TABLE audit (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,
    actor BLOB,
    action TEXT NOT NULL,
    subject TEXT,
    address TEXT
) STRICT;
CREATE INDEX audit_by_actor ON audit (actor, id);
CREATE TRIGGER audit_is_not_changed BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'the audit log is only added to'); END;
