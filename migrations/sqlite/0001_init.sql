-- Times are milliseconds since the Unix epoch; ids are UUIDs in 16 bytes.

CREATE TABLE users (
    id BLOB PRIMARY KEY,
    email TEXT UNIQUE COLLATE NOCASE,
    name TEXT NOT NULL,
    role TEXT NOT NULL,
    password_hash TEXT,
    created_at INTEGER NOT NULL
) STRICT;

-- A browser's sign-in. `id` is the SHA-256 of the cookie's value, so that a stolen database opens no account.
CREATE TABLE sessions (
    id BLOB PRIMARY KEY,
    user_id BLOB NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT;
CREATE INDEX sessions_by_user ON sessions (user_id);

CREATE TABLE threads (
    id BLOB PRIMARY KEY,
    user_id BLOB NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    title TEXT NOT NULL,
    agent TEXT NOT NULL,
    pinned INTEGER NOT NULL DEFAULT 0,
    archived INTEGER NOT NULL DEFAULT 0,
    epoch TEXT NOT NULL,
    head_seq INTEGER NOT NULL DEFAULT 0,
    trimmed_seq INTEGER NOT NULL DEFAULT 0,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;
CREATE INDEX threads_by_user ON threads (user_id, updated_at, id);

-- The log. `payload` is the JSON that was written once.
CREATE TABLE events (
    thread_id BLOB NOT NULL REFERENCES threads (id) ON DELETE CASCADE,
    seq INTEGER NOT NULL,
    id BLOB NOT NULL,
    ts INTEGER NOT NULL,
    run_id BLOB,
    type TEXT NOT NULL,
    payload TEXT NOT NULL,
    PRIMARY KEY (thread_id, seq)
) STRICT, WITHOUT ROWID;

-- Projections of the log, written in the transaction that appends.
CREATE TABLE messages (
    rowid INTEGER PRIMARY KEY,
    thread_id BLOB NOT NULL REFERENCES threads (id) ON DELETE CASCADE,
    id BLOB NOT NULL,
    seq INTEGER NOT NULL,
    role TEXT NOT NULL,
    content TEXT NOT NULL,
    run_id BLOB,
    attachments TEXT NOT NULL DEFAULT '[]',
    created_at INTEGER NOT NULL,
    UNIQUE (thread_id, id),
    UNIQUE (thread_id, seq)
) STRICT;

CREATE VIRTUAL TABLE messages_fts USING fts5 (
    content, content = 'messages', content_rowid = 'rowid', tokenize = 'porter unicode61 remove_diacritics 2'
);
CREATE TRIGGER messages_added AFTER INSERT ON messages BEGIN
    INSERT INTO messages_fts (rowid, content) VALUES (new.rowid, new.content);
END;
CREATE TRIGGER messages_removed AFTER DELETE ON messages BEGIN
    INSERT INTO messages_fts (messages_fts, rowid, content) VALUES ('delete', old.rowid, old.content);
END;

-- A run has a lease: who works on it, until when, and a fence that grows with every claim.
CREATE TABLE runs (
    id BLOB PRIMARY KEY,
    thread_id BLOB NOT NULL REFERENCES threads (id) ON DELETE CASCADE,
    number INTEGER NOT NULL,
    message_id BLOB,
    parent_run_id BLOB,
    agent TEXT NOT NULL,
    status TEXT NOT NULL,
    owner TEXT,
    fence INTEGER NOT NULL DEFAULT 0,
    lease_expires_at INTEGER NOT NULL DEFAULT 0,
    start_seq INTEGER,
    state TEXT,
    created_at INTEGER NOT NULL,
    UNIQUE (thread_id, number)
) STRICT;
CREATE INDEX runs_unfinished ON runs (thread_id, number) WHERE status IN ('queued', 'running');

-- What a command became, for as long as its thread lives: a resend gets the first answer.
CREATE TABLE commands (
    user_id BLOB NOT NULL,
    id BLOB NOT NULL,
    digest BLOB NOT NULL,
    thread_id BLOB NOT NULL REFERENCES threads (id) ON DELETE CASCADE,
    ack TEXT NOT NULL,
    PRIMARY KEY (user_id, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX commands_by_thread ON commands (thread_id);
