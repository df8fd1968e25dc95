-- Commands that join and leave rooms are remembered for a day: a room itself is in memory. Times are milliseconds since the Unix epoch.
ALTER TABLE commands ADD COLUMN forget_at INTEGER;
CREATE INDEX commands_to_forget ON commands (forget_at) WHERE forget_at IS NOT NULL;
UPDATE commands SET forget_at = 1000 * (unixepoch() + 86400) WHERE ack NOT LIKE '%"run_id"%';
