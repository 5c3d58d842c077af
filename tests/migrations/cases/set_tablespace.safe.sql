-- kind: expand
BEGIN;
ALTER TABLE outbox SET (fillfactor = 90);
COMMIT;
