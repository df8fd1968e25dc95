-- A run that works for another: the call of its parent that it answers, what it was asked, and whether its parent has taken the
-- answer in.
ALTER TABLE runs ADD COLUMN parent_call_id TEXT;
ALTER TABLE runs ADD COLUMN task TEXT;
ALTER TABLE runs ADD COLUMN joined INTEGER NOT NULL DEFAULT 0;
CREATE INDEX runs_of_parent ON runs (parent_run_id) WHERE parent_run_id IS NOT NULL;

-- A run that waits has neither owner nor lease. When it is woken at the latest, how long processes have worked on it, and the
-- newest event of its thread when it began to wait.
ALTER TABLE runs ADD COLUMN wake_at INTEGER;
ALTER TABLE runs ADD COLUMN worked_ms INTEGER;
ALTER TABLE runs ADD COLUMN wait_seq INTEGER;
CREATE INDEX runs_to_wake ON runs (wake_at) WHERE status = 'waiting';
CREATE INDEX runs_waiting ON runs (thread_id, number) WHERE status = 'waiting';
CREATE INDEX runs_waiting_by_user ON runs (asked_by, thread_id) WHERE status = 'waiting';

-- What people are asked: whether a tool may be called, or something that an agent wants to know. The first decision counts;
-- `taken` once the run's events tell of it, or the question is over.
CREATE TABLE questions (
    run_id BLOB NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    tool_call_id TEXT NOT NULL UNIQUE,
    thread_id BLOB NOT NULL REFERENCES threads (id) ON DELETE CASCADE,
    tool TEXT NOT NULL,
    -- JSON: words, options and form.
    question TEXT NOT NULL,
    asked_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    approved INTEGER,
    option TEXT,
    -- JSON: what was filled in.
    answer TEXT,
    reason TEXT,
    decided_by BLOB,
    decided_name TEXT,
    decided_at INTEGER,
    taken INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (run_id, tool_call_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX questions_open ON questions (thread_id) WHERE taken = 0;
CREATE INDEX questions_by_thread ON questions (thread_id);

-- What a person decided for the rest of a conversation.
CREATE TABLE consents (
    thread_id BLOB NOT NULL REFERENCES threads (id) ON DELETE CASCADE,
    user_id BLOB NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    tool TEXT NOT NULL,
    approved INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (thread_id, user_id, tool)
) STRICT, WITHOUT ROWID;
CREATE INDEX consents_by_user ON consents (user_id);
