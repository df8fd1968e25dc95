-- Parts of words, and scripts that put no space between words: what the words of messages_fts do not find.
CREATE VIRTUAL TABLE messages_parts USING fts5 (
    content, content = 'messages', content_rowid = 'rowid', tokenize = 'trigram remove_diacritics 1'
);
CREATE TRIGGER messages_added_parts AFTER INSERT ON messages BEGIN
    INSERT INTO messages_parts (rowid, content) VALUES (new.rowid, new.content);
END;
CREATE TRIGGER messages_removed_parts AFTER DELETE ON messages BEGIN
    INSERT INTO messages_parts (messages_parts, rowid, content) VALUES ('delete', old.rowid, old.content);
END;
INSERT INTO messages_parts (messages_parts) VALUES ('rebuild');
