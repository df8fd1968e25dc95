-- When whoever holds a sign-in showed last that it is them: by a password or a second factor. Absent: when they signed in.
ALTER TABLE sessions ADD COLUMN confirmed_at INTEGER;
