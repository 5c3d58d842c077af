-- kind: expand
-- expect: move-tablespace
-- recipe: RDS has one storage
BEGIN;
ALTER TABLE outbox SET TABLESPACE fast;
COMMIT;
