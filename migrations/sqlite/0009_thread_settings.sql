-- What each reader made of a thread for themselves: a member's archive is no matter of the owner's.
CREATE TABLE thread_settings (
    user_id BLOB NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    thread_id BLOB NOT NULL REFERENCES threads (id) ON DELETE CASCADE,
    pinned INTEGER NOT NULL DEFAULT 0,
    archived INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (user_id, thread_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX thread_settings_by_thread ON thread_settings (thread_id);

INSERT INTO thread_settings (user_id, thread_id, pinned, archived)
SELECT user_id, id, pinned, archived FROM threads WHERE pinned OR archived;

ALTER TABLE threads DROP COLUMN pinned;
ALTER TABLE threads DROP COLUMN archived;

-- Counts what changes a thread and is no event of its log. With `head_seq` it is the thread's version.
ALTER TABLE threads ADD COLUMN changes INTEGER NOT NULL DEFAULT 0;

-- The runs of a page of messages, without a look at every run of the thread.
CREATE INDEX runs_by_message ON runs (thread_id, message_id);
