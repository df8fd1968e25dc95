-- Indexes of words without a second copy of what to take out: a message that goes leaves a mark in them, and merging drops its
-- words later. Merging is done beside what is written, in slices: see src/server/store/sqlite/merging.rs.
DROP TRIGGER messages_added;
DROP TRIGGER messages_removed;
DROP TRIGGER messages_added_parts;
DROP TRIGGER messages_removed_parts;
DROP TABLE messages_fts;
DROP TABLE messages_parts;

CREATE VIRTUAL TABLE messages_fts USING fts5 (
    content, content = '', contentless_delete = 1, tokenize = 'porter unicode61 remove_diacritics 2'
);
CREATE VIRTUAL TABLE messages_parts USING fts5 (
    content, content = '', contentless_delete = 1, tokenize = 'trigram remove_diacritics 1'
);
INSERT INTO messages_fts (rowid, content) SELECT rowid, content FROM messages;
INSERT INTO messages_parts (rowid, content) SELECT rowid, content FROM messages;

-- So many parts of an index are merged at once only when the slices do not keep up.
INSERT INTO messages_fts (messages_fts, rank) VALUES ('automerge', 0), ('crisismerge', 128);
INSERT INTO messages_parts (messages_parts, rank) VALUES ('automerge', 0), ('crisismerge', 128);

CREATE TRIGGER messages_added AFTER INSERT ON messages BEGIN
    INSERT INTO messages_fts (rowid, content) VALUES (new.rowid, new.content);
    INSERT INTO messages_parts (rowid, content) VALUES (new.rowid, new.content);
END;
CREATE TRIGGER messages_removed AFTER DELETE ON messages BEGIN
    DELETE FROM messages_fts WHERE rowid = old.rowid;
    DELETE FROM messages_parts WHERE rowid = old.rowid;
END;
