-- Who asked for a run: it counts among that person's. Runs made before count for nobody.
ALTER TABLE runs ADD COLUMN asked_by BLOB;
CREATE INDEX runs_unfinished_by_user ON runs (asked_by, thread_id) WHERE status IN ('queued', 'running');
CREATE INDEX runs_by_user ON runs (asked_by, created_at);

-- A member was invited, and takes part once they accepted. Who was added before takes part already.
ALTER TABLE members ADD COLUMN role TEXT NOT NULL DEFAULT 'writer';
ALTER TABLE members ADD COLUMN accepted_at INTEGER;
ALTER TABLE members ADD COLUMN invited_by BLOB;
UPDATE members SET accepted_at = added_at;

-- Whose invitations a user does not want.
CREATE TABLE blocks (
    user_id BLOB NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    blocked_id BLOB NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (user_id, blocked_id)
) STRICT, WITHOUT ROWID;
