-- The message that a message follows: NULL, the newest before it; sixteen zeros, none. And the answers that a run wrote.
ALTER TABLE messages ADD COLUMN parent_id BLOB;
CREATE INDEX messages_by_parent ON messages (thread_id, parent_id) WHERE parent_id IS NOT NULL;
CREATE INDEX messages_by_run ON messages (run_id) WHERE run_id IS NOT NULL;
