-- Links by which anybody reads a conversation as far as it went when the link was made. The secret itself is not kept.
CREATE TABLE thread_links (
    id BLOB PRIMARY KEY,
    digest BLOB NOT NULL UNIQUE,
    thread_id BLOB NOT NULL REFERENCES threads (id) ON DELETE CASCADE,
    made_by BLOB NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    up_to INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT;
CREATE INDEX thread_links_by_thread ON thread_links (thread_id);
