-- Owns deleted threads until what belonged to them is gone: see src/server/store/sqlite/bury.rs.
INSERT INTO users (id, name, role, created_at) VALUES (zeroblob(16), 'Nobody', 'user', 0);

-- What a run has used so far, as JSON: a run that is taken up goes on counting.
ALTER TABLE runs ADD COLUMN usage TEXT;
