-- kind: expand
-- expect: unlogged
-- recipe: rows in batches
BEGIN;
ALTER TABLE outbox SET UNLOGGED;
COMMIT;
