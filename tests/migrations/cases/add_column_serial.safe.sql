-- kind: expand
BEGIN;
ALTER TABLE customers ADD COLUMN number bigint;
COMMIT;
