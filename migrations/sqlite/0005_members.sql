-- Who besides its owner may read a thread and take part in it.
CREATE TABLE members (
    thread_id BLOB NOT NULL REFERENCES threads (id) ON DELETE CASCADE,
    user_id BLOB NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    added_at INTEGER NOT NULL,
    PRIMARY KEY (thread_id, user_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX members_by_user ON members (user_id, thread_id);

-- Who wrote a person's message, with the name at that time.
ALTER TABLE messages ADD COLUMN author_id BLOB;
ALTER TABLE messages ADD COLUMN author_name TEXT;
