-- Files that go with messages; their bytes are kept elsewhere, under the id. `state`: 0 on its way, 1 kept, 2 to be removed. `thread_id` and
-- `message_id` say where it was sent. Nothing here goes with its thread by itself: the row is what remembers the bytes.
CREATE TABLE attachments (
    id BLOB PRIMARY KEY,
    user_id BLOB NOT NULL,
    state INTEGER NOT NULL,
    thread_id BLOB,
    message_id BLOB,
    name TEXT NOT NULL,
    media_type TEXT NOT NULL,
    bytes INTEGER NOT NULL,
    digest BLOB,
    created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX attachments_by_user ON attachments (user_id, state);
CREATE INDEX attachments_by_thread ON attachments (thread_id) WHERE thread_id IS NOT NULL;
CREATE INDEX attachments_to_remove ON attachments (created_at) WHERE state = 2 OR thread_id IS NULL;
