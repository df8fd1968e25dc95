-- A message is asked about by its id alone: whoever wants one more answer need not name the thread.
CREATE INDEX messages_by_id ON messages (id);
