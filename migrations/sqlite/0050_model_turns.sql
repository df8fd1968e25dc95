-- What a model's server said beside words and wants to see again: sealed reasoning, signatures, and its own ids of calls. `first_call` is the
-- number of the turn's first call in its run, `said` how many bytes of the run's text stood at the turn's end, `source` the SHA-256 of who
-- sent it. `calls` and `replay` are JSON; a `replay` that was too long is NULL.
CREATE TABLE model_turns (
    id INTEGER PRIMARY KEY,
    thread_id BLOB NOT NULL REFERENCES threads (id) ON DELETE CASCADE,
    run_id BLOB NOT NULL,
    first_call INTEGER NOT NULL,
    source BLOB NOT NULL,
    said INTEGER NOT NULL,
    calls TEXT NOT NULL,
    replay TEXT,
    UNIQUE (run_id, first_call)
) STRICT;
CREATE INDEX model_turns_by_thread ON model_turns (thread_id, id);
