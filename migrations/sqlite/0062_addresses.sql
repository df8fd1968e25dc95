-- Whether the owner has yet to show that the address is theirs, by a link that was sent there. Accounts that were made where no mail
-- is sent, or before any was, have nothing to show.
ALTER TABLE users ADD COLUMN address_due INTEGER NOT NULL DEFAULT 0;
