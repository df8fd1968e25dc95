-- When and where a run ended, so that its deltas can be trimmed later. Times are milliseconds since the Unix epoch.
ALTER TABLE runs ADD COLUMN ended_at INTEGER;
ALTER TABLE runs ADD COLUMN end_seq INTEGER;
ALTER TABLE runs ADD COLUMN trimmed INTEGER NOT NULL DEFAULT 0;

UPDATE runs SET
    end_seq = (SELECT MAX(seq) FROM events WHERE events.thread_id = runs.thread_id AND events.run_id = runs.id),
    ended_at = (SELECT MAX(ts) FROM events WHERE events.thread_id = runs.thread_id AND events.run_id = runs.id)
WHERE status NOT IN ('queued', 'running');

CREATE INDEX runs_to_trim ON runs (ended_at) WHERE trimmed = 0 AND ended_at IS NOT NULL;
