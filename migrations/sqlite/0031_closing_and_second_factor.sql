-- An account that is disabled signs in nowhere; one that is to be deleted is gone for good at `delete_at`, unless its owner signs in.
ALTER TABLE users ADD COLUMN disabled_at INTEGER;
ALTER TABLE users ADD COLUMN delete_at INTEGER;
CREATE INDEX users_to_delete ON users (delete_at) WHERE delete_at IS NOT NULL;

-- TOTP (RFC 6238). It counts once it was confirmed; `totp_step` is the newest step that was used, so that no code is taken twice.
ALTER TABLE users ADD COLUMN totp_secret BLOB;
ALTER TABLE users ADD COLUMN totp_confirmed_at INTEGER;
ALTER TABLE users ADD COLUMN totp_step INTEGER NOT NULL DEFAULT 0;

-- `digest` is the SHA-256 of a code that is good once.
CREATE TABLE recovery_codes (
    user_id BLOB NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    digest BLOB NOT NULL,
    PRIMARY KEY (user_id, digest)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER audit_is_not_shortened BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, 'the audit log is only added to'); END;
