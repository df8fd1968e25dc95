-- A stop that was acknowledged outlives the process that acknowledged it.
ALTER TABLE runs ADD COLUMN stop_requested INTEGER NOT NULL DEFAULT 0;
