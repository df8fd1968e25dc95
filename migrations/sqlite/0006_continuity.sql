-- Tells a log that goes on from one that went back: see src/server/store/sqlite/continuity.rs. One row.
CREATE TABLE continuity (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    generation TEXT NOT NULL,
    boot TEXT NOT NULL,
    running INTEGER NOT NULL
) STRICT;
