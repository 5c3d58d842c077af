-- kind: expand
BEGIN;
ALTER TABLE customers ADD COLUMN preferences jsonb;
COMMIT;
