-- Who somebody is at a provider of identities (OpenID Connect): `subject` is that provider's own name for the person.
CREATE TABLE identities (
    issuer TEXT NOT NULL,
    subject TEXT NOT NULL,
    user_id BLOB NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (issuer, subject)
) STRICT, WITHOUT ROWID;
CREATE INDEX identities_by_user ON identities (user_id);

-- Sign-ins that came from a provider, by whose word they end, too. `sid` names the provider's own session, where it says one.
CREATE TABLE provider_sign_ins (
    session_id BLOB PRIMARY KEY REFERENCES sessions (id) ON DELETE CASCADE,
    issuer TEXT NOT NULL,
    subject TEXT NOT NULL,
    sid TEXT,
    id_token TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX provider_sign_ins_by_subject ON provider_sign_ins (issuer, subject);
